# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; guest
#
# The long run: readers and senders as fast as they may, while logins come and
# go and the agent is killed. Never more than the budget in any window; who may
# read is not hindered; nothing is left behind.

receiver_start()
{
	local i

	ip netns exec outside python3 $load receive $outlet "$1" &
	receiver=$!
	for ((i = 0; i < 300; i++)); do
		[ ! -e "$1" ] || return 0
		kill -0 $receiver 2>/dev/null || break
		sleep 0.1
	done
	fail receiver/starts "$(ip netns exec outside ss -Htnlp | tr '\n' ';')"
	note end
	exit 1
}

receiver_stop()
{
	sleep 2
	kill "$receiver"
	wait "$receiver"
}

# load_run SECONDS DIR: readers and senders at once; leaves their lines there.
load_run()
{
	local i how pids=()

	mkdir -p "$2"
	for i in 1 2 3; do
		how=$(cut -d ' ' -f $i <<<"tcp udp sendfile")
		as $((31000 + i)) python3 $load send $i 3 "$1" $wire 20000 \
			"$how" $outlet >"$2/send.$how" &
		pids+=($!)
		as $((32000 + i)) python3 $load read $i 3 "$1" \
			$small/photos 2000 "$2/reads.$i" >"$2/read.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	forget "$2"/{send,read,reads}.*
	sort -n "$2"/reads.* >"$2/reads"
}

# One login after another, each of which reads many files and ends. There are
# places for 4095 of them, and room for the touches of 50: enough for as long as
# there is no agent to forget any.
logins_come_and_go()
{
	local end=$((SECONDS + $1)) who=35000

	while ((SECONDS < end)); do
		hear as $((++who)) "$crowd" $wire 1 2000 1 2 1
		echo "$json"
		sleep $((1 + minutes / 50))
	done >"$2/logins"
}

unguarded()
{
	agent_gone
	receiver_start /out/twin.received
	load_run 25 /out/twin
	receiver_stop
	got=$(python3 $load judge /out/twin.received $send_max 60)
	check twin/more_than_the_budget_leaves_when_unguarded "$got" \
		[ "$(number_of "$got" worst)" -gt $send_max ]
	note "sent without the guard in 25 s: $got"
	got=$(python3 $load judge /out/twin/reads $read_max 60)
	check twin/more_than_the_budget_is_read_when_unguarded "$got" \
		[ "$(number_of "$got" worst)" -gt $read_max ]
	note "read without the guard in 25 s: $got"
}

long_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  small: {paths: [$small/photos], record: file}
	  wire: {paths: [$wire], record: file}
	rules:
	  - {subject: "*", dataset: small, read: $read_max records/minute}
	  - {subject: "*", dataset: wire, read: unlimited,
	     release: {"*": $send_max records/minute}}
	P
}

# An agent that dies, and one that gets another policy, in the middle of it.
disturb()
{
	sleep $((minutes * 20))
	agent_stop -KILL
	note "the agent was killed"
	sleep 5
	agent_start || fail agent/starts_again_under_load "$(tail -n 3 "$log")"
	note "another one has adopted the guard, and has $(rss_kib) KiB"
	rss=$(rss_kib)
	sleep $((minutes * 15))
	agent_with < <(long_policy) && note "the policy was loaded anew"
}

# tell SECONDS: how far it is, each half minute.
tell()
{
	local at

	for ((at = 30; at < $1; at += 30)); do
		sleep 30
		note "$at s of $1:" \
			"$(wc -l <$out.received) records received," \
			"$(wc -l <$out/logins) logins," \
			"$(cordon status --json 2>/dev/null | jq -r 'select(
			.type == "status").tables[] | select(.name == "touched")
			| .entries') touches"
	done
}

# sum_of NAME FILE...
sum_of()
{
	awk -v name="$1" '{ for (i = 1; i < NF; i++)
		if ($i == name) n += $(i + 1) }
	END { print n + 0 }' "${@:2}"
}

