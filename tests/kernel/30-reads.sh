# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Every channel of reading on every file system: the ledger says what was read,
# and the third record is refused though its file was opened before; and so is
# the third row of a file, wherever in it the reader goes.

rd=/srv/reads
size=5000
row=4096
file_systems="ext4 xfs tmpfs overlay"

# reads_lay NAME DIR: an overlay that somebody lays over a dataset's directory.
reads_lay()
{
	mkdir -p $rd/$1 $rd/own/$1/upper $rd/own/$1/work
	mount -t overlay overlay $rd/$1 -o \
		"lowerdir=$2,upperdir=$rd/own/$1/upper,workdir=$rd/own/$1/work"
}

reads_prepare()
{
	local fs

	for fs in $file_systems lower upper work; do
		mkdir -p $rd/$fs
	done
	mount -t tmpfs tmpfs $rd/tmpfs
	truncate -s 400M /srv/xfs.img
	mkfs.xfs -q /srv/xfs.img && mount -o loop /srv/xfs.img $rd/xfs
	"$bin/tests/makeset" $rd/lower --records 4 --photo-bytes $size
	mkdir $rd/lower/aside
	mount -t overlay overlay $rd/overlay -o \
		"lowerdir=$rd/lower,upperdir=$rd/upper,workdir=$rd/work"
	for fs in ext4 xfs tmpfs; do
		"$bin/tests/makeset" $rd/$fs --records 4 --photo-bytes $size
		mkdir $rd/$fs/aside
	done
	reads_lay laid $rd/ext4
	reads_lay between $rd/ext4
	reads_lay stacked $rd/between
	# Nobody writes there: what was written to lies in the upper directory.
	"$bin/tests/makeset" $rd/below --records 4 --photo-bytes $size
	mkdir $rd/below/aside
	reads_lay over $rd/below
	mkdir -p $rd/ext4/exec
	cp "$probe" $rd/ext4/exec/card
	head -c $((10 * row)) "$probe" >$rd/ext4/rows
	sync
}

# What is read through somebody's own overlay, and below the dataset's own: its
# lower files by their own names. The map is the first to open.
reads_laid()
{
	echo laid/mmap-private laid/read stacked/mmap-private stacked/read \
		below/mmap-private below/read
}

reads_channels()
{
	local channel

	for channel in $(names read); do
		case $channel in
		# No file, or a case of its own; the rest stands in
		# tests/channel/KNOWN-GAPS.md.
		none | image | exec) ;;
		blockdev | kcore | loop | dedupe) ;;
		*) echo "$channel" ;;
		esac
	done
}

reads_try()
{
	files "$rd/$1" 1 4
	try --work "$rd/$1/aside" --open inherited --read "$2" "${args[@]}"
}

reads_twins()
{
	local fs channel key

	for key in $(reads_laid); do
		reads_try "${key%/*}" "${key#*/}"
		if [ "$rc" = 0 ] && is read_bytes $((4 * size)); then
			twin "read/$key" pass
		else
			twin "read/$key" fail "exit $rc $json"
		fi
	done
	for fs in $file_systems; do
		for channel in $(reads_channels); do
			reads_try "$fs" "$channel"
			red $size
			if [ "$rc" = 2 ]; then
				twin "read/$fs/$channel" skip "$(missing)"
			elif [ "$rc" = 0 ] && is read_bytes $((4 * size)); then
				twin "read/$fs/$channel" pass
			else
				twin "read/$fs/$channel" fail "$json"
			fi
		done
	done
	try --open writable --read read --offset $((9 * row)) \
		--length $row --file $rd/ext4/rows
	if [ "$rc" = 0 ] && is read_bytes $row; then
		twin read/rows_writable pass
	else
		twin read/rows_writable fail "exit $rc $json"
	fi
	try --read exec --file $rd/ext4/exec/card
	if [ "$rc" = 0 ]; then
		twin read/exec pass
	else
		twin read/exec fail "exit $rc $json"
	fi
}

# Channels whose bytes the kernel tells; of others there is a bound.
reads_are_exact()
{
	case $1 in
	uring-direct | uring-large) return 1 ;;
	read | pread | direct | readv | preadv | preadv2 | sendfile* | splice* | \
		copy_file_range | uring-* | thread) return 0 ;;
	esac
	return 1
}

reads_policy()
{
	local fs

	echo "mode: enforce"
	echo "datasets:"
	for fs in $file_systems; do
		echo "  $fs: {paths: [$rd/$fs/photos], record: file}"
	done
	cat <<-P
	  over: {paths: [$rd/over/photos], record: file}
	  exec: {paths: [$rd/ext4/exec], record: file}
	  rows: {paths: [$rd/ext4/rows], record: {bytes: $row}}
	rules:
	  - {subject: "*", dataset: exec, read: none}
	  - {subject: "*", dataset: "*", per: user, read: 2 records/hour}
	P
}

