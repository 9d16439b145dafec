# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The disk that stays from boot to boot: --disk of tests/vm/run.

# disk_mount: on /data; with a file system from the first time on.
disk_mount()
{
	local disk

	disk=$(grep -l '^data$' /sys/block/vd*/serial | cut -d/ -f4)
	disk=/dev/${disk:?there is no such disk}
	blkid "$disk" >/dev/null || mkfs.ext4 -q "$disk" || return
	mkdir -p /data && mount "$disk" /data
}
