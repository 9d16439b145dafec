# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# An agent that loads a guard anew, as after a reboot, and what it knows still:
# with the policy and the records of 70-agent.sh.

# anew_takes_serial NAME STATUS SERIAL: a guard that is loaded anew, as after
# a reboot.
anew_takes_serial()
{
	agent_stop
	[ -d $pins ] && on_one agent_detach >>/out/cordond.all 2>&1
	serial=$(($3 - 1))
	write_policy < <(agent_policy)
	agent_start
	rc=$?
	check "$1" "started $rc $(tail -n 3 "$log")" [ "$rc" = "$2" ]
}

# No budget is used here: the policy alone is reason enough to save.
anew_remembers_the_serial()
{
	local now

	agent_gone
	now=$((serial + 10))
	anew_takes_serial any_policy_is_taken_when_none_was_before 0 $now
	agent_stop -KILL
	anew_takes_serial older_policy_is_refused_when_loaded_anew 1 $((now - 1))
	check serials_are_told_when_an_older_policy_came "$(cat "$log")" \
		grep -q "serial $((now - 1)) is older than $now, which was" \
		"$log"
	check no_guard_is_left_when_an_older_policy_came "$(ls $pins)" \
		[ ! -e $pins ]
	anew_takes_serial newer_policy_is_taken_when_loaded_anew 0 $((now + 1))
	anew_takes_serial policy_before_it_is_refused_when_loaded_anew 1 $now
}

anew_saved()
{
	[ "$(jq '.budgets | length' "$state/state")" -gt 0 ]
}

# The event that budgets are used has gone to an agent that did not save.
anew_saves_what_another_did_not()
{
	agent_gone
	agent_with < <(agent_policy) || return
	agent_exhaust
	sleep 1
	agent_stop -KILL
	check nothing_is_saved_when_killed_at_once "$(cat "$state/state")" \
		eval '! anew_saved'
	agent_start
	sleep 7
	agent_stop -KILL
	check budgets_are_saved_when_another_agent_was_killed \
		"$(cat "$state/state")" anew_saved
}

anew_policy_of()
{
	cat <<-P
	mode: enforce
	datasets:
	  cards: {paths: [$1], record: file}
	rules:
	  - {subject: "*", dataset: "*", read: none}
	P
}

# anew_names_fs NAME TYPE PATH
anew_names_fs()
{
	check "$1_by_name" "$(cat "$log")" \
		[ "$(grep -F "$3" "$log" | grep -c "is on $2")" -gt 0 ]
}

# anew_refuses_fs NAME TYPE PATH: by an agent that starts.
anew_refuses_fs()
{
	agent_gone
	write_policy < <(anew_policy_of "$3")
	agent_start
	rc=$?
	check "$1" "started $rc $(cat "$log")" [ "$rc" = 1 -a ! -e $pins ]
	anew_names_fs "$@"
}

# anew_keeps_policy NAME TYPE PATH: by one that has a policy.
anew_keeps_policy()
{
	agent_with < <(agent_policy) || return
	write_policy < <(anew_policy_of "$3")
	kill -HUP "$agent"
	wait_log 1 'stays in force'
	check "$1" "$(cat "$log")" \
		[ "$(status_of .policy_serial)" = $((--serial)) ]
	anew_names_fs "$@"
}

anew_cases()
{
	anew_remembers_the_serial
	anew_saves_what_another_did_not
	if vfat_make /srv/fat.img /srv/fat; then
		mkdir -p /srv/fat/cards
		anew_keeps_policy dataset_is_refused_when_on_vfat vfat \
			/srv/fat/cards
	else
		skip dataset_is_refused_when_on_vfat "$(cat /tmp/mount)"
	fi
	anew_refuses_fs dataset_is_refused_when_on_proc proc /proc/sys
}
