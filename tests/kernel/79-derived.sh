# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# A file that a holder wrote carries what it holds to whoever reads it, whatever
# becomes of its name. Everything may be read, as in 80-hops.sh; the process
# that releases has opened no file of the dataset. On the file systems of
# 30-reads.sh.

dv=/srv/derived
dv_on="ext4 xfs tmpfs overlay"

derived_prepare()
{
	mkdir -p $dv
	chmod 777 $dv
	mkdir -p $rd/xfs/derived $rd/overlay/derived
	# Older than all that is tried.
	head -c 20000 /dev/urandom >$dv/old
}

# derived_hops FS: what is tried there; the whole list on one of them.
derived_hops()
{
	case $1 in
	ext4) names derived ;;
	*) echo file file-direct file-splice file-map file-map-before \
		file-mapped ;;
	esac
}

# derived_try FS ARGS...
derived_try()
{
	local fs=$1
	shift

	hops_try --work $rd/$fs/aside "$@"
}

# derived_make WHAT FIRST LAST TO: these photos, by what everybody has.
derived_make()
{
	local how

	files $re $2 $3
	# shellcheck disable=SC2016 # the other shell's
	case $1 in
	cat) how='cat "$@" >>"$to"' ;;
	dd) how='cat "$@" | dd bs=1k of="$to" status=none' ;;
	tgz) how='tar -czPf "$to" "$@"' ;;
	esac
	to=$4 as $login bash -c "$how" - ${args[*]/--file/} 2>/dev/null
	rc=$?
}

# derived_copies WHAT RECORDS TO
derived_copies()
{
	new_login
	rm -f $3
	derived_make $1 1 $2 $3
}

# derived_send FILE...: by another login, which reads nothing else.
derived_send()
{
	local file args=()

	new_login
	for file; do
		args+=(--file $file)
	done
	release_try send --timeout 20 "${args[@]}"
}

# derived_refuses NAME FILE...: it carries more than the budget has.
derived_refuses()
{
	local name=$1
	shift

	derived_send "$@"
	check "derived/$name" "exit $rc $json $got" hops_none_beyond
}

# derived_passes NAME BYTES RECORDS FILE...
derived_passes()
{
	local name=$1 bytes=$2 records=$3
	shift 3

	derived_send "$@"
	check "derived/$name" "exit $rc $json $got" \
		release_arrived $bytes $records
}

# derived_shell FILE: what is in it leaves by a shell.
derived_shell()
{
	new_login
	ask
	# shellcheck disable=SC2016 # the other shell's
	as $login bash -c 'cat "$3" >"/dev/tcp/$1/$2"' - $there $port \
		"$1" 2>/dev/null
	rc=$?
	json=
	ask
}

# On these there is room for a photo. What xfs takes as a link is shorter.
dv_beside="attribute/ext4 attribute/xfs attribute/overlay link/ext4 link/tmpfs
	link/overlay"

# derived_beside WAY/FS RECORDS: one leaves that many photos beside the contents
# of files that it writes nothing to, another one sends what is there.
derived_beside()
{
	local how=${1%/*} d=$rd/${1#*/}/aside/beside

	rm -rf $d
	mkdir $d
	chmod 777 $d
	new_login
	files $re 1 $2
	as $login python3 - $how $d ${args[*]/--file/} <<-'P'
	import base64, os, sys
	for i, name in enumerate(sys.argv[3:]):
	    data = open(name, "rb").read()
	    at = "%s/%d" % (sys.argv[2], i)
	    if sys.argv[1] == "link":
	        os.symlink(base64.b64encode(data), at)
	    else:
	        open(at, "x").close()
	        os.setxattr(at, "user.p", data)
	P
	new_login
	ask
	as $login python3 - $how $d $there $port 2>/dev/null <<-'P'
	import base64, os, socket, sys
	data = b""
	for name in sorted(os.listdir(sys.argv[2])):
	    at = "%s/%s" % (sys.argv[2], name)
	    if sys.argv[1] == "link":
	        data += base64.b64decode(os.readlink(at))
	    else:
	        data += os.getxattr(at, "user.p")
	s = socket.create_connection((sys.argv[3], int(sys.argv[4])))
	s.sendall(data)
	P
	rc=$?
	ask
}

