# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# A holding goes wherever the process goes.

life_twins()
{
	local life

	for life in $(names life); do
		files $re 1 8
		release_try send --life "$life" "${args[@]}"
		twin_of "life/$life" release_arrived 24000 8
	done
}

life_none_beyond()
{
	field "$got" records
	[ "$value" -ge 0 ] && [ "$value" -le $budget_records ] &&
		release_refused
}

# life_refuses NAME ARGS...: eight records are too many.
life_refuses()
{
	local name=$1 channel=${1/_refuses_when_/\/} twin=way/send
	shift

	[[ $name != life/* ]] || twin=${name%%_refuses*}
	new_login
	files $re 1 8
	release_try send "$@" "${args[@]}"
	sent
	line "${channel%/beyond}" "$twin" "$name" "exit $rc $json $got" \
		life_none_beyond
}

life_cases()
{
	local life

	agent_with < <(release_policy) || return
	mkdir -p /sys/fs/cgroup/elsewhere
	for life in $(names life); do
		proved "life/$life" "life/$life" || continue
		new_login
		files $re 1 $budget_records
		release_try send --life "$life" "${args[@]}"
		check "life/${life}_passes_when_within_budget" \
			"exit $rc $json $got" release_arrived \
			$((budget_records * 3000)) $budget_records
		life_refuses "life/${life}_refuses_when_beyond" --life "$life"
		life_refuses "life/${life}_refuses_when_socket_is_older" \
			--life "$life" --sock-first
	done
	# It shares its memory, so it has a holding; there is nothing in it.
	new_login
	try --read none --life vfork-sibling --release tun --bytes 1000
	ask
	check empty_passes_when_nothing_was_read "exit $rc $json $got" \
		release_arrived 1000 0
	life_refuses move_refuses_when_user_changed --move-uid 1234
	life_refuses move_refuses_when_cgroup_changed \
		--move-cgroup /sys/fs/cgroup/elsewhere
	life_refuses move_refuses_when_time_passed --hold-ms 500
	rmdir /sys/fs/cgroup/elsewhere
}
