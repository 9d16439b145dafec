# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# The agent comes and goes, the guard stays.

ag=/srv/agent
held=$aside/held

agent_prepare()
{
	"$bin/tests/makeset" $ag --records 20 --photo-bytes 5000
}

agent_twins()
{
	files $ag 1 4
	try --read read "${args[@]}"
	if [ "$rc" = 0 ] && is read_bytes 20000; then
		twin agent/read pass
	else
		twin agent/read fail "exit $rc $json"
	fi
}

agent_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  agent: {paths: [$ag/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", per: user, read: 3 records/hour,
	     release: {"*": ${1-2} records/hour}}
	P
}

# A login that read all it may cannot read more.
agent_refuses()
{
	files $ag 4 4
	try --read read "${args[@]}"
	check "$1" "exit $rc $json" refused read_bytes 0
}

agent_exhaust()
{
	new_login
	files $ag 1 3
	try --read read "${args[@]}"
	[ "$rc" = 0 ] || fail agent/permitted "$json"
}

# A holder that waits until the agent is another one.
agent_holder()
{
	local i

	files $ag 1 3
	new_login
	as $login "$probe" --read read --hold-file $held --release send \
		--persist --timeout 120 --to $there --port $port "${args[@]}" \
		>/tmp/holder &
	holder=$!
	for ((i = 0; i < 10 * patience; i++)); do
		[ -e $held ] && return
		nap 0.1
	done
	fail agent/holder "does not hold"
}

agent_holder_refused()
{
	rm -f $held
	wait $holder
	rc=$?
	json=$(cat /tmp/holder)
	ask
	check "$1" "exit $rc $json $got" release_nothing_came
}

agent_is_killed()
{
	local holder user

	agent_exhaust
	user=$login
	agent_holder
	agent_stop -KILL
	login=$user
	proved reads_are_refused_when_agent_is_killed agent/read &&
		agent_refuses reads_are_refused_when_agent_is_killed
	# Four records were never held by anybody: a new login is judged too.
	new_login
	files $ag 1 3
	release_try send "${args[@]}"
	check release_is_refused_when_agent_is_killed "exit $rc $json $got" \
		release_nothing_came
	check agent_starts_when_one_was_killed "$(tail -n 1 "$log")" agent_start
	check agent_adopts_when_one_was_killed "$(head -n 3 "$log")" \
		[ "$(status_of .adopted)" = true ]
	agent_holder_refused holding_survives_when_agent_is_killed
	login=$user
	agent_refuses budget_survives_when_agent_is_killed
	check hooks_answer_when_adopted "$(cat "$log")" \
		grep -qE 'self-test: ([0-9]+) of \1 hooks' "$log"
}

agent_reloads()
{
	local before

	before=$(status_of .policy_serial)
	agent_exhaust
	cp "$policy" /tmp/good.yaml
	sed -i 's/^rules:/rulez:/' "$policy"
	kill -HUP "$agent"
	check bad_policy_is_told_when_reloaded "$(tail -n 3 "$log")" \
		wait_log 1 'stays in force'
	agent_refuses bad_policy_changes_nothing_when_reloaded
	check bad_policy_keeps_the_serial_when_reloaded "$before" \
		[ "$(status_of .policy_serial)" = "$before" ]
	write_policy < <(agent_policy 3)
	check good_policy_comes_into_force_when_reloaded "$(tail -n 3 "$log")" \
		agent_reload
	check good_policy_has_its_serial_when_reloaded "$serial" \
		[ "$(status_of .policy_serial)" = "$serial" ]
	agent_refuses used_budget_stays_used_when_reloaded
	new_login
	files $ag 1 3
	release_try send "${args[@]}"
	check wider_budget_passes_when_reloaded "exit $rc $json $got" \
		release_arrived 15000 3
}

# agent_is_refused NAME ARGS...: a second agent, though it shares nothing.
agent_is_refused()
{
	local name=$1 rc
	shift

	timeout 60 "$bin/cordond" "$@" >/tmp/second 2>&1
	rc=$?
	check "$name" "exit $rc $(tail -n 2 /tmp/second)" \
		[ "$rc$(grep -c "another agent.*pid $agent " /tmp/second)" = 11 ]
}

agent_is_alone()
{
	agent_is_refused second_agent_refuses_when_its_run_dir_is_another \
		--policy "$policy" --state-dir "$state" --run-dir /run/second
	agent_is_refused second_agent_refuses_when_all_its_dirs_are_others \
		--policy "$policy" --state-dir /var/lib/second \
		--run-dir /run/second --pin-dir $pins-second
	agent_is_refused detaching_is_refused_when_an_agent_runs --detach \
		--run-dir /run/second
	check second_agent_pins_nothing_when_one_runs "$(ls /sys/fs/bpf)" \
		[ "$(ls /sys/fs/bpf)" = "${pins##*/}" ]
	cordond >/tmp/second 2>&1
	rc=$?
	check second_agent_refuses_when_one_runs \
		"exit $rc $(tail -n 2 /tmp/second)" [ "$rc" = 1 ]
	check second_agent_says_why_when_one_runs "$(cat /tmp/second)" \
		grep -q 'another agent.*pid' /tmp/second
	check first_agent_goes_on_when_a_second_came "no status" \
		[ "$(status_of .pid)" = "$agent" ]
}