# derived_beside_came BYTES RECORDS
derived_beside_came()
{
	came total_bytes $1 && came records $2
}

# Who lists them asks for no attribute that a process can write.
derived_listed()
{
	local d=$rd/ext4/aside/beside

	derived_beside attribute/ext4 8
	new_login
	ask
	# shellcheck disable=SC2016 # the other shell's
	as $login bash -c 'ls -l "$1" >/dev/null
		cat "$2" >"/dev/tcp/$3/$4"' - $d $dv/old $there $port
	rc=$?
	ask
	check derived/bystander_passes_when_it_lists_attributes "exit $rc $got" \
		derived_beside_came 20000 0
}

derived_twins()
{
	local fs hop what

	for what in $dv_beside; do
		derived_beside $what 8
		twin_of "derived/$what" derived_beside_came 24000 8
	done

	files $re 1 8
	for fs in $dv_on; do
		for hop in $(derived_hops $fs); do
			derived_try $fs --hop $hop "${args[@]}"
			twin_of "derived/$fs/$hop" release_arrived 24000 8
		done
	done
	for what in cat dd; do
		derived_copies $what 8 $dv/copy
		derived_send $dv/copy
		twin_of "derived/$what" release_arrived 24000 8
	done
	rm -f $dv/quiet
	quiet_write 3000 $dv/quiet
	derived_send $dv/quiet
	twin_of derived/quiet release_arrived 3000 1
	rm $dv/quiet
	derived_copies tgz 8 $dv/copy
	derived_shell $dv/copy
	twin_of derived/tgz hops_chain_arrived
	rm $dv/copy
}

derived_by_hops()
{
	local fs hop name

	for fs in $dv_on; do
		for hop in $(derived_hops $fs); do
			name=derived/${hop}_on_$fs
			proved "derived/$fs/$hop" "derived/$fs/$hop" || continue
			new_login
			files $re 1 8
			derived_try $fs --hop $hop "${args[@]}"
			sent
			line "derived/$fs/$hop" "derived/$fs/$hop" \
				"${name}_refuses_when_beyond" \
				"exit $rc $json $got" hops_none_beyond
			new_login
			files $re 1 $budget_records
			derived_try $fs --hop $hop "${args[@]}"
			check "${name}_passes_when_within_budget" \
				"exit $rc $json $got" release_arrived 12000 4
			[ $fs = ext4 ] || continue
			new_login
			derived_try $fs --hop $hop --read none --bytes 20000
			check "${name}_passes_when_bystander" \
				"exit $rc $json $got" release_arrived 20000 0
		done
	done
	new_login
	files $re 1 6
	derived_try ext4 --hop file-append --givers 2 "${args[@]}"
	check derived/file_refuses_when_halves_add_up "exit $rc $json $got" \
		hops_none_beyond
	new_login
	files $re 1 4
	derived_try ext4 --hop file-append --givers 2 "${args[@]}"
	check derived/file_passes_when_halves_are_within "exit $rc $json $got" \
		release_arrived 12000 4
}

# Two logins, of which each may hand on what it read.
derived_by_two()
{
	rm -f $dv/two
	new_login
	derived_make cat 1 $1 $dv/two
	new_login
	derived_make cat $(($1 + 1)) $2 $dv/two
}

# Whatever its name is, and though nobody has it in memory.
derived_names()
{
	local fs=$1 d=$rd/$1/aside

	derived_copies cat 8 $d/a
	mv $d/a $d/b
	derived_refuses "copy_on_${fs}_refuses_when_renamed" $d/b
	ln $d/b $d/c
	rm $d/b
	derived_refuses "copy_on_${fs}_refuses_when_linked" $d/c
	sync
	echo 3 >/proc/sys/vm/drop_caches
	derived_refuses "copy_on_${fs}_refuses_when_evicted" $d/c
	rm $d/c
}

# The map is the only way in which anything was written.
derived_evicted_map()
{
	local fs=$1 d=$rd/$1/aside

	rm -f $d/m
	truncate -s 24000 $d/m
	new_login
	files $re 1 8
	as $login python3 - $d/m $2 ${args[*]/--file/} <<-'P'
	import mmap, sys
	out = open(sys.argv[1], "r+b")
	if sys.argv[2] == "before":
	    m = mmap.mmap(out.fileno(), 24000)
	data = b"".join(open(f, "rb").read() for f in sys.argv[3:])
	if sys.argv[2] == "after":
	    m = mmap.mmap(out.fileno(), 24000)
	m[:] = data
	P
	sync
	echo 3 >/proc/sys/vm/drop_caches
	derived_refuses "map_on_${fs}_refuses_when_made_$2_and_evicted" $d/m
	rm $d/m
}

