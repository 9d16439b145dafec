# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2086,SC2154 # plain words; lib.sh
#
# A host of a fleet: the agent with its guard, the link as a user of its own, a
# broker with the shipped configuration, and the force, all in one place. What
# the force pushes is enforced, also by an agent that was not there, and what
# happens comes to it, also when the line was down. With the keys of
# 75-signed.sh.

fl=/run/fleet
fl_etc=/etc/cordon/enrolment.yaml
fl_copy=$fl/force/hosts/cardprint-01/evidence
fl_broker=

# fleet_lib FUNCTION ARGS...: of what the other tests of the fleet have, which
# wants its own port and folder.
fleet_lib()
{
	local tmp=$fl port=4222 broker=$fl_broker r

	# shellcheck source=tests/fleet/lib.sh
	. tests/fleet/lib.sh
	"$@"
	r=$?
	fl_broker=$broker
	return $r
}

fleet()
{
	local verb=$1
	shift

	"$bin/cordon" fleet "$verb" --dir $fl/force "$@" 2>&1
}

# fleet_policy RECORDS: the next serial, where the host does not look for it.
fleet_policy()
{
	local policy=$fl/next.yaml

	signed_policy "$1" alice bob
}

fleet_push()
{
	fleet_policy "$1"
	told=$(fleet push $fl/next.yaml --host cardprint-01)
}

fleet_has_serial()
{
	[ "$(status_of .policy_serial)" = "$serial" ]
}

fleet_connected()
{
	told=$(status_of .fleet)
	[ "$(jq -r .connected <<<"$told")" = true ]
}

fleet_lost()
{
	[ "$(status_of .fleet.connected)" = false ]
}

fleet_link_pid()
{
	pgrep -P "$agent" -x cordon-link
}

# Each line once, in its order; what the agent writes meanwhile comes later.
fleet_same_log()
{
	local n

	fleet watch --once >/dev/null
	n=$("$bin/cordon" evidence show $fl_copy | wc -l)
	[ "$n" -ge "$fl_lines" ] &&
		cmp <("$bin/cordon" evidence show $fl_copy) \
			<(evidence_lines | head -n "$n")
}

# fleet_all_here NAME: all that is written by now.
fleet_all_here()
{
	fl_lines=$(evidence_lines | wc -l)
	check "$1" "$fl_lines lines; $(status_of .fleet)" \
		waits $patience fleet_same_log
}

# fleet_reads RECORDS NAME: somebody new may read so many and no more.
fleet_reads()
{
	new_login
	files $sg 1 4
	try --read read "${args[@]}"
	check "$2" "exit $rc $json" refused read_bytes $((700 * $1))
}

fleet_users()
{
	grep -q ^cordon-link: /etc/passwd && return
	echo cordon-link:x:990:990::/nonexistent:/usr/sbin/nologin >>/etc/passwd
	echo cordon-link:x:990: >>/etc/group
}

