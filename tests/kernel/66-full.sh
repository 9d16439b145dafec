# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Tables that are full: who reads or sends protected data is refused, counted
# and told; who does not is left alone, and so is everybody where the policy
# only observes. (Labels: 69-alone.sh; origins: 83-origins.sh; the ring and the
# ledger's detail: 70-agent.sh.)

fu=/srv/full
fu_sets="one two three four five"
fu_in=/run/full.in

full_prepare()
{
	local name

	mkdir -p $fu
	for name in $fu_sets; do
		"$bin/tests/makeset" $fu/$name --records 5 --photo-bytes 1000
	done
	mkfifo $fu_in
}

full_policy()
{
	local name

	echo "mode: $1"
	echo "datasets:"
	for name in $fu_sets; do
		echo "  $name: {paths: [$fu/$name/photos], record: file}"
	done
	echo "  late: {paths: [$fu/late], record: file}"
	cat <<-P
	rules:
	  - {subject: "*", dataset: one, per: user, read: 3 records/hour,
	     release: {"*": 3 records/hour}}
	  - {subject: "*", dataset: "*", per: user, read: unlimited,
	     release: {"*": 3 records/hour}}
	P
}

full_twins()
{
	try --read read --file $fu/one/photos/000001.jpg
	if [ "$rc" = 0 ] && is read_bytes 1000; then
		twin full/read pass
	else
		twin full/read fail "exit $rc $json"
	fi
}

full_faults()
{
	status_of ".faults[\"$1\"] // 0"
}

# full_changes fill|empty TABLE
full_changes()
{
	"$bin/tests/kernel/pins" "$1" "$2" >/tmp/pins 2>&1 ||
		fail "full/$2_can_be_changed" "$1: $(cat /tmp/pins)"
}

# full_of TABLE FAULT: nobody new can read.
full_of()
{
	local table=$1 before

	before=$(full_faults "$2")
	full_changes fill $table
	new_login
	try --read read --file $fu/one/photos/000001.jpg
	proved "full/${table}_refuses_reads_when_full" full/read &&
		check "full/${table}_refuses_reads_when_full" "exit $rc $json" \
		refused read_bytes 0
	check "full/${table}_is_counted_when_full" "$(status_of .faults)" \
		[ "$(full_faults "$2")" -gt "$before" ]
	try --read read --file $fu/one/roster.csv
	check "full/${table}_leaves_bystanders_alone_when_full" \
		"exit $rc $json" [ "$rc" = 0 ]
	full_changes empty $table
	try --read read --file $fu/one/photos/000001.jpg
	check "full/${table}_lets_read_when_there_is_room_again" \
		"exit $rc $json" [ "$rc" = 0 ]
}

# A budget is made by the first release: what was read is held by then.
full_of_releases()
{
	new_login
	try --read read --file $fu/two/photos/000001.jpg
	check full/unlimited_reads_pass_when_there_is_room "exit $rc $json" \
		[ "$rc" = 0 ]
	full_changes fill budgets
	release_try send --file $fu/two/photos/000001.jpg
	check full/budgets_refuse_releases_when_full "exit $rc $json $got" \
		release_nothing_came
	full_changes empty budgets
	release_try send --file $fu/two/photos/000001.jpg
	check full/budgets_let_release_when_there_is_room_again \
		"exit $rc $json $got" release_arrived 1000 1
}

# A holder waits, makes a child when it is told to, and the child sends.
full_forks()
{
	local to_child

	rm -f /tmp/holds
	new_login
	exec {to_child}<>$fu_in # waits for nobody
	# shellcheck disable=SC2016 # the other shell's
	as $login bash -c 'exec 3<"$1" && read -r -n 1 -u 3 && : >/tmp/holds &&
		read -r <"$2" && shift 2 && { "$@"; exit; }' bash \
		$fu/two/photos/000001.jpg $fu_in "$probe" --to $there \
		--port $port --timeout 20 --wait-ms 1000 --read none \
		--release send --bytes 500 >/tmp/child &
	until [ -e /tmp/holds ]; do
		kill -0 $! 2>/dev/null || break
		nap 0.05
	done
	[ "$1" = full ] && full_changes fill processes
	echo >&$to_child
	wait $!
	rc=$?
	json=$(cat /tmp/child)
	exec {to_child}>&-
	[ "$1" = full ] && full_changes empty processes
	ask
}

full_of_children()
{
	full_forks room
	check full/child_of_a_holder_sends_when_there_is_room \
		"exit $rc $json $got" release_arrived 500 0
	full_forks full
	check full/child_of_a_holder_is_refused_when_processes_are_full \
		"exit $rc $json $got" release_nothing_came
	check full/processes_are_counted_when_a_child_has_no_room \
		"$(status_of .faults)" \
		[ "$(full_faults 'process table full')" -gt 0 ]
}

