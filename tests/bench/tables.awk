# SPDX-License-Identifier: GPL-2.0-only
#
# Makes tables and JSON rows of counts.tsv (state, who, turn, operation,
# instructions), the counts of one kernel. Called by tests/bench/run with the
# variables kernel, rows, idle and peers (files for the rows).
#
# Of all turns the cheapest counts; how far the next one lies from it is told.
# More than a hundredth with or without the guard, or a count that is none: exit
# status 1.
# (auditd does not repeat so well, and is not ours.)

BEGIN {
	FS = "\t"

	# Targets: instructions added, or "x" and a ratio.
	target["bystander", "open+close"] = 280
	target["bystander", "read 4 KiB"] = 230
	target["bystander", "pread 64 B"] = 230
	target["bystander", "write 4 KiB"] = 230
	target["bystander", "stat"] = 0
	target["bystander", "TCP send 64 B"] = 470
	target["bystander", "TCP send 1 KiB"] = 470
	target["bystander", "UDP send 1 KiB"] = 470
	target["bystander", "unix send+receive"] = 700
	target["bystander", "pipe pair"] = 700
	target["bystander", "fork"] = "x1.02"
	target["bystander", "exec"] = "x1.02"
	target["bystander", "TCP transfer 100 MB"] = "x1.03"
	target["bystander-same-fs", "open+close"] = 280
	target["bystander-same-fs", "read 4 KiB"] = 290
	target["bystander-same-fs", "pread 64 B"] = 290
	target["bystander-same-fs", "write 4 KiB"] = 290
	target["bystander-same-fs", "stat"] = 0
	target["bystander-same-fs", "tar of 10,000 files"] = "x1.04"
	target["protected", "open+close"] = 500
	target["protected", "read 4 KiB"] = 800
	target["protected", "pread 64 B"] = 800
	target["protected", "stat"] = 0
	target["holder", "TCP send 64 B"] = 900
	target["holder", "TCP send 1 KiB"] = 900
	target["holder", "UDP send 1 KiB"] = 900

	# What the same bytes of code differ by from process to process.
	noise = 15
}

{
	key = $1 SUBSEP $2 SUBSEP $4
	if (!(key in least)) {
		least[key] = $5
	} else if ($5 < least[key]) {
		second[key] = least[key]
		least[key] = $5
	} else if (!(key in second) || $5 < second[key]) {
		second[key] = $5
	}
	if ($5 !~ /^[1-9][0-9]*$/)
		wrong++
	seen[$1] = 1
	if ($1 == "none") {
		if (!(($2, $4) in known))
			order[++lines] = $2 SUBSEP $4
		known[$2, $4] = 1
	}
}

function count(state, who, op) {
	return least[state, who, op]
}

# By how much, in the words of the operation's target.
function added(from, to, big) {
	if (from == "" || to == "")
		return "-"
	return big ? sprintf("x%.4f", to / from) : sprintf("%+d", to - from)
}

function verdict(goal, from, to) {
	if (goal == "" || to == "")
		return ""
	if (goal ~ /^x/)
		return to <= from * substr(goal, 2) ? "ok" : "over"
	return to - from <= goal + (goal == 0 ? noise : 0) ? "ok" : "over"
}

function json(file, who, op, from, to, guard) {
	printf "{\"kernel\": \"%s\", \"operation\": \"%s\", " \
		"\"who\": \"%s\", \"without\": %d, \"with\": %d%s}\n",
		kernel, op, who, from, to,
		guard == "" ? "" : ", \"guard\": \"" guard "\"" >file
}

function big(op) {
	return op ~ /^(fork|exec|tar|TCP transfer)/
}

function guard_table(   i, part, who, op, base, unheld, held, goal) {
	printf "%-20s %-18s %10s %10s %8s %8s %7s\n", kernel, "who",
		"without", "with", "added", "idle", "target"
	for (i = 1; i <= lines; i++) {
		split(order[i], part, SUBSEP)
		who = part[1]
		op = part[2]
		base = count("none", who, op)
		unheld = count("idle", who, op)
		held = count("held", who, op)
		goal = target[who, op]
		printf "%-20s %-18s %10d %10d %8s %8s %7s %s\n", op, who,
			base, held, added(base, held, big(op)),
			added(base, unheld, big(op)), goal == "" ? "-" : goal,
			verdict(goal, base, held)
		json(rows, who, op, base, held)
		if (unheld != "")
			json(idle, who, op, base, unheld)
	}
	print ""
}

function peer_table(   i, part, who, op, base) {
	printf "%-20s %-18s %10s %8s %8s %8s\n", kernel, "who", "without",
		"cordon", "auditd", "fanotify"
	for (i = 1; i <= lines; i++) {
		split(order[i], part, SUBSEP)
		who = part[1]
		op = part[2]
		if (who == "holder")
			continue
		base = count("none", who, op)
		printf "%-20s %-18s %10d %8s %8s %8s\n", op, who, base,
			added(base, count("held", who, op), big(op)),
			added(base, count("auditd", who, op), big(op)),
			added(base, count("fanotify", who, op), big(op))
		if (seen["auditd"])
			json(peers, who, op, base, count("auditd", who, op),
				"auditd")
		if (seen["fanotify"])
			json(peers, who, op, base, count("fanotify", who, op),
				"fanotify")
	}
	print ""
}

# The largest distance of the two cheapest turns in the states that match, in
# percent.
function spread(states,   key, part, far, where, d) {
	far = 0
	where = "-"
	for (key in second) {
		split(key, part, SUBSEP)
		if (part[1] !~ states)
			continue
		d = 100 * (second[key] - least[key]) / least[key]
		if (d > far) {
			far = d
			where = part[1] ", " part[2] ", " part[3]
		}
	}
	apart = far
	return sprintf("%.2f %% (%s)", far, where)
}

# What is left of the guard once it is off.
function residue(   i, part, base, after, d, far, where) {
	far = 0
	where = "-"
	for (i = 1; i <= lines; i++) {
		split(order[i], part, SUBSEP)
		base = count("none", part[1], part[2])
		after = count("after", part[1], part[2])
		d = 100 * (after - base) / base
		if (d < 0)
			d = -d
		if (d > far) {
			far = d
			where = part[1] ", " part[2]
		}
	}
	return sprintf("%.2f %% (%s)", far, where)
}

END {
	if (seen["held"])
		guard_table()
	peer_table()
	ours = spread("^(none|idle|held|after)$")
	far = apart
	print "the two cheapest turns differ by at most " ours ", peers by " \
		spread("^(auditd|fanotify)$")
	if (seen["after"])
		print "after the guard is off: within " residue() " of before"
	if (far > 1)
		print "FAIL: more than 1 % between the two cheapest turns"
	if (!lines || wrong)
		print "FAIL: " wrong + 0 " of " lines + 0 " counts are none"
	print ""
	exit far > 1 || !lines || wrong
}
