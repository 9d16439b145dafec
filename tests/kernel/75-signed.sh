# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Policies that have to be signed: what is not, or not by enough, or is older,
# or another's, never comes into force, and what is in force stays.

sg=/srv/signed
sg_trust=/etc/cordon/trust.yaml
sg_keys=/run/signed-keys

signed_wanted()
{
	[[ " ${parts[*]} " =~ \ (signed|acts|fleet)\  ]]
}

signed_prepare()
{
	local name

	signed_wanted || return
	"$bin/tests/makeset" $sg --records 4 --photo-bytes 700
	mkdir -p $sg_keys
	for name in alice bob carol mallory; do
		"$bin/cordon" policy keygen --no-password $sg_keys/$name \
			>/dev/null
	done
}

# signed_trust VERSION THRESHOLD NAME... [-- REVOKED...]
signed_trust()
{
	local name

	printf 'cordon-trust: 1\nissuer: Test\nversion: %s\n' "$1"
	printf 'threshold: %s\nkeys:\n' "$2"
	shift 2
	for name in "$@"; do
		[ "$name" != -- ] || { echo "revoked:" && continue; }
		echo "  $name: $(tail -n 1 $sg_keys/$name.pub)"
	done
}

# signed_by FILE NAME...
signed_by()
{
	local file=$1 name

	rm -f "$file".*minisig
	shift
	for name in "$@"; do
		"$bin/cordon" policy sign --key $sg_keys/$name.key "$file" \
			>/dev/null || return
	done
}

