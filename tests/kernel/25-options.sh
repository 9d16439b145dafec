# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# What goes out without a send, by setsockopt(2) or by asking for a key: nothing
# of a holder's, whatever the rule says. And a connection, which says something
# too: not beyond the budget.

# options_try WAY: as a holder of as much as is refused.
options_try()
{
	case $1 in
	connect-source) files $re 1 8 ;;
	*) files $re 1 1 ;;
	esac
	try --read read --release "$1" "${args[@]}"
	ask
	field "$json" read_bytes
}

# options_arrive WAY BYTES: they were set, and where the sink can tell, came.
options_arrive()
{
	[ "$rc" = 0 ] && is sent_bytes "$2" || return
	[ "$1" != ip-options ] || came total_bytes $((($2 + 35) / 36 * 36))
}

options_twins()
{
	local way

	for way in $(names option); do
		options_try "$way"
		twin_of "option/$way" options_arrive "$way" "$value"
	done
}

options_cases()
{
	local way

	agent_with < <(release_policy) || return
	for way in $(names option); do
		proved "option/$way" "option/$way" || continue
		new_login
		try --read none --release "$way" --bytes 3000
		ask
		check "option/${way}_passes_when_bystander" \
			"exit $rc $json $got" options_arrive "$way" 3000
		new_login
		options_try "$way"
		sent
		line "option/$way" "option/$way" \
			"option/${way}_refuses_when_holder" \
			"exit $rc $json $got" release_nothing_came
	done
	agent_with < <(release_policy observe) || return
	for way in $(names option); do
		proved "option/${way}_passes_when_observed" "option/$way" ||
			continue
		new_login
		options_try "$way"
		check "option/${way}_passes_when_observed" \
			"exit $rc $json $got" options_arrive "$way" "$value"
	done
}
