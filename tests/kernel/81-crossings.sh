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

# crossings_are N: so many ends are noted, or more (N+), in time.
crossings_are()
{
	local i n=${1%+} got

	for ((i = 0; i < 40; i++)); do
		got=$(hops_count crossings)
		[ "$got" = $n ] && return 0
		[[ $1 == *+ && $got -gt $n ]] && return 0
		sleep 1
	done
	return 1
}

# What crosses is noted, and goes; what leaves the host is not.
crossings_noted()
{
	local before

	crossings_are 0
	check what_nobody_says_again_is_forgotten "$(hops_count crossings)" \
		crossings_are 0
	before=$(hops_count carriers)
	new_login
	files "$re" 1 1
	try --read read --release sendto "${args[@]}"
	check what_leaves_the_host_is_not_noted "exit $rc $json \
		$(hops_count crossings)" crossings_are 0
	ask
	hops_passes what_crosses_passes_within_budget --hop net-tcp
	check what_crosses_is_noted "$(hops_count crossings)" crossings_are 1+
	check what_crosses_is_forgotten_after_some_time \
		"$(hops_count crossings)" crossings_are 0
	check nothing_is_left_of_what_was_forgotten \
		"before: $before, after: $(hops_count carriers)" \
		[ "$(hops_count carriers)" = "$before" ]
}

# crossings_late HOP: it is taken when the guard has forgotten that it crossed.
crossings_late()
{
	local watch

	(
		sleep 22
		hops_count crossings >/tmp/forgotten
	) &
	watch=$!
	hops_refuses "hop/$1-later_refuses_when_beyond" 8 --hop "$1" \
		"${crossings_later[@]}"
	wait $watch
	check "$1_was_forgotten_before_it_was_taken" "$(</tmp/forgotten)" \
		[ "$(</tmp/forgotten)" = 0 ]
}

crossings_cases()
{
	local hop

	agent_with < <(hops_policy yes) || return
	crossings_noted
	for hop in net-tcp-late net-udp-late; do
		proved "hop/$hop-later" "hop/$hop-later" || continue
		crossings_late $hop
	done
	crossings_are 0
	"$bin/tests/kernel/pins" fill crossings >/tmp/pins
	hops_full net-udp-late
	"$bin/tests/kernel/pins" empty crossings >/tmp/pins
}
