# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Who acts, and where to.

su=/srv/subjects

subjects_prepare()
{
	"$bin/tests/makeset" $su --records 8 --photo-bytes 1000
	mkdir -p $su/bin
	cp "$probe" $su/bin/reader
	chmod 755 /srv $su $su/photos $su/bin
	chmod 644 $su/photos/*
	printf '#!/bin/sh\nexec %s "$@"\n' "$probe" >$su/script
	chmod 755 $su/script
	# Addresses that no network of the policy holds, and one of IPv6 that
	# only the wide one does.
	ip -n outside -batch - <<-A
	addr add 192.0.2.7/32 dev eth0
	addr add fd99::3/64 dev eth0 nodad
	addr add fd98::7/128 dev eth0 nodad
	A
	ip route replace 192.0.2.7/32 via $there
	ip -6 route replace fd98::7/128 via fd99::2
}

subjects_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  subjects: {paths: [$su/photos], record: file}
	subjects:
	  by-exe: {exe: $su/bin/reader}
	  by-unit: {unit: cardprint.service}
	  by-cgroup: {cgroup: /jobs/night}
	  by-user: {user: 1234}
	  by-group: {group: 4321}
	  by-login: {login: 30001}
	  two: {user: 1235, group: 4322}
	  sender: {login: 30002}
	destinations:
	  printers: {networks: [10.20.0.0/24], ports: [$port]}
	  wide: {networks: [10.0.0.0/8]}
	  six: {networks: ["fd99::2/128"], ports: [$port]}
	  six-wide: {networks: ["fd99::/16"]}
	rules:
	  - {subject: by-exe, dataset: "*", read: unlimited}
	  - {subject: by-unit, dataset: "*", read: unlimited}
	  - {subject: by-cgroup, dataset: "*", read: unlimited}
	  - {subject: by-user, dataset: "*", read: unlimited}
	  - {subject: by-group, dataset: "*", read: unlimited}
	  - {subject: by-login, dataset: "*", read: unlimited}
	  - {subject: two, dataset: "*", read: unlimited}
	  - {subject: sender, dataset: "*", read: unlimited,
	     release: {printers: unlimited, wide: none, six: unlimited,
	       six-wide: none, "*": unlimited}}
	  - {subject: "*", dataset: "*", read: none}
	P
}

# subjects_reads yes|no NAME COMMAND...: may COMMAND read a record?
subjects_reads()
{
	local want=$1 name=$2
	shift 2

	hear "$@" --read read --file $su/photos/000001.jpg
	if [ "$want" = yes ]; then
		check "$name" "exit $rc $json" [ "$rc" = 0 ]
	else
		check "$name" "exit $rc $json" \
			refused read_bytes 0
	fi
}

subjects_are_matched()
{
	local user=$cg/user.slice/user-1.slice/user@1.service

	subjects_reads no nobody_reads_when_no_subject_matches "$probe"
	subjects_reads yes exe_matches_when_same_object $su/bin/reader
	ln -f $su/bin/reader $su/bin/linked
	subjects_reads yes exe_matches_when_named_by_a_link $su/bin/linked
	cp $su/bin/reader $su/bin/copy
	subjects_reads no exe_differs_when_copied $su/bin/copy
	subjects_reads no exe_differs_when_a_script_runs $su/script
	mv $su/bin/reader $su/bin/renamed
	cp $su/script $su/bin/reader
	subjects_reads no exe_differs_when_a_script_bears_its_name \
		$su/bin/reader
	mv $su/bin/renamed $su/bin/reader
	subjects_reads yes unit_matches_when_in_its_cgroup \
		in_cgroup /system.slice/cardprint.service "$probe"
	subjects_reads yes unit_matches_when_below_its_cgroup \
		in_cgroup /system.slice/cardprint.service/job "$probe"
	subjects_reads no unit_differs_when_named_otherwise \
		in_cgroup /system.slice/cardprint2.service "$probe"
	subjects_reads no unit_differs_when_a_user_started_it \
		in_cgroup "${user#"$cg"}/cardprint.service" "$probe"
	subjects_reads yes cgroup_matches_when_below \
		in_cgroup /jobs/night/one "$probe"
	subjects_reads no cgroup_differs_when_above in_cgroup /jobs "$probe"
	subjects_reads yes user_matches_when_same "$probe" --uid 1234
	subjects_reads no user_differs_when_other "$probe" --uid 1236
	subjects_reads yes group_matches_when_effective \
		setpriv --regid 4321 --clear-groups "$probe"
	subjects_reads yes group_matches_when_supplementary \
		setpriv --groups 1,2,4321 "$probe"
	subjects_reads no group_differs_when_other \
		setpriv --groups 1,2,4323 "$probe"
	subjects_reads yes login_matches_when_same as 30001 "$probe"
	subjects_reads no login_differs_when_other as 30003 "$probe"
	subjects_reads yes both_match_when_both_hold \
		setpriv --reuid 1235 --regid 4322 --clear-groups "$probe"
	subjects_reads no both_differ_when_one_holds \
		setpriv --reuid 1235 --regid 4323 --clear-groups "$probe"
}

# Lines of `yes|no NAME WAY ARGS...': may the sender send there? At the port
# after the sink's it listens too.
subjects_sends()
{
	local next=$((port + 1))

	cat <<-S
	yes printer_receives_when_named send --to 10.20.0.5
	yes printer_receives_datagrams_when_named udp-sendto --to 10.20.0.5
	yes printer_receives_when_mapped v4mapped --to 10.20.0.5
	yes printer_receives_datagrams_when_mapped udp-v4mapped --to 10.20.0.5
	no wide_network_refuses_when_printer_is_elsewhere send --to 10.30.0.5
	no wide_network_refuses_when_port_is_another send --to 10.20.0.5 --port $next
	no wide_network_refuses_when_mapped v4mapped --to 10.30.0.5
	no wide_network_refuses_datagrams_when_mapped udp-v4mapped --to 10.30.0.5
	yes elsewhere_receives_when_no_network_holds_it send --to 192.0.2.7
	yes six_receives_when_named v6 --to6 fd99::2
	yes six_receives_datagrams_when_named udp6 --to6 fd99::2
	no wide_six_refuses_when_address_is_another v6 --to6 fd99::3
	no wide_six_refuses_datagrams_when_address_is_another udp6 --to6 fd99::3
	no wide_six_refuses_when_port_is_another v6 --to6 fd99::2 --port $next
	yes elsewhere_receives_when_no_six_network_holds_it v6 --to6 fd98::7
	S
}

# subjects_send WAY ARGS...
subjects_send()
{
	try --read read --file $su/photos/000001.jpg --release "$@"
	ask
}

subjects_are_sent()
{
	local want name args

	login=30002
	while read -r want name args; do
		proved "$name" "sends/$name" || continue
		subjects_send $args
		if [ "$want" = yes ]; then
			check "$name" "exit $rc $json $got" \
				release_arrived 1000 1
		else
			check "$name" "exit $rc $json $got" \
				release_nothing_came
		fi
	done < <(subjects_sends)
}

# Sixty logins, none of which any rule names but the last one.
subjects_crowd()
{
	local i

	for i in {30201..30260}; do
		as $i cat $su/photos/000001.jpg
	done >/tmp/subjects 2>/tmp/subjects.said
}

subjects_twins()
{
	local name args n

	while read -r _ name args; do
		subjects_send $args
		twin_of "sends/$name" release_arrived 1000 1
	done < <(subjects_sends)
	subjects_crowd
	n=$(wc -c </tmp/subjects)
	if [ "$n" = 60000 ]; then
		twin subjects/crowd pass
	else
		twin subjects/crowd fail "$n bytes"
	fi
}

# subjects_told FIRST LAST: of how many of these logins an event tells that one
# was refused.
subjects_told()
{
	jq -rs --argjson a "$1" --argjson b "$2" 'map(select(
		.type == "verdict" and .verdict == "block" and
		(.login | tonumber? // 0) >= $a and
		(.login | tonumber? // 0) <= $b).login) | unique | length' \
		< <(evidence_lines)
}

# subjects_told_all FIRST LAST: the agent writes them a moment later.
subjects_told_all()
{
	local i

	for ((i = 0; i < 2 * patience; i++)); do
		[ "$(subjects_told "$1" "$2")" = $(($2 - $1 + 1)) ] && return
		nap 0.1
	done
	return 1
}

# Who read nothing has no origin, so all of them are counted together: by now
# more than two were, and of any two after that one at most is told for its
# number alone.
subjects_are_told()
{
	local i n began

	for i in 30101 30102; do
		sleep 1.2
		subjects_reads no login_is_refused_when_others_were/$i \
			as $i "$probe"
	done
	check login_is_told_when_others_were_refused_before \
		"$(subjects_told 30101 30102) of 2" \
		subjects_told_all 30101 30102
	began=$SECONDS
	subjects_crowd
	n=$(grep -c 'Permission denied' /tmp/subjects.said)
	proved crowd_is_refused_when_no_subject_matches subjects/crowd &&
		check crowd_is_refused_when_no_subject_matches \
		"$n refused, $(wc -c </tmp/subjects) bytes" \
		[ ! -s /tmp/subjects -a "$n" = 60 ]
	sleep 1.2
	subjects_reads no login_is_refused_when_a_crowd_was as 30301 "$probe"
	check login_is_told_when_a_crowd_was_refused_before \
		"$(subjects_told 30301 30301)" subjects_told_all 30301 30301
	# One a second, and at most seven numbers there are powers of two.
	n=$(subjects_told 30201 30260)
	check crowd_is_told_now_and_then_when_refused \
		"$n of 60 in $((SECONDS - began)) s" \
		[ "$n" -ge 1 -a "$n" -le $((SECONDS - began + 7)) ]
}

subjects_cases()
{
	local before=$login

	agent_with < <(subjects_policy) || return
	subjects_are_matched
	subjects_are_told
	subjects_are_sent
	login=$before
}