# Where the ledger has no room for an account, budgets go on.
full_of_accounts()
{
	local rows

	rows=$("$bin/tests/kernel/pins" next_row 16383)
	new_login
	files $fu/one 1 3
	try --read read "${args[@]}"
	check full/ledger_lets_read_when_full_and_within_budget \
		"exit $rc $json" [ "$rc" = 0 ]
	try --read read --file $fu/one/photos/000004.jpg
	check full/ledger_refuses_reads_when_full_and_beyond "exit $rc $json" \
		refused read_bytes 0
	check full/ledger_is_counted_when_full "$(status_of .faults)" \
		[ "$(full_faults 'ledger full')" -gt 0 ]
	"$bin/tests/kernel/pins" next_row "$rows" >/tmp/pins
}

# What comes under the name of a dataset that is awaited, and would be nobody's.
full_of_labels()
{
	cp $fu/one/roster.csv $fu/aside
	full_changes fill labels
	mv $fu/aside $fu/late 2>/dev/null
	check full/root_is_refused_when_labels_are_full "exit $?" \
		[ -e $fu/aside -a ! -e $fu/late ]
	cp $fu/one/roster.csv $fu/other
	mv $fu/other $fu/moved
	check full/bystander_renames_when_labels_are_full "exit $?" \
		[ -e $fu/moved ]
	full_changes empty labels
	mv $fu/aside $fu/late
	check full/root_comes_when_there_is_room_again "exit $?" \
		[ -e $fu/late ]
	json=$(cordon explain $fu/late --json | jq -c 'select(.type == "file")')
	check full/root_is_of_its_dataset_when_there_was_room "$json" \
		is dataset '"late"'
}

# full_socket N: a record of each of N datasets on one socket.
full_socket()
{
	local name names=() n=0

	for name in $fu_sets; do
		[ $n = "$1" ] && break
		((++n))
		names+=(--file $fu/$name/photos/00000$n.jpg)
	done
	new_login
	release_try send "${names[@]}"
}

full_of_datasets()
{
	full_socket 4
	check full/socket_takes_four_datasets_when_held "exit $rc $json $got" \
		release_arrived 4000 4
	full_socket 5
	check full/socket_refuses_the_fifth_dataset_when_held \
		"exit $rc $json $got" release_nothing_came
	check full/socket_is_counted_when_five_are_held \
		"$(status_of .faults)" \
		[ "$(full_faults 'no room on a socket')" -gt 0 ]
}

full_observes()
{
	local table

	write_policy < <(full_policy observe)
	agent_reload
	for table in touched budgets processes holdings; do
		full_changes fill $table
		new_login
		files $fu/one 1 4
		release_try send "${args[@]}"
		check "full/${table}_deny_nothing_when_observed" \
			"exit $rc $json $got" release_arrived 4000 4
		full_changes empty $table
	done
	full_socket 5
	check full/socket_denies_nothing_when_observed "exit $rc $json $got" \
		release_arrived 5000 5
}

full_names()
{
	status_of '.tables[] | select(.name == "names").entries'
}

# A policy that finds no room leaves nothing of itself.
full_of_subjects()
{
	local before n

	before=$(full_names)
	n=$(grep -c 'stays in force' "$log")
	full_changes fill subjects
	write_policy < <(full_policy enforce | sed '/^rules:/{
		s/^/subjects:\n  fresh: {user: 12345}\n/
		s/$/\n  - {subject: fresh, dataset: one, read: none}/ }')
	kill -HUP "$agent"
	wait_log $((n + 1)) 'stays in force'
	check full/subjects_refuse_a_policy_when_full "$(tail -n 3 "$log")" \
		grep -q 'does not fit in the guard' "$log"
	full_changes empty subjects
	check full/names_of_a_refused_policy_are_not_kept "$(full_names)" \
		[ "$(full_names)" = "$before" ]
}

full_cases()
{
	local n

	# Small tables are soon full; 83-origins.sh has room in them, too.
	agent_gone
	write_policy < <(full_policy enforce)
	check full/agent_starts_when_tables_are_small "$(tail -n 3 "$log")" \
		agent_start --max-records 8192
	full_of touched 'table of touched records full'
	full_of budgets 'budget table full'
	full_of processes 'holding table full'
	full_of holdings 'holding table full'
	n=$(cordon events --json | jq -rs 'map(select(.type == "fault").fault) |
		unique | length')
	check full/events_tell_each_fault_when_full "$n kinds" [ "$n" -ge 3 ]
	full_of_releases
	full_of_children
	full_of_accounts
	full_of_labels
	full_of_datasets
	full_of_subjects
	full_observes
}
