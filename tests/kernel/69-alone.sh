# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# What needs a guard of its own, behind the parts that share one: the doctor
# where no agent runs, and a dataset with more files than there is room for.

al=/srv/alone

alone_prepare()
{
	"$bin/tests/makeset" $al --records 20 --photo-bytes 1000
}

alone_policy()
{
	cat <<-P
	mode: $1
	datasets:
	  alone: {paths: [$al/photos], record: file}
	rules:
	  - {subject: "*", dataset: "*", read: unlimited}
	P
}

# How many of the files can be opened to be read, and linked elsewhere.
alone_count()
{
	local file

	opened=0
	linked=0
	for file in "$al"/photos/*.jpg; do
		(: <"$file") 2>>/tmp/refused && ((++opened))
		ln -f "$file" "$aside/linked" 2>>/tmp/refused && ((++linked))
	done
}

# A file without a label would be nobody's: it cannot be read, and not leave.
alone_runs_full()
{
	local opened linked

	alone_count
	twin alone/files "$([ "$opened $linked" = "20 20" ] && echo pass ||
		echo fail)" "$opened opened, $linked linked"
	agent_gone
	write_policy < <(alone_policy enforce)
	check agent_starts_when_labels_are_few "$(tail -n 3 "$log")" \
		agent_start --max-records 8
	alone_count
	check files_are_refused_when_labels_are_full \
		"$opened opened, $linked linked" \
		[ "$opened" -gt 0 -a "$opened" -le 8 -a "$linked" = "$opened" ]
	check fault_is_told_when_labels_are_full "$(status_of .faults)" \
		grep -q 'without a label' <<<"$(status_of '.faults | tostring')"
	check remedy_is_told_when_labels_are_full "$(cat "$log")" \
		grep -q -- --max-records "$log"
	write_policy < <(alone_policy observe)
	agent_reload
	alone_count
	check observe_denies_nothing_when_labels_are_full \
		"$opened opened, $linked linked" \
		[ "$opened $linked" = "20 20" ]
	agent_gone
}

# Without an agent: a guard of its own is loaded, and leaves nothing behind.
alone_cases()
{
	agent_gone
	on_one cordond --doctor >/out/doctor-alone 2>&1
	check doctor_finds_hooks_alive_when_alone \
		"$(grep hooks /out/doctor-alone)" \
		grep -qE 'hooks +([1-9][0-9]*) of \1 acts' /out/doctor-alone
	check doctor_leaves_no_pin_when_alone "$(ls /sys/fs/bpf)" \
		[ -z "$(ls /sys/fs/bpf)" ]
	alone_runs_full
}
