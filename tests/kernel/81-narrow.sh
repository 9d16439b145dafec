# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2048,SC2086,SC2154 # plain words; lib.sh
#
# What a narrow subject hands on is counted by its bytes, whatever it holds:
# user 4242 is one, and has read 40 records before it gives what fits in two, or
# in more than the budget has. The process that releases has opened no file of
# the dataset.

na=/srv/narrow
narrow_uid=4242
# Whose bytes the guard knows; and not, so that all counts that is held.
narrow_known="pipe pipe-late fifo pipe-reopened pipe-splice pipe-tee
	pipe-vmspliced pipe-relay unix-stream unix-late unix-named unix-peek
	unix-splice unix-dgram unix-dgram-named unix-mmsg unix-seqpacket tcp
	tcp-late tcp6 tcp-own tcp-splice udp udp6 pty pty-in msg-sysv
	msg-posix file file-append file-at memfd"
narrow_unknown="pipe-v pipe-vmsplice shm-memfd shm-posix shm-file
	vm-readv ptrace file-v file-uring file-map"

narrow_copy=/srv/narrow/copy
narrow_prepare()
{
	"$bin/tests/makeset" $na --records 40 --photo-bytes 3000
	cat >$narrow_copy <<-'P'
	import os
	os.write(1, os.read(0, 300))
	P
}

# narrow_policy [EXE]: the narrow subject, with a condition more or not.
narrow_policy()
{
	cat <<-P
	follow-files: yes
	datasets:
	  records: {paths: [$na/photos], record: file, squeeze: 4, floor: 500}
	subjects:
	  server: {user: $narrow_uid, narrow: yes, floor: 1500${1:+, exe: $1}}
	destinations:
	  itself: {networks: [127.0.0.0/8, "::1/128", 10.99.0.1/32]}
	rules:
	  - {subject: server, dataset: records, read: unlimited,
	     release: {itself: unlimited}}
	  - {subject: "*", dataset: records, per: user, read: unlimited,
	     release: {itself: unlimited,
	               "*": $budget_records records/hour}}
	P
}

# narrow_hop HOP BYTES [UID]: so many bytes of 40 records, by that user.
narrow_hop()
{
	new_login
	files $na 1 40
	hops_try --hop $1 --giver-uid ${3-$narrow_uid} --bytes $2 "${args[@]}"
}

# narrow_serve WHAT ANSWERS: a server of the narrow user holds all records and
# answers with 300 bytes each time; who asks for so many sends them all.
#   plain   by a unix socket
#   mixed   likewise; who asks has read a record of its own before the last
#   echoed  likewise; each answer goes to a helper and back ten times
#   many    each answer comes by another connection
#   tcp     all by one connection on the loopback
#   other   another user is the server
narrow_serve()
{
	local uid=$narrow_uid server i

	[ $1 != other ] || uid=1234
	new_login
	ask
	rm -f /tmp/narrow.up
	files $na 1 40
	timeout 60 setpriv --reuid $uid --clear-groups python3 - $1 \
		${args[*]/--file/} >/tmp/narrow.up <<-'P' &
	import os, socket, sys
	data = b"".join(open(f, "rb").read() for f in sys.argv[2:])
	if sys.argv[1] == "tcp":
	    s = socket.socket()
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	    s.bind(("127.0.0.1", 9777))
	else:
	    s = socket.socket(socket.AF_UNIX)
	    s.bind("\0narrow")
	s.listen()
	print("up", flush=True)
	at, left = 0, True
	while left:
	    c, _ = s.accept()
	    while True:
	        word = c.recv(1)
	        if word == b"q":
	            left = False
	        if word != b"a":
	            break
	        c.send(data[at * 3000:at * 3000 + 300])
	        at += 1
	    c.close()
	P
	server=$!
	for ((i = 0; i < 20 * patience; i++)); do
		[ -s /tmp/narrow.up ] && break
		kill -0 $server 2>/dev/null || break
		nap 0.1
	done
	forget /tmp/narrow.up
	as $login python3 - $1 $2 $there $port $na/photos/000040.jpg \
		2>/tmp/narrow <<-'P'
	import socket, subprocess, sys
	what, n = sys.argv[1], int(sys.argv[2])
	helper = subprocess.Popen(["cat"], bufsize=0, stdin=subprocess.PIPE,
	                          stdout=subprocess.PIPE)
	def connect():
	    if what == "tcp":
	        return socket.create_connection(("127.0.0.1", 9777))
	    c = socket.socket(socket.AF_UNIX)
	    c.connect("\0narrow")
	    return c
	c, got = connect(), b""
	for i in range(n):
	    if what == "many":
	        c.close()
	        c = connect()
	    if what == "mixed" and i == n - 1:
	        got += open(sys.argv[5], "rb").read(300)
	    c.send(b"a")
	    one = c.recv(300)
	    for _ in range(10 if what == "echoed" else 0):
	        helper.stdin.write(one)
	        one = helper.stdout.read(len(one))
	    got += one
	c.send(b"q")
	out = socket.create_connection((sys.argv[3], int(sys.argv[4])))
	out.sendall(got)
	P
	rc=$?
	json=
	wait $server
	ask
}

narrow_served()
{
	local records=$2

	[ $1 = mixed ] && ((++records))
	[ $rc = 0 ] && came total_bytes $((300 * records)) &&
		came records $records
}

