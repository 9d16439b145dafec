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
	*-dataset) echo none ;;
	*) echo read ;;
	esac
}

# release_arrived BYTES RECORDS: exactly that.
release_arrived()
{
	[ "$rc" = 0 ] && is sent_bytes "$1" &&
		[ "$(received total_bytes)" = "$1" ] &&
		[ "$(received records)" = "$2" ]
}

release_try()
{
	local way=$1
	shift
	ask reset
	try --read "$(release_reads "$way")" --release "$way" "$@"
	ask reset
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
	local way=$1 name=release/$1_passes_when_bystander

	[ "$(release_reads "$way")" = none ] && return
	new_login
	ask reset
	try --read none --release "$way" --bytes 20000
	ask reset
	check "$name" "exit $rc $json $got" release_arrived 20000 0
}

release_refused()
{
	local e

	e=$(value "$json" errno_send)
	[ "$rc" = 1 ] && { [ "$e" = 1 ] || [ "$e" = 13 ]; }
}

release_nothing_came()
{
	release_refused && [ "$(received total_bytes)" = 0 ]
}

release_within_records()
{
	[ "$(received records)" -le $budget_records ] &&
		{ release_refused || release_is_dropped "$1"; }
}

release_within_bytes()
{
	[ "$(received total_bytes)" -le $budget_bytes ] &&
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

	agent_fresh < <(release_policy) || return
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
