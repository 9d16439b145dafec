# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# The policies that ship, each loaded as it stands, on a host that has what they
# name. (`make demo` shows print-shop.yaml at work.)

po_base=/var/lib/postgresql/15/main/base/16384
po_dump=/srv/dumps
po_cards=/srv/personnel
po_clerk=1240
po_cardprint=1241
po_port=5432 # of the standby; a receiver of its own listens there
po_standby=10.40.0.12
po_desk=10.41.0.7
po_sink=/run/sink-policies.sock
po_printd=/opt/cardprint/bin/printd
po_postgres=/usr/lib/postgresql/15/bin/postgres
po_server=$probe # what the database's unit runs
po_printer=/run/sink-printer.sock

# Rows of the length that the policy has, and a mark in each.
policies_rows()
{
	mkdir -p "$1"
	"$bin/tests/makeset" /tmp/rows --records "$3" --photo-bytes 64 \
		--row-bytes "$2"
	mv /tmp/rows/roster.csv "$1/$4"
	rm -rf /tmp/rows
}

policies_prepare()
{
	policies_rows $po_base 420 2000 2608
	policies_rows $po_dump 300 500 hr.dump
	"$bin/tests/makeset" $po_cards --records 40 --photo-bytes 1000
	chmod -R a+rX /var/lib/postgresql $po_dump $po_cards
	getent group dba >/dev/null || groupadd -g 4330 dba
	getent passwd hrapp >/dev/null ||
		useradd --system --no-create-home -u $po_clerk hrapp
	getent passwd cardprint >/dev/null ||
		useradd --system --no-create-home -u $po_cardprint cardprint
	mkdir -p ${po_printd%/*}
	cp "$probe" $po_printd
	chmod 755 /opt /opt/cardprint ${po_printd%/*} $po_printd
	ip route replace 10.40.0.0/15 via $there
	ip -n outside addr add $po_standby/32 dev eth0
	ip -n outside addr add $po_desk/32 dev eth0
	ip netns exec outside "$sink" --port $po_port --socket $po_sink \
		>/dev/null &
	ip netns exec outside "$sink" --port 9100 --socket $po_printer \
		>/dev/null &
}

# policies_in UNIT COMMAND...: as a service is, without a login.
policies_in()
{
	in_cgroup "/system.slice/$1" "${@:2}"
}

policies_ask()
{
	got=$("$sink" --query $po_sink reset)
}

# policies_value JSON KEY: a number out of a line of JSON.
policies_value()
{
	jq -r ".$2 // -1" <<<"$1"
}

# ---- acts: each leaves $json, $rc and $got ----------------------------------

# policies_sends TO ROWS: the database reads and sends so many of its rows.
policies_sends()
{
	policies_ask
	hear policies_in postgresql@15-main.service $po_server --timeout 20 \
		--to $1 --port $po_port --read read --length $((420 * $2)) \
		--file $po_base/2608 --release send
	policies_ask
}

# policies_reads ROWS COMMAND...: so many rows of the database's file.
policies_reads()
{
	local rows=$1
	shift

	hear "$@" "$probe" --read read --length $((420 * rows)) \
		--read-chunk 420 --file $po_base/2608
}

policies_dba()
{
	as $1 setpriv --groups 4330 "${@:2}"
}

policies_clerk()
{
	policies_in hr-app.service setpriv --reuid $po_clerk --regid $po_clerk \
		--clear-groups "$@"
}

# A service that no rule expects takes photos and sends them far away.
policies_leaks()
{
	files $po_cards 1 30
	policies_ask
	hear policies_in unheard-of.service "$probe" --timeout 20 \
		--to 10.30.0.5 --port $po_port --read read --release send \
		"${args[@]}"
	policies_ask
}

# policies_prints PROGRAM TO: the card printer sends a photo there.
policies_prints()
{
	"$sink" --query $po_printer reset >/dev/null
	hear policies_in cardprint.service setpriv --reuid $po_cardprint \
		--regid $po_cardprint --clear-groups "$1" --timeout 20 \
		--to $2 --port 9100 --read read --release send \
		--file $po_cards/photos/000001.jpg
	got=$("$sink" --query $po_printer reset)
}

# policies_looks LOGIN: somebody who logged in takes 21 photos.
policies_looks()
{
	files $po_cards 1 21
	hear as $1 "$probe" --read read "${args[@]}"
}

# ---- what came of them ------------------------------------------------------

policies_arrived()
{
	[ "$rc" = 0 ] && [ "$(policies_value "$got" records)" = "$1" ] &&
		[ "$(policies_value "$got" total_bytes)" = "$2" ]
}

policies_was_read()
{
	[ "$rc $(policies_value "$json" read_bytes)" = "0 $((420 * $1))" ]
}

policies_was_refused()
{
	[ "$rc $(policies_value "$json" read_bytes)" = "1 $((420 * $1))" ]
}

policies_twins()
{
	policies_sends $po_standby 1000
	twin_of policies/standby policies_arrived 1000 420000
	policies_sends $po_desk 1000
	twin_of policies/desk policies_arrived 1000 420000
	policies_reads 2000 env
	twin_of policies/rows policies_was_read 2000
	policies_leaks
	twin_of policies/photos policies_arrived 30 30000
	policies_prints $po_printd 10.30.0.5
	twin_of policies/card policies_arrived 1 1000
	policies_looks 20305
	twin_of policies/looks [ "$rc $(policies_value "$json" \
		read_bytes)" = "0 21000" ]
}

# policies_load FILE HOST: as that host, in the time for which it was written; in
# the guard that is there or a new one.
policies_load()
{
	local begins r

	begins=$(awk '$1 == "not-before:" { print $2 }' "policies/$1")
	date -s "$(date -d "$begins + 1 day")" >/dev/null
	echo "$2" >/proc/sys/kernel/hostname
	cp "policies/$1" "$policy"
	if [ -n "$agent" ]; then
		agent_reload
	else
		agent_start
	fi
	r=$?
	check "$1_comes_into_force_as_it_stands" "$(tail -n 3 "$log" |
		tr '\n' ' ')" [ $r = 0 ]
}

# The server is another program for a while.
policies_server()
{
	mkdir -p ${po_postgres%/*}
	[ -e $po_postgres ] || : >$po_postgres
	cp "$probe" /srv/postgres
	mount --bind /srv/postgres $po_postgres
	po_server=$po_postgres
}

policies_database()
{
	policies_load database-host.yaml hrdb-1
	if proved database_sends_all_when_to_the_standby policies/standby; then
		policies_sends $po_standby 1000
		check database_sends_all_when_to_the_standby \
			"exit $rc $json $got" policies_arrived 1000 420000
	fi
	if proved database_sends_nothing_when_to_a_desk policies/desk; then
		policies_sends $po_desk 1000
		check database_sends_nothing_when_to_a_desk \
			"exit $rc $json $got" \
			[ "$rc $(policies_value "$got" total_bytes)" = "1 0" ]
	fi
	proved rows_are_refused_when_nobody_knows_the_reader policies/rows ||
		return
	policies_reads 2000 env
	check rows_are_refused_when_nobody_knows_the_reader "exit $rc $json" \
		policies_was_refused 0
	policies_reads 50 policies_dba 20300
	check rows_are_read_when_a_dba_looks_at_some "exit $rc $json" \
		policies_was_read 50
	policies_reads 51 policies_dba 20301
	check rows_stop_at_the_budget_when_a_dba_takes_more "exit $rc $json" \
		policies_was_refused 50
	policies_reads 1 policies_clerk
	check rows_are_refused_when_the_application_reads_the_file \
		"exit $rc $json" policies_was_refused 0
	policies_reads 1 policies_in postgresql@15-main.service
	check rows_are_refused_when_the_server_runs_another_program \
		"exit $rc $json" policies_was_refused 0
	hear "$probe" --read read --file $po_dump/hr.dump
	check dumps_are_refused_when_nobody_knows_the_reader "exit $rc $json" \
		policies_was_refused 0
}

policies_trial()
{
	local over

	policies_load observe-trial.yaml cardprint-1
	check trial_observes_when_loaded "$(status_of .mode)" \
		[ "$(status_of .mode)" = observe ]
	proved trial_denies_nothing_when_photos_leave policies/photos || return
	policies_leaks
	check trial_denies_nothing_when_photos_leave "exit $rc $json $got" \
		policies_arrived 30 30000
	files $po_cards 1 40
	hear as 20302 "$probe" --read read "${args[@]}"
	check trial_denies_nothing_when_a_person_reads_more "exit $rc $json" \
		[ "$rc $(policies_value "$json" records)" = "0 40" ]
	over=$(cordon ledger --json | jq -rs 'map(select(.type == "ledger" and
		.dataset == "personnel")) |
		"\(map(select(.destination == "read" and .subject == "*").over_acts)
			| add > 0) \(map(select(.destination != "read").over_acts) |
		add > 0) \(map(select(.subject == "people").over_acts) | add > 0) " +
		"\(map(.blocked_acts) | add)"')
	check trial_counts_all_that_was_over_when_nothing_is_denied "$over" \
		[ "$over" = "true true true 0" ]
	over=$(cordon events --json | jq -rs 'map(select(.type == "verdict")) |
		"\(length > 0) \(map(select(.verdict == "block")) | length)"')
	check trial_reports_when_nothing_is_denied "$over" \
		[ "$over" = "true 0" ]
}

policies_print_shop()
{
	policies_load print-shop.yaml cardprint-1
	policies_prints $po_printd 10.20.0.5
	check card_is_printed_when_the_printer_is_named "exit $rc $json $got" \
		policies_arrived 1 1000
	if proved card_is_refused_when_the_printer_is_none policies/card; then
		policies_prints $po_printd 10.30.0.5
		check card_is_refused_when_the_printer_is_none \
			"exit $rc $json $got" [ "$rc $(policies_value "$json" \
			errno_send) $(policies_value "$got" total_bytes)" \
			= "1 1 0" ]
	fi
	if proved photos_stop_at_20_when_a_login_looks policies/looks; then
		policies_looks 20306
		check photos_stop_at_20_when_a_login_looks "exit $rc $json" \
			[ "$rc $(policies_value "$json" records)" = "1 20" ]
	fi
}

policies_cases()
{
	local wall=$(($(date +%s) - SECONDS))

	agent_gone
	policies_server
	policies_database
	umount $po_postgres
	agent_gone
	policies_trial
	policies_print_shop
	agent_gone
	echo cardprint-1 >/proc/sys/kernel/hostname
	date -s "@$((wall + SECONDS))" >/dev/null
}
