# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; guest
#
# Tables without room, and budgets and origins that many begin at once.

small_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  small: {paths: [$small/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", read: 1000000 records/day}
	P
}

# small_reads LAST COMMAND...: the files up to this one; the command is who
# reads, `env` this service, which stays the same origin.
small_reads()
{
	local last=$1
	shift

	hear "$@" "$crowd" $small/photos 1 "$last" 1 2 1
	got=$json
}

told()
{
	cordon events --json | jq -c 'select(.type == "fault")' | grep -c "$1"
}

labels_are_full()
{
	local n

	agent_gone
	small_reads 2000 env
	check twin/all_are_read_when_unguarded "$got" \
		[ "$(number_of "$got" read)" = 2000 ]
	guard_start --max-records 1000 < <(small_policy)
	small_reads 2000 env
	n=$(status_of .labels)
	check unlabelled_files_are_refused_when_labels_are_full "$got, $n" [ \
		"$(number_of "$got" read) $(number_of "$got" errors)" = "$n 0" ]
	check all_others_are_refused_when_labels_are_full "$got, $n" \
		[ "$(number_of "$got" refused)" = $((2000 - n)) ]
	check labelled_files_are_many_when_labels_are_full "$n" \
		[ "$n" -ge 990 ]
	check full_labels_are_counted_when_refused "$(status_of .faults)" \
		[ "$(faults)" -gt 0 ]
	check full_labels_are_told_when_refused "$(tail -n 3 "$log")" \
		grep -q 'larger --max-records' "$log"
	echo outside >$aside/plain
	check bystanders_go_on_when_labels_are_full "cannot read" \
		grep -q outside $aside/plain
}

# Two touches a record: the service takes 3600 of the 4020 there is room for;
# the login can have its account of 420 more.
# is_let_in NAME COMMAND...: the table of touches is full, and is looked
# through each minute.
is_let_in()
{
	local name=$1 i
	shift

	for ((i = 0; i < 16; i++)); do
		small_reads 420 "$@"
		[ "$(number_of "$got" read)" != 420 ] || break
		sleep 5
	done
	check "$name" "$got" [ "$(number_of "$got" read)" = 420 ]
}

touches_are_full()
{
	guard_start --max-records 2010 < <(small_policy)
	small_reads 1800 env
	check touches_fit_when_one_service_reads "$got" \
		[ "$(number_of "$got" read) $(faults)" = "1800 0" ]
	small_reads 1800 as 34002
	check some_are_read_when_touches_run_out "$got" \
		[ "$(number_of "$got" read)" = 420 ]
	check the_rest_is_refused_when_touches_run_out "$got" [ \
		"$(number_of "$got" refused) $(number_of "$got" errors)" = "1380 0" ]
	check full_touches_are_counted_when_refused "$(status_of .faults)" \
		[ "$(faults)" -gt 0 ]
	check full_touches_are_an_event_when_refused "no event" \
		[ "$(told touched)" -gt 0 ]
	small_reads 1800 env
	check touched_records_are_read_when_touches_are_full "$got" \
		[ "$(number_of "$got" read)" = 1800 ]
	is_let_in others_are_let_in_when_a_session_has_ended \
		in_cgroup /cardprint.service
	# Its cgroup is empty, but somebody may come back to it.
	sleep 70
	small_reads 420 as 34003
	check nobody_is_let_in_when_a_cgroup_is_there "$got" \
		[ "$(number_of "$got" refused)" = 420 ]
	rmdir $cg/cardprint.service
	is_let_in others_are_let_in_when_a_cgroup_is_gone as 34004
}

# Each login has a budget and an origin of its own, which four processes begin
# at once: one of them makes it, and none may be refused meanwhile, nor counted
# elsewhere.
budgets_begin()
{
	local i

	guard_start < <(
		small_policy | sed 's/dataset: "\*",/& per: user,/'
	)
	for ((i = 1; i <= 400; i++)); do
		as $((40000 + i)) "$crowd" $small/photos $i $i 1 4 4
	done >/tmp/begin
	forget /tmp/begin
	got=$(sort /tmp/begin | uniq -c | tr '\n' ';')
	check all_are_read_when_budgets_begin_at_once "$got" \
		[ "$(grep -c 'read 1 refused 0' /tmp/begin)" = 400 ]
	got=$(cordon ledger --json | jq -s 'map(select(.type == "origin" and
		(.login | tonumber? // 0) > 40000).read_records) | add')
	check records_are_known_exactly_when_origins_begin_at_once "$got" \
		[ "$got" = 400 ]
	check nothing_is_full_when_budgets_begin_at_once \
		"$(status_of .faults)" [ "$(faults)" = 0 ]
}

step_full()
{
	labels_are_full
	touches_are_full
	budgets_begin
}
