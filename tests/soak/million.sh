# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; guest
#
# A million records: labelled, read by many at once and counted exactly; what
# memory a touched record costs.

make_million()
{
	local began

	began=$(now_ms)
	truncate -s 6G /srv/million.img &&
		mke2fs -q -t ext4 -O inline_data,^has_journal -I 256 \
			-N $((records + 20000)) -E lazy_itable_init=1,nodiscard \
			/srv/million.img && mkdir -p /srv/million &&
		mount -o loop,noatime,noinit_itable /srv/million.img \
			/srv/million || exit 1
	"$bin/tests/makeset" /srv/million/set --records "$records" \
		--photo-bytes 64 --row-bytes 96 || exit 1
	note "$records files made in $(took "$began")"
}

# everyone STEP SHARE: four processes of one service, which is one origin, read
# every STEP-th record.
everyone()
{
	hear "$crowd" $million 1 "$records" "$1" 4 "$2"
	got=$json
}

million_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  million: {paths: [$million], record: file}
	rules:
	  - {subject: "*", dataset: million, read: $1 records/week}
	P
}

is_readable()
{
	local began

	began=$(now_ms)
	everyone 1 1
	check twin/all_records_are_read_when_unguarded "$got" \
		[ "$(number_of "$got" read)" = "$records" ]
	note "read without the guard in $(took "$began")"
}

is_labelled()
{
	local began

	began=$(now_ms)
	guard_start < <(million_policy $((records * 6 / 10)))
	note "labelled $(status_of .labels) files in $(took "$began")"
	check all_files_are_labelled_when_loaded "$(status_of .labels)" \
		[ "$(status_of .labels)" = "$records" ]
	check progress_is_told_when_scanning "$(tail -n 5 "$log")" \
		[ "$(grep -c 'scanning datasets' "$log")" -ge $((records / 250000)) ]
	check nothing_is_full_when_labelled "$(status_of .faults)" \
		[ "$(faults)" = 0 ]
}

is_exact()
{
	local began k=$((records / 10)) most=$((records * 6 / 10))
	local before after n

	room=$(status_of '.tables[] | select(.name == "touched") | .max')
	note "room for $room touches; $(mib "$(memlock_all)") of memory locked"
	before=$(memlock 16 "$room")
	began=$(now_ms)
	everyone 10 2
	after=$(memlock 16 "$room")
	check records_are_charged_exactly_when_read_in_parallel \
		"$got; used $(used million read)" \
		[ "$(number_of "$got" read) $(used million read)" = "$k $k" ]
	note "$k records twice, by two processes each, in $(took "$began")"
	n=$(entries touched)
	check touches_are_two_a_record_when_read "$n" [ "$n" = $((2 * k)) ]
	if [ "$after" != "$before" ]; then
		n=$(((after - before) / k))
		check memory_of_a_record_is_bounded_when_touched "$n bytes" \
			[ $n -le 256 ]
		note "a touched record costs $n bytes: two entries, by the" \
			"memlock of the table"
	else
		note "this kernel does not tell what memory a table takes"
	fi
	everyone 10 2
	check records_are_free_when_read_again "$got; used $(used million read)" \
		[ "$(number_of "$got" read) $(used million read)" = "$k $k" ]
	began=$(now_ms)
	everyone 1 2
	check reads_stop_exactly_when_the_budget_is_used \
		"$got; used $(used million read)" [ \
		"$(number_of "$got" read) $(number_of "$got" errors) $(used million read)" \
		= "$most 0 $most" ]
	check the_rest_is_refused_when_the_budget_is_used "$got" \
		[ "$(number_of "$got" refused)" = $((records - most)) ]
	note "$most records, and $((records - most)) refused, in $(took "$began")"
	agent_with < <(million_policy $((records * 2)))
	began=$(now_ms)
	everyone 1 1
	check all_records_are_charged_exactly_when_read \
		"$got; used $(used million read)" [ \
		"$(number_of "$got" read) $(used million read)" = "$records $records" ]
	n=$(cordon ledger --json | jq -s 'map(select(.type == "origin" and
		.dataset == "million").read_records) | add')
	check origin_knows_all_records_when_read "$n" [ "$n" = "$records" ]
	note "the rest in $(took "$began"); $records touched records take" \
		"$(mib "$(memlock 16 "$room")")," \
		"all maps together $(mib "$(memlock_all)")"
	check nothing_is_full_when_all_are_touched "$(status_of .faults)" \
		[ "$(faults)" = 0 ]
}

step_million()
{
	make_million
	is_readable
	is_labelled
	is_exact
}
