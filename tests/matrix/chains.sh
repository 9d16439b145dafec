# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # who sources it says $w and the rest
#
# What the scripts of `chains' call. Nothing in here reads the dataset.

# wait_until COMMAND...: for ten seconds, until it succeeds.
wait_until()
{
	local i

	for ((i = 0; i < 200; i++)); do
		"$@" && return
		sleep 0.05
	done
	return 1
}

# wait_for FILE
wait_for()
{
	wait_until [ -e "$1" ]
}

answers()
{
	(: <"/dev/tcp/$2/$1") 2>/dev/null
}

# wait_port PORT [ADDRESS]
wait_port()
{
	wait_until answers "$1" "${2:-127.0.0.1}"
}

is_bound()
{
	ss -Hltn "sport = $1" | grep -q .
}

# wait_bound PORT: for who serves one connection.
wait_bound()
{
	wait_until is_bound "$1"
}

# An sshd of this login's own.
inside()
{
	/usr/sbin/sshd -f /srv/chains/sshd_config -p 2222 && wait_port 2222
}

# A print server of this login's own, with a queue to a printer outside.
cups()
{
	mkdir -p "$w"/cups/{spool,cache,run,log,root}
	cat >"$w/cups/cupsd.conf" <<-C
	Listen 127.0.0.1:7631
	DefaultAuthType None
	WebInterface No
	<Location />
	Allow all
	</Location>
	<Policy default>
	<Limit All>
	</Limit>
	</Policy>
	C
	cat >"$w/cups/cups-files.conf" <<-C
	ServerRoot $w/cups/root
	RequestRoot $w/cups/spool
	CacheDir $w/cups/cache
	StateDir $w/cups/run
	TempDir $w/cups/spool
	AccessLog $w/cups/log/access
	ErrorLog $w/cups/log/error
	PageLog $w/cups/log/page
	SystemGroup root
	Sandboxing relaxed
	C
	/usr/sbin/cupsd -c "$w/cups/cupsd.conf" -s "$w/cups/cups-files.conf" &&
		wait_port 7631 &&
		lpadmin -h 127.0.0.1:7631 -p q -E -v "chains://$o:$raw"
}

is_printed()
{
	[ -z "$(lpstat -h 127.0.0.1:7631 -o)" ]
}

cups_done()
{
	wait_until is_printed
}
