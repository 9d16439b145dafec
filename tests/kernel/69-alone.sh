# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# The doctor where no agent runs; behind the parts that share a guard.

# Without an agent: a guard of its own is loaded, and leaves nothing behind.
alone_cases()
{
	agent_gone
	on_one cordond --doctor >/out/doctor-alone 2>&1
	check doctor_finds_hooks_alive_when_alone \
		"$(grep hooks /out/doctor-alone)" \
		grep -qE 'hooks +16 of 16 acts' /out/doctor-alone
	check doctor_leaves_no_pin_when_alone "$(ls /sys/fs/bpf)" \
		[ -z "$(ls /sys/fs/bpf)" ]
}
