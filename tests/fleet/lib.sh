# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# For the tests of the fleet: a broker with the shipped configuration, and
# certificates. $tmp is a folder for all of it, and $port is the broker's.

# authority NAME: a certificate authority, NAME-ca.pem and .key.
authority()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 2 -subj "/CN=$1" -keyout "$tmp/$1-ca.key" \
		-out "$tmp/$1-ca.pem" 2>/dev/null
}

# certificate CA NAME [ALTERNATIVE]: NAME.pem and NAME.key, by that authority.
certificate()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj "/CN=$2" -keyout "$tmp/$2.key" -out "$tmp/$2.csr" \
		2>/dev/null &&
		openssl x509 -req -in "$tmp/$2.csr" -CA "$tmp/$1-ca.pem" \
			-CAkey "$tmp/$1-ca.key" -CAcreateserial -days 2 \
			-extfile <(echo "${3:+subjectAltName=$3}") \
			-out "$tmp/$2.pem" 2>/dev/null
}

# free_port: one that nobody has now.
free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# configure PORT: the shipped configuration, with files and a port of ours.
configure()
{
	mkdir -p "$tmp/store"
	sed -e "s#0.0.0.0:4222#127.0.0.1:$1#" \
		-e "s#/etc/nats/server-cert.pem#$tmp/server.pem#" \
		-e "s#/etc/nats/server-key.pem#$tmp/server.key#" \
		-e "s#/etc/nats/clients-ca.pem#$tmp/fleet-ca.pem#" \
		-e "s#/var/lib/nats/jetstream#$tmp/store#" \
		-e "s#20GB#200MB#; s#10GB#100MB#" \
		policies/fleet/nats-server.conf >"$tmp/nats-server.conf"
}

# broker_start: until it takes connections; $broker is its process.
broker_start()
{
	local i

	nats-server -c "$tmp/nats-server.conf" >>"$tmp/broker.log" 2>&1 &
	broker=$!
	for ((i = 0; i < 600; i++)); do
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
		kill -0 "$broker" 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}

broker_stop()
{
	kill "$broker" 2>/dev/null
	wait "$broker" 2>/dev/null
	return 0
}
