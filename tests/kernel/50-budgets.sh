# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Budgets: strict under concurrency, refunded, refilled, and told rather than
# enforced where the rule says so.

bu=/srv/budgets

budgets_prepare()
{
	local name

	mkdir -p $bu
	for name in crowd crowdread wire part cork mixed window observe alert host \
		user narrow half many free
	do
		"$bin/tests/makeset" $bu/$name --records 80 --photo-bytes 1000
	done
}

budgets_policy()
{
	local name

	echo "mode: $1"
	echo "destinations:"
	echo "  near: {networks: [10.20.0.5]}"
	echo "  beside: {networks: [$there/32], ports: [$((port + 1))]}"
	echo "datasets:"
	for name in crowd crowdread wire part cork mixed window observe alert host \
		user narrow half many free
	do
		[ $name = narrow ] ||
			echo "  $name: {paths: [$bu/$name/photos], record: file}"
	done
	cat <<-P
	  narrow: {paths: [$bu/narrow/photos], record: file, squeeze: 2,
	    floor: 500}
	subjects:
	  server: {user: 4242, narrow: yes}
	rules:
	  - {subject: "*", dataset: free, read: unlimited,
	     release: {"*": unlimited}}
	  - {subject: "*", dataset: many, read: unlimited, per: user,
	     release: {"*": 3000 B/hour}}
	  - {subject: "*", dataset: half, read: 2500 B/hour}
	  - {subject: server, dataset: narrow, read: unlimited,
	     release: {"*": 10 records/hour}}
	  - {subject: "*", dataset: mixed, per: user, read: unlimited,
	     release: {beside: unlimited, "*": 20000 B/hour}}
	  - {subject: "*", dataset: crowd, read: unlimited,
	     release: {"*": 20 records/hour}}
	  - {subject: "*", dataset: crowdread, read: 20 records/hour}
	  - {subject: "*", dataset: wire, read: unlimited,
	     release: {"*": 20000 B/hour}}
	  - {subject: "*", dataset: part, per: user, read: unlimited,
	     release: {"*": 500000 B/hour}}
	  - {subject: "*", dataset: cork, read: unlimited,
	     release: {near: unlimited, "*": 9000 B/hour}}
	  - {subject: "*", dataset: window, read: unlimited,
	     release: {"*": 2 records/6 seconds}}
	  - {subject: "*", dataset: observe, read: 2 records/hour,
	     release: {"*": none}, mode: observe}
	  - {subject: "*", dataset: alert, read: 2 records/hour,
	     release: {"*": none}, action: alert}
	  - {subject: "*", dataset: host, read: 2 records/hour}
	  - {subject: "*", dataset: user, read: 2 records/hour, per: user}
	P
}

