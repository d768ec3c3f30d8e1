#!/usr/bin/env bats
# How addresses, ports and names are written, in both programs.

load helpers

bats_require_minimum_version 1.5.0

# refuses TEXT PROGRAM ARG...: bad usage, and the message has the text.
refuses() {
	local text=$1
	shift
	run "$@"
	[ "$status" -eq 2 ]
	[[ "$output" == *"$text"* ]]
}

RUN=(-c 4 -n 0 -r 0 -t 100ms)

@test "octal, hexadecimal and short forms of IPv4 are refused wherever an address is read" {
	local odd
	for odd in 10.0.0.010 10.0.0.09 10.0.0.256 1.2.3.4.5 0x7f.1 127.1 017700000001 2130706433 0x7f000001; do
		refuses 'four decimal numbers without leading zeros' \
			"$TCPCLIENT" "${RUN[@]}" "$odd"
		refuses 'four decimal numbers without leading zeros' \
			"$TCPCLIENT" "${RUN[@]}" "$odd:53"
		refuses 'four decimal numbers without leading zeros' \
			"$TCPCLIENT" "${RUN[@]}" -a "$odd" 127.0.0.1
		refuses 'four decimal numbers without leading zeros' \
			"$TCPSERVER" -b "$odd" 0
		refuses 'four decimal numbers without leading zeros' \
			"$TCPSERVER" "$odd:0"
	done
	for odd in 10.0.0.010-10.0.0.020 10.0.0.00/24; do
		refuses 'four decimal numbers without leading zeros' \
			"$TCPCLIENT" "${RUN[@]}" "$odd"
	done
}

@test "a link-local address without an interface: which there are is said" {
	refuses 'needs its interface, as in fe80::1%eth0; this host has lo' \
		"$TCPCLIENT" "${RUN[@]}" fe80::1
	refuses 'needs its interface' \
		"$TCPCLIENT" "${RUN[@]}" '[fe80::1]:53'
	refuses '-a fe80::1: a link-local address needs its interface' \
		"$TCPCLIENT" "${RUN[@]}" -a fe80::1 ::1
	refuses 'needs its interface, as in fe80::1%eth0; this host has lo' \
		"$TCPSERVER" -b fe80::1 0
	refuses 'needs its interface' "$TCPSERVER" '[fe80::1]:0'
	refuses 'without brackets' "$TCPSERVER" -b '[::1]' 0
	refuses 'without a port' "$TCPSERVER" -b 127.0.0.1:53 0
	refuses 'no such interface' "$TCPSERVER" -b fe80::1%nosuch 0
	refuses 'only a link-local address' "$TCPSERVER" '[::1%lo]:0'
	refuses 'only a link-local address' "$TCPCLIENT" "${RUN[@]}" 127.0.0.1%lo
	refuses 'one address' "$TCPSERVER" -b 127.0.0.1,127.0.0.2 0
	refuses 'one address' "$TCPSERVER" -b 127.0.0.0/30 0
}

@test "an interface by its number, in both programs" {
	enter_namespace 20000 60000
	"${INSIDE[@]}" ip -6 addr add fe80::7/64 dev lo nodad
	start_server -b fe80::7%1
	client "${RUN[@]}" fe80::7%1
	holds '.connections.opened == 4'
	client "${RUN[@]}" "[fe80::7%lo]:$PORT"
	holds '.connections.opened == 4'
	refuses 'no such interface' "${INSIDE[@]}" "$TCPCLIENT" "${RUN[@]}" \
		fe80::7%4711
}

@test "an IPv6 address with a port but no brackets is a port in neither program" {
	refuses '::1:5399: an IPv6 address goes in brackets before a port, such as [::1]:53' \
		"$TCPSERVER" ::1:5399
	run timeout 20 "$TCPCLIENT" -p 1 -c 1 -r 1 -t 0.1 ::1:5399
	[[ "$output" == *"::1:5399 is taken as an address without a port; with one it is [::1]:5399"* ]]
	refuses '::1:15060: not an IP address; with a port it is [::1]:15060' \
		"$TCPCLIENT" -c 1 -r 1 ::1:15060
	run timeout 20 "$TCPCLIENT" --check -c 1 -r 1 ::1
	[[ "$output" != *"is taken as an address"* ]]
	run timeout 20 "$TCPCLIENT" --check -c 1 -r 1 2001:db8::53
	[[ "$output" != *"is taken as an address"* ]]
}

# Both servers and the port of none: each HOST has its own.
@test "a port in the address wins over -p" {
	local first second
	start_server -b 127.0.0.1
	first=$PORT
	start_server -b ::1
	second=$PORT
	PORT=1
	client "${RUN[@]}" "127.0.0.1:$first"
	holds '.connections.opened == 4'
	client "${RUN[@]}" "localhost:$first" -4
	holds '.connections.opened == 4'
	client "${RUN[@]}" "[::1]:$second,127.0.0.1:$first"
	holds '.connections.opened == 4'
	"$TCPCLIENT" -p "$first" "${RUN[@]}" -r 400 -R 127.0.0.1 "[::1]:$second" \
		>log 2>log.err || (($? == 3))
	PORT=$second
	client "${RUN[@]}" '[::1]'
	holds '.connections.opened == 4'
}

