# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What build, run, clean and selftest share: where things live, which kernels
# there are, and how a cached piece is told from a stale one.

vm_src=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
vm_dir=$(cd -- "$vm_src/../.." && pwd)/build/vm
vm_prog=tests/vm/$(basename -- "$0")

# A failure of the bench itself, as opposed to one of what runs in it.
vm_die()
{
	printf '%s: %s\n' "$vm_prog" "$*" >&2
	exit 125
}

# The help of a script is its own header.
vm_help()
{
	sed -n -e '1,/^$/{/^#!/d;/^# SPDX/d;s/^# \{0,1\}//p}' "$0" |
		sed -e '/./,$!d'
}

# Names of all kernels in the table.
vm_kernels()
{
	sed -e 's/#.*//' "$vm_src/kernels" | awk 'NF == 3 { print $1 }'
}

# The line of one kernel: suite and package; fails if there is none.
vm_kernel()
{
	sed -e 's/#.*//' "$vm_src/kernels" |
		awk -v n="$1" 'NF == 3 && $1 == n { print $2, $3; f = 1 }
			END { exit !f }'
}

# Everything that decides the content of a piece goes into its key, the build
# script included: a changed recipe is a changed result.
vm_userland_key()
{
	cat "$vm_src/packages" "$vm_src/build" | sha256sum | cut -c1-16
}

vm_kernel_key()
{
	{ vm_kernel "$1" && cat "$vm_src/build"; } | sha256sum | cut -c1-16
}

vm_userland()
{
	printf '%s/userland-%s.ext4\n' "$vm_dir" "$(vm_userland_key)"
}

vm_userland_ready()
{
	[ -f "$(vm_userland)" ]
}

vm_kernel_ready()
{
	local have

	have=$(cat "$vm_dir/kernel-$1/key" 2>/dev/null) &&
		[ "$have" = "$(vm_kernel_key "$1")" ]
}
