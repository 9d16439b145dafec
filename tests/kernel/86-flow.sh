# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Random flows: what each process holds and what was charged is never less than
# what really went there. See tests/flow/flow.c. Its budgets and paths are those
# here; the first seeds here, others in `make soak`.

flow=$bin/tests/flow/flow
flow_programs=40
flow_most=120

flow_prepare()
{
	"$bin/tests/makeset" /srv/flow --records 64
}

flow_policy()
{
	cat <<-P
	follow-files: yes
	datasets:
	  photos: {paths: [/srv/flow/photos], record: file}
	  roster: {paths: [/srv/flow/roster.csv], record: {bytes: 160}}
	destinations:
	  itself: {networks: [127.0.0.0/8, "::1/128", 10.99.0.1/32]}
	rules:
	  - {subject: "*", dataset: photos, per: user, read: unlimited,
	     release: {itself: unlimited, "*": 4 records/hour}}
	  - {subject: "*", dataset: roster, per: user, read: unlimited,
	     release: {itself: unlimited, "*": 6000 B/hour}}
	P
}

# flow_runs EXIT ARGS...: what it says goes to the log of the run, and the last
# that it says to $got.
flow_runs()
{
	local want=$1
	shift

	timeout $flow_most "$flow" "$@" 2>&1 | tee /tmp/flow | sed -u '/^#/!s/^/# flow: /'
	rc=${PIPESTATUS[0]}
	got=$(grep -m 1 '^# seed' /tmp/flow || tail -n 1 /tmp/flow)
	[ $rc = "$want" ]
}

flow_twins()
{
	flow_runs 1 --no-guard --whole --programs 100
	twin_of flow [ $rc = 1 ]
}

# flow_charged LOGIN: records, for what it sent.
flow_charged()
{
	cordon status --json | jq -s --arg l "$1" 'map(select(
		.type == "budget" and .dataset == "photos" and
		.destination == "*" and (.user | tostring) == $l).used) |
		add // 0'
}

# Who goes on as another user goes on with another budget, however much of what
# it holds it was charged for before.
flow_by_two()
{
	local first

	new_login
	first=$login
	new_login
	# shellcheck disable=SC2016 # the other shell's
	as $first bash -c 'read -r -N 100 some <"$4"
		echo "$some" >"/dev/tcp/$1/$2"
		echo "$3" >/proc/self/loginuid
		echo "$some" >"/dev/tcp/$1/$2"' - $there $port $login \
		/srv/flow/photos/000001.jpg 2>/dev/null
	rc=$?
	got="$(flow_charged $first) $(flow_charged $login)"
	check flow/each_login_is_charged_when_one_goes_on_as_another \
		"exit $rc, charged $got" [ "$rc $got" = "0 1 1" ]
}

flow_cases()
{
	agent_gone
	agent_with < <(flow_policy) || return
	if [ -s "$here/flow-options" ]; then
		# shellcheck disable=SC2046 # words
		flow_runs 0 $(<"$here/flow-options")
		check flow/holds_when_run_again "exit $rc: $got" [ $rc = 0 ]
		return
	fi
	flow_by_two
	proved flow/holds_when_one_step_after_another flow || return
	flow_runs 0 --programs $flow_programs --seconds 8
	check flow/holds_when_one_step_after_another "exit $rc: $got" \
		[ $rc = 0 ]
	flow_runs 0 --together --programs $flow_programs --seconds 8
	check flow/holds_when_steps_run_together "exit $rc: $got" [ $rc = 0 ]
	flow_runs 1 --lie --whole --programs 20
	check flow/fails_when_the_guard_counts_one_less "exit $rc: $got" \
		[ $rc = 1 ]
}