fleet_certificates()
{
	local name

	mkdir -p $fl /etc/cordon/link
	fleet_lib authority fleet
	fleet_lib certificate fleet server DNS:localhost
	for name in force-print-shop cardprint-01; do
		fleet_lib certificate fleet $name
	done
	cp $fl/fleet-ca.pem /etc/cordon/link/ca.pem
	cp $fl/cardprint-01.pem /etc/cordon/link/cert.pem
	cp $fl/cardprint-01.key /etc/cordon/link/key.pem
	chown -R cordon-link:cordon-link /etc/cordon/link
	chmod 500 /etc/cordon/link && chmod 400 /etc/cordon/link/*
	fleet_lib configure 4222
}

fleet_begin_force()
{
	fleet init --issuer Test --server tls://localhost:4222 >/dev/null ||
		return
	cp $fl/fleet-ca.pem $fl/force/link/ca.pem
	cp $fl/force-print-shop.pem $fl/force/link/cert.pem
	cp $fl/force-print-shop.key $fl/force/link/key.pem
	chown -R cordon-link:cordon-link $fl/force/link
	chmod 755 $fl $fl/force
	cp $sg_trust $fl/force/trust.yaml
	fleet watch --once
}

# Three commands on each side.
fleet_enrol()
{
	"$bin/cordon" enroll request --name cardprint-01 >$fl/request \
		2>/dev/null
	"$bin/cordon" fleet approve --dir $fl/force --group printers \
		$fl/request >$fl/enrolment 2>/dev/null
	signed_by $fl/enrolment alice bob
	"$bin/cordon" enroll accept $fl/enrolment
}

fleet_begins()
{
	fleet_users
	signed_trust 1 2 alice bob carol >$sg_trust
	signed_policy 1 alice bob
	fleet_certificates
	check broker_starts "$(tail -n 3 $fl/broker.log 2>&1)" \
		fleet_lib broker_start || return
	told=$(fleet_begin_force)
	check force_is_connected "$told" [ -s $fl/force/fleet.yaml ]
	told=$(fleet_enrol 2>&1)
	check host_is_enrolled "$told" [ -s $fl_etc ]
	check agent_starts_in_a_fleet "$(tail -n 3 "$log")" agent_start ||
		return
	check link_is_connected "$(status_of .fleet)" \
		waits $patience fleet_connected || return
	told=$(ps -o user:20=,args= -p "$(fleet_link_pid)")
	check link_runs_as_a_user_of_its_own "$told" \
		grep -q '^cordon-link ' <<<"$told"
	fleet_reads 1 policy_of_the_file_is_enforced_at_first
	fleet_all_here evidence_comes_to_the_force
}

# From the push to the policy in force; the first time that is quick enough.
fleet_in_time()
{
	local began took

	for records in 2 3 2 3; do
		fleet_push $records
		began=$(date +%s%N)
		waits $patience fleet_has_serial || return
		took=$((($(date +%s%N) - began) / 1000000))
		note "serial $serial in force $took ms after the push"
		((took < 1000)) && return
	done
	return 1
}

fleet_pushes()
{
	check policy_is_in_force_within_a_second_of_the_push \
		"$told $(status_of .fleet)" fleet_in_time
	fleet_reads $records pushed_policy_is_enforced
	told=$(fleet status --json --wait 60 | grep fleet_host)
	check force_sees_what_is_in_force "$told" [ "$(jq -c \
		'[.fresh, .policy.serial, .mode]' <<<"$told")" = \
		"[true,$serial,\"enforce\"]" ]
	told=$("$bin/cordon" status)
	check status_tells_of_the_fleet_in_words "$told" grep -q \
		'^fleet *of Test as cardprint-01, connected' <<<"$told"
}

# The line is down: what was in force is, and what happens is written down.
fleet_offline()
{
	fleet_lib broker_stop
	check agent_says_that_the_line_is_down "$(status_of .fleet)" \
		waits $patience fleet_lost
	fleet_reads $records policy_is_enforced_when_the_line_is_down
	check evidence_waits_when_the_line_is_down "$(status_of .fleet)" \
		[ "$(status_of .fleet.waiting)" -gt 0 ]
	fleet_lib broker_start
	check link_is_connected_again "$(status_of .fleet)" \
		waits $patience fleet_connected
	fleet_all_here evidence_comes_when_the_line_is_up_again
	check verdicts_are_with_the_force "$("$bin/cordon" evidence show \
		$fl_copy | tail -n 3)" \
		grep -q '"type":"verdict"' \
		<("$bin/cordon" evidence show $fl_copy)
}

fleet_link_killed()
{
	kill -KILL "$(fleet_link_pid)"
	waits $patience fleet_lost
	fleet_reads $records policy_is_enforced_when_the_link_is_killed
	check link_is_started_again "$(status_of .fleet)" \
		waits $patience fleet_connected
	fleet_all_here evidence_comes_when_the_link_was_killed
}

# The agent is not there, or breaks down: what was pushed is there with the
# next one, with no guard before it either.
fleet_agent_gone()
{
	agent_stop -KILL
	records=1
	fleet_push 1
	check agent_starts_after_a_push "$(tail -n 3 "$log")" agent_start
	check policy_is_in_force_at_once_when_the_agent_is_back \
		"$(status_of .fleet)" waits $patience fleet_has_serial
	fleet_reads 1 policy_is_enforced_that_was_pushed_meanwhile
	fleet_all_here evidence_comes_when_the_agent_broke_down
	fleet_lib broker_stop
	agent_stop
	on_one guard_unpin
	check agent_starts_without_a_line "$(tail -n 3 "$log")" agent_start
	told="$(status_of .policy_serial) $(status_of .problem)"
	check pushed_policy_begins_at_a_boot_without_a_line "$told" \
		[ "$told" = "$serial null" ]
	fleet_reads 1 pushed_policy_is_enforced_after_a_boot_without_a_line
}

fleet_cases()
{
	local told fl_lines records=

	agent_gone
	fleet_begins
	[ -z "$agent" ] || fleet_pushes
	[ -z "$agent" ] || fleet_offline
	[ -z "$agent" ] || fleet_link_killed
	[ -z "$agent" ] || fleet_agent_gone
	fleet_lib broker_stop
	agent_gone
	rm -rf $sg_trust* "$policy".*minisig $fl_etc* /etc/cordon/link
}
