# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# What comes with the years: upgrades, a full disk, a supervisor, somebody who
# watches, a host that lacks something, the end. Ends without a guard.

up=/srv/upkeep
up_small=$up/small
up_notify=/run/upkeep.sock

upkeep_prepare()
{
	mkdir -p $up_small
	mount -t tmpfs -o size=128k,mode=700 tmpfs $up_small
}

# ---- other versions ---------------------------------------------------------

# upkeep_version NAME PATTERN WORD OTHER: a guard of another version is there.
upkeep_version()
{
	local name=$1 own before

	before=$(ls $pins)
	own=$("$bin/tests/kernel/pins" $3 $4)
	timeout 60 "$bin/cordond" --policy "$policy" --state-dir "$state" \
		--run-dir "$run" >/tmp/version 2>&1
	rc=$?
	check "agent_refuses_a_guard_of_another_$name" \
		"exit $rc $(tail -n 2 /tmp/version)" [ "$rc" = 1 ]
	check "agent_says_what_to_do_with_a_guard_of_another_$name" \
		"$(cat /tmp/version)" grep -qE "$2" /tmp/version
	check "pins_stay_when_a_guard_is_of_another_$name" "$(ls $pins)" \
		[ "$(ls $pins)" = "$before" ]
	agent_refuses "reads_are_refused_when_a_guard_is_of_another_$name"
	check "other_${name}_stays_in_the_guard_when_refused" "$own" \
		[ "$("$bin/tests/kernel/pins" $3 "$own")" = $4 ]
}

upkeep_versions()
{
	agent_with < <(agent_policy) || return
	agent_exhaust
	agent_stop
	upkeep_version layout 'another version .*layout 99.*cordond --detach' \
		abi 99
	upkeep_version build 'another build .*0badf00d-1,.*cordond --detach' \
		build 0badf00d-1
	check agent_adopts_when_the_guard_is_its_own_again \
		"$(tail -n 2 "$log")" agent_start
	agent_refuses budget_is_used_when_the_guard_is_its_own_again
}

# ---- somebody who watches ---------------------------------------------------

upkeep_is_followed()
{
	[ "$(status_of .clients)" -ge 2 ]
}

upkeep_follows()
{
	# A shell starts what is behind it deaf to SIGINT.
	env --default-signal=INT "$bin/cordon" events --follow --json \
		--run-dir "$run" >/tmp/follow 2>/tmp/follow.err &
	follower=$!
	waits 5 upkeep_is_followed
}