narrow_twins()
{
	local hop what

	for hop in $narrow_known $narrow_unknown; do
		narrow_hop $hop 3000
		twin_of narrow/$hop release_arrived 3000 1
	done
	for what in plain mixed echoed many tcp; do
		narrow_serve $what 6
		twin_of narrow/$what narrow_served $what 6
	done
	narrow_both 8
	twin_of narrow/both narrow_came 27000
	narrow_executes cat
	twin_of narrow/executes came total_bytes 300
	narrow_executes python3 $narrow_copy
	twin_of narrow/executes_itself came total_bytes 300
}

narrow_came()
{
	came total_bytes $1
}

# narrow_both RECORDS: a file that the narrow one wrote, and then another.
narrow_both()
{
	rm -f $na/both
	: >$na/both
	chmod 666 $na/both
	new_login
	files $na 1 40
	# shellcheck disable=SC2016 # the other shell's
	to=$na/both as $login setpriv --reuid $narrow_uid --clear-groups \
		bash -c 'cat "$@" | dd bs=3000 count=1 iflag=fullblock \
		of="$to" conv=notrunc status=none' - ${args[*]/--file/}
	new_login
	files $na 1 $1
	# shellcheck disable=SC2016 # the other shell's
	to=$na/both as $login bash -c 'cat "$@" >>"$to"' - ${args[*]/--file/}
	derived_send $na/both
	rm $na/both
}

# narrow_executes COMMAND...: a narrow python holds all, puts some of it into a
# pipe and has a child execute what takes it out again.
narrow_executes()
{
	new_login
	ask
	files $na 1 40
	# shellcheck disable=SC2016 # the other shell's
	as $login setpriv --reuid $narrow_uid --clear-groups python3 - "$*" \
		${args[*]/--file/} <<-'P' 2>/tmp/narrow |
	import os, sys
	data = b"".join(open(f, "rb").read() for f in sys.argv[2:])
	r, w = os.pipe()
	os.write(w, data[:300])
	os.close(w)
	if os.fork() == 0:
	    os.dup2(r, 0)
	    word = sys.argv[1].split()
	    os.execvp(word[0], word)
	os.wait()
	P
		as $login bash -c 'cat >"/dev/tcp/$1/$2"' - $there $port \
			2>/tmp/narrow
	rc=$?
	json=
	ask
}

narrow_by_hops()
{
	local hop

	for hop in $narrow_known; do
		proved narrow/$hop narrow/$hop || continue
		narrow_hop $hop 3000
		check narrow/${hop}_passes_when_bytes_are_few \
			"exit $rc $json $got" release_arrived 3000 1
		narrow_hop $hop 24000
		check narrow/${hop}_refuses_when_bytes_are_many \
			"exit $rc $json $got" hops_none_beyond
	done
	for hop in $narrow_unknown; do
		proved narrow/$hop narrow/$hop || continue
		narrow_hop $hop 3000
		check narrow/${hop}_refuses_when_bytes_are_unknown \
			"exit $rc $json $got" hops_none_beyond
	done
	for hop in pipe unix-stream tcp file; do
		narrow_hop $hop 3000 1234
		check narrow/${hop}_refuses_when_another_gives \
			"exit $rc $json $got" hops_none_beyond
	done
}

narrow_by_answers()
{
	local what most

	for what in plain mixed echoed many tcp; do
		most=$budget_records
		[ $what != mixed ] || ((--most))
		proved narrow/$what narrow/$what || continue
		narrow_serve $what $most
		check narrow/${what}_passes_when_within_budget \
			"exit $rc $got $(tail -n 1 /tmp/narrow)" \
			narrow_served $what $most
		narrow_serve $what 6
		check narrow/${what}_refuses_when_answers_add_up \
			"exit $rc $got" came total_bytes 0
	done
	narrow_serve other 1
	check narrow/other_refuses_when_it_is_not_narrow "exit $rc $got" \
		came total_bytes 0
}

narrow_cases()
{
	agent_with < <(narrow_policy) || return
	narrow_by_hops
	narrow_by_answers
	if proved narrow/both narrow/both; then
		narrow_both 2
		check narrow/file_passes_when_both_are_within \
			"exit $rc $json $got" came total_bytes 9000
		narrow_both 8
		check narrow/file_refuses_when_another_writes_more \
			"exit $rc $json $got" hops_none_beyond
	fi
	# By the user alone what it executes is narrow too, by the exe it never
	# is: not even if it executes the same.
	proved narrow/executes narrow/executes || return
	proved narrow/executes_itself narrow/executes_itself || return
	narrow_executes cat
	check narrow/child_passes_when_it_is_narrow_too "exit $rc $got" \
		came total_bytes 300
	agent_with < <(narrow_policy "$(realpath /usr/bin/python3)") || return
	narrow_executes cat
	check narrow/child_refuses_when_it_executes_another "exit $rc $got" \
		came total_bytes 0
	narrow_executes python3 $narrow_copy
	check narrow/child_refuses_when_it_executes_the_same "exit $rc $got" \
		came total_bytes 0
	narrow_serve plain $budget_records
	check narrow/plain_passes_when_the_exe_is_asked_for "exit $rc $got" \
		narrow_served plain $budget_records
}
