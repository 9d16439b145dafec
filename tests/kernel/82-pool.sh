# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2048,SC2086,SC2154 # plain words; lib.sh
#
# What several processes are charged together. Records of one origin are charged
# once at a place, whichever of its processes sends them. What is of several
# origins each holding is charged for; the processes of a pool have one.
# It comes before the part that fills the table of origins.

po=/srv/pool

# A server that holds nothing forks workers, one after the other; all are there
# until the last is done. Each reads the records FIRST-LAST, and takes OTHER,
# if it says so, from a process of another unit, which read it; it executes
# itself, if it says so; and sends them. Leaves their exits, 1 for a refusal.
pool_prepare()
{
	"$bin/tests/makeset" $po --records 40 --photo-bytes 3000
	mkdir -p "$cg/system.slice/beside.service"
	cat >$po/work <<-P
	beside = "$cg/system.slice/beside.service/cgroup.procs"
	P
	cat >>$po/work <<-'P'
	import os, re, signal, socket, sys
	def read(photos, i):
	    return open("%s/%06d.jpg" % (photos, int(i)), "rb").read()
	def taken(photos, i):
	    r, w = os.pipe()
	    pid = os.fork()
	    if not pid:
	        open(beside, "w").write(str(os.getpid()))
	        os.write(w, read(photos, i))
	        os._exit(0)
	    os.close(w)
	    data = b"".join(iter(lambda: os.read(r, 65536), b""))
	    os.waitpid(pid, 0)
	    return data
	def work(to, photos, spec):
	    first, last, other, again = re.fullmatch(
	        r"(\d+)-(\d+)(?:\+(\d+))?(,exec)?", spec).groups()
	    data = taken(photos, other) if other else b""
	    for i in range(int(first), int(last) + 1):
	        data += read(photos, i)
	    if again:
	        os.execv(sys.executable, [sys.executable, __file__, "work",
	                 *to, photos, spec.replace(again, "")])
	    try:
	        s = socket.create_connection((to[0], int(to[1])))
	        s.sendall(data)
	    except PermissionError:
	        os._exit(1)
	    s.close()
	    os.kill(os.getpid(), signal.SIGSTOP)
	    os._exit(0)
	what, to, photos, specs = sys.argv[1], sys.argv[2:4], sys.argv[4], sys.argv[5:]
	if what == "work":
	    work(to, photos, specs[0])
	pids, ends = [], []
	for spec in specs:
	    pid = os.fork()
	    if not pid:
	        work(to, photos, spec)
	    ends.append(os.waitpid(pid, os.WUNTRACED)[1])
	    pids.append(pid)
	open("/tmp/pool.pids", "w").write(
	    " ".join(map(str, [os.getpid()] + pids)) + "\n")
	if what == "wait":
	    os.kill(os.getpid(), signal.SIGSTOP)
	for i, pid in enumerate(pids):
	    if os.WIFSTOPPED(ends[i]):
	        os.kill(pid, signal.SIGCONT)
	        ends[i] = os.waitpid(pid, 0)[1]
	print(*[os.waitstatus_to_exitcode(e) for e in ends])
	P
}

# pool_policy NUMBER: names that no budget has yet.
pool_policy()
{
	cat <<-P
	datasets:
	  records: {paths: [$po/photos], record: file}
	subjects:
	  shop$1: {unit: shop.service, pool: yes}
	  stall$1: {unit: stall.service}
	  anybody$1: {login: any}
	rules:
	  - {subject: shop$1, dataset: records, read: unlimited,
	     release: {"*": $budget_records records/hour}}
	  - {subject: stall$1, dataset: records, read: unlimited,
	     release: {"*": $budget_records records/hour}}
	  - {subject: anybody$1, dataset: records, read: unlimited,
	     release: {"*": $budget_records records/hour}}
	  - {subject: "*", dataset: records, read: unlimited}
	P
}

pool_run()
{
	"$@" >/tmp/pool 2>&1
	rc=$?
	ends=$(cat /tmp/pool)
	json=
	ask
}

