# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Whatever name a record goes by, it is the same record: every way to open,
# with the budget for reading used up.

id=/srv/id

identity_prepare()
{
	"$bin/tests/makeset" $id --records 60 --photo-bytes 3000
	mkdir -p $id/photos/sub $id/spare
	cp $id/photos/000060.jpg $id/photos/sub/a.jpg
	cp $id/photos/000059.jpg $id/spare/in.jpg
	cp $id/photos/000058.jpg $id/spare/new.jpg
	cp $id/photos/000058.jpg $id/spare/late.jpg
	cp $id/roster.csv $id/spare/roster.csv
	ln $id/photos/000010.jpg $id/before.jpg
	# Without a journal ext4 does not use a number again for minutes.
	truncate -s 32M /srv/reuse.img
	mkdir -p $id/reuse
	mkfs.ext4 -q -O has_journal /srv/reuse.img &&
		mount -o loop /srv/reuse.img $id/reuse
	mkdir $id/reuse/cards
}

identity_twins()
{
	local how

	for how in $(names open); do
		try --open "$how" --read read --file $id/photos/000003.jpg
		red 3000
		case $rc in
		0) twin "open/$how" pass ;;
		2) twin "open/$how" skip "$(missing)" ;;
		*) twin "open/$how" fail "$json" ;;
		esac
	done
	try --read read --offset 320 --length 320 --file $id/roster.csv
	if [ "$rc" = 0 ]; then
		twin open/roster pass
	else
		twin open/roster fail "$json"
	fi
}

# A new login that has read all it may.
identity_exhaust()
{
	new_login
	try --read read --file $id/photos/000001.jpg \
		--file $id/photos/000002.jpg
	[ "$rc" = 0 ] && is read_bytes 6000
}

# identity_refuses NAME TWIN ARGS...
identity_refuses()
{
	local name=$1 twin=$2
	shift 2

	proved "$name" "$twin" || return
	identity_exhaust || {
		fail "$name" "its permitted twin: $json"
		return
	}
	try --read read "$@"
	case $name in
	open/*)
		red 3000
		line "$twin" "$twin" "$name" "exit $rc $json" refused read_bytes 0
		;;
	*) check "$name" "exit $rc $json" refused read_bytes 0 ;;
	esac
}

identity_read_refused()
{
	refused errno_read 1 && is errno_open 0 && is read_bytes "$1"
}

# identity_passed HOW: what was opened by somebody else, or before the budget
# was used up, is refused when it is read.
identity_passed()
{
	local how=$1 name=open/$1_refuses_when_budget_is_used bytes=0

	proved "$name" "open/$how" || return
	if [ "$how" = dup ]; then
		new_login
		files $id 1 3
		bytes=6000
	else
		identity_exhaust || {
			fail "$name" "its permitted twin: $json"
			return
		}
		files $id 3 3
	fi
	try --open "$how" --read read "${args[@]}"
	red 3000
	line "open/$how" "open/$how" "$name" "exit $rc $json" \
		identity_read_refused $bytes
}

# identity_name_refuses NAME PATH: what stands there is a record.
identity_name_refuses()
{
	if [ -e "$2" ]; then
		identity_refuses "$1" open/path --file "$2"
	else
		fail "$1" "no $2"
	fi
}

identity_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  id: {paths: [$id/photos, $id/late/deep, $id/reuse/cards], record: file}
	  rows: {paths: [$id/roster.csv], record: {bytes: 160}}
	rules:
	  - {subject: "*", dataset: "*", per: user, read: 2 records/hour}
	P
}

identity_roster()
{
	local name=roster_is_counted_by_rows_when_read

	new_login
	try --read read --length 320 --file $id/roster.csv
	[ "$rc" = 0 ] || {
		fail $name "two rows: $json"
		return
	}
	try --read read --length 320 --file $id/roster.csv
	[ "$rc" = 0 ] || {
		fail $name "the same two rows again: $json"
		return
	}
	try --read read --offset 320 --length 320 --file $id/roster.csv
	check "$1" "exit $rc $json" refused errno_read 1
}

# Files come and go until one has the number of a deleted record.
identity_reuse()
{
	local name=inode_carries_no_label_when_number_is_used_again
	local want i f=$id/reuse/cards/gone.jpg

	cp $id/spare/new.jpg $id/reuse/gone.jpg
	mv $id/reuse/gone.jpg $f
	want=$(stat -c %i $f)
	identity_name_refuses file_is_a_record_when_just_moved_in $f
	rm $f
	sync
	for ((i = 0; i < 200; i++)); do
		cp $id/spare/new.jpg $id/reuse/$i
		[ "$(stat -c %i $id/reuse/$i)" = "$want" ] && break
	done
	if [ "$i" = 200 ]; then
		skip $name "the number did not come back"
		return
	fi
	identity_exhaust
	try --read read --file $id/reuse/$i
	check $name "exit $rc $json" [ "$rc" = 0 ]
}

identity_cases()
{
	local how

	agent_with < <(identity_policy) || return
	for how in $(names open); do
		case $how in
		scm | dup) identity_passed "$how" ;;
		*) identity_refuses "open/${how}_refuses_when_budget_is_used" \
			"open/$how" --open "$how" \
			--file $id/photos/000003.jpg ;;
		esac
	done
	identity_refuses open/handle_refuses_when_caches_are_cold open/handle \
		--open handle --cold --file $id/photos/000004.jpg
	identity_name_refuses link_refuses_when_made_before_the_guard \
		$id/before.jpg
	mv $id/photos/000011.jpg $id/out.jpg
	identity_name_refuses file_refuses_when_moved_out $id/out.jpg
	mv $id/photos/sub $id/sub
	identity_name_refuses directory_refuses_when_moved_out $id/sub/a.jpg
	cp $id/spare/new.jpg $id/sub/later.jpg
	identity_name_refuses file_refuses_when_made_in_a_moved_directory \
		$id/sub/later.jpg
	cp $id/spare/new.jpg $id/photos/new.jpg
	identity_name_refuses file_refuses_when_made_after_start \
		$id/photos/new.jpg
	mv $id/spare/in.jpg $id/photos/in.jpg
	identity_name_refuses file_refuses_when_moved_in $id/photos/in.jpg
	mkdir -p $id/late/deep
	# Two directories were missing: the agent has to look.
	wait_log 1 'late/deep is there now'
	cp $id/spare/late.jpg $id/late/deep/x.jpg
	identity_name_refuses path_takes_effect_when_it_appears \
		$id/late/deep/x.jpg
	identity_roster rows_refuse_when_budget_is_used
	mv $id/spare/roster.csv $id/roster.csv
	identity_roster rows_refuse_when_file_is_replaced
	sync
	echo 3 >/proc/sys/vm/drop_caches
	identity_name_refuses link_refuses_when_caches_are_dropped \
		$id/before.jpg
	identity_name_refuses file_refuses_when_moved_out_and_dropped \
		$id/out.jpg
	identity_name_refuses directory_refuses_when_moved_out_and_dropped \
		$id/sub/a.jpg
	identity_reuse
}
