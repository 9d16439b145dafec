# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Two policies that take turns under load, every 50 ms: tests/kernel/switching.c
# says what has to hold, and is shown to see it when it does not.

sw=/srv/switch
sw_port=9107
sw_seconds=${SWITCH_SECONDS:-10}

switch_prepare()
{
	mkdir -p $sw
}

# switch_run [halves]: what it says, in /tmp/switching.
switch_run()
{
	on_one "$bin/tests/kernel/switching" $sw $there $sw_port $sw_seconds \
		50 "$@" >/tmp/switching 2>&1
	sw_exit=$?
	sed 's/^/# switching: /' /tmp/switching
}

switch_cases()
{
	local line receiver n

	agent_gone
	ip netns exec outside "$bin/tests/kernel/switching" --receive \
		$sw_port >/dev/null &
	receiver=$!
	switch_run
	while read -r word line; do
		case $word in
		ok) ok "switch: ${line%%:*}" ;;
		FAIL) fail "switch: ${line%%:*}" "$line" ;;
		esac
	done </tmp/switching
	check switch_comes_to_its_end "exit $sw_exit" [ $sw_exit = 0 ]
	# The twin: it sees a policy that comes in two halves.
	switch_run halves
	n=$(grep -cE '^FAIL (may|not|both) is ' /tmp/switching)
	check switch_is_seen_when_it_comes_in_halves \
		"exit $sw_exit, $n: $(tail -n 3 /tmp/switching)" \
		[ $sw_exit = 1 -a "$n" -gt 0 ]
	kill $receiver
	wait $receiver 2>/dev/null
}