derived_clone()
{
	local d=$rd/xfs/aside

	derived_copies cat 8 $d/a
	new_login
	as $login cp --reflink=always $d/a $d/b
	derived_refuses clone_refuses_when_of_a_copy $d/b
	rm $d/b
	derived_copies cat 4 $d/a
	new_login
	as $login cp --reflink=always $d/a $d/b
	derived_passes clone_passes_when_within_budget 12000 4 $d/b
	rm $d/a $d/b
}

# derived_watched RECORDS: who has a file mapped sends what others write there.
derived_watched()
{
	local watcher

	rm -f $dv/mapped $dv/go
	truncate -s 12000 $dv/watched
	new_login
	ask
	as $login python3 - $dv/watched $dv/mapped $dv/go $there $port \
		2>/dev/null <<-'P' &
	import mmap, os, socket, sys, time
	f = open(sys.argv[1], "r+b")
	m = mmap.mmap(f.fileno(), 12000)
	open(sys.argv[2], "w").close()
	while not os.path.exists(sys.argv[3]):
	    time.sleep(0.05)
	s = socket.create_connection((sys.argv[4], int(sys.argv[5])))
	s.sendall(m[:12000])
	P
	watcher=$!
	until [ -e $dv/mapped ]; do
		kill -0 $watcher 2>/dev/null || break
		nap 0.05
	done
	new_login
	files $re 5 $((4 + $1))
	# shellcheck disable=SC2016 # the other shell's
	to=$dv/watched as $login bash -c 'cat "$@" | tail -c 12000 1<>"$to"' \
		- ${args[*]/--file/}
	: >$dv/go
	wait $watcher 2>/dev/null
	rc=$?
	json=
	ask
	rm -f $dv/watched $dv/mapped $dv/go
}

# See identity_reuse().
derived_reuse()
{
	local name=inode_carries_nothing_when_number_is_used_again want i
	local f=$id/reuse/copy

	derived_copies cat 8 $f
	derived_refuses copy_refuses_when_it_is_there $f
	want=$(stat -c %i $f)
	rm $f
	sync
	for ((i = 0; i < 200; i++)); do
		cp $dv/old $id/reuse/$i
		[ "$(stat -c %i $id/reuse/$i)" = "$want" ] && break
	done
	if [ "$i" = 200 ]; then
		skip derived/$name "the number did not come back"
	else
		derived_passes $name 20000 0 $id/reuse/$i
	fi
	rm -f $id/reuse/[0-9]*
}

derived_full()
{
	local before

	before=$(status_of '.faults["table of derived files full"] // 0')
	"$bin/tests/kernel/pins" fill derived >/tmp/pins
	derived_copies cat 1 $dv/full
	check derived/write_is_refused_when_full "exit $rc" \
		[ $rc != 0 -a ! -s $dv/full ]
	check derived/refusal_is_counted_when_full "$(status_of .faults)" \
		[ "$(status_of '.faults["table of derived files full"]')" \
		-gt "$before" ]
	new_login
	as $login cp $dv/old $dv/new
	check derived/bystander_writes_when_full "exit $?" \
		cmp -s $dv/old $dv/new
	derived_passes bystander_reads_when_full 20000 0 $dv/new
	"$bin/tests/kernel/pins" empty derived >/tmp/pins
	derived_copies cat 4 $dv/full
	derived_passes copy_passes_when_there_is_room_again 12000 4 $dv/full
	rm $dv/full $dv/new
}

# What is executed is read.
derived_exec()
{
	new_login
	files $re 1 8
	# shellcheck disable=SC2016 # the other shell's
	as $login bash -c 'cat "${@:3}" >/dev/null; { for f in "${@:3}"; do
		exec 3<"$f"; read -r -N 1 -u 3; done; } 2>/dev/null
		cat "$1" >"$2"; chmod 755 "$2"' - "$probe" $dv/exe \
		${args[*]/--file/}
	new_login
	ask
	hear as $login $dv/exe --timeout 20 --to $there --port $port \
		--wait-ms 1000 --read none --bytes 500 --release send
	ask
	check derived/program_refuses_when_a_holder_wrote_it \
		"exit $rc $json $got" release_nothing_came
	rm $dv/exe
}

