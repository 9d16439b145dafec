# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# The host is fit, every hook is alive, and nothing went wrong unseen.

# What a person sees has room on a terminal and tells the files of each dataset.
doctor_looks_at_status()
{
	local files wide

	files=$(cordon status --json | jq -rs 'map(select(.type == "dataset") |
		"\(.dataset) \(.files)") | join(" ")')
	check status_tells_files_of_each_dataset_when_labelled "$files" \
		[ "$files" = "records 20 bytes 20" ]
	new_login
	release_try send --file $re/photos/000001.jpg
	COLUMNS='' cordon status >/out/status
	check status_tells_the_budget_when_it_is_used "$(cat /out/status)" \
		grep -qE ' 1 +4 records/hour +25% ' /out/status
	wide=$(awk 'length > n { n = length } END { print n }' /out/status)
	check status_fits_80_columns_when_budgets_are_used "$wide wide" \
		[ "$wide" -le 80 ]
}

# A slip must not look like nothing.
doctor_looks_at_the_ledger()
{
	cordon ledger --dataset recrods >/out/slip 2>&1
	rc=$?
	check ledger_refuses_a_dataset_when_unknown "exit $rc" [ $rc = 2 ]
	check ledger_names_the_nearest_when_unknown "$(cat /out/slip)" \
		grep -q 'no dataset is called recrods: did you mean records?' \
		/out/slip
	cordon ledger --dataset records --destination elsewhere >/out/slip 2>&1
	rc=$?
	check ledger_takes_elsewhere_when_asked "exit $rc $(cat /out/slip)" \
		eval '[ $rc = 0 ] && grep -q elsewhere /out/slip'
	cordon ledger --dataset records --subject "?" --destination "read" \
		>/out/slip 2>&1
	rc=$?
	check ledger_says_so_when_it_has_nothing "exit $rc $(cat /out/slip)" \
		eval '[ $rc = 0 ] && grep -q "^nothing was" /out/slip'
}

# A filter leaves what it names, and something of that.
doctor_filters_the_ledger()
{
	local n

	cordon ledger >/out/ledger.words
	check ledger_tells_who_read_and_sent_in_words \
		"$(head -n 5 /out/ledger.words)" \
		grep -qE '^\* +tcp +elsewhere +[1-9]' /out/ledger.words
	n=$(cordon ledger --json --dataset records | jq -rs 'map(select(
		.type == "ledger") | .dataset) | unique | join(" ")')
	check ledger_tells_of_one_dataset_when_filtered "$n" \
		[ "$n" = records ]
}

# Whoever is neither root nor in the group.
doctor_looks_from_outside()
{
	setpriv --reuid 65534 --regid 65534 --clear-groups "$bin/cordon" \
		status --run-dir "$run" >/out/status.denied 2>&1
	rc=$?
	check status_is_denied_when_asked_by_nobody \
		"exit $rc $(cat /out/status.denied)" [ $rc = 4 ]
	check remedy_is_told_when_status_is_denied \
		"$(cat /out/status.denied)" \
		grep -q 'use sudo, or join' /out/status.denied
}

# Who holds a record and sends something else is not told to have sent it, and
# who was refused at open is named though no origin is.
doctor_looks_at_events()
{
	local up

	cordon events >/out/events
	up=$(grep -cE 'first-release .* 2.9 KiB, up to 1 record' /out/events)
	check records_released_are_an_upper_bound_when_told \
		"$(cat /out/events)" [ "$up" -gt 0 ]
	agent_with < <(agent_policy) || return
	agent_exhaust
	agent_refuses reads_are_refused_when_beyond_the_budget
	check login_is_named_when_refused_at_open "$(tail -n 1 "$log")" \
		wait_log 1 "find out what login $login did"
	check no_origin_is_named_when_it_is_not_known \
		"$(grep 'origin 0' "$log")" [ "$(grep -c 'origin 0' \
		"$log")" = 0 ]
}

# But for what was tried on purpose: who sends where another one sends many
# messages at once is refused, with a fault, as long as these wait.
doctor_looks_at_faults()
{
	local faults

	faults=$(status_of '.faults | del(."no room on a socket") | keys[]'
		cordon events --json | jq -c 'select(.type == "fault" and
			(.fault != "no room on a socket" or
			 .dataset != "many"))')
	check guard_has_no_faults_when_idle "$faults" [ -z "$faults" ]
}

doctor_cases()
{
	agent_with < <(release_policy) || return
	cordon doctor >/out/doctor 2>&1
	rc=$?
	check doctor_finds_the_host_fit_when_guarded \
		"exit $rc $(grep -E '^FAIL|fail' /out/doctor | head -n 2)" \
		[ "$rc" = 0 ]
	check doctor_finds_hooks_alive_when_guarded \
		"$(grep hooks /out/doctor)" \
		grep -qE 'hooks +([0-9]+) of \1 acts' /out/doctor
	check agent_finds_hooks_alive_when_started "$(cat "$log")" \
		grep -qE 'self-test: ([0-9]+) of \1 hooks' "$log"
	case $lsm in
	on) check guard_is_an_lsm_when_bpf_is_one "$(status_of .attach)" \
		[ "$(status_of .attach)" = lsm ] ;;
	off) check guard_is_fmod_when_bpf_is_no_lsm "$(status_of .attach)" \
		[ "$(status_of .attach)" = fmod_ret ] ;;
	esac
	doctor_looks_at_faults
	cordon doctor --json >/out/doctor.json 2>/out/doctor.err
	rc=$?
	check doctor_speaks_json_when_asked "exit $rc $(cat /out/doctor.err)" \
		jq -es 'length > 5 and all(has("status"))' /out/doctor.json \
		>/dev/null
	doctor_looks_at_status
	doctor_looks_at_the_ledger
	doctor_filters_the_ledger
	doctor_looks_from_outside
	doctor_looks_at_events
}
