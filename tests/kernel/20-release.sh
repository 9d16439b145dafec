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
		6.1/udp-sendfile) return 0 ;;
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
		if [ "$rc" = 2 ]; then
			twin "way/$way" skip "$(missing)"
		elif release_arrived 24000 8; then
			twin "way/$way" pass
		else
			twin "way/$way" fail "exit $rc $json $got"
		fi
	done
}

release_policy()
{
	cat <<-P
	mode: enforce
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

release_refused()
{
	refused errno_send 1 || refused errno_send 13
}

release_nothing_came()
{
	release_refused && came total_bytes 0
}

release_within_records()
{
	field "$got" records
	[ "$value" -ge 0 ] && [ "$value" -le $budget_records ] &&
		{ release_refused || release_is_dropped "$1"; }
}

release_within_bytes()
{
	field "$got" total_bytes
	[ "$value" -ge 0 ] && [ "$value" -le $budget_bytes ] &&
		{ release_refused || release_is_dropped "$1"; }
}

release_unmetered()
{
	local way=$1

	new_login
	files $re 1 1
	release_try "$way" "${args[@]}"
	check "release/${way}_refuses_when_holder" "exit $rc $json $got" \
		release_nothing_came
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
	check "release/${way}_stops_when_beyond_records" \
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
}