# pool_work UNIT SPEC...: leaves the exits in $ends.
pool_work()
{
	ask
	pool_run in_cgroup /system.slice/$1.service \
		python3 $po/work go $there $port $po/photos ${*:2}
}

# pool_session SPEC...: the same in a session of $login.
pool_session()
{
	ask
	pool_run as $login python3 $po/work go $there $port $po/photos $*
}

# pool_came ENDS BYTES RECORDS
pool_came()
{
	[ $rc = 0 ] && [ "$ends" = "$1" ] && came total_bytes $2 &&
		came records $3
}

pool_twins()
{
	new_login
	pool_session 1-3 1-3 1-3 1-3
	twin_of pool/same pool_came "0 0 0 0" 36000 3
	new_login
	pool_session 1-3 4-5
	twin_of pool/others pool_came "0 0" 15000 5
	pool_work shop 1-1+2 1-1+2 1-1+2 1-1+2
	twin_of pool/several pool_came "0 0 0 0" 24000 2
}

# What is said of each worker while all are there, pool:records, in $json.
pool_look()
{
	local job i pid pids=()

	rm -f /tmp/pool.pids
	in_cgroup /system.slice/$1.service python3 $po/work wait $there $port \
		$po/photos ${*:2} >/tmp/pool 2>&1 &
	job=$!
	for ((i = 0; i < 20 * patience; i++)); do
		[ -s /tmp/pool.pids ] && break
		nap 0.1
	done
	json=
	read -ra pids </tmp/pool.pids
	for pid in "${pids[@]:1}"; do
		json+=$(cordon explain "$pid" --json | jq -rs '"\(map(select(
			.type == "process"))[0].pool):\(map(select(
			.type == "holding") | .records) | add) "')
	done
	kill -CONT "${pids[0]}"
	wait "$job"
	ask # what they sent is nobody's case
}

pool_sessions()
{
	proved pool/same pool/same || return
	new_login
	pool_session 1-3 1-3 1-3 1-3
	check session_is_charged_once_when_it_sends_the_same \
		"exit $rc $ends $got" pool_came "0 0 0 0" 36000 3
	pool_session 1-3
	check other_session_is_charged_when_it_sends_the_same \
		"exit $rc $ends $got" pool_came "1" 0 0
	proved pool/others pool/others || return
	agent_with < <(pool_policy 2) || return
	new_login
	pool_session 1-3 4-5
	check session_refuses_when_others_are_beyond "exit $rc $ends $got" \
		pool_came "0 1" 9000 3
	pool_work stall 1-3 1-3 4-4 1-4 5-5
	check service_is_charged_once_for_each_record "exit $rc $ends $got" \
		pool_came "0 0 0 0 1" 33000 4
}

pool_several()
{
	proved pool/several pool/several || return
	agent_with < <(pool_policy 3) || return
	pool_work stall 1-1+2 1-1+2 1-1+2 1-1+2
	check holdings_of_several_are_charged_each "exit $rc $ends $got" \
		pool_came "0 0 1 1" 12000 2
	pool_work shop 1-1+2 1-1+2 1-1+2 1-1+2
	check pool_of_several_is_charged_once "exit $rc $ends $got" \
		pool_came "0 0 0 0" 24000 2
	agent_with < <(pool_policy 4) || return
	pool_work shop 1-1+2 3-5
	check pool_refuses_when_records_of_all_are_beyond \
		"exit $rc $ends $got" pool_came "0 1" 6000 2
}

pool_cases()
{
	agent_with < <(pool_policy 1) || return
	pool_sessions
	pool_several
	agent_with < <(pool_policy 5) || return
	# The last one reads its record once more: that is an upper bound.
	pool_look shop 1-1 2-2 3-3,exec
	check explain_tells_the_pool_when_asked "$json" \
		[ "$json" = "shop5:4 shop5:4 shop5:4 " ]
	agent_with < <(pool_policy 6) || return
	pool_look shop 1-1
	check pool_begins_anew_when_nobody_is_left "$json" \
		[ "$json" = "shop6:1 " ]
	pool_look stall 1-1 2-2
	check explain_tells_no_pool_when_there_is_none "$json" \
		[ "$json" = "null:1 null:1 " ]
}