derived_dump()
{
	local core=$dv/core pattern

	pattern=$(cat /proc/sys/kernel/core_pattern)
	echo $core >/proc/sys/kernel/core_pattern
	new_login
	files $re 1 8
	(
		ulimit -c unlimited
		# shellcheck disable=SC2016 # the other shell's
		as $login bash -c 'for f; do exec 3<"$f"
			read -r -N 1 -u 3; done; kill -SEGV $$' - \
			${args[*]/--file/} 2>/dev/null
	)
	echo "$pattern" >/proc/sys/kernel/core_pattern
	core=$(echo $dv/core*)
	check derived/core_is_dumped_when_a_holder_dies "$core" [ -s $core ]
	derived_refuses core_refuses_when_a_holder_died $core
	rm -f $dv/core*
}

# Of files and holdings: as many as before.
derived_freed()
{
	local before after i

	before="$(hops_count derived) $(hops_count holdings)"
	for i in {1..20}; do
		derived_copies cat 2 $dv/$i
	done
	check derived/each_copy_is_kept_when_it_is_there "before: $before" \
		[ "$(hops_count derived)" = $((${before% *} + 20)) ]
	rm $dv/[0-9]*
	# The last ones are let go of a moment later.
	nap 1
	after="$(hops_count derived) $(hops_count holdings)"
	check derived/nothing_is_left_when_files_are_deleted \
		"before: $before, after: $after" [ "$before" = "$after" ]
}

# As over a boot: another guard, which has nothing but what was saved.
derived_again()
{
	derived_copies cat 8 $dv/copy
	derived_copies cat 4 $dv/few
	agent_stop
	on_one agent_detach >>/out/cordond.all 2>&1
	sink_start
	agent_start
	derived_refuses copy_refuses_when_the_guard_is_another $dv/copy
	derived_passes copy_passes_when_the_guard_is_another 12000 4 $dv/few
	rm $dv/copy $dv/few
}

derived_aside()
{
	agent_with < <(hops_gate filer "carries: no, cap: 7000 B/hour") ||
		return
	hops_takes file 1
	check derived/declassifier_holds_nothing_within_its_cap \
		"exit $rc $json $got" release_arrived 3000 1
	hops_takes file-mapped 1
	check derived/declassifier_holds_nothing_by_a_map_within_it \
		"exit $rc $json $got" release_arrived 3000 1
	hops_takes file 1
	check derived/declassifier_holds_when_beyond_its_cap \
		"exit $rc $json $got" hops_none_beyond
}

# ---- quiet files -------------------------------------------------------------

qd=/srv/release/quiet # on the file system of the dataset

# quiet_policy NAME: with a cap that nobody has used; no path is there before.
quiet_policy()
{
	cat <<-P
	follow-files: yes
	quiet-files:
	  $1:
	    paths: [$dv/quiet, $dv/other, $rd/tmpfs/aside/quiet,
	            $rd/overlay/aside/quiet, $rd/xfs/aside/quiet, $qd]
	    cap: ${2-7000 B/hour}
	datasets:
	  records: {paths: [$re/photos], record: file}
	rules:
	  - {subject: "*", dataset: records, per: user, read: unlimited,
	     release: {"*": $budget_records records/hour}}
	P
}

# quiet_write BYTES FILE: by one write(2) of who holds 8 records before.
quiet_write()
{
	new_login
	files $re 1 8
	# shellcheck disable=SC2016 # the other shell's
	to=$2 bytes=$1 as $login bash -c '{ for f; do exec 3<"$f"
		read -r -N 1 -u 3; done; } 2>/dev/null
		cat "$@" | dd bs=$bytes count=1 iflag=fullblock oflag=append \
		conv=notrunc of="$to" status=none' - ${args[*]/--file/}
}

# quiet_by_python CODE FILE: the same in the way of the code, with 500 bytes.
quiet_by_python()
{
	new_login
	files $re 1 8
	as $login python3 - $2 ${args[*]/--file/} <<-P
	import mmap, os, sys
	data = b"".join(open(f, "rb").read() for f in sys.argv[2:])[:500]
	out = open(sys.argv[1], "r+b", buffering=0)
	$1
	P
}

