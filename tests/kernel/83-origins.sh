# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# More origins than there are places: the last place takes the rest, and who is
# in it is charged and refused as anybody else.

origins_cases()
{
	local faults

	agent_with < <(release_policy) || return
	check reads_pass_when_more_origins_than_places "" \
		"$probe" crowd $((login + 1)) 4200 $re/photos/000001.jpg
	login=$((login + 4200))
	faults=$(status_of '.faults | tostring')
	check fault_is_told_when_more_origins_than_places "$faults" \
		grep -q 'origin table full' <<<"$faults"
	new_login
	files $re 1 $budget_records
	release_try send "${args[@]}"
	check rest_passes_when_within_budget "exit $rc $json $got" \
		release_arrived $((budget_records * 3000)) $budget_records
	proved rest_refuses_when_beyond way/send || return
	life_refuses rest_refuses_when_beyond
	# What others of the rest have read and sent is nobody's permission.
	life_refuses rest_refuses_when_others_sent_before
	release_try send "${args[@]}"
	check rest_refuses_when_asked_again "exit $rc $json $got" \
		life_none_beyond
}
