# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2119,SC2120
#
# What the cases share: results, logins, the sink, the agent. Sourced by suite.
#
# A result is one line: `ok NAME', `not ok NAME # WHY' or `skip NAME # WHY',
# the last one only if expected-skips names it. Each case runs as a login user
# of its own: with `per: user' rules that is a budget of its own, and a session
# of its own is an origin of its own.

bin=$PWD/build
probe=$bin/tests/probe
sink=$bin/tests/sink
here=${BASH_SOURCE[0]%/*}
run=/run/cordon
state=/var/lib/cordon
pins=/sys/fs/bpf/cordon
cg=/sys/fs/cgroup
policy=/etc/cordon/policy.yaml
log=/out/cordond.log
aside=/srv/aside
port=9000
patience=180 # seconds, for what the agent says
there=10.99.0.2
login=20000
results=0
failures=0
serial=0
agent=
evidences=0 # folders that were verified
ended=
sink_pid=
kernel=
lsm=
json=
rc=
got=
value=
to_probe=
from_probe=
to_ask=
from_ask=
never=
cell="- -"
declare -A twins=() why=() without=()

note()
{
	echo "# $(cut -d. -f1 /proc/uptime)s $*"
}

ok()
{
	((++results))
	echo "ok $1"
}

# With what the agent said last, which is not in what a run prints.
fail()
{
	local name=$1
	shift
	((++results, ++failures))
	echo "not ok $name # $*; agent: $(tail -n 1 "$log" 2>&1)"
}

# skip NAME WHY: only what expected-skips names may be missing.
skip()
{
	local on glob

	while read -r on glob _; do
		[[ $on == '#'* || -z $on ]] && continue
		# shellcheck disable=SC2053 # globs are meant
		if [[ $kernel == $on && $1 == $glob ]]; then
			((++results))
			echo "skip $1 # $2"
			return
		fi
	done <"$here/expected-skips"
	fail "$1" "unexpected skip: $2"
}

# all_there STAGE RESULTS: as many as expected-results says, so that a case
# that is silently left out is a failure.
all_there()
{
	local on stage want=none

	while read -r on stage want _; do
		# shellcheck disable=SC2053 # a glob is meant
		[[ $on != '#'* && $kernel == $on && $1 == "$stage" ]] && break
		want=none
	done <"$here/expected-results"
	check "$1/has_all_its_results" "$2, expected: $want" [ "$2" = "$want" ]
}

# check NAME WHY COMMAND...: the case passes if the command succeeds.
check()
{
	local name=$1 reason=$2
	shift 2
	if "$@"; then
		ok "$name"
	else
		fail "$name" "$reason"
	fi
}

# sent, red SIZE: what came of what was tried last, as the sink says, or what
# was read as the probe does, in files of that size: bytes and records of a cell
# of the matrix.
sent()
{
	field "$got" total_bytes
	cell=$value
	field "$got" records
	cell+=" $value"
}

red()
{
	field "$json" read_bytes
	cell="$value $((value / $1))"
}

# line CHANNEL TWIN NAME WHY COMMAND...: a check that is a line of the matrix,
# with what is in $cell. What was held is told by events, later.
line()
{
	local channel=$1 twin=$2 before=$failures result=pass
	shift 2

	check "$@"
	[ $failures = $before ] || result=fail
	echo "$channel ${without[$twin]-- -} $cell $login $result" >>/out/lines
}

names()
{
	"$probe" list | awk -v kind="$1" '$1 == kind { print $2 }'
}

# field JSON KEY: leaves a number out of one line of JSON in $value. A subshell
# a number was a large part of the suite's time.
field()
{
	value=${1#*\""$2"\":}
	if [ "$value" = "$1" ]; then
		value=-1
	else
		value=${value%%[,\}]*}
	fi
}

# is KEY N: what the probe said.
is()
{
	field "$json" "$1"
	[ "$value" = "$2" ]
}

# came KEY N: what the sink said.
came()
{
	field "$got" "$1"
	[ "$value" = "$2" ]
}

# refused KEY N: the probe was, and said so of KEY.
refused()
{
	[ "$rc" = 1 ] && is "$1" "$2"
}

missing()
{
	local rest=${json#*\"missing\":\"}

	echo "${rest%%\"*}"
}

new_login()
{
	((++login))
}

# as LOGIN COMMAND...: in a session of its own of that login user.
as()
{
	(
		echo "$1" >/proc/self/loginuid || exit 99
		shift
		exec "$@"
	)
}

# in_cgroup PATH COMMAND...
in_cgroup()
{
	(
		mkdir -p "$cg$1" && echo "$BASHPID" >"$cg$1/cgroup.procs" ||
			exit 99
		shift
		exec "$@"
	)
}

# A program that is asked for one thing after another, in lines.
serve()
{
	local name=$1
	shift

	mkfifo "/run/$name.in" "/run/$name.out"
	"$@" <"/run/$name.in" >"/run/$name.out" &
	eval "exec {to_$name}>/run/$name.in {from_$name}</run/$name.out"
}

# try ARGS...: a probe as $login; leaves $json and $rc.
try()
{
	local IFS=$'\t'
	local words=("$login" --work "$aside" --timeout 20 --to "$there"
		--to6 fd99::2 --port "$port" --wait-ms 1000 "$@")

	rc=''
	json=''
	echo "${words[*]}" >&"$to_probe"
	IFS=' ' read -r rc json <&"$from_probe"
}

# forget FILE...: what holders said there may be read by who shall hold nothing.
forget()
{
	"$probe" forget "$@"
}

# hear COMMAND...: leaves what it says in $json, its exit in $rc. By a file that
# is forgotten: a pipe would carry on to this shell, and to all that it starts,
# what the command holds.
hear()
{
	"$@" >/tmp/heard
	rc=$?
	forget /tmp/heard
	json=$(cat /tmp/heard)
}

# files DIR FIRST LAST: arguments for the photos with these numbers.
files()
{
	local i name

	args=()
	for ((i = $2; i <= $3; i++)); do
		printf -v name '%s/photos/%06d.jpg' "$1" "$i"
		args+=(--file "$name")
	done
}

# vfat_make IMAGE DIR: a floppy disk of FAT12, as DOS 4 made it, mounted there.
vfat_make()
{
	python3 - "$1" <<-'P'
	import struct, sys
	boot = b"\xeb\x3c\x90MSDOS5.0" + struct.pack("<HBHBHHBHHHII", 512, 1, 1,
	    2, 224, 2880, 0xf0, 9, 18, 2, 0, 0)
	boot += struct.pack("<BBBI", 0, 0, 0x29, 1) + b"CORDON     FAT12   "
	boot = boot.ljust(510, b"\0") + b"\x55\xaa"
	fat = b"\xf0\xff\xff".ljust(9 * 512, b"\0")
	with open(sys.argv[1], "wb") as f:
	    f.write((boot + fat + fat).ljust(1440 * 1024, b"\0"))
	P
	mkdir -p "$2"
	mount -t vfat -o loop "$1" "$2" 2>/tmp/mount
}

# ---- twins ------------------------------------------------------------------

# twin NAME RESULT [WHY]: what happened without a guard: pass, fail or skip;
# how much came is in $cell.
twin()
{
	twins[$1]=$2
	why[$1]=${3-}
	without[$1]=$cell
	echo "$1 $2 $cell ${3-}" >>/out/twins
	cell="- -"
	case $2 in
	pass) ok "twin/$1" ;;
	skip) skip "twin/$1" "${3-}" ;;
	*) fail "twin/$1" "${3-}" ;;
	esac
}

# twin_of NAME COMMAND...: of what was tried last, by $rc, $json and $got.
twin_of()
{
	local name=$1
	shift

	sent
	if [ "$rc" = 2 ]; then
		twin "$name" skip "$(missing)"
	elif "$@"; then
		twin "$name" pass
	else
		twin "$name" fail "exit $rc $json $got"
	fi
}

twins_load()
{
	local name result bytes records reason

	while read -r name result bytes records reason; do
		twins[$name]=$result
		without[$name]="$bytes $records"
		why[$name]=$reason
	done <"$1"
}

# proved NAME TWIN: without the guard it works, so a refusal says something.
proved()
{
	case ${twins[$2]-none} in
	pass) return 0 ;;
	skip) skip "$1" "${why[$2]}" ;;
	*) fail "$1" "its unguarded twin $2: ${twins[$2]-none}" ;;
	esac
	return 1
}

# ---- the sink ---------------------------------------------------------------

# What came since it was last asked: a byte that comes late is found by the
# next case.
ask()
{
	echo "${1-reset}" >&"$to_ask"
	read -r got <&"$from_ask"
}

# sink_start: a new one. Whoever was connected to the last one is cut off.
sink_start()
{
	local i

	# Its socket goes with it, a moment after it answered.
	if [ -S /run/sink.sock ]; then
		ask stop
		wait "$sink_pid"
	fi

	ip netns exec outside "$sink" --port $port --socket /run/sink.sock \
		--quiet 20 --wire 10.99.0.1 >/dev/null &
	sink_pid=$!
	for ((i = 0; i < 10 * patience; i++)); do
		if [ -S /run/sink.sock ]; then
			[ -n "$to_ask" ] || serve ask "$sink" --query \
				/run/sink.sock -
			ask && return 0
		fi
		kill -0 "$sink_pid" 2>/dev/null || break
		nap 0.1
	done
	fail sink "does not answer"
	exit 1
}

# ---- the agent --------------------------------------------------------------

# write_policy: reads datasets, subjects, destinations, rules.
write_policy()
{
	((++serial))
	{
		cat <<-P
		cordon: 1
		issuer: Test
		serial: $serial
		not-before: 2020-01-01T00:00:00Z
		expires: 2046-01-31T00:00:00Z
		P
		cat
	} >"$policy"
}

# nap SECONDS: sleeps, and starts no process for it. To wait with sleep(1) and
# grep(1) for a guard to be loaded took as long as to load it.
nap()
{
	[ -n "$never" ] || exec {never}<> <(:)
	read -rt "$1" -u "$never"
}

# waits SECONDS COMMAND...: until it succeeds, so long at the most.
waits()
{
	local i n=$((10 * $1))
	shift

	for ((i = 0; i < n; i++)); do
		"$@" && return
		nap 0.1
	done
	return 1
}

# said TEXT: how many lines of the agent's log have it, in $value.
said()
{
	local lines line

	value=0
	mapfile -t lines <"$log"
	for line in "${lines[@]}"; do
		[[ $line != *"$1"* ]] || ((++value))
	done
}

# wait_log COUNT TEXT: until the agent said it so many times, or ended.
wait_log()
{
	local i

	for ((i = 0; i < 5 * patience; i++)); do
		said "$2"
		[ "$value" -ge "$1" ] && return 0
		kill -0 "$agent" 2>/dev/null || return 1
		nap 0.2
	done
	return 1
}

# on_one COMMAND...: with one processor. Where one changes the code that another
# runs, an emulator can lose the change half way: the kernel dies of an int3
# that nobody knows. A guard comes and goes that way.
on_one()
{
	local one=/sys/devices/system/cpu/cpu1/online r

	[ ! -e $one ] || echo 0 >$one
	"$@"
	r=$?
	[ ! -e $one ] || echo 1 >$one
	return $r
}

cordond()
{
	"$bin/cordond" --policy "$policy" --state-dir "$state" \
		--run-dir "$run" "$@"
}

agent_start()
{
	cat "$log" >>/out/cordond.all 2>/dev/null
	# Here, for who was begun may come to it after the first look.
	: >"$log"
	"$bin/cordond" --policy "$policy" --state-dir "$state" \
		--run-dir "$run" "$@" >>"$log" 2>&1 &
	agent=$!
	on_one wait_log 1 'cordond: ready'
}

# agent_reload: the policy file, as it is now. 0 once it is in force.
agent_reload()
{
	said 'policy in force'
	kill -HUP "$agent"
	wait_log $((value + 1)) 'policy in force'
}

# agent_stop [SIGNAL]: leaves its exit status in $ended.
agent_stop()
{
	[ -n "$agent" ] || return 0
	kill "${1:--TERM}" "$agent" 2>/dev/null
	wait "$agent" 2>/dev/null
	ended=$?
	agent=
}

# The kernel lets go of what is not pinned a moment later.
agent_detach()
{
	"$bin/cordond" --detach --run-dir "$run" --state-dir "$state" &&
		nap 0.2
}

# As a boot leaves it, and as root can do by hand (KNOWN-GAPS.md): where trust
# anchors are in force, --detach is refused.
guard_unpin()
{
	rm -f "$pins"/link_* "$pins"/prog_* && rm -rf "$pins" && nap 0.2
}

# Nothing left: no guard, no budgets, no holdings. What a stopped socket still
# holds leaves as soon as no guard is there, so its receiver goes too.
agent_gone()
{
	agent_stop
	if [ -d "$pins" ]; then
		on_one agent_detach >>/out/cordond.all 2>&1 ||
			on_one guard_unpin
		sink_start
	fi
	if [ -d "$state/evidence" ]; then
		evidence_lines >>/out/events
		((++evidences))
		"$bin/cordon" evidence verify "$state/evidence" \
			>/tmp/verified 2>&1 ||
			cat /tmp/verified >>/out/evidence
	fi
	rm -rf "$state" /etc/cordon/enrolled
}

# evidence_lines [STATE]: what an agent with that directory wrote down.
evidence_lines()
{
	"$bin/cordon" evidence show "${1:-$state}/evidence"
}

# agent_with [OPTION...]: the policy on standard input, in the guard that is
# there or a new one: to load one takes as long as a hundred cases.
agent_with()
{
	write_policy
	if [ -n "$agent" ]; then
		agent_reload
	else
		agent_start "$@"
	fi || {
		fail agent/starts "$(tail -n 3 "$log" | tr '\n' ' ')"
		return 1
	}
}

cordon()
{
	"$bin/cordon" "$@" --run-dir "$run"
}

status_of()
{
	cordon status --json | jq -rc "select(.type == \"status\") | $1"
}

# ledger_read LOGIN FIELD: what the origin of that login read. Names of users
# that nobody has are told as numbers.
ledger_read()
{
	cordon ledger --json | jq -r --arg l "$1" \
		"select(.type == \"origin\" and (.login | tostring) == \$l) |
		.$2" | awk '{ n += $1 } END { print n + 0 }'
}
