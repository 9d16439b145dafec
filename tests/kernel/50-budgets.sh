# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Budgets: strict under concurrency, refunded, refilled, and told rather than
# enforced where the rule says so.

bu=/srv/budgets

budgets_prepare()
{
	local name

	mkdir -p $bu
	for name in crowd crowdread wire part cork window observe alert host \
		user
	do
		"$bin/tests/makeset" $bu/$name --records 80 --photo-bytes 1000
	done
}

budgets_policy()
{
	local name

	echo "mode: $1"
	echo "destinations: {near: {networks: [10.20.0.5]}}"
	echo "datasets:"
	for name in crowd crowdread wire part cork window observe alert host \
		user
	do
		echo "  $name: {paths: [$bu/$name/photos], record: file}"
	done
	cat <<-P
	rules:
	  - {subject: "*", dataset: crowd, read: unlimited,
	     release: {"*": 20 records/hour}}
	  - {subject: "*", dataset: crowdread, read: 20 records/hour}
	  - {subject: "*", dataset: wire, read: unlimited,
	     release: {"*": 20000 B/hour}}
	  - {subject: "*", dataset: part, read: unlimited,
	     release: {"*": 3000000 B/hour}}
	  - {subject: "*", dataset: cork, read: unlimited,
	     release: {near: unlimited, "*": 9000 B/hour}}
	  - {subject: "*", dataset: window, read: unlimited,
	     release: {"*": 2 records/2 seconds}}
	  - {subject: "*", dataset: observe, read: 2 records/hour,
	     release: {"*": none}, mode: observe}
	  - {subject: "*", dataset: alert, read: 2 records/hour,
	     release: {"*": none}, action: alert}
	  - {subject: "*", dataset: host, read: 2 records/hour}
	  - {subject: "*", dataset: user, read: 2 records/hour, per: user}
	P
}

# budgets_crowd DATASET FILES ARGS...: eight processes at once, each with
# other files. Leaves their lines in $json, and what came in $got.
budgets_crowd()
{
	local name=$1 each=$2 i pids=() out=/tmp/crowd
	shift 2

	rm -rf $out
	mkdir $out
	for ((i = 0; i < 8; i++)); do
		new_login
		files $bu/$name $((i * each + 1)) $((i * each + each))
		as "$login" "$probe" --work "$aside" --timeout 30 --to $there \
			--port $port "$@" "${args[@]}" >$out/$i &
		pids+=($!)
	done
	wait "${pids[@]}"
	json=$(cat $out/*)
	ask
}

budgets_of()
{
	cordon status --json | jq -r "select(.type == \"budget\" and
		.dataset == \"$1\" and .destination == \"$2\") | .used"
}

budgets_between()
{
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

budgets_concurrency()
{
	local sum

	budgets_crowd crowd 10 --read read --life thread --release send
	check records_leave_exactly_when_many_send "$got" \
		came records 20
	budgets_crowd crowdread 10 --read pread
	sum=$(jq -s 'map(.records) | add' <<<"$json")
	check records_are_read_exactly_when_many_read "$sum of 20" \
		[ "$sum" = 20 ]
	budgets_crowd wire 10 --read read --release send --chunk 500 --persist
	field "$got" total_bytes
	check bytes_leave_exactly_when_many_send "$got" \
		budgets_between "$value" 19501 20000
}

budgets_refund()
{
	local used

	proved partial_sends_are_refunded_when_not_taken way/partial || return
	new_login
	files $bu/part 1 1
	try --read read --release partial --bytes 2990000 "${args[@]}"
	ask
	used=$(budgets_of part '*')
	check partial_sends_arrive_when_within_budget "exit $rc $json $got" \
		budgets_all_came 2990000
	check partial_sends_are_refunded_when_not_taken "used $used" \
		[ "$used" = 2990000 ]
}

# Bytes for one peer wait under a cork, others are added for a second peer,
# and all is thrown away: that may give the second's budget back its own only.
budgets_cork()
{
	local used

	new_login
	as "$login" python3 - $bu/cork/photos/000001.jpg <<-'P'
	import socket, sys
	open(sys.argv[1], "rb").read()
	far, near = ("10.99.0.2", 9009), ("10.20.0.5", 9009)
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.sendto(b"x" * 1300, far)
	s.sendto(b"x" * 1200, near)
	s.sendto(b"x" * 1200, socket.MSG_MORE, near)
	s.sendto(b"x" * 100, socket.MSG_MORE, far)
	s.close()
	P
	used=$(budgets_of cork '*')
	check own_bytes_come_back_when_a_cork_is_dropped "used $used" \
		budgets_between "${used:-0}" 1300 1400
}

budgets_window()
{
	new_login
	files $bu/window 1 2
	release_try send "${args[@]}"
	check window_passes_when_fresh "$json" release_arrived 2000 2
	new_login
	files $bu/window 3 4
	release_try send "${args[@]}"
	check window_refuses_when_used "$json $got" release_nothing_came
	sleep 3
	release_try send "${args[@]}"
	check window_passes_when_over "$json" release_arrived 2000 2
}

# budgets_told DATASET: all is let through, counted as over, nothing blocked.
budgets_told()
{
	local over

	new_login
	files "$bu/$1" 1 8
	release_try send "${args[@]}"
	check "$1_denies_nothing_when_beyond" "exit $rc $json $got" \
		release_arrived 8000 8
	over=$(cordon ledger --json | jq -rs "map(select(.type == \"ledger\" and
		.dataset == \"$1\")) |
		[(map(select(.destination == \"read\").over_acts) | add > 0),
		(map(select(.destination != \"read\").over_acts) | add > 0),
		(map(.blocked_acts) | add == 0),
		(map(select(.destination == \"read\").bytes) | add == 8000)] |
		all")
	check "$1_counts_all_when_beyond" "$(cordon ledger --json |
		grep "\"$1\"" | tr '\n' ' ')" [ "$over" = true ]
}

# budgets_shared DATASET: the records that a second login may read.
budgets_shared()
{
	files "$bu/$1" 1 2
	new_login
	try --read read "${args[@]}"
	files "$bu/$1" 3 4
	new_login
	try --read read "${args[@]}"
}

# budgets_all_came BYTES
budgets_all_came()
{
	[ "$rc" = 0 ] && came total_bytes "$1"
}

# budgets_read N: so many records, and nothing refused.
budgets_read()
{
	[ "$rc" = 0 ] && is records "$1"
}

budgets_cases()
{
	local n

	agent_with < <(budgets_policy enforce) || return
	budgets_concurrency
	budgets_refund
	budgets_cork
	budgets_window
	budgets_told observe
	budgets_told alert
	n=$(cordon events --json | jq -s 'map(select(.type == "verdict" and
		.dataset == "alert" and .verdict == "alert")) | length')
	check alert_is_told_when_beyond "$n events" [ "${n:-0}" -gt 0 ]
	budgets_shared host
	check host_budget_is_shared_when_logins_differ "exit $rc $json" \
		refused records 0
	# The third and the fourth photo, at open: no more than that.
	n=$(cordon status --json | jq -r 'select(.type == "budget" and
		.dataset == "host") | .refused')
	check refusals_at_open_are_counted_when_beyond "$n" [ "$n" = 2 ]
	budgets_shared user
	check user_budget_is_own_when_logins_differ "exit $rc $json" \
		budgets_read 2
	write_policy < <(budgets_policy observe)
	agent_reload
	new_login
	files $bu/crowd 1 30
	release_try send "${args[@]}"
	check observe_mode_denies_nothing_when_global "exit $rc $json" \
		release_arrived 30000 30
}
