# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Whose records were read: what the evidence says beside what was read indeed,
# by the names of the files, and rows by their numbers and their keys.

ex=/srv/exposed
ex_files=1500

exposed_prepare()
{
	"$bin/tests/makeset" $ex --records $ex_files --photo-bytes 200
	mkdir -p $ex/photos/odd
	echo x >$ex/photos/odd/$'new\nline \\ \xff.jpg'
	echo x >"$ex/photos/odd/=cmd|calc,\"quoted\".jpg"
	head -c 160000 /dev/zero >$ex/rows
	exposed_make_keyed W >$ex/keyed
}

# exposed_make_keyed LETTER: 1000 rows of 160 bytes, bytes 11 to 18 of which are
# a key. What is around it says "Aldermark", and may be in no evidence.
exposed_make_keyed()
{
	seq 0 999 | awk -v letter="$1" '{
		printf "%-10s%-8s%-141s\n", "Aldermark", letter $1,
			"Aldermark " $1
	}'
}

exposed_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  exposed: {paths: [$ex/photos], record: file}
	  rows: {paths: [$ex/rows], record: {bytes: 160}}
	  keyed:
	    paths: [$ex/keyed]
	    record: {bytes: 160, key: {from: 11, to: 18}}
	rules:
	  - {subject: "*", dataset: "*", read: 100000 records/hour}
	P
}

# exposed_read FILE...: by a new login, to nobody.
exposed_read()
{
	new_login
	as "$login" cat "$@" >/dev/null
}

