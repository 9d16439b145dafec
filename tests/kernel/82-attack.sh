# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2048,SC2086,SC2154 # plain words; lib.sh
#
# Ways round that were thought of (tests/channel/attack.c), each without the
# guard and with it: who sends has read nothing itself, or in a way that was to
# count for less. What is handed on by a way that hops know is tried there.

at=/srv/attack
want=
# All are to let out 4 records at most.
attacks=(tracer clone-vm settle-race read-race hugetlb narrow oob ping
	reuseport ktls ktls-late ktls-by-two tcp-zerocopy netns filter cipher
	cipher-pages bpf-map netlink core)

# Of each set there is a copy that is nobody's dataset.
attack_prepare()
{
	[[ " ${parts[*]} " == *" attack "* ]] || return 0
	mkdir -p $at /dev/net
	"$bin/tests/makeset" $at/set --records 20 --photo-bytes 3000
	"$bin/tests/makeset" $at/narrow --records 20 --photo-bytes 3000
	"$bin/tests/makeset" $at/rows --records 200 --photo-bytes 64
	# It takes long to read, so that there is time to come in between.
	perl -0777 -i -pe '$_ x= 300' $at/rows/roster.csv
	cp -r $at $at.plain
	install -m 755 "$bin/tests/attack" $at.run
	chmod 755 /srv
	[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
	chmod 666 /dev/net/tun
	modprobe tls
}

attack_policy()
{
	cat <<-P
	follow-files: yes
	datasets:
	  records: {paths: [$at/set/photos], record: file}
	  rows: {paths: [$at/rows/roster.csv], record: {bytes: 160}}
	  small: {paths: [$at/narrow/photos], record: file, squeeze: 2,
	    floor: 1500}
	subjects:
	  server: {user: 4242, narrow: yes}
	destinations:
	  itself: {networks: [127.0.0.0/8]}
	  printers: {networks: [10.77.0.9/32], ports: [9100]}
	rules:
	  - {subject: "*", dataset: records, per: user, read: unlimited,
	     release: {itself: unlimited, printers: unlimited,
	               "*": 4 records/hour}}
	  - {subject: "*", dataset: rows, per: user, read: unlimited,
	     release: {itself: unlimited, "*": 4 records/hour}}
	  - {subject: server, dataset: small, read: unlimited,
	     release: {"*": 4 records/hour}}
	P
}

# attack_run NAME [PLAIN]: leaves $rc and $got, and in $want how many records
# there were to get.
attack_run()
{
	local sets=$at${2-} run="$at.run $1 $there $port" core=

	want=8
	case $1 in
	narrow)
		want=20
		files $sets/narrow 1 20
		run="env FLOOR=1500 setpriv --reuid 4242 $run" ;;
	read-race)
		want=100
		args=("$sets/rows/roster.csv") ;;
	hugetlb)
		echo 4 >/proc/sys/vm/nr_hugepages
		files $sets/set 1 8 ;;
	*) files $sets/set 1 8 ;;
	esac
	case $1 in
	bpf-map) echo 0 >/proc/sys/kernel/unprivileged_bpf_disabled ;;
	core)
		core=$(</proc/sys/kernel/core_pattern)
		echo "|$at.run core-helper $there $port x" \
			>/proc/sys/kernel/core_pattern ;;
	esac
	new_login
	ask
	as $login timeout 60 $run ${args[*]/--file/} 2>/tmp/attack
	rc=$?
	forget /tmp/attack
	json=$(sort /tmp/attack | uniq -c | head -n 3 | tr '\n' ' ')
	ask
	echo 0 >/proc/sys/vm/nr_hugepages
	echo 2 >/proc/sys/kernel/unprivileged_bpf_disabled
	[ -z "$core" ] || echo "$core" >/proc/sys/kernel/core_pattern
}

attack_all()
{
	came records $want
}

attack_at_most()
{
	field "$got" records
	[ "$value" -ge 0 ] && [ "$value" -le "$1" ]
}

attack_twins()
{
	local name

	for name in "${attacks[@]}"; do
		attack_run $name
		twin_of attack/$name attack_all
	done
}

attack_cases()
{
	local name

	agent_with < <(attack_policy) || return
	for name in "${attacks[@]}"; do
		proved attack/$name attack/$name || continue
		attack_run $name .plain
		check attack/${name}_passes_when_bystander \
			"exit $rc $json $got" attack_all
		attack_run $name
		check attack/${name}_stops_when_beyond \
			"exit $rc $json $got" attack_at_most 4
	done
}
