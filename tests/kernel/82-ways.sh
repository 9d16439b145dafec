# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2048,SC2086,SC2154 # plain words; lib.sh
#
# What leaves by no socket: files of file systems that lie elsewhere (FUSE, as a
# server far away would have it; vfat on a loop device; ext4 there, which the
# policy names by its path), and devices. Everything may be read, and what is
# read is written there. The receiver is the other side: the directory that the
# FUSE file system shows, the disk, the file behind the loop device.

wy=/srv/ways
wy_hows="write pwrite writev pwritev direct sendfile splice copy map aio uring"
wy_fuse_hows="write writev sendfile splice map"
wy_fat_hows="write writev map"

# ways_disk IMAGE DIR: a small disk with ext4, mounted there.
ways_disk()
{
	truncate -s 8M $1
	mkfs.ext4 -q -F -O ^has_journal $1
	mkdir -p $2
	mount -o loop $1 $2
}

# A server that holds nothing serves $wy/far as $wy/fuse.
ways_fuse()
{
	local i

	mkdir -p $wy/far $wy/fuse
	mkfifo $wy/to $wy/from
	/usr/lib/openssh/sftp-server <$wy/to >$wy/from &
	sshfs -f -o passive :$wy/far $wy/fuse >$wy/to <$wy/from \
		2>/out/sshfs &
	for ((i = 0; i < 10 * patience; i++)); do
		mountpoint -q $wy/fuse && return
		nap 0.1
	done
	fail ways/fuse "is not mounted: $(tail -n 1 /out/sshfs)"
}

ways_prepare()
{
	[[ " ${parts[*]} " == *" ways "* ]] || return 0
	mkdir -p $wy
	vfat_make $wy/fat.img $wy/fat
	ways_disk $wy/stick.img $wy/stick
	ways_fuse
	mkdir -p $wy/stick/upper $wy/stick/work $wy/lower $wy/over
	mount -t overlay overlay $wy/over -o \
		"lowerdir=$wy/lower,upperdir=$wy/stick/upper,workdir=$wy/stick/work"
	truncate -s 1M $wy/raw.img
	wy_raw=$(losetup -f --show $wy/raw.img)
	# What is copied within a file system has to be there.
	head -c 24000 "$probe" | tee $wy/stick/x.from >$wy/other
}

# ways_policy [MODE [ACTION]]: a file system by its kind, one by where it is
# mounted, a device; where the rest goes bytes are limited as well.
ways_policy()
{
	cat <<-P
	mode: ${1-enforce}
	datasets:
	  records: {paths: [$re/photos], record: file}
	destinations:
	  share: {file-systems: [fuse]}
	  stick: {paths: [$wy/stick, $wy/later]}
	  line: {devices: [/dev/ttyS0]}
	rules:
	  - {subject: "*", dataset: records, per: user, read: unlimited,
	     action: ${2-block},
	     release: {share: $budget_records records/hour,
	               stick: $budget_records records/hour,
	               line: $budget_records records/hour,
	               "*": [$budget_records records/hour, 64 KiB/hour]}}
	P
}

# ways_try TO HOW [FILE...]: as $login; what it says is in $json.
ways_try()
{
	local to=$1
	shift

	hear as $login python3 tests/kernel/ways.py "$1" $to "${@:2}"
}

# ways_came FILE: what is in it by now, as the receiver counts it, in $got; in a
# cell of the matrix without the zeros that nobody wrote.
ways_came()
{
	got=$(cat $1 2>/dev/null | "$sink" --count)
	cell=$(tr -d '\0' <$1 2>/dev/null | wc -c)
	field "$got" records
	cell+=" $value"
}

# Where FS is received, and where it is written to.
ways_end()
{
	case $1 in
	fuse) echo $wy/far/x ;;
	over) echo $wy/stick/upper/x ;;
	*) echo $wy/$1/x ;;
	esac
}

# ways_write FS HOW RECORDS: a file of these.
ways_write()
{
	files $re 1 $3
	rm -f $wy/$1/x
	ways_try $wy/$1/x $2 ${args[*]/--file/}
	ways_came "$(ways_end $1)"
}

