# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# What the issuer signs for this host alone: a guard that denies nothing for a
# while and goes back by itself, one that is taken away, and one that takes
# policies again after a serial that ran ahead. With the keys of 75-signed.sh.

ac_act=/root/act.yaml

# acts_sends: a login of its own reads records and sends them out.
acts_sends()
{
	new_login
	files $sg 1 2
	try --read read --release send "${args[@]}"
	ask
}

acts_twins()
{
	acts_sends
	twin_of acts/send [ "$rc" = 0 ]
}

acts_passed()
{
	field "$got" total_bytes
	[ "$rc" = 0 ] && [ "$value" -ge 1400 ]
}

# acts_blocks NAME, acts_passes NAME
acts_blocks()
{
	acts_sends
	check "$1" "exit $rc $json $got" release_nothing_came
}

acts_passes()
{
	acts_sends
	check "$1" "exit $rc $json $got" acts_passed
}

acts_are_blocked()
{
	acts_sends
	release_nothing_came
}

acts_policy()
{
	write_policy <<-P
	mode: enforce
	datasets:
	  signed: {paths: [$sg/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", per: user, read: 20 records/hour}
	P
	signed_by "$policy" alice bob
}

# acts_request ARG...: what is to be signed, in $ac_act.
acts_request()
{
	cordon act request "$@" >$ac_act
}

# acts_apply NAME...: signed by these; what came of it in $told and $rc.
acts_apply()
{
	signed_by $ac_act "$@"
	told=$(cordon act apply $ac_act 2>&1)
	rc=$?
}

# acts_refused NAME PATTERN: what was applied last was, for that reason.
acts_refused()
{
	check "$1" "exit $rc $told" \
		grep -qE "^1 .*refused: .*$2" <<<"$rc $told"
}

acts_last()
{
	evidence_lines | jq -c "select(.type == \"act\" and
		.state != \"used\") | $1" | tail -n 1
}

# acts_member ARG...: `cordon', by one of its group; what it said in $told.
acts_member()
{
	told=$(setpriv --reuid 65534 --regid 65534 --groups "$(getent group \
		cordon | cut -d: -f3)" "$bin/cordon" "$@" --run-dir "$run" 2>&1)
	rc=$?
}

# Who asks what for, and nobody else's answer.
acts_begin()
{
	getent group cordon >/dev/null || groupadd cordon
	signed_trust 1 2 alice bob carol >$sg_trust
	acts_policy
	check agent_starts_where_acts_are_signed "$(tail -n 3 "$log")" \
		agent_start
	acts_blocks send_is_blocked_before_any_act
	acts_request break-glass --lasts '30 minutes' --reason 'printers'
	told=$(cat $ac_act)
	check request_names_host_and_key "$told" grep -qE \
		"^host: \"$(hostname)\"$" $ac_act
	acts_apply alice
	acts_refused act_of_one_is_refused '1 of 2 signatures'
	acts_blocks send_is_blocked_when_one_has_signed
	told=$(cordon act apply "$policy" 2>&1)
	rc=$?
	acts_refused policy_is_no_act 'found a policy, expected an act'
	acts_blocks send_is_blocked_when_a_policy_was_no_act
}

acts_break_glass()
{
	acts_apply alice bob
	check act_of_two_is_taken "exit $rc $told" grep -qE \
		'^0 enforcement is lifted until 20.* by alice, bob: printers$' \
		<<<"$rc $told"
	acts_passes send_passes_when_enforcement_is_lifted
	told=$(cordon status)
	check status_tells_who_lifted_it "$told" grep -qE \
		'enforcement lifted until 20.* by alice, bob: printers' \
		<<<"$told"
	told=$(acts_last '[.state, .act, .signers, .reason, .lasts_s]')
	check evidence_has_who_lifted_it "$told" [ "$told" = \
		'["applied","break-glass",["alice","bob"],"printers",1800]' ]
	waits 20 acts_marked
	check events_are_marked_when_enforcement_is_lifted "$told" acts_marked
	check log_is_loud_when_enforcement_is_lifted "$(tail -n 3 "$log")" \
		grep -q 'ENFORCEMENT IS LIFTED' "$log"
	acts_apply alice bob
	acts_refused act_is_refused_when_it_was_used 'it was used before'
	acts_member status
	check group_may_look_when_enforcement_is_lifted "exit $rc $told" \
		grep -q 'enforcement lifted until' <<<"$told"
	acts_member act end
	check group_may_not_end_an_act "exit $rc $told" \
		grep -q '^4 .*only root may' <<<"$rc $told"
	told=$(cordon act end 2>&1)
	check act_ends_when_it_is_ended "$told" \
		[ "$told" = 'enforcement is back' ]
	acts_blocks send_is_blocked_after_the_end
	acts_apply alice bob
	acts_refused act_is_refused_after_its_end 'it was used before'
	acts_blocks send_is_blocked_when_an_act_is_replayed
}

# What would have been blocked, of that login.
acts_marked()
{
	told=$(evidence_lines | jq -c "select(.type == \"verdict\" and
		(.login | tostring) == \"$login\") | [.verdict, .lifted]" | tail -n 1)
	[ "$told" = '["alert",true]' ]
}

# Root's copy of what was asked for, put back behind the agent's back.
acts_replayed()
{
	acts_request break-glass --lasts '30 minutes'
	cp $state/act.json /run/act.json
	acts_apply bob carol
	cordon act end >/dev/null
	agent_stop
	cp /run/act.json $state/act.json
	check agent_starts_when_its_act_was_put_back "$(tail -n 3 "$log")" \
		agent_start
	acts_apply bob carol
	acts_refused act_is_refused_when_its_state_was_put_back \
		'it was used before'
	acts_blocks send_is_blocked_when_its_state_was_put_back
}

# The guard goes back by its own clock.
acts_time()
{
	acts_request break-glass --lasts '2 minutes'
	acts_apply alice carol
	agent_stop -KILL
	acts_passes send_passes_when_the_agent_is_dead
	waits 300 acts_are_blocked
	check send_is_blocked_when_its_time_is_over_and_the_agent_dead \
		"exit $rc $json $got" release_nothing_came
	check agent_starts_when_the_time_is_over "$(tail -n 3 "$log")" \
		agent_start
	told=$(acts_last '[.state, .by]')
	check evidence_has_that_its_time_is_over "$told" \
		[ "$told" = '["ended","its time"]' ]
	acts_blocks send_is_blocked_by_the_next_agent
}

# A serial as far ahead as a host takes one.
acts_recover()
{
	local good=$serial

	serial=$((good + 4294967290))
	acts_policy
	agent_reload
	check policy_is_taken_when_its_serial_ran_ahead \
		"$(status_of .policy_serial)" \
		[ "$(status_of .policy_serial)" = $serial ]
	serial=$good
	acts_policy
	signed_refuses next_policy_is_refused_then 'is older than'
	acts_request recover --serial "$good"
	acts_apply alice
	acts_refused recovery_by_one_is_refused '1 of 2 signatures'
	acts_apply alice bob
	check recovery_is_taken "exit $rc $told" [ "$rc" = 0 ]
	signed_takes policy_is_taken_after_recovery
	agent_stop
	on_one guard_unpin
	check agent_starts_after_recovery "$(tail -n 3 "$log")" agent_start
	check policy_is_taken_at_the_next_boot "$(status_of .problem)" \
		[ "$(status_of '[.policy_serial, .problem]')" = \
		"[$serial,null]" ]
}

# acts_is_refused NAME COMMAND...: as cordond says, and the guard goes on.
acts_is_refused()
{
	local name=$1
	shift

	on_one "$@" >/tmp/cordond 2>&1
	rc=$?
	check "$name" "exit $rc $(tail -n 3 /tmp/cordond)" \
		grep -q -- '--detach is refused' /tmp/cordond
	check guard_stays_when_"$name" "exit $rc $(ls $pins 2>&1)" \
		[ "$rc$(ls $pins/state)" = 1$pins/state ]
}

# acts_go NAME...: and the agent ends by itself; its status is in $ended.
acts_go()
{
	acts_apply "$@"
	ended=
	[ "$rc" = 0 ] || return
	wait "$agent"
	ended=$?
	agent=
}

acts_uninstall()
{
	agent_stop
	acts_is_refused detaching_is_refused_without_an_act \
		"$bin/cordond" --detach --run-dir "$run"
	acts_is_refused detaching_is_refused_with_another_directory \
		"$bin/cordond" --detach --run-dir "$run" --state-dir /run/none
	mv $state /run/state
	acts_is_refused detaching_is_refused_when_its_files_are_gone \
		"$bin/cordond" --detach --run-dir "$run"
	acts_is_refused detaching_at_the_end_is_refused_when_its_files_are_gone \
		cordond --foreground --detach
	rm -rf $state
	mv /run/state $state
	acts_is_refused detaching_at_the_end_is_refused_without_an_act \
		cordond --foreground --detach
	acts_blocks send_is_blocked_when_detaching_was_refused
	check agent_starts_when_detaching_was_refused \
		"$(tail -n 3 "$log")" agent_start
	acts_request uninstall --reason 'the contract has ended'
	acts_apply carol
	acts_refused uninstallation_by_one_is_refused '1 of 2 signatures'
	acts_blocks send_is_blocked_when_one_has_signed_that
	on_one acts_go carol bob
	check uninstallation_is_taken "exit $rc $told" [ "$rc" = 0 ]
	check agent_ends_when_it_is_uninstalled \
		"exit $ended $(tail -n 3 "$log")" [ "$ended" = 3 ]
	check no_pin_is_left_when_uninstalled "$(ls /sys/fs/bpf)" \
		[ -z "$(ls /sys/fs/bpf)" ]
	nap 0.2
	sink_start
	acts_passes send_passes_when_uninstalled
	told=$(acts_last '[.state, .act, .signers, .reason]')
	check evidence_has_who_uninstalled_it "$told" [ "$told" = \
		'["applied","uninstall",["bob","carol"],"the contract has ended"]' ]
}

acts_cases()
{
	local told

	agent_gone
	acts_begin || return
	acts_break_glass
	acts_replayed
	acts_time
	acts_recover
	acts_uninstall
	agent_gone
	rm -f $sg_trust* "$policy".*minisig $ac_act*
	groupdel cordon
}