# quiet_is NAME BYTES FILE: it carries nothing, or all would be refused. What is
# in it begins with one photo.
quiet_is()
{
	derived_passes "$1" $2 1 $3
}

quiet_status()
{
	cordon status --json | jq -cs ".[] | select(.type == \"budget\" and
		.files == \"$1\") | [.destination, .used, .max, .refused > 0]"
}

quiet_within_cap()
{
	local got_status told i

	agent_with < <(quiet_policy first) || return
	quiet_write 3000 $dv/quiet
	quiet_is quiet_passes_when_within_its_cap 3000 $dv/quiet
	quiet_write 3000 $dv/other
	quiet_is quiet_passes_when_two_are_within 3000 $dv/other
	got_status=$(quiet_status first)
	told=$(cordon explain $dv/quiet --json | jq -r .quiet | head -n 1)
	check derived/quiet_is_explained_when_within_its_cap "$told" \
		[ "$told" = first ]
	check derived/quiet_shows_its_cap "$got_status" \
		[ "$got_status" = '["intake",6000,7000,false]' ]
	mv $dv/quiet $dv/renamed
	ln $dv/renamed $dv/linked
	quiet_write 500 $dv/linked
	quiet_is quiet_passes_when_renamed_and_linked 3500 $dv/renamed
	rm $dv/renamed $dv/linked
	sync
	echo 3 >/proc/sys/vm/drop_caches
	# By the same name, as a log that was rotated.
	quiet_write 400 $dv/quiet
	quiet_is quiet_passes_when_another_took_its_name 400 $dv/quiet
	quiet_write 3000 $dv/quiet
	derived_refuses quiet_refuses_when_beyond_its_cap $dv/quiet
	quiet_is quiet_passes_when_another_is_beyond 3000 $dv/other
	for ((i = 0; i < 2 * patience; i++)); do
		told=$(cordon events --json | jq -cs 'map(select(.type ==
			"verdict" and .destination == "intake")) | last |
			[.files, .file, .verdict]')
		[ "$told" != '[null,null,null]' ] && break
		nap 0.1
	done
	check derived/quiet_is_told_when_beyond_its_cap "$told" \
		[ "$told" = '["first","quiet","alert"]' ]
	got_status=$(quiet_status first)
	check derived/quiet_shows_its_cap_when_beyond "$got_status" \
		[ "$got_status" = '["intake",6900,7000,true]' ]
	# It stays one until it is deleted.
	quiet_write 100 $dv/quiet
	got_status=$(quiet_status first)
	check derived/quiet_is_not_charged_when_it_carries "$got_status" \
		[ "$got_status" = '["intake",6900,7000,true]' ]
	rm $dv/quiet
	quiet_write 100 $dv/quiet
	quiet_is quiet_passes_when_the_one_beyond_is_deleted 100 $dv/quiet
	# The same name: what was used is kept. More of a cap: it counts.
	agent_with < <(quiet_policy first "7100 B/hour") || return
	quiet_write 100 $dv/quiet
	quiet_is quiet_passes_when_a_policy_has_a_larger_cap 200 $dv/quiet
	quiet_write 100 $dv/quiet
	derived_refuses quiet_refuses_when_beyond_that_too $dv/quiet
	rm $dv/quiet $dv/other
}

# What is over the caps of quiet files: acts and bytes.
quiet_over()
{
	cordon ledger --json | jq -cs --arg name "$1" 'map(select(
		.type == "ledger" and .subject == $name and
		.destination == "intake")) |
		[(map(.over_acts) | add), (map(.over_bytes) | add)]'
}