# ways_arrived HOW RECORDS: all of them; of what was copied they are none.
ways_arrived()
{
	case $1 in
	copy) [ "$rc" = 0 ] && came total_bytes $(($2 * 3000)) ;;
	*) [ "$rc" = 0 ] && came records $2 ;;
	esac
}

ways_none()
{
	[ "$rc" = 1 ] && came records 0
}

# ways_each FUNCTION: of every file system and way.
ways_each()
{
	local how

	for how in $wy_hows; do
		"$1" stick $how
	done
	for how in $wy_fuse_hows; do
		"$1" fuse $how
	done
	for how in $wy_fat_hows; do
		"$1" fat $how
	done
	"$1" over write
	"$1" over map
}

ways_twin()
{
	ways_write $1 $2 8
	if ways_arrived $2 8; then
		twin ways/$1/$2 pass
	else
		twin ways/$1/$2 fail "exit $rc $json $got"
	fi
}

ways_device_twin()
{
	local name=$1 want=$2
	shift 2

	"$@"
	if [ "$rc" = $want ]; then
		twin ways/$name pass
	else
		twin ways/$name fail "exit $rc $json"
	fi
}

# ways_raw: 8 records to a block device that was opened before they were read.
ways_raw()
{
	files $re 1 8
	hear as $login python3 tests/kernel/ways.py early write $wy_raw \
		${args[*]/--file/}
	sync
	ways_came $wy_raw
}

ways_node()
{
	case $1 in
	raw) echo $wy_raw ;;
	*) echo /dev/$1 ;;
	esac
}

ways_twins()
{
	local name

	new_login
	files $re 1 8
	ways_each ways_twin
	ways_device_twin serial 0 ways_try /dev/ttyS0 write \
		${args[*]/--file/}
	ways_raw
	if came records 8; then
		twin ways/raw pass
	else
		twin ways/raw fail "exit $rc $json $got"
	fi
	dd if=/dev/zero of=$wy_raw bs=64k count=1 status=none
	for name in raw loop-control fuse; do
		ways_device_twin open/$name 0 ways_try "$(ways_node $name)" \
			open ${args[*]/--file/}
	done
	# It is in use: so it says, and asks nobody whether one may.
	ways_device_twin loop 3 ways_try $wy_raw loop ${args[*]/--file/}
}

# Of a way that tells no bound where the rule limits bytes, nothing passes.
ways_pair()
{
	local name=ways/$1/$2

	proved $name $name || return
	new_login
	ways_write $1 $2 $budget_records
	case $1/$2 in
	fat/writev | fat/map)
		check ${name}_refuses_when_bytes_are_limited \
			"exit $rc $json $got" ways_none
		;;
	*)
		check ${name}_passes_when_within_budget \
			"exit $rc $json $got" ways_arrived $2 $budget_records
		;;
	esac
	new_login
	ways_write $1 $2 8
	line $name $name ${name}_refuses_when_beyond "exit $rc $json $got" \
		ways_none
}

# ways_bystander FS HOW
ways_bystander()
{
	new_login
	rm -f $wy/$1/x
	ways_try $wy/$1/x $2 $wy/other
	ways_came "$(ways_end $1)"
	check ways/$1/$2_passes_when_bystander "exit $rc $json $got" \
		ways_arrived copy 8
}

