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
		nap 0.05
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
	for ((i = 0; i < 8; i++)); do
		write_policy < <(reload_policy $( ((i % 2)) && echo one ||
			echo other))
		agent_reload || break
	done
	last=$serial
	check reload_puts_each_policy_in_force_when_loaded "$i of 8" \
		[ "$(status_of .policy_serial)" = $((first + 8)) ]
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
		.type != "actor" and (.login | tonumber? // 0) >= 50000)) | "\(length > 40) " +
		"\(map(.policy) | unique | length > 4) " +
		"\(map(select(.policy < $a or .policy > $b)) | length)"' \
		< <(evidence_lines))
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

# reload_named NAME: 64 datasets, of names that begin so.
reload_named()
{
	local i

	echo "mode: enforce"
	echo "datasets:"
	for ((i = 1; i <= 64; i++)); do
		echo "  $1$i: {paths: [$rl/many/$i], record: file}"
	done
	echo "rules:"
	echo "  - {subject: \"*\", dataset: \"*\", per: user," \
		"read: 64 records/hour}"
}

# reload_of NAME: of how many datasets with such names the ledger tells.
reload_of()
{
	cordon ledger --json | jq -rs --arg n "^$1[0-9]+\$" 'map(select(
		.type == "origin") | .dataset | select(test($n))) | unique |
		length'
}

# reload_read_all NAME: one record of each, under the policy with such names.
reload_read_all()
{
	new_login
	try --read read "${args[@]}"
	check "names_$1_can_all_be_read" "exit $rc $json" [ "$rc" = 0 ]
	check "names_$1_are_told_apart_when_read" "$(reload_of $1) of 64" \
		[ "$(reload_of $1)" = 64 ]
}