# More events than the ring buffer holds, and nobody who takes them.
agent_is_stopped()
{
	local before after

	new_login
	kill -STOP "$agent"
	try --read read --read-chunk 1 --file $ag/photos/000001.jpg
	check reads_go_on_when_agent_is_stopped "$json" [ "$rc" = 0 ]
	before=$login
	check reads_go_on_when_ring_is_full "" "$probe" crowd $((login + 1)) \
		800 $ag/photos/0000{02,03,04}.jpg
	login=$((login + 800))
	kill -CONT "$agent"
	cordon ledger --json >/out/ledger
	check ledger_counts_each_read_when_agent_is_stopped \
		"$(grep -c . /out/ledger) lines" [ "$(jq -rs --arg l $before '
		(map(select(.type == "origin" and
		(.login | tostring) == $l))[0].origin) as $o |
		map(select(.type == "ledger" and .origin == $o and
		.destination == "read") | "\(.bytes)/\(.records)") |
		join(" ")' /out/ledger)" = 5000/1 ]
	after=$(jq -rs --argjson l $before 'map(select(.type == "origin" and
		(.login | tonumber? // 0) > $l)) | "\(length) " +
		"\(map(.read_bytes) | add) \(map(.read_records) | add)"' \
		/out/ledger)
	check ledger_counts_each_origin_when_ring_is_full "$after" \
		[ "$after" = "800 12000000 2400" ]
	after=$(status_of '.faults | tostring')
	check lost_events_are_counted_when_ring_is_full "$after" \
		grep -q 'lost' <<<"$after"
}

# After many events: what is scraped is what the status and the ledger say.
agent_is_scraped()
{
	local lost read

	cordon metrics >/out/metrics
	rc=$?
	check metrics_are_told_when_an_agent_runs \
		"exit $rc $(head -n 3 /out/metrics)" \
		[ "$rc$(grep -cx 'cordon_up 1' /out/metrics)" = 01 ]
	lost=$(status_of '.faults["event lost"]')
	check metrics_count_lost_events_as_the_status "$lost" grep -qx \
		"cordon_faults_total{fault=\"event lost\"} $lost" /out/metrics
	read=$(cordon ledger --json | jq -rs 'map(select(.type == "ledger" and
		.destination == "read") | .bytes) | add')
	check metrics_add_up_what_all_origins_read "$read" [ "$(awk '
		/^cordon_ledger_bytes_total.*destination="read"/ { n += $NF }
		END { printf "%d", n }' /out/metrics)" = "$read" ]
	check metrics_tell_that_evidence_is_written \
		"$(grep evidence /out/metrics)" \
		grep -qx 'cordon_evidence_writing 1' /out/metrics
}

agent_swaps_pins()
{
	mv $pins/touched $pins/swapped && mv $pins/labels $pins/touched &&
		mv $pins/swapped $pins/labels
}

# agent_finds_damage HOW PATTERN: no agent takes such a guard for its own.
agent_finds_damage()
{
	timeout 60 "$bin/cordond" --policy "$policy" --state-dir "$state" \
		--run-dir "$run" >/tmp/corrupt 2>&1
	rc=$?
	check "pins_are_refused_when_$1" "exit $rc" [ "$rc" = 1 ]
	check "pins_are_named_when_$1" "$(cat /tmp/corrupt)" \
		grep -qE "$2" /tmp/corrupt
	check "remedy_is_told_when_pins_are_$1" "$(cat /tmp/corrupt)" \
		grep -q -- --detach /tmp/corrupt
}

agent_is_terminated()
{
	local i

	agent_exhaust
	agent_stop
	check agent_ends_well_when_terminated "exit $ended" [ $ended = 0 ]
	check guard_stays_when_agent_is_terminated "no $pins" [ -d $pins ]
	agent_refuses reads_are_refused_when_agent_is_terminated
	agent_swaps_pins
	agent_finds_damage swapped 'labels|touched'
	agent_refuses reads_are_refused_when_pins_are_swapped
	agent_swaps_pins
	rm -f $pins/link_file_open $pins/labels
	agent_finds_damage missing 'labels|link_'
	on_one agent_detach >/tmp/detach 2>&1
	check guard_is_detached_when_asked "$(cat /tmp/detach)" [ ! -e $pins ]
	# The kernel lets go of unpinned programs a moment later.
	for ((i = 0; i < 10 * patience; i++)); do
		try --read read --file $ag/photos/000004.jpg
		[ "$rc" = 0 ] && break
		nap 0.1
	done
	check reads_pass_when_guard_is_detached "$json" [ "$rc" = 0 ]
}

agent_cases()
{
	agent_gone
	agent_with < <(agent_policy) || return
	agent_is_killed
	agent_reloads
	agent_is_alone
	agent_is_stopped
	agent_is_scraped
	agent_is_terminated
}
