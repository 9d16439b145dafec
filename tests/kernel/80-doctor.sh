# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# The host is fit, every hook is alive, and nothing went wrong unseen.

doctor_cases()
{
	agent_fresh < <(release_policy) || return
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
}