# More names than numbers: nine times 64 where nobody read, then as many as
# there are numbers, each with a count of its own.
reload_other_names()
{
	local i n names=(a b c d e f g h i)

	args=()
	for ((i = 1; i <= 64; i++)); do
		echo $i >$rl/many/$i/one
		args+=(--file $rl/many/$i/one)
	done
	n=$serial
	for i in "${names[@]}"; do
		write_policy < <(reload_named $i)
		agent_reload || break
	done
	check names_follow_one_another_when_nobody_read "$(tail -n 3 "$log")" \
		[ "$(status_of .policy_serial)" = $((n + ${#names[@]})) ]
	reload_read_all i
	for i in x y; do
		write_policy < <(reload_named $i)
		check names_${i}_follow_when_others_were_read \
			"$(tail -n 3 "$log")" agent_reload
		reload_read_all $i
	done
	n=$(grep -c 'stays in force' "$log")
	write_policy < <(reload_named z)
	kill -HUP "$agent"
	wait_log $((n + 1)) 'stays in force'
	((serial--))
	check names_are_refused_when_all_numbers_are_counted \
		"$(tail -n 3 "$log")" grep -qE \
		'no number is left for "z[0-9]+": .* "[dix][0-9]+", ' "$log"
	check names_that_count_stay_in_force "$(status_of .policy_serial)" \
		[ "$(status_of .policy_serial)" = $serial ]
	for i in i x y; do
		check names_${i}_keep_what_was_read "$(reload_of $i) of 64" \
			[ "$(reload_of $i)" = 64 ]
	done
	# Who adopts the guard finds out which of its names are in use.
	agent_stop
	write_policy < <(reload_named z)
	agent_start
	check names_are_refused_when_the_agent_is_another \
		"$(tail -n 3 "$log")" grep -q 'no number is left for "z' "$log"
	agent_stop
	write_policy < <(reload_named y)
	check names_come_back_when_they_are_known "$(tail -n 3 "$log")" \
		agent_start
	check names_i_keep_what_was_read_when_adopted "$(reload_of i) of 64" \
		[ "$(reload_of i)" = 64 ]
}

# No number of a rule is left that no name had: as after years, in the saved
# state that the next guard begins with. The first name is the charged one's.
reload_other_rules()
{
	agent_with < <(reload_policy one) || return
	new_login
	files $rl/cards 1 3
	try --read read "${args[@]}"
	check rule_grants_its_budget "exit $rc $json" [ "$rc" = 0 ]
	agent_stop
	on_one agent_detach >>/out/cordond.all 2>&1
	jq -c '.names |= ([.[] | select(.[0] == 1)] as $r |
		($r | map(.[1]) | max) as $top | . +
		[range($top + 1; 8193) | [1, ., "old\(.)/x/host"]])' \
		"$state/state" >/tmp/state.json
	cp /tmp/state.json "$state/state"
	write_policy < <(reload_root $rl/other)
	check rule_follows_when_every_number_had_a_name \
		"$(tail -n 3 "$log")" agent_start
	check rules_had_every_number_when_it_followed \
		"$(jq '.names | length' "$state/state")" \
		[ "$(jq '[.names[] | select(.[0] == 1)] | length' \
		"$state/state")" = 8192 ]
	write_policy < <(reload_policy one)
	check rule_comes_back_when_another_was_in_force \
		"$(tail -n 3 "$log")" agent_reload
	files $rl/cards 4 4
	try --read read "${args[@]}"
	proved rule_keeps_its_charge_when_another_was_in_force reload/read &&
		check rule_keeps_its_charge_when_another_was_in_force \
		"exit $rc $json" refused read_bytes 0
	new_login
	try --read read "${args[@]}"
	check rule_grants_to_another_when_one_is_refused "exit $rc $json" \
		[ "$rc" = 0 ]
}

# reload_root PATH
reload_root()
{
	cat <<-P
	mode: enforce
	datasets:
	  ${1##*/}: {paths: [$1], record: file}
	rules:
	  - {subject: "*", dataset: "*", read: none}
	P
}

# A directory that was a dataset's and now is where another one will come: it
# comes when no agent looks.
reload_awaits_below()
{
	mkdir -p $rl/above
	agent_with < <(reload_root $rl/above) || return
	agent_with < <(reload_root $rl/above/below) || return
	check path_is_named_when_it_is_awaited "$(tail -n 3 "$log")" grep -q \
		"dataset below: $rl/above/below is not there yet; it is" "$log"
	COLUMNS=200 cordon status >/out/status-awaits
	check status_names_the_path_when_it_is_awaited \
		"$(cat /out/status-awaits)" grep -qF \
		"$rl/above/below (not there yet)" /out/status-awaits
	agent_stop
	mkdir $rl/above/below
	cp $rl/cards/photos/000001.jpg $rl/above/
	cp $rl/cards/photos/000001.jpg $rl/above/below/
	try --read read --file $rl/above/000001.jpg
	check file_is_read_when_its_dataset_is_gone "exit $rc $json" \
		[ "$rc" = 0 ]
	try --read read --file $rl/above/below/000001.jpg
	check root_is_guarded_when_it_comes_below_a_former_one \
		"exit $rc $json" refused read_bytes 0
}

# reload_shared FIRST SECOND: paths, with a comma between. What is first's
# nobody may read.
reload_shared()
{
	cat <<-P
	mode: enforce
	datasets:
	  first: {paths: [$1], record: file}
	  second: {paths: [$2], record: file}
	rules:
	  - {subject: "*", dataset: first, read: none}
	  - {subject: "*", dataset: second, read: 500 records/hour}
	P
}

# reload_is_of DATASET FILE...: each file belongs to it.
reload_is_of()
{
	local want=$1 file
	shift

	for file; do
		try --read read --file "$file"
		[ "$want" = first ] && { refused read_bytes 0 || return 1; }
		[ "$want" = first ] || [ "$rc" = 0 ] || return 1
	done
}

# reload_is NAME DATASET FILE...
reload_is()
{
	local name=$1 r
	shift

	reload_is_of "$@"
	r=$?
	check "$name" "exit $rc $json" [ $r = 0 ]
}

# A path goes from one dataset to another while both go on.
reload_moves_paths()
{
	local m=$rl/moves deep=$rl/moves/a/b

	mkdir -p $deep $rl/stays $rl/others
	cp $rl/cards/photos/000001.jpg $rl/stays/
	cp $rl/cards/photos/000001.jpg $m/
	cp $rl/cards/photos/000001.jpg $deep/
	new_login
	agent_with < <(reload_shared $rl/stays,$m $rl/others) || return
	reload_is path_is_the_firsts_before_it_moves \
		first $m/000001.jpg $deep/000001.jpg
	write_policy < <(reload_shared $rl/stays $rl/others,$m)
	agent_reload
	cp $rl/cards/photos/000002.jpg $deep/
	reload_is path_is_the_seconds_when_it_moved_by_a_reload \
		second $m/000001.jpg $deep/00000{1,2}.jpg
	reload_is path_that_stays_is_the_firsts_when_another_moved \
		first $rl/stays/000001.jpg
	agent_stop
	write_policy < <(reload_shared $rl/stays,$m/a $rl/others,$m)
	agent_start
	cp $rl/cards/photos/000003.jpg $deep/
	reload_is path_is_the_firsts_when_it_moved_without_an_agent \
		first $deep/00000{1,2,3}.jpg
	reload_is path_around_it_is_the_seconds_when_it_moved \
		second $m/000001.jpg
	write_policy < <(reload_shared $rl/stays $rl/others,$m)
	agent_reload
	reload_is path_is_the_seconds_when_it_is_no_root_any_more \
		second $m/000001.jpg $deep/00000{1,2,3}.jpg
	write_policy < <(reload_shared $rl/stays,$m $rl/others)
	agent_reload
	write_policy < <(reload_shared $rl/stays $rl/others)
	agent_reload
	echo new >$deep/new
	reload_is path_is_nobodys_when_no_dataset_has_it \
		nobody $m/000001.jpg $deep/000001.jpg $deep/new
}

reload_mount_of()
{
	awk -v at="$1" '$5 == at { print $1 }' /proc/self/mountinfo
}

# The kernel gives the number of a mount to the next one. Both come inside the
# first dataset, the second while the agent does not look.
reload_mounts_again()
{
	local at=$rl/stays/mnt id

	mkdir -p $at $rl/bound
	cp $rl/cards/photos/000001.jpg $rl/bound/
	mount -t tmpfs tmpfs $at
	wait_log 1 'is mounted inside dataset first'
	id=$(reload_mount_of $at)
	kill -STOP "$agent"
	umount $at
	mount --bind $rl/bound $at
	check mount_has_the_number_of_one_before "$id" \
		[ "$(reload_mount_of $at)" = "$id" ]
	kill -CONT "$agent"
	waits 5 reload_is_of first $rl/bound/000001.jpg
	reload_is mount_is_guarded_when_its_number_was_anothers \
		first $rl/bound/000001.jpg
	umount $at
}

reload_rows()
{
	cat <<-P
	mode: enforce
	datasets:
	  rows: {paths: [$rl/rows.csv], record: line}
	rules:
	  - {subject: "*", dataset: rows, read: none}
	P
}

# Bytes that the agent read, ever.
reload_agent_read()
{
	awk '$1 == "rchar:" { print $2 }' "/proc/$agent/io"
}

# Something was refused, so the agent looks at what the policy names; the lines
# are what they were.
reload_measures()
{
	local before after

	seq 1000000 1300000 >$rl/rows.csv
	agent_with < <(reload_rows) || return
	sleep 2
	before=$(reload_agent_read)
	try --read read --file $rl/rows.csv
	sleep 3
	after=$(reload_agent_read)
	check lines_are_not_read_when_somebody_is_refused \
		"$((after - before)) bytes, $rc $json" \
		[ "$rc" = 1 -a $((after - before)) -lt 1000000 ]
	seq 100 200 >>$rl/rows.csv
	check lines_are_measured_when_they_were_written "$(tail -n 2 "$log")" \
		wait_log 1 '4 bytes count as one line now'
}

reload_twins()
{
	files $rl/cards 1 4
	try --read read "${args[@]}"
	if [ "$rc" = 0 ] && is read_bytes 4000; then
		twin reload/read pass
	else
		twin reload/read fail "exit $rc $json"
	fi
}

reload_cases()
{
	reload_under_load
	reload_the_largest
	reload_other_names
	agent_gone
	reload_awaits_below
	agent_gone
	reload_other_rules
	agent_gone
	reload_moves_paths
	reload_mounts_again
	reload_measures
	agent_gone
}
