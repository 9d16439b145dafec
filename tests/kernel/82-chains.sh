# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2048,SC2086,SC2154 # plain words; lib.sh
#
# The long chains of tests/matrix with real tools, under `read: unlimited': what
# is tried is all the hops and the release at their end. `quick' are some of
# them, `limited' all of them where the release is unlimited and the reads are
# not.

ch=/srv/chains
outside=/srv/outside
drop=$outside/drop
family=
took=0
chains=()
quick=(
	chain/tar-gzip-openssl-nc chain/cat-xz-base64-curl
	chain/tar-zstd-wget chain/od-dig-dnsmasq chain/cat-dd-rsync-daemon
	chain/gzip-socat-openssl chain/xz-ncat-ssl chain/coproc-tcp
	chain/python3-shm-perl chain/perl-fifo-busybox-nc
	chain/script-gzip-nc chain/cat-sshd-ssh-nc
)
declare -A chain_script=() chain_unpack=() chain_most=()

# chain NAME UNPACK [MOST]: as tests/matrix/chains says; the script is the input.
chain()
{
	local name=$family/$1

	chains+=("$name")
	chain_unpack[$name]=$2
	chain_most[$name]=${3-$budget_records}
	chain_script[$name]=$(cat)
}

# chains_of FAMILY: in $chosen.
chains_of()
{
	local name

	chosen=()
	for name in "${chains[@]}"; do
		[[ $name == $1/* ]] && chosen+=("$name")
	done
}

# The socket backend of CUPS in a few words: the whole of CUPS is too much.
chains_backend()
{
	cat >/usr/lib/cups/backend/chains <<-'C'
	#!/bin/sh
	[ $# != 0 ] || exit 0
	[ -z "$6" ] || exec <"$6"
	to=${DEVICE_URI#chains://}
	exec nc -N "${to%:*}" "${to#*:}"
	C
	chmod 755 /usr/lib/cups/backend/chains
}

# What an administrator's host would have: keys, and who is outside.
chains_keys()
{
	ssh-keygen -q -t ed25519 -N '' -f $ch/host
	ssh-keygen -q -t ed25519 -N '' -f $ch/key
	cat >$ch/sshd_config <<-C
	HostKey $ch/host
	AuthorizedKeysFile $ch/key.pub
	PidFile none
	StrictModes no
	UsePAM no
	PrintMotd no
	Subsystem sftp internal-sftp
	C
	cat >/etc/ssh/ssh_config.d/chains.conf <<-C
	Host outside
	HostName $there
	Host inside
	HostName 127.0.0.1
	Port 2222
	Host *
	IdentityFile $ch/key
	StrictHostKeyChecking no
	UserKnownHostsFile /dev/null
	LogLevel ERROR
	ConnectTimeout 5
	C
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -subj /CN=outside -days 9999 -keyout $ch/pem.key \
		-out $ch/pem 2>/tmp/openssl
	cat $ch/pem.key >>$ch/pem
}

chains_outside()
{
	local i

	mkdir -p $outside/gpg
	chmod 700 $outside/gpg
	cat >$outside/rsyncd.conf <<-C
	[drop]
	path = $drop
	use chroot = no
	read only = no
	uid = 0
	gid = 0
	C
	RESTIC_PASSWORD=x restic -q --no-cache -r $outside/repo init
	in_outside tests/matrix/outside.py $drop 9010 9080 9443 $ch/pem \
		>$outside/ready 2>/out/outside &
	in_outside /usr/sbin/sshd -f $ch/sshd_config
	in_outside rsync --daemon --config=$outside/rsyncd.conf
	for ((i = 0; i < 20 * patience; i++)); do
		[ -s $outside/ready ] && return
		nap 0.05
	done
	fail chains/outside "does not answer: $(tail -n 1 /out/outside)"
}

in_outside()
{
	ip netns exec outside "$@"
}

chains_prepare()
{
	[ ${#chains[@]} = 0 ] || return
	family=chain
	# shellcheck source=tests/matrix/chains
	. tests/matrix/chains
	chains_wanted || return
	mkdir -p $ch
	chains_fresh
	chains_keys
	chains_backend
	chains_outside
}

# Not all that is prepared is asked for.
chains_wanted()
{
	[[ " ${parts[*]} " =~ \ (chains|quick|limited|database|replay)\  ]]
}

# Whoever of this login is still there, sshds and other servers of its own.
chains_end()
{
	local p who

	for p in /proc/[0-9]*; do
		{ read -r who <$p/loginuid; } 2>/dev/null
		[ "$who" != $login ] || kill -9 ${p##*/} 2>/dev/null
	done
	chains_fresh
}

# Of what is left in files nobody holds. See KNOWN-GAPS.md for the records of
# logins.
chains_fresh()
{
	rm -rf $ch/work $drop /dev/shm/chains
	rm -f /var/log/{lastlog,wtmp,btmp} /run/utmp
	mkdir -p $ch/work $drop
	chmod 1777 $ch/work
}

restic_dump()
{
	RESTIC_PASSWORD=x restic -q --no-cache -r $drop/repo dump latest /
}

# What has arrived by now: $bytes, and in $got what the sink says of it.
chains_count()
{
	local files

	mapfile -t files < <(find $drop -type f | sort)
	bytes=$(cat /dev/null "${files[@]}" | wc -c)
	case $1 in
	*restic*) ((bytes -= $(cat /dev/null $outside/repo/{config,keys/*} |
		wc -c))) ;;
	esac
	got=$(cat /dev/null "${files[@]}" | eval "${chain_unpack[$1]}" \
		2>/dev/null | "$sink" --count)
}

# chains_run NAME RECORDS [SECONDS]: as $login; waits for so many at most.
chains_run()
{
	local name=$1 began=${EPOCHREALTIME/.} i

	files $re 1 $2
	case $name in
	*restic*) cp -r $outside/repo $drop ;;
	esac
	json=
	as $login env o=$there here=10.99.0.1 raw=9010 web=9080 tls=9443 \
		w=$ch/work key=$ch/key drop=$drop timeout -k 1 ${3-20} bash -c \
		". tests/matrix/chains.sh; ${chain_script[$name]}" $name \
		${args[*]/--file/} </dev/null >/tmp/chain 2>&1
	rc=$?
	took=$(((${EPOCHREALTIME/.} - began) / 1000000 + 2))
	[ -z "${3-}" ] || nap 0.2
	for ((i = 0; i < 20; i++)); do
		chains_count $name
		if [ $rc != 0 ] || [ -n "${3-}" ] || came records $2; then
			break
		fi
		nap 0.1
	done
	cell=$bytes
	field "$got" records
	cell+=" $value"
}

chains_why()
{
	forget /tmp/chain
	echo "exit $rc, $bytes bytes, $got: $(tail -n 3 /tmp/chain | tr '\n' ' ')"
}

# chains_try_twins RECORDS NAME...
chains_try_twins()
{
	local name all=$1
	shift

	for name; do
		chains_run $name $all
		if came records $all; then
			twin $name pass
		else
			twin $name fail "$(chains_why)"
		fi
		chains_end
	done
}

# No more than the budget has.
chains_none_beyond()
{
	field "$got" records
	[ "$value" -ge 0 ] && [ "$value" -le "${chain_most[$1]}" ]
}

# chains_stop NAME RECORDS PREFIX: whoever is refused tries again for ever, so
# it has as long as what was not refused took, and half as much.
chains_stop()
{
	new_login
	chains_run $1 $2 $((took * 3 / 2))
	line ${3-}$1 $1 ${3-}$1_stops_when_beyond "$(chains_why)" \
		chains_none_beyond $1
	chains_end
}

chains_pass()
{
	new_login
	chains_run $1 $budget_records
	check ${2-}$1_passes_when_within_budget "$(chains_why)" \
		came records $budget_records
	chains_end
}

chains_all()
{
	local name prefix=$1
	shift

	for name; do
		proved $prefix$name $name || continue
		chains_pass $name $prefix
		chains_stop $name 8 $prefix
	done
}

chains_twins()
{
	local chosen

	chains_of chain
	chains_try_twins 8 "${chosen[@]}"
}

chains_cases()
{
	local chosen

	chains_of chain
	agent_gone
	agent_with < <(hops_policy yes) || return
	chains_all '' "${chosen[@]}"
}

quick_twins()
{
	chains_try_twins 8 "${quick[@]}"
}

quick_cases()
{
	agent_gone
	agent_with < <(hops_policy yes) || return
	chains_all '' "${quick[@]}"
}

limited_policy()
{
	cat <<-P
	follow-files: yes
	datasets:
	  records: {paths: [$re/photos], record: file}
	rules:
	  - {subject: "*", dataset: records, per: user,
	     read: $budget_records records/hour, release: {"*": unlimited}}
	P
}

limited_cases()
{
	local chosen

	chains_of chain
	agent_gone
	agent_with < <(limited_policy) || return
	chains_all limited/ "${chosen[@]}"
}
