# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2086,SC2154 # plain words; lib.sh
#
# PostgreSQL with the roster in it: its directory is the dataset, and it is
# narrow. What goes out of it to somebody outside is counted by what fits in the
# bytes; who asks it on the host holds what it does.

db=/srv/cluster
db_rows=1000
db_bin=/usr/lib/postgresql/15/bin
db_pid=

# To be run in a subshell, or the server is another process than the one that
# is started.
db_run()
{
	cd /
	exec setpriv --reuid postgres --regid postgres --clear-groups "$@"
}

db_ready()
{
	(db_run $db_bin/pg_isready -qh $sockets)
}

# db_start: with no login, as a service is.
db_start()
{
	local i

	db_run $db_bin/postgres -D $db -c data_directory=$db -c jit=off \
		-c fsync=off \
		-c config_file=/etc/postgresql/15/main/postgresql.conf \
		-c hba_file=$ch/hba -c unix_socket_directories=$sockets \
		-c external_pid_file= -c listen_addresses='*' -c ssl=off -c autovacuum=off \
		>$ch/db.log 2>&1 &
	db_pid=$!
	for ((i = 0; i < 10 * patience; i++)); do
		db_ready && return
		kill -0 $db_pid 2>/dev/null || return 1
		nap 0.1
	done
	return 1
}

db_stop()
{
	kill -INT $db_pid && wait $db_pid
}

database_prepare()
{
	[[ " ${parts[*]} " == *\ database\ * ]] || return
	family=database
	# shellcheck source=tests/matrix/database
	. tests/matrix/database
	export sockets=$ch/sockets PGUSER=postgres PGCONNECT_TIMEOUT=5
	"$bin/tests/makeset" $ch/set --records $db_rows --photo-bytes 64
	printf '%s all all %s trust\n' local '' host 0.0.0.0/0 >$ch/hba
	mkdir $sockets
	chown postgres $sockets
	db_start || {
		fail database/starts "$(tail -n 3 $ch/db.log)"
		return
	}
	psql -qh $sockets -v ON_ERROR_STOP=1 <<-Q
	CREATE TABLE roster (mark text PRIMARY KEY, family text, given text,
		rank text, number text, vetting text, card text);
	\\copy roster FROM $ch/set/roster.csv CSV
	CREATE INDEX ON roster (number);
	VACUUM ANALYZE;
	CHECKPOINT;
	Q
	db_stop
}

database_policy()
{
	cat <<-P
	follow-files: yes
	datasets:
	  roster: {paths: [$db], record: {bytes: 160, floor: 80}}
	subjects:
	  database: {exe: $db_bin/postgres, user: postgres, narrow: yes}
	destinations:
	  itself: {networks: [127.0.0.0/8, "::1/128", 10.99.0.1/32]}
	rules:
	  - {subject: database, dataset: roster, read: unlimited,
	     release: {itself: unlimited, "*": 500 records/hour}}
	  - {subject: "*", dataset: roster, per: user, read: unlimited,
	     release: {itself: unlimited, "*": $budget_records records/hour}}
	P
}

# db_row HOST NUMBER [NETNS...]: a clerk's look-up, of one row.
db_row()
{
	local host=$1 number=$2
	shift 2

	as $login "$@" psql -h $host -Atc "SELECT * FROM roster WHERE
		number = 'W$(printf %07u $number)'" >/tmp/chain 2>&1
	rc=$?
	forget /tmp/chain
	got=$("$sink" --count </tmp/chain)
}

database_looks_up()
{
	local from i n=0

	for from in $sockets 127.0.0.1; do
		for i in {1..10}; do
			new_login
			db_row $from $i
			came records 1 && ((++n))
		done
	done
	check database/row_is_found_when_a_clerk_asks "$n of 20; exit $rc, $(
		tail -n 1 /tmp/chain)" [ $n = 20 ]
	n=0
	for i in {1..5}; do
		new_login
		db_row 10.99.0.1 $i in_outside
		came records 1 && ((++n))
	done
	check database/row_is_found_when_a_clerk_asks_from_outside "$n of 5" \
		[ $n = 5 ]
}

# What goes from process to process is not counted by bytes yet: one row makes
# who asked a holder of all. Too much, never too little.
database_one_row()
{
	new_login
	ask
	as $login bash -c "psql -h $sockets -Atc \"SELECT * FROM roster
		WHERE number = 'W0000001'\" >/dev/tcp/$there/$port" \
		>/tmp/chain 2>&1
	ask
	check database/row_stops_when_it_goes_on "$got" came total_bytes 0
}

database_twins()
{
	local chosen

	chains_of database
	db_start
	chains_try_twins $db_rows "${chosen[@]}"
	db_stop
}

# The server starts after the guard: see KNOWN-GAPS.md.
database_cases()
{
	local name chosen

	chains_of database
	agent_gone
	agent_with --max-records 524288 < <(database_policy) || return
	db_start
	check database/starts_when_guarded "$(forget $ch/db.log
		tail -n 3 $ch/db.log)" db_ready
	database_looks_up
	database_one_row
	for name in "${chosen[@]}"; do
		proved $name $name || continue
		took=4
		chains_stop $name $db_rows
	done
	db_stop
}
