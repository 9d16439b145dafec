# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# What `cordon explain' tells of a chain of hops that real tools made, beside
# what is known of it here: cat reads six photos, gzip gets them by a pipe and
# writes a file, another cat reads that, and a shell gets it by a pipe.

ex=/srv/explained
explained=

explain_prepare()
{
	mkdir -p $ex
	chmod 777 $ex
	# Older than all that is tried.
	head -c 20000 /dev/urandom >$ex/old
}

# explain WHAT [FILTER]: its lines that fit, one JSON array in $json.
explain()
{
	cordon explain "$1" --json >/tmp/explained
	rc=$?
	json=$(jq -sc "[.[] | select(.type == \"${2-step}\")]" /tmp/explained)
}

explain_is()
{
	jq -e "$1" >/dev/null <<<"$json"
}

# told NAME EXPRESSION: it holds of $json.
told()
{
	check "explain/$1" "exit $rc $json" explain_is "$2"
}

explain_chain()
{
	local i

	new_login
	files $re 1 6
	# shellcheck disable=SC2016 # the other shell's
	to=$ex/copy as $login bash -c 'cat "$@" | gzip >"$to"' - \
		${args[*]/--file/}
	new_login
	rm -f $ex/pid
	# Its number is written before it holds anything.
	# shellcheck disable=SC2016 # the other shell's
	as $login bash -c 'echo $$ >"$1"; read -rn 1 x < <(exec cat "$0")
		exec sleep 300' $ex/copy $ex/pid 2>/dev/null &
	for ((i = 0; i < 5 * patience; i++)); do
		explained=$(cat $ex/pid 2>/dev/null)
		[ "$(cat /proc/${explained:-1}/comm)" = sleep ] && break
		nap 0.2
	done
}

explain_kinds='map(.kind) == ["read", "pipe", "file", "pipe"]'

explain_living()
{
	explain $explained
	told tells_the_chain_when_three_hops "$explain_kinds"
	told names_who_took_when_three_hops \
		'map(.comm) == ["cat", "gzip", "cat", "bash"]'
	told links_the_steps_when_three_hops 'length == 4 and
		[.[1:][].from_pid] == [.[:-1][].pid] and
		[.[1:][].from_holding] == [.[:-1][].holding]'
	told ends_with_who_is_asked_about_when_alive \
		"last.pid == $explained"
	told names_the_logins_when_two "map(.login) ==
		[\"$((login - 1))\", \"$((login - 1))\", \"$login\", \"$login\"]"
	told counts_what_went_when_three_hops \
		'length == 4 and all(.records == 6 and .bytes >= 18000 and
			.dataset == "records")'
	told is_in_the_order_of_time_when_three_hops \
		'length == 4 and map(.time) == (map(.time) | sort)'
	explain $explained gap
	told has_no_gap_when_all_is_known '. == []'
	explain $explained holding
	told tells_what_is_held_when_alive 'length == 1 and
		.[0].records == 6 and .[0].dataset == "records" and
		.[0].comm == "cat"'
	explain $explained limit
	told tells_what_is_refused_when_over \
		'any(.destination == "*" and .over and .due == 6 and .max == 4)'
	told tells_what_is_free_when_unlimited \
		'any(.destination == "read" and (.over | not) and .max == null)'
}

explain_others()
{
	explain $BASHPID process
	told says_so_when_bystander 'all(.holds | not) and length == 1'
	kill $explained
	wait $! 2>/dev/null
	explain $explained
	told tells_the_chain_when_gone "$explain_kinds"
	explain $explained process
	told says_so_when_gone 'length == 1 and
		all(.alive == false and .holds)'
	cordon explain 4194303 >/dev/null
	check explain/exits_1_when_nothing_is_known "exit $?" [ $? = 1 ]
	explain $ex/copy
	told tells_the_chain_when_file 'map(.kind) == ["read", "pipe"]'
	explain $ex/copy file
	told says_who_wrote_it_when_file \
		'length == 1 and all(.holds and (.since | startswith("20")))'
	explain $re/photos/000001.jpg file
	told names_the_dataset_when_file_of_one \
		'length == 1 and all(.dataset == "records" and .record > 0)'
	explain $ex/old file
	told says_so_when_file_of_none \
		'length == 1 and
			all((.holds | not) and (has("dataset") | not))'
	cordon explain $ex/none >/dev/null 2>&1
	check explain/exits_2_when_no_such_file "" [ $? = 2 ]
}

# Somebody's job was refused, and is gone: its number is in the events.
explain_refused()
{
	local pid

	new_login
	files $re 1 6
	# shellcheck disable=SC2016 # the other shell's
	as $login bash -c 'cat "${@:3}" | (exec cat >"/dev/tcp/$1/$2")' - \
		$there $port ${args[*]/--file/} 2>/dev/null
	ask # what came of it before is not the next one's
	pid=$(cordon events --json | jq -r --arg l "$login" 'select(
		.verdict == "block" and .login == $l) | .tgid' | tail -n 1)
	explain "${pid:-1}"
	told tells_the_chain_when_refused_and_gone 'map(.kind) == ["read", "pipe"]
		and map(.comm) == ["cat", "cat"]'
	explain "${pid:-1}" verdict
	told tells_of_the_refusal_when_gone 'any(.verdict == "block")'
}

explain_cases()
{
	agent_with < <(hops_policy yes) || return
	explain_chain
	explain_living
	explain_others
	explain_refused
	cordon explain $ex/copy >/out/explained
}