# Lines of `LOGIN BYTES RECORDS LEDGER-BYTES', one for each origin.
reads_ledger()
{
	cordon ledger --json | jq -rs '
		(map(select(.type == "ledger" and .destination == "read")) |
		group_by(.origin) | map({key: (.[0].origin | tostring),
		value: (map(.bytes) | add)}) | from_entries) as $sum |
		.[] | select(.type == "origin") | "\(.login) \(.read_bytes) " +
		"\(.read_records) \($sum[.origin | tostring])"'
}

# reads_count NAME CHANNEL LOGIN TRUTH LEDGER
reads_count()
{
	local name=$1 channel=$2 who=$3 truth=$4 bytes records sum rest

	read -r _ bytes records sum rest < <(grep "^$who " <<<"$5")
	if [ -z "${sum-}" ] || [ -n "$rest" ]; then
		fail "$name" "no line in the ledger"
	elif [ "$records" != 2 ] || [ "$bytes" != "$sum" ]; then
		fail "$name" "$bytes bytes, $records records, ledger $sum"
	elif reads_are_exact "$channel"; then
		check "$name" "$bytes bytes, in truth $truth" \
			[ "$bytes" = "$truth" ]
	else
		check "$name" "$bytes bytes, in truth $truth" \
			[ "$bytes" -ge "$truth" ]
	fi
}

# What a channel gets of a file's rows, one at a time from the last one on,
# where each is charged up to the end of the file at the most. Of those that
# may be anywhere in it all rows are charged, and there are too many.
reads_rows()
{
	local channel=$1 at=10 sum=0 want=0

	case $channel in
	mmap-remap-pages) ;;
	read | pread* | readv | mmap-* | direct | thread) want=$((2 * row)) ;;
	esac
	new_login
	while ((at--)); do
		try --work $rd/ext4/aside --read "$channel" --offset \
			$((at * row)) --length $row --file $rd/ext4/rows
		is read_bytes $row || break
		((sum += row))
	done
	check "read/ext4/${channel}_refuses_when_rows_are_used" \
		"$sum bytes of $want, exit $rc $json" \
		[ "$sum $rc" = "$want 1" ]
}

# reads_laid_refuse WHEN KEY...
reads_laid_refuse()
{
	local when=$1 key
	shift

	for key; do
		proved "read/${key}_refuses_when_$when" "read/$key" || continue
		new_login
		reads_try "${key%/*}" "${key#*/}"
		check "read/${key}_refuses_when_$when" "exit $rc $json" \
			reads_two
	done
}

reads_cases()
{
	local fs channel key all
	local -A who=() truth=()

	agent_with < <(reads_policy) || return
	# Nobody has opened a file through the overlay since the agent looked.
	sync
	echo 3 >/proc/sys/vm/drop_caches
	reads_laid_refuse caches_are_dropped below/mmap-private below/read
	# shellcheck disable=SC2046 # words are meant
	reads_laid_refuse budget_is_used $(reads_laid)
	for fs in $file_systems; do
		for channel in $(reads_channels); do
			key=$fs/$channel
			proved "read/$key" "read/$key" || continue
			new_login
			reads_try "$fs" "$channel"
			who[$key]=$login
			field "$json" read_bytes
			truth[$key]=$value
			red $size
			line "read/$key" "read/$key" \
				"read/${key}_refuses_when_budget_is_used" \
				"exit $rc $json" reads_two
		done
	done
	for channel in $(reads_channels); do
		key=ext4/$channel
		proved "read/${key}_refuses_when_rows_are_used" "read/$key" &&
			reads_rows "$channel"
	done
	# Who may write there can move the position while it is read.
	if proved read/rows_refuse_when_open_for_writing read/rows_writable; then
		new_login
		try --open writable --read read --offset $((9 * row)) \
			--length $row --file $rd/ext4/rows
		check read/rows_refuse_when_open_for_writing "exit $rc $json" \
			refused read_bytes 0
	fi
	all=$(reads_ledger)
	for key in "${!who[@]}"; do
		reads_count "read/${key}_is_counted_when_read" \
			"${key#*/}" "${who[$key]}" "${truth[$key]}" "$all"
	done
	new_login
	try --read exec --file $rd/ext4/exec/card
	proved read/exec_refuses_when_none_is_granted read/exec &&
		check read/exec_refuses_when_none_is_granted "exit $rc $json" \
		[ "$rc" != 0 ]
	new_login
	try --read read --file $rd/ext4/photos/000001.jpg --file \
		$rd/ext4/photos/000002.jpg --file $rd/ext4/photos/000003.jpg
	check open_refuses_with_eacces_when_budget_is_used "exit $rc $json" \
		refused errno_open 13
}

# Two files, no more; EACCES where a channel opens the file once more.
reads_two()
{
	[ "$rc" = 1 ] && is read_bytes $((2 * size)) &&
		{ is errno_read 1 || is errno_read 13; }
}