# exposed_origin DATASET: the number of the last login's origin, in $origin.
exposed_origin()
{
	origin=$(cordon ledger --json | jq -r --arg l "$login" --arg d "$1" \
		'select(.type == "origin" and .login == $l and .dataset == $d) |
		.origin')
}

exposed()
{
	"$bin/cordon" exposed "$@" "$state/evidence"
}

# exposed_list: the last login's files, in $listed.
exposed_list()
{
	exposed_origin exposed
	listed=$(exposed --origin "${origin:-0}" --json | jq -r .file | sort)
}

exposed_lists()
{
	exposed_list
	[ "$(grep -c . <<<"$listed")" -ge "$1" ]
}

# exposed_soon COUNT: until so many are listed; they are written down after five
# seconds.
exposed_soon()
{
	waits 20 exposed_lists "$1"
}

exposed_files()
{
	local some every

	some=$(printf '%s\n' $ex/photos/00001[0-9].jpg $ex/photos/000777.jpg)
	exposed_read $some $some
	exposed_soon 11
	check list_is_exact_when_some_were_read "$listed" \
		[ "$listed" = "$some" ]
	every=$(find $ex/photos -maxdepth 1 -name '*.jpg' | sort)
	exposed_read $every
	exposed_soon $ex_files
	check list_is_whole_when_all_were_read_at_once \
		"$(diff <(echo "$listed") <(echo "$every") | head -n 3)" \
		[ "$listed" = "$every" ]
	told=$(exposed --record 000777.jpg --json | jq -s length)
	check record_is_found_when_two_have_read_it "$told" [ "$told" = 2 ]
	told=$(exposed --record 000777 --json | jq -s length)
	check record_is_not_found_when_none_has_that_name "$told" \
		[ "$told" = 0 ]
}

exposed_odd()
{
	local odd=$ex/photos/odd/$'new\nline \\ \xff.jpg'

	exposed_read "$odd" "$ex/photos/odd/=cmd|calc,\"quoted\".jpg"
	exposed_soon 2
	told=$(printf %b "$(exposed --origin "$origin" --json |
		jq -r '.file | select(contains("new"))')")
	check name_comes_back_when_it_is_hostile "$told" [ "$told" = "$odd" ]
	told=$(exposed --origin "$origin" --csv | python3 -c '
import csv, sys
print(sum(len(row) == 7 and row[2].endswith("/odd/=cmd|calc,\"quoted\".jpg")
    for row in csv.reader(sys.stdin)))')
	check table_has_one_field_when_a_name_has_commas "$told" \
		[ "$told" = 1 ]
	echo x >$ex/photos/odd/late.jpg
	exposed_read $ex/photos/odd/late.jpg
	exposed_soon 1
	check list_is_exact_when_the_file_is_new "$listed" \
		[ "$listed" = $ex/photos/odd/late.jpg ]
	echo x >$ex/photos/odd/going.jpg
	exposed_read $ex/photos/odd/going.jpg
	rm $ex/photos/odd/going.jpg
	exposed_soon 1
	check record_is_counted_when_its_file_has_gone "$listed" \
		grep -q '^(gone before its name was known: number' \
		<<<"$listed"
}

exposed_rows()
{
	new_login
	# One session: another one is another origin.
	# shellcheck disable=SC2016 # the other shell's
	as "$login" bash -c 'dd if="$1" bs=160 skip=100 count=70 status=none
		dd if="$1" bs=160 skip=999 count=1 status=none' - $ex/rows \
		>/dev/null
	exposed_origin rows
	waits 20 exposed_lists_rows
	check rows_are_exact_when_some_were_read "$told" \
		[ "$told" = "71 100 169 999" ]
	told=$(exposed --record rows:169 --json | jq -s length)
	check row_is_found_when_it_was_read "$told" [ "$told" = 1 ]
	told=$(exposed --record rows:170 --json | jq -s length)
	check row_is_not_found_when_its_neighbour_was_read "$told" \
		[ "$told" = 0 ]
}

exposed_lists_rows()
{
	told=$(exposed --origin "$origin" --json | jq -rs 'map(.row) |
		"\(length) \(.[0]) \(.[69]) \(.[70])"')
	[ "$told" = "71 100 169 999" ]
}

# exposed_has_keys QUERY RESULT: of the last login's rows, in $told.
exposed_has_keys()
{
	told=$(exposed --origin "${origin:-0}" --json | jq -rs "$1")
	[ "$told" = "$2" ]
}

# exposed_tells WORD: is it in the evidence, or in anything else of the agent?
exposed_tells()
{
	evidence_lines | grep -q "$1" || grep -rq "$1" $state "$log"
}

exposed_tells_keys_alone()
{
	exposed_tells '"W169"' && ! exposed_tells Aldermark
}

exposed_keys()
{
	local ends='map(.key) | "\(length) \(.[0]) \(.[69]) \(.[70])"'

	new_login
	# shellcheck disable=SC2016 # the other shell's
	as "$login" bash -c 'dd if="$1" bs=160 skip=100 count=70 status=none
		dd if="$1" bs=160 skip=999 count=1 status=none' - $ex/keyed \
		>/dev/null
	exposed_origin keyed
	waits 20 exposed_has_keys "$ends" "71 W100 W169 W999"
	check keys_are_exact_when_some_rows_were_read "$told" \
		[ "$told" = "71 W100 W169 W999" ]
	told=$(exposed --record W169 --json | jq -s length)
	check row_is_found_by_its_key_when_it_was_read "$told" [ "$told" = 1 ]
	told=$(exposed --record W170 --json | jq -s length)
	check row_is_not_found_by_its_key_when_its_neighbour_was_read "$told" \
		[ "$told" = 0 ]
	exposed_read $ex/keyed
	exposed_origin keyed
	# Who reads to the end asks for a row behind it, which has no key.
	waits 20 exposed_has_keys 'map(select(.key)) | map(.key == "W\(.row)") |
		"\(length) \(all)"' "1000 true"
	check keys_are_whole_when_all_rows_were_read_at_once "$told" \
		[ "$told" = "1000 true" ]
	check evidence_has_nothing_but_the_keys_when_rows_were_read \
		"$(evidence_lines | grep -c Aldermark) lines with more" \
		exposed_tells_keys_alone
	exposed_replaced
}

# Another file comes under the name before the agent looks: who is in it was not
# read. The agent sleeps, so that it cannot be quicker.
exposed_replaced()
{
	local why='select(.type == "exposed" and .dataset == "keyed")
		| select(.rows == [[7, 7]]) | "\(.keys_why) \(.keys)"'

	exposed_make_keyed X >$ex/keyed.new
	new_login
	kill -STOP "$agent"
	as "$login" dd if=$ex/keyed bs=160 skip=7 count=1 status=none >/dev/null
	mv $ex/keyed.new $ex/keyed
	kill -CONT "$agent"
	exposed_origin keyed
	waits 20 exposed_has_keys 'map("\(.row)") | join(" ")' 7
	told=$(evidence_lines | jq -r "$why" | tail -n 1)
	check row_has_no_key_when_its_file_was_replaced "$told" \
		grep -qxE '(gone|replaced) null' <<<"$told"
}

# The agent dies before it has written anything: the guard still knows.
exposed_killed()
{
	local some

	some=$(printf '%s\n' $ex/photos/00002[0-9].jpg)
	exposed_read $some
	agent_stop -KILL
	agent_start
	exposed_soon 10
	check list_is_exact_when_the_agent_died "$listed" [ "$listed" = "$some" ]
	some=$(printf '%s\n' $ex/photos/00003[0-9].jpg)
	exposed_read $some
	exposed_origin exposed
	agent_stop
	listed=$(exposed --origin "$origin" --json | jq -r .file | sort)
	check list_is_exact_when_the_agent_was_stopped "$listed" \
		[ "$listed" = "$some" ]
}

exposed_cases()
{
	local origin listed told

	agent_gone
	agent_with < <(exposed_policy)
	exposed_files
	exposed_odd
	exposed_rows
	exposed_keys
	exposed_killed
}
