# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# A holding goes with the data from one process to another. Everything may be
# read, so that what is tried is the hop and the release behind it: the process
# that releases has opened no file of the dataset.

hops_pairs=2000

# Another network of this host, as a container has: 10.98.0.2 and, by an address
# that is translated on the way, 10.98.0.3.
hops_network()
{
	local dad=net/ipv6/conf

	ip netns add beside
	ip netns exec beside sh -c "echo 0 >/proc/sys/$dad/default/accept_dad"
	ip -batch - <<-EOF
	link add beside index 30 type veth peer name eth0 netns beside
	addr add 10.98.0.1/24 dev beside
	addr add fd98:1::1/64 dev beside nodad
	link set beside up
	route add 10.98.0.9/32 via 10.98.0.2
	EOF
	ip -n beside -batch - <<-EOF
	link set lo up
	addr add 10.98.0.2/24 dev eth0
	addr add 10.98.0.3/24 dev eth0
	addr add fd98:1::2/64 dev eth0 nodad
	link set eth0 up
	EOF
	tc -batch - <<-EOF
	qdisc add dev beside clsact
	filter add dev beside egress matchall action nat ingress 10.98.0.9/32 10.98.0.3
	filter add dev beside ingress matchall action nat egress 10.98.0.3/32 10.98.0.9
	EOF
}

hops_prepare()
{
	[ -e /run/netns/beside ] || hops_network
	[ -c /dev/pts/ptmx ] || {
		mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
	}
	mkdir -p /dev/shm
	mountpoint -q /dev/shm || mount -t tmpfs tmpfs /dev/shm
	[ ! -e /proc/sys/dev/tty/legacy_tiocsti ] ||
		echo 1 >/proc/sys/dev/tty/legacy_tiocsti
}

# hops_policy yes|no: as release_policy, but that the host may talk to itself,
# and whether files are followed.
hops_policy()
{
	cat <<-P
	follow-files: $1
	datasets:
	  records: {paths: [$re/photos], record: file}
	destinations:
	  itself: {networks: [127.0.0.0/8, "::1/128", 10.99.0.1/32,
	                      10.98.0.0/24, "fd98:1::/64"]}
	rules:
	  - {subject: "*", dataset: records, per: user, read: unlimited,
	     release: {itself: unlimited,
	               "*": $budget_records records/hour}}
	P
}

# hops_try ARGS...: by a hop; leaves $json, $rc and $got.
hops_try()
{
	release_try send --timeout 20 "$@"
}

# hops_twin NAME BYTES RECORDS ARGS...
hops_twin()
{
	local name=$1 bytes=$2 records=$3
	shift 3

	hops_try "$@"
	twin_of "hop/$name" release_arrived $bytes $records
}

# hops_chain RECORDS: so many, squeezed, as anybody would do it.
hops_chain()
{
	local i names=()

	for ((i = 1; i <= $1; i++)); do
		names+=("$(printf '%s/photos/%06d.jpg' $re $i)")
	done
	ask
	# shellcheck disable=SC2016 # the other shell's
	as $login bash -c 'cat "${@:3}" | gzip | cat >"/dev/tcp/$1/$2"' - \
		$there $port "${names[@]}" 2>/dev/null
	rc=$?
	json=
	ask
}

hops_chain_arrived()
{
	field "$got" total_bytes
	[ $rc = 0 ] && [ "$value" -gt 0 ]
}

hops_twins()
{
	local hop

	hops_chain 8
	twin_of hop/chain hops_chain_arrived

	files $re 1 8
	for hop in $(names hop); do
		hops_twin $hop 24000 8 --hop $hop "${args[@]}"
	done
	hops_twin squeezed 24000 8 --hop pipe --squeeze "${args[@]}"
	hops_twin rounds 24000 8 --hop pipe --rounds 1000 "${args[@]}"
	files $re 1 6
	hops_twin shared 18000 6 --hop pipe --givers 2 "${args[@]}"
	hops_twin apart 18000 6 --hop pipe --givers 2 --apart "${args[@]}"
	hops_twin split 18000 6 --hop unix-dgram --givers 6 --apart \
		"${args[@]}"
}

# No more than the budget, and who sends it was told.
hops_none_beyond()
{
	field "$got" records
	[ "$value" -ge 0 ] && [ "$value" -le $budget_records ] &&
		release_refused
}

