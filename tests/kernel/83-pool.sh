# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2048,SC2086,SC2154 # plain words; lib.sh
#
# Processes of a pool share one holding: what several of them read and send is
# charged once, and what one reads all hold. Processes of a unit that is none
# are charged each for itself.

po=/srv/pool

# A server that holds nothing forks workers, one after the other; all are there
# until the last is done. Each reads the records FIRST-LAST, executes itself
# first if it says so, and sends them. Leaves their exits, 1 for a refusal.
pool_prepare()
{
	"$bin/tests/makeset" $po --records 40 --photo-bytes 3000
	cat >$po/work <<-'P'
	import os, signal, socket, sys
	def work(to, photos, spec):
	    first, last, *how = spec.split("-")
	    data = b""
	    for i in range(int(first), int(last) + 1):
	        data += open("%s/%06d.jpg" % (photos, i), "rb").read()
	    if how == ["exec"]:
	        os.execv(sys.executable, [sys.executable, __file__, "work",
	                 *to, photos, "%s-%s" % (first, last)])
	    s = socket.create_connection((to[0], int(to[1])))
	    try:
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
	open("/tmp/pool.pids", "w").write(" ".join(map(str, pids)))
	if what == "wait":
	    os.kill(os.getpid(), signal.SIGSTOP)
	for pid in pids:
	    os.kill(pid, signal.SIGCONT)
	for i, pid in enumerate(pids):
	    if os.WIFSTOPPED(ends[i]):
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
	rules:
	  - {subject: shop$1, dataset: records, read: unlimited,
	     release: {"*": $budget_records records/hour}}
	  - {subject: stall$1, dataset: records, read: unlimited,
	     release: {"*": $budget_records records/hour}}
	P
}

# pool_work UNIT SPEC...: leaves the exits in $ends.
pool_work()
{
	ask
	in_cgroup /system.slice/$1.service python3 $po/work go $there $port \
		$po/photos ${*:2} >/tmp/pool 2>&1
	rc=$?
	ends=$(cat /tmp/pool)
	json=
	ask
}

# pool_came ENDS BYTES RECORDS
pool_came()
{
	[ $rc = 0 ] && [ "$ends" = "$1" ] && came total_bytes $2 &&
		came records $3
}

pool_twins()
{
	pool_work shop 1-3 1-3 1-3 1-3
	twin_of pool/same pool_came "0 0 0 0" 36000 3
	pool_work shop 1-3 4-5
	twin_of pool/other pool_came "0 0" 15000 5
	pool_work shop 1-3-exec 1-3
	twin_of pool/exec pool_came "0 0" 18000 3
}

# What is said of each worker while all are there: pool:records, in $json.
pool_look()
{
	local job server i pid pids=()

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
	for pid in "${pids[@]}"; do
		json+=$(cordon explain "$pid" --json | jq -rs '"\(map(select(
			.type == "process"))[0].pool):\(map(select(
			.type == "holding") | .records) | add) "')
	done
	server=$(awk '{ print $4 }' "/proc/${pids[0]}/stat")
	kill -CONT "$server"
	wait $job
}

pool_cases()
{
	agent_with < <(pool_policy 1) || return
	proved pool/same pool/same || return
	pool_work stall 1-3 1-3 1-3 1-3
	check unit_is_charged_for_each_when_no_pool "exit $rc $ends $got" \
		pool_came "0 1 1 1" 9000 3
	pool_work shop 1-3 1-3 1-3 1-3
	check pool_is_charged_once_when_all_send_the_same \
		"exit $rc $ends $got" pool_came "0 0 0 0" 36000 3
	agent_with < <(pool_policy 2) || return
	proved pool/other pool/other || return
	pool_work shop 1-3 4-5
	check pool_refuses_when_records_of_all_are_beyond \
		"exit $rc $ends $got" pool_came "0 1" 9000 3
	agent_with < <(pool_policy 3) || return
	proved pool/exec pool/exec || return
	pool_work shop 1-3-exec 1-3
	check pool_is_charged_once_when_one_executes "exit $rc $ends $got" \
		pool_came "0 0" 18000 3
	pool_look shop 1-1 2-2 3-3-exec
	check explain_tells_the_pool_when_asked "$json" \
		[ "$json" = "shop3:3 shop3:3 shop3:3 " ]
	pool_look shop 1-1
	check pool_begins_anew_when_nobody_is_left "$json" \
		[ "$json" = "shop3:1 " ]
	pool_look stall 1-1 2-2
	check explain_tells_no_pool_when_there_is_none "$json" \
		[ "$json" = "null:1 null:1 " ]
}
