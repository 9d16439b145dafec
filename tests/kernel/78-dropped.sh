# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# What is dropped into the directory for it, with the agent and the guard as
# they are: it comes into force by itself, and what is refused is written down.
# The unit test has the rest.

dp=/srv/dropped
dp_dir=/etc/cordon/policy.d
dp_elsewhere=/root/dropped

dropped_wanted()
{
	[[ " ${parts[*]} " == *" dropped "* ]]
}

dropped_prepare()
{
	local name

	dropped_wanted || return
	"$bin/tests/makeset" $dp --records 4 --photo-bytes 700
	mkdir -p $sg_keys $dp_elsewhere
	for name in alice bob carol mallory; do
		[ -e $sg_keys/$name.key ] || "$bin/cordon" policy keygen \
			--no-password $sg_keys/$name >/dev/null
	done
}

# dropped_policy RECORDS NAME...: the next serial, elsewhere, signed by these.
dropped_policy()
{
	local records=$1

	shift
	policy=$dp_elsewhere/new.yaml write_policy <<-P
	mode: enforce
	datasets:
	  dropped: {paths: [$dp/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", per: user,
	     read: $records records/hour}
	P
	signed_by $dp_elsewhere/new.yaml "$@"
}

# dropped_bring NAME: brings it here under that name, the signatures first.
dropped_bring()
{
	local file

	for file in "$dp_elsewhere"/new.yaml.*minisig $dp_elsewhere/new.yaml; do
		[ -e "$file" ] || continue
		cp "$file" "$dp_dir/$1${file#"$dp_elsewhere/new"}"
	done
}

dropped_serial_is()
{
	[ "$(status_of .policy_serial)" = "$1" ]
}

# dropped_is NAME STATE [PATTERN]: leaves what the status says of it in $told.
dropped_is()
{
	told=$(status_of ".drop_directory.files[] |
		select(.file == \"$1.yaml\") | \"\(.state) \(.problem)\"")
	[[ $told == "$2 "* ]] && grep -qE "${3-}" <<<"$told"
}

dropped_refused()
{
	evidence_lines | jq -c 'select(.type == "refused")' | grep -c "$1"
}

dropped_begins()
{
	rm -rf $dp_dir
	signed_trust 1 2 alice bob carol >$sg_trust
	dropped_policy 2 alice bob
	mkdir $dp_dir
	dropped_bring first
	# There is no other policy on this host.
	rm -f "$policy"*
	check agent_starts_with_what_was_dropped "$(tail -n 3 "$log")" \
		agent_start
	check dropped_policy_is_in_force_at_the_start "$told" \
		waits 30 dropped_is first in-force
	check dropped_policy_is_put_where_the_agent_has_it \
		"$(ls /etc/cordon)" cmp -s $dp_dir/first.yaml "$policy"
	new_login
	files $dp 1 3
	try --read read "${args[@]}"
	check dropped_policy_is_enforced "exit $rc $json" \
		refused read_bytes 1400
}

dropped_comes()
{
	local last

	dropped_policy 3 alice bob
	dropped_bring second
	check dropped_policy_comes_into_force "$told" \
		waits 60 dropped_serial_is $serial
	new_login
	try --read read "${args[@]}"
	check dropped_policy_grants_what_it_says "exit $rc $json" \
		[ "$rc" = 0 ]
	# Half of the signatures, then the rest.
	last=$serial
	dropped_policy 4 alice
	dropped_bring third
	check policy_waits_when_one_has_signed "$told" \
		waits 60 dropped_is third waiting '1 of 2 signatures'
	told=$(cordon status | grep -A1 '^dropped')
	check status_tells_what_it_waits_for "$told" \
		grep -q 'waiting: .*third.yaml' <<<"$(tr -s ' \n' ' ' \
		<<<"$told")"
	check policy_that_waits_is_no_attack "$(dropped_refused third)" \
		[ "$(dropped_refused third)" = 0 ]
	check policy_that_waits_is_not_in_force "$(status_of .policy_serial)" \
		dropped_serial_is $last
	signed_by $dp_elsewhere/new.yaml alice bob
	cp $dp_elsewhere/new.yaml.bob.minisig $dp_dir/third.yaml.bob.minisig
	check policy_comes_into_force_when_it_is_complete "$told" \
		waits 60 dropped_serial_is $serial
}

dropped_attacks()
{
	local good=$serial

	dropped_policy 9 alice mallory
	dropped_bring forged
	check policy_of_a_stranger_is_refused "$told" \
		waits 60 dropped_is forged refused 'mallory.minisig is of'
	((serial = good - 2))
	dropped_policy 9 alice bob
	dropped_bring older
	check older_policy_is_refused "$told" \
		waits 60 dropped_is older refused 'is older than'
	check refusals_are_written_down_once \
		"$(dropped_refused 'forged\|older')" \
		[ "$(dropped_refused 'forged\|older')" = 2 ]
	serial=$good
	agent_reload
	check reload_writes_nothing_down_again \
		"$(dropped_refused 'forged\|older')" \
		[ "$(dropped_refused 'forged\|older')" = 2 ]
	((serial = good + 1))
	dropped_policy 9 alice bob
	mv $dp_elsewhere/new.yaml $dp_elsewhere/real.yaml
	dropped_bring link
	ln -s $dp_elsewhere/real.yaml $dp_dir/link.yaml
	check symbolic_link_is_refused_when_it_is_dropped "$told" \
		waits 60 dropped_is link refused 'symbolic link'
	truncate -s 20M $dp_dir/huge.yaml
	check huge_file_is_refused_when_it_is_dropped "$told" \
		waits 60 dropped_is huge refused 'more than 16 MiB'
	check nothing_of_it_is_in_force "$(status_of .policy_serial)" \
		dropped_serial_is $good
	serial=$good
}

dropped_stays()
{
	rm -rf $dp_dir
	mkdir $dp_dir
	agent_reload
	check policy_stays_when_the_file_is_deleted \
		"$(status_of .policy_serial) $(status_of .problem)" \
		[ "$(status_of '[.policy_serial, .problem]')" = \
		"[$serial,null]" ]
	agent_stop
	on_one guard_unpin
	check agent_starts_when_the_file_is_deleted "$(tail -n 3 "$log")" \
		agent_start
	check policy_begins_when_the_file_is_deleted \
		"$(status_of .policy_serial) $(status_of .problem)" \
		[ "$(status_of '[.policy_serial, .problem]')" = \
		"[$serial,null]" ]
}

# dropped_networks N: a policy with so many.
dropped_networks()
{
	printf 'mode: enforce\ndatasets:\n'
	printf '  dropped: {paths: [%s/photos], record: file}\n' $dp
	printf 'destinations:\n  far:\n    networks:\n'
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++)
		printf "      - 10.%d.%d.%d/32\n", i / 65536,
			i / 256 % 256, i % 256 }'
	printf 'rules: []\n'
}