@test "connections spread evenly over targets with ports of their own" {
	local first second
	start_server -b 127.0.0.1
	first=$PORT
	start_server -b 127.0.0.1
	second=$PORT
	# one of the three is closed: a third of nine fails
	PORT=$first
	exits 3 run_client -c 9 -n 0 -r 0 -t 100ms 127.0.0.1 \
		"127.0.0.1:$second" 127.0.0.1:1
	holds '.connections.opened == 6' \
		'.connections.failed.ECONNREFUSED == 3'
}

@test "what is no port, and brackets that do not close" {
	local bad
	for bad in 127.0.0.1:0 127.0.0.1:65536 127.0.0.1: '[::1]:x' host:53x; do
		refuses 'a port, 1 to 65535' "$TCPCLIENT" "${RUN[@]}" "$bad"
	done
	for bad in '[::1' '[::1]53'; do
		refuses 'brackets go around an address' \
			"$TCPCLIENT" "${RUN[@]}" "$bad"
	done
}

@test "tcpserver: ADDRESS:PORT, [ADDRESS]:PORT" {
	start_server_on 127.0.0.1:0
	grep -q 'listening on 127.0.0.1:' server.err
	client "${RUN[@]}" 127.0.0.1
	stop_server
	start_server_on '[::1]:0'
	grep -q 'listening on \[::1\]:' server.err
	client "${RUN[@]}" ::1
	refuses 'one address' "$TCPSERVER" 127.0.0.1:0 127.0.0.2:0
}

@test "--json FILE, --check sysctl: the = is missing, which is said" {
	refuses '--json=out.json' "$TCPCLIENT" "${RUN[@]}" --json out.json ::1
	refuses '--json=./out' "$TCPCLIENT" "${RUN[@]}" --json ./out ::1
	refuses '--check=sysctl' "$TCPCLIENT" "${RUN[@]}" --check sysctl ::1
	refuses '--json=out.json' "$TCPSERVER" --json out.json 0
	refuses '--json=out' "$TCPSERVER" --json out 0
	refuses '--check=sysctl' "$TCPSERVER" --check sysctl
	run "$TCPCLIENT" "${RUN[@]}" --json no.such.name.invalid ::1
	[ "$status" -eq 1 ]
	[[ "$output" == *"--json=no.such.name.invalid"* ]]
}

@test "a number may begin with its point" {
	start_server
	client -c 1 -n 0 -r .5k -t .2 --timeout .5s 127.0.0.1
	holds '.queries.scheduled > 0' '.queries.scheduled < 400'
}

# named COMMAND...: where many.test has three addresses, two of them twice.
named() {
	# shellcheck disable=SC2016
	"${INSIDE[@]}" unshare -m sh -c 'mount --bind hosts /etc/hosts &&
		exec "$@"' sh "$@"
}

@test "a name with several addresses: the first that accepts, or all of them" {
	enter_namespace 20000 60000
	printf '127.0.0.%d many.test\n' 2 3 4 2 >hosts
	named true 2>/dev/null || skip "no mount namespaces here"
	start_server -b 127.0.0.3
	named "$TCPCLIENT" -p "$PORT" --json=result.json "${RUN[@]}" many.test \
		>client.out 2>client.err
	holds '.connections.opened == 4'
	grep -q "many.test has 3 addresses: 127.0.0.3:$PORT is used, the first that accepts; --all-addresses uses them all" client.err
	exits 3 named "$TCPCLIENT" -p "$PORT" --json=result.json -c 6 -n 0 -r 0 \
		-t 100ms --all-addresses many.test >client.out 2>client.err
	holds '.connections.opened == 2' \
		'.connections.failed.ECONNREFUSED == 4'
	run ! grep -q 'has 3 addresses' client.err
	stop_server
	run named "$TCPCLIENT" -p "$PORT" "${RUN[@]}" many.test
	[[ $output == *"many.test has 3 addresses: 127.0.0.2:$PORT is used, the first, and none accepts; "* ]]
}

# Which would get twice the connections of the others.
@test "a target that is named twice is refused" {
	local twice
	for twice in '127.0.0.1 127.0.0.1' '127.0.0.1:4242 127.0.0.1:4242' \
		'127.0.0.1,127.0.0.0-127.0.0.3' '127.0.0.1:4242 127.0.0.1' \
		'127.0.0.2,127.0.0.1 127.0.0.1:4243' '::1 [::1]:4242'; do
		# shellcheck disable=SC2086
		exits 2 "$TCPCLIENT" -p 4242-4243 -c 1 -r 0 -t 1ms $twice \
			>client.out 2>client.err
		grep -q 'named twice' client.err || {
			cat client.err >&2
			return 1
		}
	done
	# another port, or the same of another address, is another target
	exits 1 "$TCPCLIENT" -p 4242 -c 1 -n 0 -r 0 -t 1ms 127.0.0.1:4243 \
		127.0.0.1 127.0.0.2:4242 >client.out 2>client.err
	grep -q 'and 2 more' client.out
}

@test "--merge --json FILE is told to be --json=FILE" {
	echo '{}' >a.json
	exits 2 "$TCPCLIENT" --merge --json all.json a.json 2>client.err
	grep -q -- '--json all.json: what belongs to --json goes behind a =: --json=all.json' client.err
}
