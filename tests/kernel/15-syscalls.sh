# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh
#
# Every system call that this kernel has stands in the table of what it can
# carry, and the table says something of each. No guard is needed for it.

sc=tests/channel/syscalls.tsv
sc_gaps=tests/channel/KNOWN-GAPS.md

# syscalls_of KALLSYMS: the names of the calls that the kernel has, as its own
# table has them.
#
# Each call is a function for each of its entries: __x64_sys_X, __ia32_sys_X
# (int 0x80), and with "compat_" where a 32-bit caller's memory looks different
# (__x64_compat_sys_X is x32's). One that is not built in is a weak symbol (W),
# which only fails. What is not called as in the table of x86-64 is a variant:
# of another width of times (_time32, _time64, 32), users (16) and sizes (64),
# of another age (old, new), or i386's own name for the same thing; the one
# with a 2 takes its arguments in an order that no table of x86 has.
syscalls_of()
{
	sed -nE 's/^[0-9a-f]+ T __(x64|ia32)_(compat_)?sys_([a-z0-9_]+)$/\3/p' \
		"$1" | sed -E '
		/^ni_syscall$/d
		s/^(ia32|x32)_//
		s/_time(32|64)$//
		s/time32$/time/
		s/16$//
		s/v64v2$/v2/
		s/v64$/v/
		s/^fadvise64_64$/fadvise64/
		s/^(f?truncate|f?statfs|[fl]?stat|fcntl|sendfile)64$/\1/
		s/^fstatat64$/newfstatat/
		s/^(new|old)([fl]?stat|uname)$/\2/
		s/^old_?(getrlimit|mmap|(msg|sem|shm)ctl|select|umount)$/\1/
		s/^umount$/umount2/
		s/^mmap_pgoff$/mmap/
		s/^llseek$/lseek/
		s/^sync_file_range2$/sync_file_range/
		s/^old_readdir$/getdents/
		s/^gethostname$/uname/
		s/^nice$/setpriority/
		s/^recv$/recvfrom/
		s/^send$/sendto/
		s/^stime$/settimeofday/
		s/^waitpid$/wait4/
		s/^s[gs]etmask$/rt_sigprocmask/
		s/^signal$/rt_sigaction/
		s/^sig(action|pending|procmask|return|suspend)$/rt_&/
		' | sort -u
}

# syscalls_missing KALLSYMS: those without a row.
syscalls_missing()
{
	syscalls_of "$1" | comm -23 - <(grep -v '^#' $sc | cut -f 1 | sort)
}

# syscalls_wrong TABLE: what is wrong with it, a line for each.
syscalls_wrong()
{
	"$probe" list | awk -F '\t' -v gaps=$sc_gaps '
	function wrong(what) { print $1 ": " what }
	BEGIN {
		split("gap covert tracked metered refused none", list, " ")
		for (i in list)
			verdicts[list[i]] = 1
		while ((getline line < gaps) > 0)
			if (split(line, cell, / *[|] */) > 4)
				entries[cell[2]] = 1
	}
	FILENAME == "-" {
		split($0, word, " ")
		probes[word[1] "/" word[2]] = 1
		kinds[word[1]] = 1
		next
	}
	/^#/ { next }
	NF != 3 {
		wrong("not three columns")
		next
	}
	seen[$1]++ { wrong("a second row") }
	!($2 in verdicts) { wrong("no such verdict: " $2) }
	$3 !~ /[^ ]/ { wrong("no reason") }
	$2 == "gap" || $2 == "covert" {
		entry = $3
		if (!sub(/: .*/, "", entry) || !(entry in entries))
			wrong("not in KNOWN-GAPS.md: " entry)
	}
	{
		n = split($3, word, /[^a-z0-9\/_-]+/)
		for (i = 1; i <= n; i++) {
			# Else it is a path, or two words.
			if (split(word[i], at, "/") != 2 || !(at[1] in kinds))
				continue
			if (!(word[i] in probes))
				wrong("no such probe: " word[i])
		}
	}' - "$1"
}


syscalls_wrong_rows()
{
	local name row what got

	while IFS='|' read -r name row what; do
		printf 'read\ttracked\tby its hook\n%b\n' "$row" \
			>/tmp/syscalls.tsv
		got=$(syscalls_wrong /tmp/syscalls.tsv)
		check "row_is_refused_when_$name" "$got" [ "$got" = "$what" ]
	done <<-'R'
	its_verdict_is_unknown|a\tmaybe\tby its hook|a: no such verdict: maybe
	it_is_the_second|read\ttracked\tby its hook|read: a second row
	it_has_no_reason|a\tnone\t|a: no reason
	it_has_two_columns|a\tnone|a: not three columns
	its_gap_is_not_known|a\tgap\tno: such entry|a: not in KNOWN-GAPS.md: no
	its_gap_has_no_name|a\tcovert\tcopies|a: not in KNOWN-GAPS.md: copies
	its_probe_is_unknown|a\ttracked\tso (read/no)|a: no such probe: read/no
	R
}

syscalls_cases()
{
	local missing calls=/proc/kallsyms

	missing=$(syscalls_missing $calls | xargs)
	check call_has_a_row_when_the_kernel_has_it "no row: $missing" \
		[ -z "$missing" ]
	# All of them: 6.1 has more than 330 with code behind them.
	check calls_are_found_when_the_kernel_has_them \
		"$(syscalls_of $calls | wc -l)" \
		[ "$(syscalls_of $calls | wc -l)" -gt 330 ]
	missing=$(syscalls_wrong $sc | paste -sd ';')
	check table_is_right_when_it_is_read "$missing" [ -z "$missing" ]
	{
		cat $calls
		printf '%s T __%s\n' \
			0 x64_sys_carry_off 0 ia32_compat_sys_carry_old_time32
		echo '0 W __x64_sys_not_built'
	} >/tmp/kallsyms
	missing=$(syscalls_missing /tmp/kallsyms | xargs)
	check call_is_named_when_it_has_no_row "named: $missing" \
		[ "$missing" = 'carry_off carry_old' ]
	syscalls_wrong_rows
}