dropped_peak()
{
	awk '/^VmHWM:/ { print $2 }' "/proc/$agent/status"
}

# As many networks as a policy may have, and a bundle that is larger than any
# may be: the agent lives, and takes no more memory than it is given.
dropped_large()
{
	local peak pid=$agent began=$SECONDS

	policy=$dp_elsewhere/new.yaml write_policy < <(dropped_networks 20000)
	signed_by $dp_elsewhere/new.yaml alice bob
	dropped_bring networks
	check policy_comes_into_force_when_it_has_all_networks "$told" \
		waits 180 dropped_serial_is $serial
	echo "# dropped: 20,000 networks in $((SECONDS - began)) s"
	awk 'BEGIN { for (; i < 262144; i++) printf "%080d\n", 0 }' |
		tr 0 '#' >>$dp_elsewhere/new.yaml
	dropped_bring large
	check bundle_is_refused_when_it_is_too_large "$told" \
		waits 120 dropped_is large refused 'more than 16 MiB'
	peak=$(dropped_peak)
	check agent_takes_little_memory_when_much_is_dropped "$peak KiB" \
		[ "$peak" -lt 65536 ]
	check agent_lives_when_much_is_dropped "$pid, $agent" \
		dropped_serial_is $serial
	echo "# dropped: at most $peak KiB were resident"
}

# Nobody signs what nobody takes; without trust anchors it comes all the same.
dropped_too_many()
{
	local peak before began=$SECONDS

	agent_gone
	rm -rf $sg_trust* "$policy"* $dp_dir
	agent_with < <(dropped_networks 10) || return
	before=$serial
	write_policy < <(dropped_networks 100000)
	said 'stays in force'
	kill -HUP "$agent"
	wait_log $((value + 1)) 'stays in force'
	echo "# dropped: 100,000 networks in $((SECONDS - began)) s"
	check networks_are_refused_when_they_are_too_many \
		"$(status_of .problem)" \
		grep -q 'more than 20000 networks' <<<"$(status_of .problem)"
	peak=$(dropped_peak)
	check policy_stays_when_networks_are_refused "$peak KiB" \
		[ "$(status_of .policy_serial)" = $before -a \
		"$peak" -lt 65536 ]
	serial=$before
}

dropped_cases()
{
	local told=

	agent_gone
	dropped_begins || return
	dropped_comes
	dropped_attacks
	dropped_stays
	dropped_large
	dropped_too_many
	agent_gone
	rm -rf $sg_trust* "$policy"* $dp_dir $dp_elsewhere
}