# ways_events FILTER: how many events of this login fit.
ways_events()
{
	cordon events --json | jq -s --arg l "$login" "map(select(
		((.login_uid // 0) | tostring) == \$l and $1)) | length"
}

ways_told()
{
	local name=$1 n
	shift

	n=$(ways_events "$1")
	check "ways/$name" "$n: $(cordon events --json | tail -n 1)" \
		[ "$n" -ge 1 ]
}

ways_reports()
{
	local n

	new_login
	ways_write fuse write 8
	ways_told event_names_the_way_when_refused '.type == "verdict" and
		.verdict == "block" and .channel == "file-system" and
		.destination == "share" and .file == "x" and (has("port") | not)
		and (.address | test("^fuse 0:[0-9]+$"))'
	ways_write fuse write $budget_records
	n=$(cordon ledger --json | jq -s --arg d share \
		'map(select(.channel == "file-system" and .destination == $d and
		.acts > 0 and .bytes > 0)) | length')
	check ways/ledger_counts_when_within_budget "$n" [ "$n" -ge 1 ]
}

# ways_refuses NAME TWIN EXIT TO HOW: that device, whatever the rule says.
ways_refuses()
{
	local name=ways/$1 twin=ways/$2 want=$3 to=$4 how=$5

	proved $name $twin || return
	new_login
	files $re 1 1
	ways_try $to $how ${args[*]/--file/}
	check $name "exit $rc $json" [ "$rc" = $want ]
}

ways_devices()
{
	local name to

	for name in raw loop-control fuse; do
		to=$(ways_node $name)
		ways_refuses open/${name}_refuses_when_holder open/$name 13 \
			$to open
		ways_told open/${name}_is_told_when_holder \
			'.type == "verdict" and .channel == "device" and
			(.address | test("^(char|block) [0-9]+:[0-9]+$"))'
		new_login
		ways_try $to open $wy/other
		check ways/open/${name}_passes_when_bystander \
			"exit $rc $json" [ "$rc" = 0 ]
	done
	ways_refuses loop_refuses_when_holder loop 1 $wy_raw loop
	for to in /dev/null /dev/full /dev/ptmx; do
		new_login
		files $re 1 8
		ways_try $to open ${args[*]/--file/}
		check ways/open/${to##*/}_passes_when_holder \
			"exit $rc $json" [ "$rc" = 0 ]
	done
	proved ways/raw ways/raw && {
		new_login
		ways_raw
		line ways/raw ways/raw ways/raw_refuses_when_opened_before \
			"exit $rc $json $got" ways_none
	}
	proved ways/serial ways/serial && {
		new_login
		files $re 1 $budget_records
		ways_try /dev/ttyS0 write ${args[*]/--file/}
		check ways/serial_passes_when_within_budget "exit $rc $json" \
			[ "$rc" = 0 ]
		new_login
		files $re 1 8
		ways_try /dev/ttyS0 write ${args[*]/--file/}
		check ways/serial_refuses_when_beyond "exit $rc $json" \
			[ "$rc" = 1 ]
		ways_told serial_is_told_when_beyond '.channel == "device" and
			.destination == "line" and .address == "char 4:64"'
	}
}

# A mount that comes later is a destination then, and none when it is gone.
ways_later()
{
	ways_disk $wy/later.img $wy/later
	wait_log 1 "$wy/later is a destination now"
	new_login
	ways_write later write 8
	check ways/later_refuses_when_beyond "exit $rc $json $got" ways_none
	umount $wy/later
	check ways/later_is_told_when_gone "" \
		wait_log 1 "$wy/later is not there any more"
	new_login
	mkdir -p $wy/later
	ways_write later write 8
	check ways/later_passes_when_gone "exit $rc $json $got" \
		ways_arrived write 8
}

ways_observes()
{
	local fs

	agent_with < <(ways_policy observe) || return
	for fs in fuse fat; do
		new_login
		ways_write $fs write 8
		check ways/${fs}_passes_when_observed \
			"exit $rc $json $got" ways_arrived write 8
	done
	ways_told write_is_told_when_observed '.type == "verdict" and
		.verdict == "alert" and .channel == "file-system" and
		(.address | test("^vfat 7:[0-9]+$"))'
	new_login
	files $re 1 8
	ways_try $wy_raw open ${args[*]/--file/}
	check ways/open_passes_when_observed "exit $rc $json" [ "$rc" = 0 ]
	ways_told open_is_told_when_observed '.type == "verdict" and
		.verdict == "alert" and .channel == "device"'
}

ways_alerts()
{
	agent_with < <(ways_policy enforce alert) || return
	new_login
	ways_write fuse write 8
	check ways/fuse_passes_when_alerted "exit $rc $json $got" \
		ways_arrived write 8
	ways_told write_is_told_when_alerted '.type == "verdict" and
		.verdict == "alert" and .channel == "file-system"'
}

ways_cases()
{
	agent_with < <(ways_policy) || return
	ways_each ways_pair
	ways_bystander stick write
	ways_bystander stick map
	ways_bystander fuse write
	ways_bystander fuse map
	ways_bystander fat write
	ways_bystander fat map
	ways_reports
	ways_devices
	ways_later
	ways_observes
	ways_alerts
}
