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
	rules:
	  - {subject: by-exe, dataset: "*", read: unlimited}
	  - {subject: by-unit, dataset: "*", read: unlimited}
	  - {subject: by-cgroup, dataset: "*", read: unlimited}
	  - {subject: by-user, dataset: "*", read: unlimited}
	  - {subject: by-group, dataset: "*", read: unlimited}
	  - {subject: by-login, dataset: "*", read: unlimited}
	  - {subject: two, dataset: "*", read: unlimited}
	  - {subject: sender, dataset: "*", read: unlimited,
	     release: {printers: unlimited, wide: none, "*": unlimited}}
	  - {subject: "*", dataset: "*", read: none}
	P
}

# subjects_reads yes|no NAME COMMAND...: may COMMAND read a record?
subjects_reads()
{
	local want=$1 name=$2
	shift 2

	json=$("$@" --read read --file $su/photos/000001.jpg)
	rc=$?
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

# subjects_sends yes|no NAME ARGS...: may the sender send there?
subjects_sends()
{
	local want=$1 name=$2
	shift 2

	login=30002
	try --read read --file $su/photos/000001.jpg "$@"
	ask
	if [ "$want" = yes ]; then
		check "$name" "exit $rc $json $got" release_arrived 1000 1
	else
		check "$name" "exit $rc $json $got" release_nothing_came
	fi
}

subjects_cases()
{
	local before=$login

	agent_with < <(subjects_policy) || return
	subjects_are_matched
	subjects_sends yes printer_receives_when_named --release send \
		--to 10.20.0.5
	subjects_sends yes printer_receives_datagrams_when_named \
		--release udp-sendto --to 10.20.0.5
	subjects_sends no wide_network_refuses_when_printer_is_elsewhere \
		--release send --to 10.30.0.5
	subjects_sends no wide_network_refuses_when_port_is_another \
		--release udp-sendto --to 10.20.0.5 --port 9555
	subjects_sends yes elsewhere_receives_when_no_network_holds_it \
		--release v6
	login=$before
}