quiet_without_bound()
{
	local over

	agent_with < <(quiet_policy second) || return
	cp $dv/old $dv/quiet
	quiet_by_python 'mmap.mmap(out.fileno(), 500)[:] = data' $dv/quiet
	derived_refuses quiet_refuses_when_mapped $dv/quiet
	rm $dv/quiet
	cp $dv/old $dv/quiet
	quiet_by_python 'os.writev(out.fileno(), [data])' $dv/quiet
	derived_refuses quiet_refuses_when_written_unknown $dv/quiet
	rm $dv/quiet
	over=$(quiet_over second)
	check derived/quiet_counts_no_bytes_when_there_is_no_bound "$over" \
		[ "$over" = '[2,0]' ]
	cp $dv/old $dv/quiet
	quiet_by_python 'os.pwrite(out.fileno(), data, 0)' $dv/quiet
	quiet_is quiet_passes_when_written_at_an_offset 20000 $dv/quiet
	# It carries already, and does not cease to by another name.
	derived_copies dd 8 $dv/carrier
	mv $dv/carrier $dv/quiet
	derived_refuses carrier_refuses_when_it_gets_a_quiet_name $dv/quiet
	rm $dv/quiet
}

quiet_places()
{
	local fs f got_status

	agent_with < <(quiet_policy third) || return
	for fs in tmpfs overlay; do
		proved derived/quiet_on_$fs derived/quiet || continue
		f=$rd/$fs/aside/quiet
		quiet_write 3000 $f
		quiet_is quiet_passes_on_$fs 3000 $f
	done
	got_status=$(quiet_status third)
	check derived/quiet_is_charged_on_each "$got_status" \
		[ "$got_status" = '["intake",6000,7000,false]' ]
	quiet_write 3000 $rd/xfs/aside/quiet
	derived_refuses quiet_refuses_when_all_are_beyond $rd/xfs/aside/quiet
	rm $rd/{tmpfs,overlay,xfs}/aside/quiet
}

# A directory, and what of a dataset comes into it.
quiet_directory()
{
	local name=quiet_directory args=() i

	mkdir -p $qd
	chmod 777 $qd
	agent_with < <(quiet_policy fourth) || return
	mkdir -p $qd/below
	chmod 777 $qd/below
	quiet_write 3000 $qd/below/new
	quiet_is ${name}_passes_when_within_its_cap 3000 $qd/below/new
	quiet_write 5000 $qd/more
	derived_refuses ${name}_refuses_when_beyond_its_cap $qd/more
	for i in {1..8}; do
		ln $re/photos/00000$i.jpg $qd/$i.jpg
	done
	derived_refuses ${name}_refuses_records_when_linked $qd/{1..8}.jpg
	derived_passes ${name}_passes_records_when_within_budget 12000 4 \
		$qd/{1..4}.jpg
	rm -r $qd
}

# What was quiet and comes into a dataset is the dataset's, though a directory
# that was quiet is nearer.
quiet_moved()
{
	local in=$re/photos/moved i

	agent_with < <(quiet_policy eighth) || return
	mkdir -p $qd/below
	for i in {1..8}; do
		head -c 3000 /dev/urandom >$qd/below/$i.jpg
	done
	derived_passes quiet_directory_passes_when_not_moved 24000 0 \
		$qd/below/{1..8}.jpg
	mv $qd $in
	derived_refuses quiet_directory_refuses_when_moved_into_a_dataset \
		$in/below/{1..8}.jpg
	derived_passes quiet_directory_passes_when_moved_within_budget 12000 0 \
		$in/below/{1..4}.jpg
	rm -r $in
}

# However many write at once, no more than the cap comes in.
quiet_at_once()
{
	local used before after i pids=()

	mkdir -p $qd
	chmod 777 $qd
	agent_with < <(quiet_policy fifth) || return
	before=$(hops_count derived)
	for i in {1..12}; do
		new_login
		# shellcheck disable=SC2016 # the other shell's
		to=$qd/$i as $login bash -c 'cat "$@" | dd bs=1000 count=1 \
			iflag=fullblock of="$to" status=none' - \
			$re/photos/00000{1..8}.jpg &
		pids+=($!)
	done
	wait "${pids[@]}"
	after=$(hops_count derived)
	check derived/quiet_carries_when_many_are_beyond \
		"before: $before, after: $after" \
		[ "$after" = $((before + 5)) ]
	used=$(quiet_status fifth)
	check derived/quiet_takes_no_more_than_its_cap_from_many "$used" \
		[ "$used" = '["intake",7000,7000,true]' ]
	rm -r $qd
}

