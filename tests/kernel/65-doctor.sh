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
		grep -qE "blocked: .*find out what login $login did" "$log"
	check no_origin_is_named_when_it_is_not_known \
		"$(grep 'origin 0' "$log")" [ "$(grep -c 'origin 0' \
		"$log")" = 0 ]
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
	check guard_has_no_faults_when_idle "$(status_of .faults)" \
		[ "$(status_of '.faults | length')" = 0 ]
	doctor_looks_at_status
	doctor_looks_at_events
}