# Whatever the senders and readers met, the judge looks at what arrived, and
# at what was read. What was used comes back a fifteenth of the window late.
budgets_held()
{
	local windows=$((minutes * 60 / 70))

	got=$(python3 $load judge $out.received $send_max 60)
	check no_window_has_more_than_the_budget_when_sent "$got" \
		[ "$(number_of "$got" worst)" -le $send_max ]
	note "received: $got; $(cat $out/send.* | tr '\n' ';')"
	check budget_comes_back_when_a_window_is_over "$got" [ \
		"$(number_of "$got" records)" -ge $((send_max * windows * 8 / 10)) ]
	check many_are_refused_when_sending_for_long "$(cat $out/send.*)" \
		[ "$(sum_of refused $out/send.*)" -gt $((minutes * 10)) ]
	got=$(python3 $load judge $out/reads $read_max 60)
	check no_window_has_more_than_the_budget_when_read "$got" \
		[ "$(number_of "$got" worst)" -le $read_max ]
	note "read: $got; $(cat $out/read.* | tr '\n' ';')"
	check read_budget_comes_back_when_a_window_is_over \
		"$(cat $out/read.*)" [ "$(sum_of fresh $out/read.*)" -ge \
		$((read_max * windows * 8 / 10)) ]
	check many_are_refused_when_reading_for_long "$(cat $out/read.*)" \
		[ "$(sum_of refused $out/read.*)" -gt $((minutes * 10)) ]
	check no_act_ends_in_another_way "$(cat $out/send.* $out/read.*)" \
		[ "$(sum_of errors $out/send.* $out/read.*)" = 0 ]
}

# More touches than there is room for: who may read is not hindered by what
# those have touched who can read no more, and still counted exactly.
logins_were_let_in()
{
	local all room

	all=$(sum_of read $out/logins)
	room=$(status_of '.tables[] | select(.name == "touched") | .max')
	got="$(wc -l <$out/logins) logins read $all"
	check logins_read_more_than_touches_fit_in "$got, room for $room" \
		[ "$all" -gt "$room" ]
	check no_login_is_refused_when_others_have_ended "$got, $(sum_of \
		refused $out/logins) refused; $(status_of .faults)" [ \
		"$(sum_of refused $out/logins) $(sum_of errors $out/logins)" \
		= "0 0" ]
	note "$got, with room for $room; $(entries touched) touches are left"
	got=$(cordon ledger --json | jq -s 'map(select(.type == "origin" and
		(.login | tonumber? // 0) > 35000).read_records) | add')
	check records_are_known_exactly_when_touches_are_forgotten \
		"$got of $all" [ "$got" = "$all" ]
}

nothing_is_left()
{
	local left

	left=$(python3 $load entries "$pins" processes holdings pendings \
		tickets | tr '\n' ' ')
	check no_entries_are_left_when_all_have_ended "$left" \
		[ "$left" = "processes 0 holdings 0 pendings 0 tickets 0 " ]
	check nothing_is_full_after_a_long_run "$(status_of .faults)" \
		[ "$(status_of '[.faults | to_entries[] |
		select(.key | test("full")) | .value | numbers] |
		add // 0')" = 0 ]
	check agent_grows_by_less_than_1_mib "$rss to $(rss_kib) KiB" \
		[ $(($(rss_kib) - rss)) -lt 1024 ]
	check agent_takes_less_than_10_mib "$(rss_kib) KiB" \
		[ "$(rss_kib)" -lt 10240 ]
	note "$(mib "$(memlock_all)") of memory locked, the agent has" \
		"$(rss_kib) KiB; faults: $(status_of .faults)"
}

long_run()
{
	local rss loading seconds=$((minutes * 60))

	guard_start --max-records 50000 < <(long_policy)
	note "$minutes minutes; $(mib "$(memlock_all)") of memory locked," \
		"the agent has $(rss_kib) KiB"
	receiver_start $out.received
	mkdir -p $out
	load_run $seconds $out &
	loading=($!)
	logins_come_and_go $seconds $out &
	loading+=($!)
	tell $seconds &
	loading+=($!)
	disturb
	wait "${loading[@]}"
	receiver_stop
	budgets_held
	logins_were_let_in
	nothing_is_left
}

step_long()
{
	unguarded
	long_run
}
