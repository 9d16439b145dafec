# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh
#
# Names that a holder gives, and what it shows of itself, where the policy says
# that they carry; and who only looks on where it does not.

names_policy()
{
	hops_policy yes
	echo "follow-names: $1"
}

names_prepare()
{
	hops_prepare
}

names_twins()
{
	local hop

	files "$re" 1 8
	for hop in $(names named); do
		hops_twin "$hop" 24000 8 --hop "$hop" "${args[@]}"
	done
}

# names_list DIR: somebody else lists it and sends as much as two records.
names_list()
{
	ask
	new_login
	# shellcheck disable=SC2016 # the other shell's
	as "$login" bash -c 'for f in "$1"/*; do :; done
		head -c 6000 /dev/zero >"/dev/tcp/$2/$3"' - \
		"$1" "$there" "$port" 2>/dev/null
	rc=$?
	ask
}

# In a directory of a dataset a name says as little as those of its files.
names_listed()
{
	local dir=$aside/left

	mkdir "$dir"
	new_login
	# shellcheck disable=SC2016 # the other shell's
	as "$login" bash -c 'for f in "${@:3}"; do read -r <"$f"; done
		: >"$1/name"; : >"$2/name"' - "$dir" "$re/photos" \
		"$re"/photos/00000[1-8].jpg 2>/dev/null
	names_list "$dir"
	check listed_is_refused_when_beyond "exit $rc $got" came total_bytes 0
	names_list "$re/photos"
	check dataset_passes_when_listed "exit $rc $got" came total_bytes 6000
	rm -r "$dir" "$re/photos/name"
	mkdir "$dir"
	names_list "$dir"
	check listed_passes_when_made_anew "exit $rc $got" came total_bytes 6000
	rm -r "$dir"
}

names_cases()
{
	local hop

	agent_gone
	agent_with < <(names_policy no) || return
	for hop in name-open cmdline; do
		proved "hop/$hop" "hop/$hop" || continue
		new_login
		files "$re" 1 8
		hops_try --hop $hop "${args[@]}"
		check "${hop}_passes_when_names_are_not_followed" \
			"exit $rc $json $got" release_arrived 24000 8
	done
	agent_with < <(names_policy yes) || return
	for hop in $(names named); do
		proved "hop/$hop" "hop/$hop" || continue
		hops_passes "hop/${hop}_passes_when_within_budget" --hop "$hop"
		hops_refuses "hop/${hop}_refuses_when_beyond" 8 --hop "$hop"
		hops_bystander "hop/${hop}_passes_when_bystander" --hop "$hop"
	done
	names_listed
}