# signed_policy RECORDS NAME...: the next serial, signed by these.
signed_policy()
{
	local records=$1

	shift
	write_policy <<-P
	mode: enforce
	datasets:
	  signed: {paths: [$sg/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", per: user,
	     read: $records records/hour}
	P
	signed_by "$policy" "$@"
}

# signed_refuses NAME PATTERN: what lies there is refused, for that reason, and
# the serial in force is the same as before.
signed_refuses()
{
	local before

	before=$(status_of .policy_serial)
	said 'stays in force'
	kill -HUP "$agent"
	wait_log $((value + 1)) 'stays in force'
	told="$(status_of .policy_serial) $(status_of '.problem')"
	check "$1" "$told" \
		grep -qE "^$before .*$2" <<<"$told"
}

# signed_takes NAME: and the twin is taken.
signed_takes()
{
	agent_reload
	check "$1" "$(tail -n 2 "$log") $(status_of .problem)" \
		[ "$(status_of .policy_serial)" = "$serial" ]
}

signed_begins()
{
	signed_trust 1 2 alice bob carol >$sg_trust
	signed_policy 2 alice bob
	check agent_starts_when_two_of_three_have_signed \
		"$(tail -n 3 "$log")" agent_start
	told=$(status_of '[.trust.version, .trust.threshold, .trust.keys,
		(.policy.signers | join(" "))]')
	check status_tells_who_has_signed "$told" \
		[ "$told" = '[1,2,3,"alice bob"]' ]
	told=$(cordon status | grep '^signed')
	check status_tells_it_in_words "$told" \
		grep -q 'by alice, bob; 2 of 3 keys of Test' <<<"$told"
	told=$(evidence_lines | jq -c 'select(.type == "policy") |
		[.signers, .trust]' | tail -n 1)
	check evidence_has_who_has_signed "$told" \
		[ "$told" = '[["alice","bob"],1]' ]
	told=$(evidence_lines | jq -c 'select(.type == "trust") |
		[.state, .version, .keys]')
	check evidence_has_whom_is_trusted "$told" \
		[ "$told" = '["enrolled",1,["alice","bob","carol"]]' ]
}

# Each attack on its own, and what is right once more behind them.
signed_attacks()
{
	local hash good

	signed_policy 3 alice
	signed_refuses one_of_two_is_not_enough '1 of 2 signatures'
	cp "$policy.alice.minisig" "$policy.again.minisig"
	signed_refuses same_key_twice_is_one 'alice has signed twice'
	signed_policy 3 alice mallory
	signed_refuses unknown_key_is_none 'mallory.minisig is of the key'
	signed_policy 3
	signed_refuses unsigned_policy_is_refused 'not signed'
	signed_policy 3 alice bob
	echo '# one more line' >>"$policy"
	signed_refuses changed_policy_is_refused 'claims to be alice'
	hash=$(sha256sum "$policy")
	told=$(evidence_lines | jq -c 'select(.type == "refused")' |
		tail -n 1)
	check evidence_has_what_was_refused "$told" \
		[ "$(jq -r .sha256 <<<"$told")" = "${hash%% *}" ]
	signed_policy 3 alice bob
	signed_takes policy_is_taken_when_two_have_signed
	good=$serial
	serial=$((good - 2))
	signed_policy 9 alice bob
	signed_refuses older_serial_is_refused 'is older than'
	serial=$good
	signed_policy 3 alice bob
	sed -i 's/^issuer: .*/issuer: Others/' "$policy"
	signed_by "$policy" alice bob
	signed_refuses policy_of_another_issuer_is_refused 'issuer is Others'
	signed_policy 3 alice bob
	mv "$policy" /run/elsewhere.yaml
	ln -s /run/elsewhere.yaml "$policy"
	signed_refuses symbolic_link_is_refused 'symbolic link'
	mv /run/elsewhere.yaml "$policy"
	chmod 777 /etc/cordon
	signed_refuses folder_for_all_is_refused 'others than root'
	chmod 755 /etc/cordon
	signed_takes policy_is_taken_when_its_place_is_right
}

# signed_applies FILE: as the administrator puts one there; in $told.
signed_applies()
{
	told=$(cordon policy apply "$1" 2>&1)
}

# What is refused leaves no trace.
signed_apply()
{
	local before new=/root/new.yaml

	before=$(cat /etc/cordon/policy.yaml* | sha256sum)
	policy=$new signed_policy 3 alice
	check apply_says_why_when_it_is_refused "$(signed_applies $new
		echo "$told")" \
		grep -q '1 of 2 signatures' < <(signed_applies $new
			echo "$told")
	check apply_puts_back_what_was_there "$(ls /etc/cordon)" \
		[ "$(cat /etc/cordon/policy.yaml* | sha256sum)" = "$before" ]
	check status_is_as_it_was_when_apply_was_refused \
		"$(status_of .problem)" [ "$(status_of .problem)" = null ]
	policy=$new signed_policy 3 bob carol
	signed_applies $new
	check apply_says_what_is_in_force "$told" \
		grep -q "^serial $serial of Test is in force" <<<"$told"
	told=$(status_of '.policy.signers | join(" ")')
	check apply_brings_the_signatures "$told" [ "$told" = "bob carol" ]
	rm -f $new*
}

# The trust anchors of an intruder, who has root's files.
signed_anchors()
{
	signed_trust 2 1 mallory >$sg_trust
	signed_by $sg_trust mallory
	signed_policy 9 mallory
	signed_refuses anchors_of_a_stranger_are_refused 'not signed|0 of 2'
	check refused_anchors_are_told "$(status_of .trust)" \
		[ "$(status_of '.trust | [.version, (.problem | length > 0)]'
		)" = '[1,true]' ]
	signed_trust 3 2 alice bob -- carol >$sg_trust
	signed_by $sg_trust alice bob
	signed_policy 3 alice bob
	agent_reload
	check version_that_is_left_out_is_refused "$(status_of .trust)" \
		[ "$(status_of .trust.version)" = 1 ]
	signed_trust 2 2 alice bob -- carol >$sg_trust
	signed_by $sg_trust alice bob
	signed_policy 3 alice bob
	agent_reload
	check next_anchors_are_taken_when_old_and_new_have_signed \
		"$(status_of .trust)" \
		[ "$(status_of '.trust | [.version, .keys]')" = '[2,2]' ]
	signed_policy 3 alice carol
	signed_refuses revoked_key_is_none 'carol is revoked'
	signed_policy 3 alice bob
	signed_takes policy_is_taken_when_none_is_revoked
}

signed_named()
{
	told=$(incident list --json |
		jq -rc "select(.login_uid == $login) | .signers | join(\" \")")
	[ "$told" = "alice bob" ]
}

# What an intruder leaves behind for the next boot.
signed_boot()
{
	local good=$serial

	agent_stop
	on_one guard_unpin
	printf 'mode: observe\n' >"$policy"
	rm -f $sg_trust
	check agent_starts_when_the_policy_was_spoilt \
		"$(tail -n 3 "$log")" agent_start
	told="$(status_of .policy_serial) $(status_of .problem)"
	check kept_policy_begins_when_the_file_is_spoilt "$told" \
		grep -q "^$good .*claims to be alice" <<<"$told"
	new_login
	files $sg 1 4
	try --read read "${args[@]}"
	check kept_policy_is_enforced "exit $rc $json" \
		refused read_bytes 2100
	waits 10 signed_named
	check incident_has_who_has_signed "$told" signed_named
	# An older one that was good once leaves no host without protection.
	agent_stop
	on_one guard_unpin
	serial=$((good - 2))
	signed_policy 9 alice bob
	check agent_starts_when_the_policy_is_an_older_one \
		"$(tail -n 3 "$log")" agent_start
	told="$(status_of .policy_serial) $(status_of .problem)"
	check kept_policy_begins_when_the_file_is_older "$told" \
		grep -q "^$good .*is older than" <<<"$told"
	# Without anchors anywhere nothing is taken, and the guard goes on.
	agent_stop
	mv $state/trust.yaml /run/trust.yaml
	serial=$good
	signed_policy 9
	check agent_starts_when_its_anchors_are_gone \
		"$(tail -n 3 "$log")" agent_start
	told="$(status_of .policy_serial) $(status_of .trust.problem)"
	check unsigned_policy_is_refused_when_the_anchors_are_gone "$told" \
		grep -q "^$good .*are gone" <<<"$told"
	# Nor are others taken that were written over them.
	agent_stop
	signed_trust 1 1 mallory >$state/trust.yaml
	cp $state/trust.yaml $sg_trust
	serial=$((good + 1))
	signed_policy 9 mallory
	check agent_starts_when_its_anchors_are_others \
		"$(tail -n 3 "$log")" agent_start
	told="$(status_of .policy_serial) $(status_of .trust.problem)"
	check others_policy_is_refused_when_anchors_were_replaced "$told" \
		grep -q "^$good .*not those that the evidence" <<<"$told"
	rm $sg_trust
	agent_stop
	mv /run/trust.yaml $state/trust.yaml
	serial=$((good + 1))
	signed_policy 3 alice bob
	signed_starts policy_is_taken_when_its_anchors_are_back "^$serial null"
}

# signed_starts NAME PATTERN: an agent does, and then this is in force, and said.
signed_starts()
{
	check "agent_starts_$1" "$(tail -n 3 "$log")" agent_start
	told="$(status_of .policy_serial) $(status_of .problem)"
	check "$1" "$told" grep -qE "$2" <<<"$told"
}

# What nobody forgets, whatever is deleted, as long as the guard is there: 5 was
# signed once, and all its signatures are good.
signed_remembers()
{
	local good=$serial

	serial=$((good - 2))
	signed_policy 9 alice bob
	agent_stop
	rm -rf "${state:?}"/remembered.json* "$state/evidence"
	signed_starts older_one_is_refused_without_memory_and_evidence \
		"^$good .*is older than $good"
	agent_stop
	rm -rf "${state:?}"/*
	signed_starts older_one_is_refused_without_anchors \
		"^$good .*the trust anchors of this host are gone"
	agent_stop
	signed_trust 2 2 alice bob -- carol >$sg_trust
	signed_starts older_one_is_refused_when_its_anchors_are_back \
		"^$good .*is older than $good"
	rm $sg_trust
	serial=$good
}

# signed_logs_in: what an administrator does who comes to see what is wrong.
signed_logs_in()
{
	as "$login" bash -c 'cat /etc/passwd >/dev/null && ls /srv &&
		python3 -c "
import socket
a = socket.create_server((\"127.0.0.1\", 0))
b = socket.create_connection(a.getsockname())
b.sendall(b\"who is there\")
"' >/dev/null
}

# A boot where nothing is left of what the agent kept.
signed_forgets()
{
	local good=$serial

	agent_stop
	on_one guard_unpin
	rm -rf "${state:?}"/*
	signed_trust 2 2 alice bob -- carol >$sg_trust
	serial=$((good - 2))
	signed_policy 9 alice bob
	signed_starts host_is_strict_when_all_is_forgotten \
		'^0 .*nothing on this host remembers'
	told=$(cordon status)
	check status_says_that_it_is_strict "$told" \
		grep -q 'STRICT' <<<"$told"
	new_login
	files $sg 1 1
	try --read read "${args[@]}"
	check nothing_is_read_when_strict "exit $rc $json" refused read_bytes 0
	check people_log_in_when_strict "it says why above" signed_logs_in
	serial=$good
	signed_policy 3 alice bob
	signed_refuses newer_policy_is_refused_when_all_is_forgotten \
		'nothing on this host remembers'
	cordon act request recover --serial $((good + 2)) \
		--reason "state was lost" >/root/act.yaml
	signed_by /root/act.yaml alice bob
	told=$(cordon act apply /root/act.yaml 2>&1)
	check act_brings_the_memory_back "$told" \
		grep -q "highest serial seen is $((good + 2))" <<<"$told"
	signed_refuses policy_is_refused_below_what_was_recovered \
		"is older than $((good + 2))"
	signed_policy 2 alice bob
	signed_takes policy_is_taken_when_recovered
	try --read read "${args[@]}"
	check record_is_read_when_no_longer_strict "exit $rc $json" \
		[ "$rc" = 0 ]
	rm -f /root/act.yaml*
	# The anchors are others: then nothing that is signed counts.
	agent_stop
	on_one guard_unpin
	rm -rf "${state:?}"/*
	signed_trust 1 1 mallory >$sg_trust
	signed_policy 9 mallory
	signed_starts anchors_are_not_begun_anew_when_they_are_gone \
		'^0 .*are gone: put back'
	told=$(cordon status --json | jq -c 'select(.type == "dataset") |
		[.dataset, .paths[0]]')
	check built_in_places_are_guarded "$told" \
		[ "$told" = '["built-in","/srv"]' ]
	new_login
	check built_in_policy_denies "the file was read" signed_denied
	check people_log_in_when_strict_by_places "it says why above" \
		signed_logs_in
}

signed_denied()
{
	! as "$login" cat $sg/photos/000001.jpg >/dev/null 2>&1
}

signed_cases()
{
	local told

	agent_gone
	signed_begins || return
	signed_attacks
	signed_apply
	signed_anchors
	signed_boot
	signed_remembers
	signed_forgets
	agent_gone
	rm -f $sg_trust* "$policy".*minisig
}
