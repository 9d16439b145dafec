# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# What the agent writes down, and what others make of it: whole, proven with no
# help of Cordon's, broken in every way that a file can be. The evidence of each
# other part is verified when its agent has gone: agent_gone.

ed=/srv/evidence
ed_copy=/tmp/evidence

evidence_prepare()
{
	"$bin/tests/makeset" $ed --records 20 --photo-bytes 5000
}

evidence_policy()
{
	cat <<-P
	mode: enforce
	datasets:
	  evidence: {paths: [$ed/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", per: user, read: 3 records/hour}
	P
}

# evidence_refused: a login that has read three records is refused a fourth.
evidence_refused()
{
	new_login
	files $ed 1 4
	try --read read "${args[@]}"
}

# verified STATUS ARGUMENT...: exits like that; what it says is in $told.
verified()
{
	local status=$1
	shift

	told=$("$bin/cordon" evidence verify "$@" 2>&1)
	rc=$?
	[ $rc = "$status" ]
}

evidence_fails()
{
	! "$@" >/dev/null 2>&1
}

# A copy that one can break: of what the agent has closed.
evidence_take()
{
	rm -rf $ed_copy
	cp -r "$state/evidence" $ed_copy
	segment=$(find $ed_copy -name '*.jsonl' | sort | head -n 1)
}

# The chain and the signature, by those who never saw Cordon.
evidence_by_others()
{
	local chained

	chained=$(python3 - "$segment" <<-'P'
	import hashlib, json, sys
	prev, seq = "0" * 64, 0
	for line in open(sys.argv[1], "rb"):
	    line = line.rstrip(b"\n")
	    it = json.loads(line)
	    assert it["prev"] == prev and it["seq"] == seq + 1, it["seq"]
	    prev, seq = hashlib.sha256(line).hexdigest(), it["seq"]
	print(seq, prev)
	P
	)
	verified 0 --json $ed_copy
	check evidence_is_a_chain_when_others_hash_it "$chained $told" \
		[ "$chained" = "$(jq -r '"\(.last) \(.head)"' <<<"$told")" ]
	"$bin/cordon" evidence checkpoint $ed_copy >/tmp/checkpoint
	sed 's/,"sig":"[^"]*"}$//' /tmp/checkpoint | tr -d '\n' >/tmp/signed
	jq -r .sig /tmp/checkpoint | base64 -d >/tmp/sig
	told=$(openssl pkeyutl -verify -pubin -inkey $ed_copy/host.pub -rawin \
		-in /tmp/signed -sigfile /tmp/sig 2>&1)
	check checkpoint_verifies_when_openssl_does "$told" \
		[ "$told" = "Signature Verified Successfully" ]
	printf x >>/tmp/signed
	check checkpoint_is_refused_when_openssl_sees_another "" \
		evidence_fails openssl pkeyutl -verify -pubin \
		-inkey $ed_copy/host.pub -rawin -in /tmp/signed \
		-sigfile /tmp/sig
}

# evidence_breaks NAME PROBLEM SED: of the fourth line on.
evidence_breaks()
{
	evidence_take
	sed -i "$3" "$segment"
	verified 1 $ed_copy
	check "$1" "exit $rc: $told" grep -q "$segment:[4-6]: $2: " <<<"$told"
}

evidence_broken()
{
	local last

	evidence_breaks changed_byte_is_found_when_verified changed \
		'4s/"time":"2/"time":"3/'
	evidence_breaks dropped_line_is_found_when_verified missing 4d
	evidence_breaks doubled_line_is_found_when_verified order 4p
	evidence_breaks moved_line_is_found_when_verified missing '4{h;d};5G'
	evidence_take
	last=$("$bin/cordon" evidence verify --json $ed_copy | jq .last)
	sed -i '$d' "$segment"
	verified 1 --last $last $ed_copy
	check cut_end_is_found_when_its_number_is_known "exit $rc: $told" \
		grep -q "^cut: " <<<"$told"
	verified 1 --checkpoint /tmp/checkpoint $ed_copy
	check cut_end_is_found_when_a_checkpoint_was_kept "exit $rc: $told" \
		grep -q "^cut: " <<<"$told"
}

# A segment that another host wrote, in place of this one's.
evidence_spliced()
{
	agent_start --state-dir /srv/other
	evidence_refused
	agent_stop
	evidence_take
	cp /srv/other/evidence/*.jsonl $ed_copy/
	verified 1 $ed_copy
	check spliced_segment_is_found_when_verified "exit $rc: $told" \
		grep -q ": foreign: .*another host" <<<"$told"
	verified 0 --key /srv/other/evidence/host.pub /srv/other/evidence
	check evidence_is_whole_when_its_own_key_is_given "exit $rc: $told" \
		[ $rc = 0 ]
	rm -r /srv/other
}

# What the agent said has to be on the disk when it did.
evidence_before_words()
{
	local order

	agent_start
	strace -f -qq -s 64 -e trace=write,pwrite64,fdatasync -p "$agent" \
		-o /tmp/trace &
	tracer=$!
	waits 5 grep -q . /proc/$agent/status
	nap 1
	evidence_refused
	evidence_refused
	wait_log 2 'blocked: '
	kill $tracer
	wait $tracer 2>/dev/null
	# Verdicts that are written, those that are safe, and words of them.
	order=$(awk '/pwrite64\(.*"verdict/ { written++ }
		/fdatasync\(/ && / = 0/ { safe = written }
		/write\(2, .*blocked: / { early += ++told > safe }
		END { print told + 0, early + 0 }' /tmp/trace)
	check verdict_is_on_the_disk_before_it_is_told "$order" \
		grep -q '^[1-9][0-9]* 0$' <<<"$order"
	agent_stop
}

# Killed while it writes, three times: what it had told is there.
evidence_killed()
{
	local i said lines

	for i in 1 2 3; do
		agent_start
		evidence_refused
		evidence_refused
		wait_log 1 'blocked: '
		agent_stop -KILL
		said 'blocked: '
		said=$value
		lines=$(evidence_lines | jq -s --arg l "$login" 'map(select(
			.type == "verdict" and (.login == $l or
			.login == (($l | tonumber) - 1 | tostring)))) | length')
		check verdicts_are_there_when_killed_$i "$said told, $lines" \
			[ $((said > 0 && lines >= said)) = 1 ]
	done
	agent_start
	agent_stop
	verified 0 "$state/evidence"
	check evidence_is_whole_when_its_agent_was_killed "exit $rc: $told" \
		[ $rc = 0 ]
}

evidence_key()
{
	check key_is_its_owners_alone_when_made \
		"$(ls -l "$state/host.key")" \
		[ "$(stat -c %a "$state/host.key")" = 600 ]
	check key_is_not_in_the_folder_when_made "$(ls "$state/evidence")" \
		evidence_fails grep -rqa 'PRIVATE KEY' "$state/evidence"
	cp "$state/evidence/host.pub" /tmp/old.pub
	echo nonsense >"$state/host.key"
	agent_start
	check agent_says_when_its_key_was_made_anew "$(tail -n 3 "$log")" \
		wait_log 1 'a new one is made'
	evidence_refused
	agent_stop
	verified 1 "$state/evidence"
	check evidence_of_two_keys_is_told_when_one_is_known \
		"exit $rc: $told" grep -q 'foreign: ' <<<"$told"
	verified 0 --key /tmp/old.pub --key "$state/evidence/host.pub" \
		"$state/evidence"
	check evidence_of_two_keys_is_whole_when_both_are_known \
		"exit $rc: $told" [ $rc = 0 ]
}

# No folder, no evidence: no reason to let anything out.
evidence_nowhere()
{
	mv "$state/evidence" /tmp/away
	: >"$state/evidence"
	agent_start
	check agent_says_when_evidence_has_no_folder "$(tail -n 3 "$log")" \
		wait_log 1 'no evidence can be written'
	evidence_refused
	check reads_are_refused_when_evidence_has_no_folder "exit $rc $json" \
		refused read_bytes 15000
	check events_are_shown_when_evidence_has_no_folder \
		"$(cordon events | tail -n 1)" \
		waits 5 evidence_shown
	agent_stop
	rm "$state/evidence"
	mv /tmp/away "$state/evidence"
	agent_start
	agent_stop
	verified 0 --key /tmp/old.pub --key "$state/evidence/host.pub" \
		"$state/evidence"
	check evidence_is_whole_when_its_folder_came_back "exit $rc: $told" \
		[ $rc = 0 ]
}

evidence_shown()
{
	cordon events --json | grep -q "\"login\":\"$login\""
}

evidence_cases()
{
	local segment told tracer

	agent_gone
	agent_with < <(evidence_policy)
	evidence_refused
	check fourth_is_refused_when_three_may_be_read "exit $rc $json" \
		refused read_bytes 15000
	wait_log 1 'blocked: '
	verified 0 "$state/evidence"
	check evidence_is_whole_while_it_is_written "exit $rc: $told" \
		[ $rc = 0 ]
	agent_stop
	evidence_take
	verified 0 --key "$state/evidence/host.pub" $ed_copy
	check copy_is_whole_when_only_the_key_is_known "exit $rc: $told" \
		[ $rc = 0 ]
	told=$(jq -r .type "$segment" | tr '\n' ' ')
	check evidence_tells_of_the_agent_and_its_policy "$told" \
		grep -q '^start .*policy .*verdict .*stop checkpoint $' \
		<<<"$told"
	evidence_by_others
	evidence_broken
	evidence_spliced
	evidence_before_words
	evidence_killed
	evidence_key
	evidence_nowhere
	# Two keys wrote it, so agent_gone() could not verify it.
	rm -r "$state/evidence"
}