# budgets_crowd DATASET FILES ARGS...: eight processes at once, each with
# other files. Leaves their lines in $json, and what came in $got.
budgets_crowd()
{
	local name=$1 each=$2 i pids=() out=/tmp/crowd
	shift 2

	rm -rf $out
	mkdir $out
	for ((i = 0; i < 8; i++)); do
		new_login
		files $bu/$name $((i * each + 1)) $((i * each + each))
		as "$login" "$probe" --work "$aside" --timeout 30 --to $there \
			--port $port "$@" "${args[@]}" >$out/$i &
		pids+=($!)
	done
	wait "${pids[@]}"
	json=$(cat $out/*)
	ask
}

budgets_of()
{
	cordon status --json | jq -r "select(.type == \"budget\" and
		.dataset == \"$1\" and .destination == \"$2\") | .used"
}

# budgets_own DATASET DESTINATION: of $login alone.
budgets_own()
{
	cordon status --json | jq -r --arg l "$login" \
		"select(.type == \"budget\" and .dataset == \"$1\" and
		.destination == \"$2\" and (.user | tostring) == \$l) | .used"
}

budgets_between()
{
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

budgets_concurrency()
{
	local sum

	budgets_crowd crowd 10 --read read --life thread --release send
	check records_leave_exactly_when_many_send "$got" \
		came records 20
	budgets_crowd crowdread 10 --read pread
	sum=$(jq -s 'map(.records) | add' <<<"$json")
	check records_are_read_exactly_when_many_read "$sum of 20" \
		[ "$sum" = 20 ]
	budgets_crowd wire 10 --read read --release send --chunk 500 --persist
	field "$got" total_bytes
	check bytes_leave_exactly_when_many_send "$got" \
		budgets_between "$value" 19501 20000
}

budgets_twins()
{
	local how

	files $bu/mixed 1 30
	release_try mixed-udp-cork "${args[@]}"
	twin_of way/mixed-udp-cork release_arrived 30000 30
	files $bu/part 1 1
	for how in uring-partial uring-sendzc-partial; do
		budgets_to_a_late_reader $how 490000
		twin_of way/$how budgets_all_came 490000
	done
	for how in alone shared; do
		budgets_many $how
		if [ "$value" -ge 20000 ]; then
			twin way/many-$how pass
		else
			twin way/many-$how fail "$got"
		fi
	done
	hear budgets_half
	got=$json
	if [ "$got" = 2560 ]; then
		twin read/half pass
	else
		twin read/half fail "$got"
	fi
}

# Five reads past the page cache that fail where their second buffer is, when
# the first one is filled. Prints how many bytes came.
budgets_half()
{
	as "$login" python3 - $bu/half/photos/000001.jpg <<-'P'
	import ctypes, mmap, os, sys
	fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
	libc = ctypes.CDLL(None)
	good = mmap.mmap(-1, 4096)
	def at(m):
	    return ctypes.addressof(ctypes.c_char.from_buffer(m))
	buffers = (ctypes.c_size_t * 4)(at(good), 512, 4096, 512)
	came = 0
	for i in range(5):
	    good[:512] = bytes(512)
	    os.lseek(fd, 0, os.SEEK_SET)
	    if libc.readv(fd, buffers, 2) < 0 and any(good[:512]):
	        came += 512
	print(came)
	P
}

# budgets_many HOW: two messages in one call, on a TCP socket that takes their
# address for nothing, so that the kernel asks for the first one only. `shared':
# while they wait and leave, a process that holds less sends there too.
budgets_many()
{
	as "$login" python3 - "$1" $bu "$there" $port <<-'P'
	import ctypes, os, socket, struct, sys, time
	how, root, host, port = sys.argv[1:]
	def read(name):
	    return open(root + "/" + name + "/photos/000001.jpg", "rb").read()
	s = socket.create_connection((host, int(port)))
	if how == "shared":
	    read("free")
	r, w = os.pipe()
	if not os.fork():
	    data = (b"x", read("many") * 20)
	    keep = [struct.pack("=HH", 2, socket.htons(int(port))) +
	            socket.inet_aton(host) + bytes(8)]
	    def at(b):
	        keep.append(ctypes.create_string_buffer(b, len(b)))
	        return ctypes.addressof(keep[-1])
	    name = at(keep[0])
	    messages = at(b"".join(struct.pack("=QIxxxxQQQQIxxxxIxxxx", name, 16,
	        at(struct.pack("=QQ", at(d), len(d))), 1, 0, 0, 0, 0)
	        for d in data))
	    os.write(w, b"x")
	    ctypes.CDLL(None).sendmmsg(s.fileno(), ctypes.c_void_p(messages), 2, 0)
	    time.sleep(2)
	    os._exit(0)
	os.read(r, 1)
	for i in range(100 if how == "shared" else 0):
	    try:
	        s.send(b"y")
	    except OSError:
	        pass
	    time.sleep(0.01)
	os.wait()
	P
	ask
	field "$got" total_bytes
}

# budgets_manies HOW
budgets_manies()
{
	local name=many_bytes_stop_when_beyond_$1

	proved $name way/many-$1 || return
	new_login
	budgets_many "$1"
	check $name "$got" budgets_between "$value" 0 3100
}

# Of each half only the whole is sure.
budgets_halves()
{
	proved failed_reads_are_charged_when_bytes_came read/half || return
	new_login
	hear budgets_half
	got=$json
	check failed_reads_are_charged_when_bytes_came "$got" [ "$got" = 1024 ]
}

# What is named to go elsewhere, without a limit, and goes into a datagram for
# here.
budgets_mixed()
{
	local way=mixed-udp-cork

	proved mixed_datagram_stops_when_beyond way/$way || return
	new_login
	files $bu/mixed 1 20
	release_try $way "${args[@]}"
	check mixed_datagram_passes_when_within_budget "exit $rc $json $got" \
		release_arrived 20000 20
	new_login
	files $bu/mixed 1 30
	release_try $way --persist "${args[@]}"
	field "$got" total_bytes
	check mixed_datagram_stops_when_beyond "exit $rc $json $got" \
		budgets_between "$value" 19000 20000
}

# budgets_to_a_late_reader WAY BYTES: the receiver's window is soon full, and so
# is a small buffer.
budgets_to_a_late_reader()
{
	kill -STOP "$sink_pid"
	(
		sleep 1
		kill -CONT "$sink_pid"
	) &
	try --read read --release "$1" --bytes "$2" --wait-ms 5000 "${args[@]}"
	wait $!
	ask
}

# Each send is charged whole, and takes what there is room for: without what
# comes back three of them would be too many.
budgets_refund()
{
	local way used n

	files $bu/part 1 1
	for way in partial uring-partial uring-sendzc-partial; do
		proved ${way}_sends_are_refunded_when_not_taken way/$way ||
			continue
		new_login
		budgets_to_a_late_reader $way 490000
		used=$(budgets_own part '*')
		check ${way}_sends_arrive_when_within_budget \
			"exit $rc $json $got" budgets_all_came 490000
		check ${way}_sends_are_refunded_when_not_taken "used $used" \
			[ "$used" = 490000 ]
		[ $way = partial ] || continue
		field "$json" full
		n=$value
		check sends_found_the_buffer_full_when_refunded "$n" \
			[ "$n" -gt 0 ]
	done
}

# A socket that the meter stopped, and its peer in the network outside, which
# counts the segments that end the connection. `reset': closed with bytes that
# nobody has read, so that no segment has to wait for its turn. Prints what the
# one and the other saw.
budgets_stopped()
{
	ip netns exec outside python3 - "$there" $((port + 77)) <<-'P' &
	import fcntl, os, select, socket, struct, sys, time
	host, port = sys.argv[1], int(sys.argv[2])
	l = socket.create_server((host, port))
	open("/run/stopped.peer", "w").close()
	c, (_, own) = l.accept()
	c.settimeout(5)
	d, _ = l.accept()
	d.recv(1)
	c.sendall(bytes(200 << 10))
	def left():
	    b = fcntl.ioctl(c, 0x5411, bytes(4)) # SIOCOUTQ
	    return struct.unpack("=i", b)[0]
	end = time.time() + 10
	while left() and time.time() < end:
	    time.sleep(0.01)
	queued = left()
	wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
	    socket.htons(0x0800))
	d.send(b"g")
	ends, end = 0, time.time() + 5
	while not ends and time.time() < end:
	    if not select.select([wire], [], [], 0.1)[0]:
	        continue
	    p = wire.recv(2048)
	    at = (p[0] & 15) * 4
	    if p[9] == 6 and p[at:at + 2] == struct.pack("!H", own):
	        ends += p[at + 13] & 5 != 0 # FIN, RST
	print(f"unacknowledged {queued} ends {ends}", end=" ")
	P
	while [ ! -e /run/stopped.peer ]; do
		kill -0 $! 2>/dev/null || break
		nap 0.05
	done
	rm -f /run/stopped.peer
	as "$login" python3 - "$1" $bu "$there" $((port + 77)) <<-'P'
	import ctypes, os, socket, struct, sys
	how, root, host, port = sys.argv[1:]
	text = open(root + "/many/photos/000001.jpg", "rb").read()
	s = socket.create_connection((host, int(port)))
	s.settimeout(10)
	keep = [struct.pack("=HH", 2, socket.htons(int(port))) +
	        socket.inet_aton(host) + bytes(8)]
	def at(b):
	    keep.append(ctypes.create_string_buffer(b, len(b)))
	    return ctypes.addressof(keep[-1])
	name = at(keep[0])
	messages = at(b"".join(struct.pack("=QIxxxxQQQQIxxxxIxxxx", name, 16,
	    at(struct.pack("=QQ", at(d), len(d))), 1, 0, 0, 0, 0)
	    for d in (b"x", text * 20)))
	ctypes.CDLL(None).sendmmsg(s.fileno(), ctypes.c_void_p(messages), 2, 0)
	try:
	    s.send(b"x")
	    refused = 0
	except OSError as e:
	    refused = e.errno
	try:
	    d = socket.create_connection((host, int(port)), 10)
	    d.settimeout(20)
	    d.send(b"n")
	    connected = 1
	except OSError as e:
	    connected = -e.errno
	came, most = 0, 200 << 10
	if how == "reset":
	    most -= 1
	try:
	    while came < most:
	        n = len(s.recv(most - came))
	        if not n:
	            break
	        came += n
	except OSError:
	    pass
	d.recv(1)
	s.close()
	print("send", refused, "connect", connected, "came", came, end=" ")
	P
	wait $!
}

budgets_say()
{
	[[ " $got" == *" $1 "* ]]
}

# Acknowledgements, handshakes and what ends a connection have no payload.
budgets_stopped_lives()
{
	local name=stopped_socket

	proved ${name}_refuses_when_sent_on way/many-alone || return
	new_login
	hear budgets_stopped close
	got=$json
	check ${name}_refuses_when_sent_on "$got" budgets_say 'send 1'
	check ${name}_receives_when_its_peer_sends "$got" \
		budgets_say 'came 204800'
	check ${name}_acknowledges_when_it_receives "$got" \
		budgets_say 'unacknowledged 0'
	check ${name}_leaves_connecting_alone "$got" budgets_say 'connect 1'
	# A FIN rides on the last payload that waits, and goes with it.
	new_login
	hear budgets_stopped reset
	got=$json
	check ${name}_is_seen_to_end_when_reset "$got" budgets_say 'ends 1'
}

# Bytes for one peer wait under a cork, others are added for a second peer,
# and all is thrown away: that may give the second's budget back its own only.
budgets_cork()
{
	local used

	new_login
	as "$login" python3 - $bu/cork/photos/000001.jpg <<-'P'
	import socket, sys
	open(sys.argv[1], "rb").read()
	far, near = ("10.99.0.2", 9009), ("10.20.0.5", 9009)
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.sendto(b"x" * 1300, far)
	s.sendto(b"x" * 1200, near)
	s.sendto(b"x" * 1200, socket.MSG_MORE, near)
	s.sendto(b"x" * 100, socket.MSG_MORE, far)
	s.close()
	P
	used=$(budgets_of cork '*')
	check own_bytes_come_back_when_a_cork_is_dropped "used $used" \
		budgets_between "${used:-0}" 1300 1400
}

# What a narrow subject sends is counted by its bytes; but where the kernel asks
# for the first of many messages only, nobody knows how many bytes they have.
budgets_narrow()
{
	proved narrow_refuses_when_bytes_are_unknown way/udp-sendmmsg || return
	new_login
	files $bu/narrow 1 20
	try --uid 4242 --read read --release udp-sendto --bytes 4000 \
		"${args[@]}"
	ask
	check narrow_passes_by_bytes_when_they_are_few "exit $rc $json $got" \
		budgets_all_came 4000
	new_login
	files $bu/narrow 21 40
	try --uid 4242 --read read --release udp-sendmmsg "${args[@]}"
	ask
	check narrow_refuses_when_bytes_are_unknown "exit $rc $json $got" \
		release_nothing_came
}

# Leaves the hundredths of a second since boot in $now.
budgets_clock()
{
	read -r now _ </proc/uptime
	now=${now/./}
}

# Two logins of two records each, in one window of six seconds or later: on a
# slow machine it is over before the second one is there, and both may be tried
# again when all of it is forgotten.
budgets_window()
{
	local now began i fresh first

	for ((i = 0; i < 5; i++)); do
		budgets_clock
		began=$now
		new_login
		files $bu/window 1 2
		release_try send "${args[@]}"
		first="exit $rc $json $got"
		release_arrived 2000 2
		fresh=$?
		new_login
		files $bu/window 3 4
		release_try send "${args[@]}"
		budgets_clock
		((now - began < 600)) && break
		sleep 7
	done
	check window_passes_when_fresh "$first" [ "$fresh" = 0 ]
	check window_refuses_when_used "after $((now - began))0 ms: $json $got" \
		release_nothing_came
	sleep 7
	release_try send "${args[@]}"
	check window_passes_when_over "$json" release_arrived 2000 2
}

# budgets_told DATASET: all is let through, counted as over, nothing blocked.
budgets_told()
{
	local over

	new_login
	files "$bu/$1" 1 8
	release_try send "${args[@]}"
	check "$1_denies_nothing_when_beyond" "exit $rc $json $got" \
		release_arrived 8000 8
	over=$(cordon ledger --json | jq -rs "map(select(.type == \"ledger\" and
		.dataset == \"$1\")) |
		[(map(select(.destination == \"read\").over_acts) | add > 0),
		(map(select(.destination != \"read\").over_acts) | add > 0),
		(map(.blocked_acts) | add == 0),
		(map(select(.destination == \"read\").bytes) | add == 8000)] |
		all")
	check "$1_counts_all_when_beyond" "$(cordon ledger --json |
		grep "\"$1\"" | tr '\n' ' ')" [ "$over" = true ]
}

# budgets_shared DATASET: the records that a second login may read.
budgets_shared()
{
	files "$bu/$1" 1 2
	new_login
	try --read read "${args[@]}"
	files "$bu/$1" 3 4
	new_login
	try --read read "${args[@]}"
}

# budgets_all_came BYTES
budgets_all_came()
{
	[ "$rc" = 0 ] && came total_bytes "$1"
}

# budgets_read N: so many records, and nothing refused.
budgets_read()
{
	[ "$rc" = 0 ] && is records "$1"
}

budgets_cases()
{
	local n

	agent_with < <(budgets_policy enforce) || return
	budgets_concurrency
	budgets_mixed
	budgets_refund
	budgets_cork
	budgets_narrow
	budgets_halves
	budgets_manies alone
	budgets_manies shared
	budgets_stopped_lives
	budgets_window
	budgets_told observe
	budgets_told alert
	n=$(cordon events --json | jq -s 'map(select(.type == "verdict" and
		.dataset == "alert" and .verdict == "alert")) | length')
	check alert_is_told_when_beyond "$n events" [ "${n:-0}" -gt 0 ]
	budgets_shared host
	check host_budget_is_shared_when_logins_differ "exit $rc $json" \
		refused records 0
	# The third and the fourth photo, at open: no more than that.
	n=$(cordon status --json | jq -r 'select(.type == "budget" and
		.dataset == "host") | .refused')
	check refusals_at_open_are_counted_when_beyond "$n" [ "$n" = 2 ]
	budgets_shared user
	check user_budget_is_own_when_logins_differ "exit $rc $json" \
		budgets_read 2
	write_policy < <(budgets_policy observe)
	agent_reload
	new_login
	files $bu/crowd 1 30
	release_try send "${args[@]}"
	check observe_mode_denies_nothing_when_global "exit $rc $json" \
		release_arrived 30000 30
}