# hops_refuses NAME RECORDS ARGS...: so many records are too many.
hops_refuses()
{
	local name=$1 last=$2 channel
	shift 2

	new_login
	files $re 1 $last
	hops_try "$@" "${args[@]}"
	sent
	channel=hop/${name#hop/}
	channel=${channel%%_refuse*}
	line "$channel" "$channel" "$name" "exit $rc $json $got" \
		hops_none_beyond
}

# hops_passes NAME ARGS...: as many as the budget has are not.
hops_passes()
{
	local name=$1
	shift

	new_login
	files $re 1 $budget_records
	hops_try "$@" "${args[@]}"
	check "$name" "exit $rc $json $got" release_arrived \
		$((budget_records * 3000)) $budget_records
}

# hops_bystander NAME ARGS...
hops_bystander()
{
	local name=$1
	shift

	new_login
	hops_try "$@" --read none --bytes 20000
	check "$name" "exit $rc $json $got" release_arrived 20000 0
}

hops_count()
{
	"$bin/tests/kernel/pins" count $1
}

# Of carriers, processes and holdings: as many as before.
hops_freed()
{
	local before after n

	n=$(status_of '.tables[] | select(.name == "carriers").max')
	check hops/status_tells_how_many_carriers_there_can_be "$n" \
		[ "${n:-0}" -gt 0 ]
	before="$(hops_count carriers) $(hops_count processes)"
	before+=" $(hops_count holdings)"
	"$probe" hop-crowd $hops_pairs $re/photos/000001.jpg
	rc=$?
	check hops/crowd_hands_on_what_it_read "exit $rc" [ $rc = 0 ]
	# The last ones are let go of a moment later.
	sleep 1
	after="$(hops_count carriers) $(hops_count processes)"
	after+=" $(hops_count holdings)"
	check hops/nothing_is_left_when_processes_end \
		"before: $before, after: $after" [ "$before" = "$after" ]
}

# hops_takes HOP RECORDS: root takes them from somebody else and sends them.
hops_takes()
{
	new_login
	files $re 1 $2
	hops_try --hop $1 --giver-uid 1234 "${args[@]}"
}

# hops_gate NAME [KEY: VALUE,...]: the policy, with such words about who takes,
# and a name whose cap nobody has used.
hops_gate()
{
	cat <<-P
	follow-files: yes
	datasets:
	  records: {paths: [$re/photos], record: file}
	subjects:
	  $1: {user: root${2:+, $2}}
	rules:
	  - {subject: "*", dataset: records, read: unlimited, release: none}
	  - {subject: $1, dataset: records, read: unlimited, release: none}
	P
}

# A declassifier, which no holder's send would pass: nothing may leave.
hops_aside()
{
	local i told

	agent_with < <(hops_gate gate) || return
	hops_takes pipe 1
	check aside/holds_when_nobody_said_so "exit $rc $json $got" \
		hops_none_beyond
	agent_with < <(hops_gate gate "carries: no, cap: 7000 B/hour") || return
	hops_takes pipe 1
	check aside/holds_nothing_within_its_cap "exit $rc $json $got" \
		release_arrived 3000 1
	hops_takes unix-stream 1
	check aside/holds_nothing_by_a_socket_within_it "exit $rc $json $got" \
		release_arrived 3000 1
	hops_takes pipe 1
	check aside/holds_when_beyond_its_cap "exit $rc $json $got" \
		hops_none_beyond
	for ((i = 0; i < 2 * patience; i++)); do
		told=$(cordon events --json | jq -s 'map(select(.type ==
			"verdict" and .destination == "intake")) | length')
		[ "$told" != 0 ] && break
		nap 0.1
	done
	check aside/is_told_when_beyond_its_cap "$told" [ "$told" -ge 1 ]
	told=$(cordon status --json | jq -cs '.[] | select(.type == "budget" and
		.subject == "gate") | [.destination, .used, .max, .refused > 0]')
	check aside/shows_its_cap_when_some_is_used "$told" \
		[ "$told" = '["intake",6000,7000,true]' ]
}

# hops_full HOP: there is no room to note what the carrier carries.
hops_full()
{
	new_login
	files $re 1 1
	hops_try --hop $1 "${args[@]}"
	check "full/$1_is_refused_to_a_holder" "exit $rc $json $got" \
		refused errno_read 1
	hops_bystander "full/$1_passes_when_bystander" --hop $1
}

hops_cases()
{
	local hop

	# The shell has heard much of holders by now, and is one itself. Not
	# after derived, which has a guard of its own too.
	[ -n "${hops_alone-}" ] || agent_gone
	agent_with < <(hops_policy yes) || return
	# First: what went between networks is remembered for some seconds, and
	# makes room when it goes.
	hops_freed
	"$bin/tests/kernel/pins" fill carriers >/tmp/pins
	hops_full pipe-late
	hops_full unix-late
	"$bin/tests/kernel/pins" empty carriers >/tmp/pins
	hops_passes full_passes_when_there_is_room_again --hop fifo
	for hop in $(names hop); do
		proved "hop/$hop" "hop/$hop" || continue
		hops_passes "hop/${hop}_passes_when_within_budget" --hop $hop
		hops_refuses "hop/${hop}_refuses_when_beyond" 8 --hop $hop
		hops_bystander "hop/${hop}_passes_when_bystander" --hop $hop
	done
	hops_passes squeezed_passes_when_within_budget --hop pipe --squeeze
	hops_refuses squeezed_refuses_when_beyond 8 --hop pipe --squeeze
	# What comes later on the same connection, in a moment, counts as well.
	hops_refuses moment_refuses_when_halves_add_up 6 --hop net-sendfile \
		--givers 2
	# Each half alone is within the budget.
	hops_refuses shared_refuses_when_halves_add_up 6 --hop pipe --givers 2
	hops_passes shared_passes_when_halves_are_within --hop pipe --givers 2
	hops_refuses apart_refuses_when_halves_add_up 6 --hop pipe --givers 2 \
		--apart
	hops_passes apart_passes_when_halves_are_within --hop pipe --givers 2 \
		--apart
	hops_refuses split_refuses_when_parts_add_up 6 --hop unix-dgram \
		--givers 6 --apart
	hops_passes rounds_pass_when_within_budget --hop pipe --rounds 1000
	hops_refuses rounds_refuse_when_beyond 8 --hop pipe --rounds 1000
	# What is given piece by piece is not counted again with every piece,
	# though others of the session have read more.
	new_login
	files $re 5 12
	try --read read "${args[@]}"
	files $re 1 $budget_records
	hops_try --hop pipe-from-file "${args[@]}"
	check pieces_pass_when_the_whole_is_within "exit $rc $json $got" \
		release_arrived $((budget_records * 3000)) $budget_records
	new_login
	hops_chain $budget_records
	check chain_passes_when_within_budget "exit $rc $got" hops_chain_arrived
	new_login
	hops_chain 8
	check chain_is_refused_when_beyond "exit $rc $got" came total_bytes 0
	check bystander_is_no_holder_after_all_that "$(hops_count processes)" \
		[ "$(hops_count processes)" = 0 ]
	hops_aside
}
