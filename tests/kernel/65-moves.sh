# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Contents that change their place in a file or the file they are in: what was
# counted once would stand for other records. And a guess that the kernel
# compares with a file. All of it needs the right to write to the dataset.

mv=/srv/moves
rows=12

# On the xfs of 30-reads.sh.
moves_prepare()
{
	local there=$rd/xfs/moves

	mkdir -p $mv/aside $there/card $there/aside
	"$bin/tests/makeset" $there/set --records 1 --photo-bytes $((2 * row))
	mv $there/set/photos/000001.jpg $there/card/000001.jpg
	moves_renew
}

# A file of rows, each a block: tests take rows out of it.
moves_renew()
{
	mkdir -p $mv/rows
	head -c $((rows * row)) "$probe" >$mv/rows/roster
	sync
}

moves_rows()
{
	try --work $mv/aside --open writable --read "$1" --offset \
		$((4 * row)) --length $((6 * row)) --file $mv/rows/roster
}

moves_exchange()
{
	try --work $rd/xfs/moves/aside --open writable --read "$1" \
		--file $rd/xfs/moves/card/000001.jpg
}

moves_twins()
{
	local channel

	for channel in $(names rows); do
		moves_rows "$channel"
		red $row
		moves_renew
		if [ "$rc" = 0 ] && is read_bytes $((6 * row)); then
			twin "move/$channel" pass
		else
			twin "move/$channel" fail "exit $rc $json"
		fi
	done
	for channel in $(names exchange); do
		moves_exchange "$channel"
		red $((2 * row))
		if [ "$rc" = 0 ] && is read_bytes $((2 * row)) &&
			{ [ "$channel" = dedupe-into ] || is records 1; }; then
			twin "move/$channel" pass
		else
			twin "move/$channel" fail "exit $rc $json"
		fi
	done
}

# moves_policy [MODE]
moves_policy()
{
	cat <<-P
	mode: ${1-enforce}
	datasets:
	  rows: {paths: [$mv/rows], record: {bytes: $row}}
	  cards: {paths: [$rd/xfs/moves/card], record: file}
	rules:
	  - {subject: "*", dataset: rows, per: user, read: 3 records/hour}
	  - {subject: "*", dataset: cards, per: user, read: 1 records/hour}
	P
}

# Whoever can open it: the kernel sees that it may not be written only later.
moves_failed()
{
	local before after i

	before=$("$bin/tests/kernel/pins" count tickets)
	new_login
	for i in 1 2 3; do
		as $login python3 - $mv/rows/roster <<-'P'
		import ctypes, os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		call = ctypes.CDLL(None, use_errno=True).fallocate
		call.argtypes = [ctypes.c_int] * 2 + [ctypes.c_long] * 2
		call(fd, 8, 0, 4096)
		sys.exit(ctypes.get_errno())
		P
		rc=$?
		check move/row_stays_when_it_may_not_be_written_$i "exit $rc" \
			[ $rc = 9 ]
	done
	after=$("$bin/tests/kernel/pins" count tickets)
	check move/failed_ones_leave_nothing_when_over \
		"before: $before, after: $after" [ "$before" = "$after" ]
}

moves_cases()
{
	local channel n

	agent_with < <(moves_policy) || return
	for channel in $(names rows); do
		proved "move/${channel}_refuses_when_guarded" \
			"move/$channel" || continue
		new_login
		moves_rows "$channel"
		red $row
		line "move/$channel" "move/$channel" \
			"move/${channel}_refuses_when_guarded" \
			"exit $rc $json" refused errno_read 1
		field "$json" read_bytes
		check "move/${channel}_reads_one_row_when_guarded" "$json" \
			[ "$value" = $row ]
	done
	moves_failed
	# The file may be opened: nothing of it was read yet.
	for channel in $(names exchange); do
		proved "move/${channel}_refuses_when_guarded" \
			"move/$channel" || continue
		new_login
		moves_exchange "$channel"
		red $((2 * row))
		line "move/$channel" "move/$channel" \
			"move/${channel}_refuses_when_guarded" \
			"exit $rc $json" refused read_bytes 0
	done
	n=$(cordon ledger --json | jq -s 'map(select(.type == "ledger" and
		.channel == "open" and .dataset == "*").blocked_acts) | add')
	check move_is_told_when_refused "$n" [ "$n" -ge 1 ]
	agent_with < <(moves_policy observe) || return
	for channel in $(names rows) $(names exchange); do
		proved "move/${channel}_passes_when_observed" \
			"move/$channel" || continue
		new_login
		case $channel in
		*collapse | insert) moves_rows "$channel" ;;
		*) moves_exchange "$channel" ;;
		esac
		moves_renew
		check "move/${channel}_passes_when_observed" "exit $rc $json" \
			[ "$rc" = 0 ]
	done
}
