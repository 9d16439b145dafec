# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Policies that change while others read and send, and the largest there is.

rl=/srv/reload
rl_on=/run/reload.on
rl_bad=/out/reload.bad

reload_prepare()
{
	mkdir -p $rl/many/{1..65} $rl/other
	"$bin/tests/makeset" $rl/cards --records 8 --photo-bytes 1000
	cp $rl/cards/photos/00000[12].jpg $rl/many/64/
}

# reload_policy one|other: the same rules, in other places.
reload_policy()
{
	local other=

	[ "$1" = other ] && other='- {subject: "*", dataset: other, read: none}'
	cat <<-P
	mode: enforce
	datasets:
	  ${other:+other: {paths: [$rl/other], record: file\}}
	  cards: {paths: [$rl/cards/photos], record: file}
	rules:
	  $other
	  - {subject: "*", dataset: cards, per: user, read: 3 records/hour,
	     release: {"*": 2 records/hour}}
	P
}

# reload_load FIRST COMMAND...: for one login after another, for as long as it
# lasts. Of a command that fails the login is kept. Prints how many there were.
reload_load()
{
	local user=$1 first=$1
	shift

	while [ -e $rl_on ]; do
		"$@" $user >>/out/reload.said 2>&1 || echo "$* $user" >>$rl_bad
		((++user))
		sleep 0.05
	done
	echo $((user - first))
}

reload_reads_within()
{
	"$probe" crowd "$1" 1 $rl/cards/photos/00000[123].jpg
}

reload_reads_beyond()
{
	! "$probe" crowd "$1" 1 $rl/cards/photos/00000[1234].jpg
}

reload_sends()
{
	as "$1" "$probe" --timeout 20 --to $there --port $port --read read \
		--release send --wait-ms 1000 \
		--file $rl/cards/photos/000001.jpg \
		--file $rl/cards/photos/000002.jpg "${@:2}"
}

reload_sends_within()
{
	reload_sends "$1"
}

reload_sends_beyond()
{
	! reload_sends "$1" --file $rl/cards/photos/000003.jpg
}

# reload_read FIRST: how many logins from FIRST on read, and the least and the
# most that one of them did.
reload_read()
{
	jq -rs --argjson l "$1" 'map(select(.type == "origin" and
		(.login | tonumber? // 0) >= $l and
		(.login | tonumber? // 0) < $l + 10000).read_records) |
		"\(length) \(min) \(max)"' /out/reload.ledger
}

reload_under_load()
{
	local i n first last pids=() loads=(reads_within reads_beyond
		sends_within sends_beyond)

	agent_with < <(reload_policy one) || return
	first=$serial
	: >$rl_on
	: >$rl_bad
	for i in 0 1 2 3; do
		reload_load $((50000 + 10000 * i)) reload_${loads[i]} \
			>/tmp/load.$i &
		pids+=($!)
	done
	for ((i = 0; i < 20; i++)); do
		write_policy < <(reload_policy $( ((i % 2)) && echo one ||
			echo other))
		agent_reload || break
	done
	last=$serial
	check reload_puts_each_policy_in_force_when_loaded "$i of 20" \
		[ "$(status_of .policy_serial)" = $((first + 20)) ]
	rm $rl_on
	wait "${pids[@]}"
	ask
	check reload_refuses_what_both_refuse_and_nothing_else \
		"$(wc -l <$rl_bad): $(head -n 2 $rl_bad)" [ ! -s $rl_bad ]
	cordon ledger --json >/out/reload.ledger
	for i in 0 1 3; do
		n=$(cat /tmp/load.$i)
		check "reload_${loads[i]}_exactly_the_budget_when_reloaded" \
			"$(reload_read $((50000 + 10000 * i))), logins: $n" \
			[ "$n" -gt 5 -a "$(reload_read $((50000 + 10000 * i)))" \
			= "$n 3 3" ]
	done
	n=$(cat /tmp/load.2)
	check reload_loses_no_record_when_sent_within_the_budget \
		"$n logins, $got" came total_bytes $((n * 2000))
	# More than the command keeps.
	n=$(jq -rs --argjson a $first --argjson b $last 'map(select(
		(.login | tonumber? // 0) >= 50000)) | "\(length > 40) " +
		"\(map(.policy) | unique | length > 10) " +
		"\(map(select(.policy < $a or .policy > $b)) | length)"' \
		"$state/events.jsonl")
	check reload_leaves_no_event_without_a_policy_when_loaded "$n" \
		[ "$n" = "true true 0" ]
}

# reload_many RULES DATASETS: what the last login may is decided by the last
# rule but one.
reload_many()
{
	local i

	echo "mode: enforce"
	echo "datasets:"
	for ((i = 1; i <= $2; i++)); do
		echo "  d$i: {paths: [$rl/many/$i], record: file}"
	done
	echo "subjects:"
	for ((i = 1; i <= 250; i++)); do
		echo "  u$i: {login: $((40000 + i))}"
	done
	echo "rules:"
	for ((i = 0; i < $1 - 2; i++)); do
		echo "  - {subject: u$((i % 250 + 1)), dataset:" \
			"d$((i / 250 + 1)), read: 5 records/hour}"
	done
	echo "  - {subject: u250, dataset: d64, read: 1 records/hour}"
	echo '  - {subject: "*", dataset: "*", read: none}'
}

# reload_refuses NAME RULES DATASETS PATTERN: and what is in force stays.
reload_refuses()
{
	local before=$serial n

	n=$(grep -c 'stays in force' "$log")
	write_policy < <(reload_many $2 $3)
	kill -HUP "$agent"
	wait_log $((n + 1)) 'stays in force'
	check "$1" "$(tail -n 3 "$log")" grep -qE "$4" "$log"
	check "$1_and_the_last_one_stays" "$(status_of .policy_serial)" \
		[ "$(status_of .policy_serial)" = $before ]
	serial=$before
}

reload_the_largest()
{
	local before=$login

	# Numbers are shared with the policy in force, so in a new guard.
	agent_gone
	write_policy < <(reload_many 1000 64)
	check policy_comes_into_force_when_it_is_the_largest \
		"$(tail -n 3 "$log")" agent_start
	login=40250
	try --read read --file $rl/many/64/000001.jpg
	check last_rule_of_1000_grants_when_it_decides "exit $rc $json" \
		[ "$rc" = 0 ]
	try --read read --file $rl/many/64/000002.jpg
	check last_rule_of_1000_refuses_when_its_budget_is_used \
		"exit $rc $json" refused read_bytes 0
	login=40249
	try --read read --file $rl/many/64/000001.jpg
	check last_rule_of_1000_is_nobody_elses "exit $rc $json" \
		refused read_bytes 0
	login=$before
	reload_refuses policy_is_refused_when_a_rule_too_many 1001 64 \
		'rules has 1001 entries; expected at most 1000'
	reload_refuses policy_is_refused_when_a_dataset_too_many 1000 65 \
		'65 datasets; expected at most 64'
}

reload_cases()
{
	reload_under_load
	reload_the_largest
	agent_gone
}