upkeep_follower_knows()
{
	[ "$(jq -r "select(.verdict == \"block\") | .login" /tmp/follow |
		tail -n 1)" = $login ]
}

upkeep_events()
{
	local follower

	upkeep_follows
	agent_exhaust
	agent_refuses reads_are_refused_when_somebody_watches
	check follower_is_told_when_a_read_is_refused \
		"$(tail -n 2 /tmp/follow)" waits 5 upkeep_follower_knows
	check reads_have_no_address_when_told "$(tail -n 1 /tmp/follow)" \
		[ "$(grep -c '"address"' /tmp/follow)" = 0 ]
	check follower_goes_on_when_it_was_told "$(cat /tmp/follow.err)" \
		kill -0 $follower
	kill -INT $follower
	wait $follower
	rc=$?
	check follower_ends_when_interrupted "exit $rc" [ $rc = 130 ]
	upkeep_follows
	agent_stop
	wait $follower
	rc=$?
	check follower_ends_when_the_agent_does \
		"exit $rc $(cat /tmp/follow.err)" [ $rc = 3 ]
}

# ---- a full disk ------------------------------------------------------------

# Twelve logins with a verdict each: more than the rest of a page.
upkeep_fills_the_log()
{
	local i

	for ((i = 0; i < 12; i++)); do
		agent_exhaust
		try --read read --file $ag/photos/000004.jpg
	done
}

upkeep_disk()
{
	agent_start --state-dir $up_small
	dd if=/dev/zero of=$up_small/fill bs=4k 2>/tmp/dd
	upkeep_fills_the_log
	agent_exhaust
	agent_refuses reads_are_refused_when_the_disk_is_full
	check agent_says_that_events_are_not_written_when_the_disk_is_full \
		"$(tail -n 2 "$log")" wait_log 1 'nothing is written down: No sp'
	check lost_lines_are_counted_when_the_disk_is_full \
		"$(status_of .events_unwritten)" \
		[ "$(status_of .events_unwritten)" -gt 0 ]
	write_policy < <(agent_policy)
	check policy_comes_into_force_when_the_disk_is_full \
		"$(tail -n 2 "$log")" agent_reload
	check agent_says_that_budgets_are_not_saved_when_the_disk_is_full \
		"$(tail -n 2 "$log")" wait_log 1 'cannot be saved'
	agent_refuses used_budget_is_used_when_the_disk_is_full
	rm $up_small/fill
	agent_exhaust
	agent_refuses reads_are_refused_when_there_is_room_again
	check agent_says_that_events_are_written_when_there_is_room_again \
		"$(tail -n 2 "$log")" wait_log 1 'written again'
	check events_are_written_when_there_is_room_again \
		"$(evidence_lines $up_small | tail -n 1)" waits 5 \
		upkeep_has_written
	write_policy < <(agent_policy)
	agent_reload
	check budgets_are_saved_when_there_is_room_again \
		"$(tail -n 2 "$log")" wait_log 1 'budgets are saved again'
	agent_stop
	told=$("$bin/cordon" evidence verify --json $up_small/evidence)
	check evidence_is_whole_when_the_disk_was_full "$told" \
		jq -e '.whole and .skipped > 0' <<<"$told"
	upkeep_starts_on_a_full_disk
}

upkeep_has_written()
{
	evidence_lines $up_small | grep -q "\"login\":\"$login\""
}

# Events and budgets have nowhere to go: that is no reason to let go of the guard.
upkeep_starts_on_a_full_disk()
{
	local before

	before=$(ls $pins)
	dd if=/dev/zero of=$up_small/fill bs=4k 2>/tmp/dd
	agent_start --state-dir $up_small
	check agent_starts_when_the_disk_is_full "$(tail -n 3 "$log")" \
		[ "$(status_of .pid)" = "$agent" ]
	check pins_stay_when_started_on_a_full_disk "$(ls $pins)" \
		[ "$(ls $pins)" = "$before" ]
	agent_refuses reads_are_refused_when_started_on_a_full_disk
	agent_stop
	rm $up_small/fill
}

# ---- a supervisor -----------------------------------------------------------

upkeep_hears()
{
	python3 -u - $up_notify <<-'P' >/tmp/notify &
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	while True:
	    text = s.recv(4096).decode()
	    print(text.replace("\n", " "))
	    if text.startswith("STOPPING"):
	        break
	P
	ear=$!
	waits 5 [ -S $up_notify ]
}

upkeep_notifies()
{
	local ear said

	upkeep_hears
	NOTIFY_SOCKET=$up_notify agent_start
	write_policy < <(agent_policy)
	agent_reload
	agent_stop
	waits 5 grep -q STOPPING /tmp/notify || kill $ear
	wait $ear
	said=$(grep -oE '^(READY|RELOADING|STOPPING)=1' /tmp/notify |
		tr '\n' ' ')
	check supervisor_is_told_each_state_when_it_listens "$said" \
		[ "$said" = "READY=1 RELOADING=1 READY=1 STOPPING=1 " ]
	check supervisor_is_told_when_a_reload_began "$(cat /tmp/notify)" \
		grep -qE '^RELOADING=1 MONOTONIC_USEC=[0-9]+ ' /tmp/notify
	check supervisor_is_told_the_policy_in_force "$(cat /tmp/notify)" \
		grep -qE "^READY=1 STATUS=enforcing policy serial $serial " \
		/tmp/notify
}

# ---- a host that lacks something --------------------------------------------

# upkeep_doctor: without what it needs, beside a guard that it must not touch.
upkeep_doctor()
{
	unshare -m bash -c 'umount -l /sys/fs/cgroup &&
		exec setpriv --bounding-set=-sys_admin,-bpf "$@"' bash \
		"$bin/cordond" --doctor --policy "$policy" \
		--run-dir /run/nobody >/out/doctor-poor 2>&1
	rc=$?
	check doctor_fails_when_it_lacks_capabilities \
		"exit $rc $(tail -n 3 /out/doctor-poor)" [ $rc = 1 ]
	check doctor_names_the_remedy_when_it_lacks_capabilities \
		"$(grep -A1 capabilities /out/doctor-poor)" \
		upkeep_says FAIL capabilities 'run this as root'
	check doctor_names_the_remedy_when_cgroup2_is_not_mounted \
		"$(grep -A1 cgroup2 /out/doctor-poor)" \
		upkeep_says warn cgroup2 'mount cgroup2'
}

# upkeep_says STATUS WHAT REMEDY: on that line or the one behind it.
upkeep_says()
{
	grep -iE -A2 "^$1 +$2" /out/doctor-poor | tr '\n' ' ' | grep -q "$3"
}

# upkeep_instead FILE TEXT COMMAND...: where that is what FILE says.
upkeep_instead()
{
	printf '%s' "$2" >/tmp/instead
	# shellcheck disable=SC2016 # the other shell's
	timeout 120 unshare -m bash -c 'mount --bind /tmp/instead "$1" && shift &&
		exec "$@"' bash "$1" "${@:3}"
}

# upkeep_lacks WHEN FILE TEXT WHAT REMEDY: neither the doctor nor the agent
# leaves something behind. No guard is there by now.
upkeep_lacks()
{
	local when=$1 file=$2 text=$3 what=$4 remedy=$5

	upkeep_instead "$file" "$text" "$bin/cordond" --doctor \
		--policy "$policy" --run-dir /run/nobody >/out/doctor-poor 2>&1
	rc=$?
	check doctor_fails_when_$when "exit $rc $(tail -n 3 /out/doctor-poor)" \
		[ $rc = 1 ]
	check doctor_names_the_remedy_when_$when \
		"$(grep -A1 "$what" /out/doctor-poor)" \
		upkeep_says FAIL "$what" "$remedy"
	upkeep_instead "$file" "$text" "$bin/cordond" --policy "$policy" \
		--state-dir "$state" --run-dir "$run" >/tmp/lacks 2>&1
	rc=$?
	check agent_refuses_to_start_when_$when \
		"exit $rc $(tail -n 3 /tmp/lacks)" [ $rc = 1 ]
	check agent_names_the_remedy_when_$when "$(cat /tmp/lacks)" \
		grep -q "$remedy" /tmp/lacks
	check no_pin_is_left_when_$when "$(ls /sys/fs/bpf)" \
		[ -z "$(ls /sys/fs/bpf)" ]
}

# ---- the end ----------------------------------------------------------------

# A hook that is taken out does not say so: a program that is still pinned sees
# nothing any more.
upkeep_unhooks()
{
	cordon doctor >/out/doctor-whole 2>&1
	rc=$?
	check doctor_is_content_when_every_hook_is_in_place \
		"exit $rc $(grep -A1 hooks /out/doctor-whole)" \
		grep -qE 'hooks +([0-9]+) of \1 acts' /out/doctor-whole
	"$bin/tests/kernel/pins" unhook link_egress >/tmp/pins 2>&1 ||
		fail egress_can_be_unhooked "$(cat /tmp/pins)"
	cordon doctor --json >/out/doctor-unhooked 2>&1
	rc=$?
	check doctor_fails_when_a_hook_is_dead "exit $rc" [ $rc = 1 ]
	check doctor_names_the_hook_when_it_is_dead \
		"$(grep hooks /out/doctor-unhooked)" \
		grep -q 'did not see: cgroup egress"' /out/doctor-unhooked
}

upkeep_reads()
{
	try --read read --file $ag/photos/000004.jpg
	[ "$rc" = 0 ]
}

upkeep_ends()
{
	agent_start --foreground
	agent_exhaust
	agent_stop
	check agent_ends_well_when_terminated "exit $ended" [ $ended = 0 ]
	check guard_stays_when_stopped_in_the_foreground "$(tail -n 1 "$log")" \
		[ -e $pins/state ]
	agent_refuses reads_are_refused_when_stopped_in_the_foreground
	agent_start --foreground --detach
	agent_refuses reads_are_refused_when_it_will_detach
	upkeep_unhooks
	kill "$agent"
	on_one wait "$agent"
	rc=$?
	agent=
	check agent_ends_well_when_it_detaches "exit $rc" [ $rc = 0 ]
	check no_pin_is_left_when_stopped_with_detach "$(ls $pins 2>&1)" \
		[ ! -e $pins ]
	check agent_says_so_when_it_detaches "$(tail -n 1 "$log")" \
		grep -q 'nothing is protected now' "$log"
	check reads_pass_when_stopped_with_detach "$json" \
		waits 5 upkeep_reads
}

upkeep_cases()
{
	upkeep_versions
	upkeep_events
	upkeep_disk
	upkeep_notifies
	upkeep_doctor
	upkeep_ends
	upkeep_lacks types_are_missing /sys/kernel/btf/vmlinux '' \
		'kernel BTF' CONFIG_DEBUG_INFO_BTF
	upkeep_lacks the_kernel_is_locked_down /sys/kernel/security/lockdown \
		'none integrity [confidentiality]' lockdown lockdown=integrity
}
