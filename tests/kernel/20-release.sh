# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Every way out, though everything may be read: what is within the budget
# arrives, and of what is beyond it no record.

re=/srv/release
budget_records=4
budget_bytes=20480

release_prepare()
{
	"$bin/tests/makeset" $re --records 20 --photo-bytes 3000
	"$bin/tests/makeset" $re/bytes --records 20 --photo-bytes 3000
}

# Families whose packets carry no tag, and a socket that repeats what it never
# sent: all or nothing. (SMC without its hardware is TCP, and metered.)
release_is_unmetered()
{
	case $1 in
	packet* | xdp | tun | vsock | sctp | mptcp | dccp | repair) return 0 ;;
	esac
	return 1
}

# Ways whose bytes only the meter can stop: it drops, nobody gets an errno.
release_is_dropped()
{
	case $kernel/$1 in
	6.1/sendfile | 6.1/sendfile-dataset | 6.1/splice | \
		6.1/splice-dataset | 6.1/vmsplice | 6.1/uring-splice | \
		6.1/udp-sendfile | 6.1/ktls-sendfile) return 0 ;;
	*/udp-sendmmsg | */raw-sendmmsg) return 0 ;;
	esac
	return 1
}

# How a way comes by its bytes.
release_reads()
{
	case $1 in
	*-dataset) reads=none ;;
	*) reads='read' ;;
	esac
}

# release_arrived BYTES RECORDS: exactly that.
release_arrived()
{
	[ "$rc" = 0 ] && is sent_bytes "$1" &&
		came total_bytes "$1" && came records "$2"
}

release_try()
{
	local way=$1 reads
	shift
	release_reads "$way"
	try --read $reads --release "$way" "$@"
	ask
}

release_twins()
{
	local way

	for way in $(names release); do
		files $re 1 8
		release_try "$way" "${args[@]}"
		twin_of "way/$way" release_arrived 24000 8
	done
}

# release_policy [MODE]
release_policy()
{
	cat <<-P
	mode: ${1-enforce}
	datasets:
	  records: {paths: [$re/photos], record: file}
	  bytes: {paths: [$re/bytes/photos], record: file}
	rules:
	  - {subject: "*", dataset: records, per: user, read: unlimited,
	     release: {"*": $budget_records records/hour}}
	  - {subject: "*", dataset: bytes, per: user, read: unlimited,
	     release: {"*": $budget_bytes B/hour}}
	P
}

# A way that reads by itself is no use to who reads nothing.
release_bystander()
{
	local way=$1 name=release/$1_passes_when_bystander reads

	release_reads "$way"
	[ $reads = none ] && return
	new_login
	try --read none --release "$way" --bytes 20000
	ask
	check "$name" "exit $rc $json $got" release_arrived 20000 0
}

# release_refused [WAY]: a device is refused when it is opened.
release_refused()
{
	if [ "${1-}" = tun ]; then
		refused errno_send 13
	else
		refused errno_send 1
	fi
}

release_nothing_came()
{
	release_refused "${1-}" && came total_bytes 0
}

release_within_records()
{
	field "$got" records
	[ "$value" -ge 0 ] && [ "$value" -le $budget_records ] &&
		{ release_refused || release_is_dropped "$1"; }
}

# Most of the budget can be used: a way that lets nothing through is no meter.
# What is dropped stops its socket, at whatever came before it. Of kTLS the
# meter sees what it adds to each record, which send(2) knows nothing of: the
# segment that goes beyond is dropped, with however many records it has.
release_within_bytes()
{
	local least=18000

	[[ $1 != ktls* ]] || least=1
	release_is_dropped "$1" && least=0
	field "$got" total_bytes
	[ "$value" -ge $least ] && [ "$value" -le $budget_bytes ] &&
		{ release_refused || [ $least = 0 ]; }
}

release_unmetered()
{
	local way=$1

	new_login
	holders[$way]=$login
	files $re 1 1
	release_try "$way" "${args[@]}"
	sent
	line "release/$way" "way/$way" "release/${way}_refuses_when_holder" \
		"exit $rc $json $got" \
		release_nothing_came "$way"
}

# release_blocked LOGIN LEDGER: how many acts of that login were stopped.
release_blocked()
{
	jq -rs --arg l "$1" '(map(select(.type == "origin" and
		(.login | tostring) == $l).origin)) as $o |
		map(select(.type == "ledger" and .destination != "read" and
		(.origin | IN($o[]))).blocked_acts) | add // 0' "$2"
}

release_refusals_are_counted()
{
	local way n

	cordon ledger --json >/out/release.ledger
	for way in "${!holders[@]}"; do
		n=$(release_blocked "${holders[$way]}" /out/release.ledger)
		check "release/${way}_is_counted_when_refused" "$n acts" \
			[ "$n" -gt 0 ]
	done
}

# Whatever the way: unmetered ones too.
release_observes()
{
	local way

	agent_with < <(release_policy observe) || return
	for way in $(names release); do
		proved "release/${way}_passes_when_observed" "way/$way" ||
			continue
		new_login
		files $re 1 5
		release_try "$way" "${args[@]}"
		check "release/${way}_passes_when_observed" \
			"exit $rc $json $got" release_arrived 15000 5
	done
}

release_metered()
{
	local way=$1

	new_login
	files $re 1 $budget_records
	release_try "$way" "${args[@]}"
	check "release/${way}_passes_when_within_budget" \
		"exit $rc $json $got" \
		release_arrived $((budget_records * 3000)) $budget_records
	new_login
	files $re 1 8
	release_try "$way" "${args[@]}"
	sent
	line "release/$way" "way/$way" \
		"release/${way}_stops_when_beyond_records" \
		"exit $rc $json $got" release_within_records "$way"
	new_login
	files $re/bytes 1 20
	release_try "$way" --chunk 1000 --persist "${args[@]}"
	check "release/${way}_stops_when_beyond_bytes" \
		"exit $rc $json $got" release_within_bytes "$way"
}

release_cases()
{
	local way
	local -A holders=()

	agent_with < <(release_policy) || return
	for way in $(names release); do
		proved "release/$way" "way/$way" || continue
		release_bystander "$way"
		if release_is_unmetered "$way"; then
			release_unmetered "$way"
		else
			release_metered "$way"
		fi
	done
	release_refusals_are_counted
	release_observes
}