# A path that leads into a dataset, and a policy that has none any more.
quiet_refused()
{
	ln -s $re/photos/000001.jpg $dv/quiet
	write_policy < <(quiet_policy sixth)
	said 'whose files are never quiet'
	kill -HUP "$agent"
	check derived/quiet_is_refused_when_it_is_of_a_dataset \
		"$(tail -n 3 "$log")" \
		wait_log $((value + 1)) 'whose files are never quiet'
	rm $dv/quiet
	agent_with < <(quiet_policy seventh) || return
	quiet_write 3000 $dv/quiet
	quiet_is quiet_passes_when_a_policy_was_refused 3000 $dv/quiet
	agent_with < <(hops_policy yes) || return
	quiet_write 3000 $dv/quiet
	derived_refuses quiet_refuses_when_no_policy_says_so_any_more $dv/quiet
	rm $dv/quiet
}

quiet_cases()
{
	proved derived/quiet derived/quiet || return
	quiet_within_cap
	quiet_without_bound
	quiet_places
	quiet_directory
	quiet_moved
	quiet_at_once
	quiet_refused
}

derived_cases()
{
	local fs

	# See hops_cases().
	agent_gone
	agent_with --max-records 8192 < <(hops_policy yes) || return
	derived_passes old_file_passes_when_nobody_wrote_it 20000 0 $dv/old
	derived_by_hops
	derived_copies dd 8 $dv/copy
	proved derived/dd derived/dd && derived_refuses dd_refuses_when_beyond \
		$dv/copy
	derived_copies tgz 8 $dv/copy
	derived_shell $dv/copy
	proved derived/tgz derived/tgz && check derived/archive_refuses_when_beyond \
		"exit $rc $got" came total_bytes 0
	derived_copies tgz 4 $dv/copy
	derived_shell $dv/copy
	check derived/archive_passes_when_within_budget "exit $rc $got" \
		hops_chain_arrived
	for fs in $dv_beside; do
		proved derived/$fs derived/$fs || continue
		derived_beside $fs 8
		check "derived/${fs/\//_on_}_refuses_when_beyond" \
			"exit $rc $got" derived_beside_came 0 0
		derived_beside $fs 4
		check "derived/${fs/\//_on_}_passes_when_within_budget" \
			"exit $rc $got" derived_beside_came 12000 4
	done
	derived_listed
	derived_by_two 3 6
	derived_refuses copy_refuses_when_two_logins_add_up $dv/two
	derived_by_two 2 4
	derived_passes copy_passes_when_two_logins_are_within 12000 4 $dv/two
	# What was in it may still be on the disk.
	derived_copies cat 8 $dv/two
	new_login
	as $login cp $dv/old $dv/two
	derived_refuses copy_refuses_when_it_was_truncated $dv/two
	for fs in $dv_on; do
		proved derived/$fs derived/cat || continue
		derived_names $fs
	done
	for fs in ext4 overlay; do
		derived_evicted_map $fs before
		derived_evicted_map $fs after
	done
	derived_watched 4
	check derived/who_maps_it_passes_when_within_budget "exit $rc $got" \
		came total_bytes 12000
	derived_watched 8
	check derived/who_maps_it_is_refused_when_beyond "exit $rc $got" \
		came total_bytes 0
	derived_copies cat 8 $dv/copy
	new_login
	as $login cp $dv/copy $dv/third
	derived_refuses third_file_refuses_when_copied $dv/third
	rm $dv/third
	derived_clone
	derived_reuse
	derived_full
	derived_exec
	derived_dump
	derived_copies cat 8 $dv/copy
	agent_stop KILL
	agent_start
	derived_refuses copy_refuses_when_the_agent_was_killed $dv/copy
	derived_again
	rm $dv/two
	derived_freed
	check derived/bystander_is_no_holder_after_all_that \
		"$(hops_count processes)" [ "$(hops_count processes)" = 0 ]
	# A policy that does not say so, by which none carries any more.
	derived_copies cat 8 $dv/copy
	derived_refuses copy_refuses_when_files_are_followed $dv/copy
	agent_with < <(hops_policy no) || return
	derived_passes copy_passes_when_files_are_not_followed 24000 8 $dv/copy
	derived_copies cat 8 $dv/few
	agent_with < <(hops_policy yes) || return
	derived_refuses copy_refuses_when_files_are_followed_again $dv/copy
	derived_passes copy_passes_when_it_was_not_followed 24000 8 $dv/few
	rm $dv/copy $dv/few
	quiet_cases
	derived_aside
	hops_alone=yes
}
