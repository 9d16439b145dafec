# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh
#
# What goes from one network of the host to another is remembered for some time
# only. The hops there themselves are in `hops'; this is about the time after.

crossings_later=(--pause-ms 24000 --timeout 60)

crossings_prepare()
{
	hops_prepare
}

crossings_twins()
{
	local hop

	# Nobody forgets anything where nothing is remembered.
	files "$re" 1 8
	for hop in net-tcp-late net-udp-late; do
		hops_twin $hop-later 24000 8 --hop $hop "${args[@]}"
	done
}

# Nothing is said there any more.
crossings_forgotten()
{
	local i

	for ((i = 0; i < 40; i++)); do
		[ "$(hops_count crossings)" = 0 ] && break
		sleep 1
	done
	check what_nobody_waits_for_is_forgotten "$i s" \
		[ "$(hops_count crossings)" = 0 ]
}

crossings_cases()
{
	local hop

	agent_with < <(hops_policy yes) || return
	for hop in net-tcp-late net-udp-late; do
		proved "hop/$hop-later" "hop/$hop-later" || continue
		hops_refuses "hop/$hop-later_refuses_when_beyond" 8 --hop $hop \
			"${crossings_later[@]}"
	done
	crossings_forgotten
}
