#!/usr/bin/env bats
# How connections are opened: local ports without a long search, rates that were
# asked, connects that this program sees late.

bats_require_minimum_version 1.5.0
load helpers

# In a namespace of 200 local ports; a listening server takes none of them.
small_range() {
	enter_namespace 40000 40199
	"${INSIDE[@]}" "$TCPSERVER" -b 127.0.0.1 --mode dns 5300 \
		>server.out 2>server.err 3>&- &
	STARTED+=($!)
	PORT=5300
	wait_until grep -q 'listening on' server.err
}

# fills_the_range COMMAND...: in front of the client.
fills_the_range() {
	INSIDE+=("$@")
	client -c 200 -n 0 -r 0 -t 0.1 --probe --close rst -w 2 127.0.0.1
	holds '.connections | .opened == 200 and .failed_total == 0'
	exits 3 run_client --force -c 250 -n 0 -r 0 -t 0.1 --close rst 127.0.0.1
	holds '.connections | .opened == 200 and .failed == {"EADDRNOTAVAIL": 50}'
	accounts_close
}

@test "every port of the range is found, and then it is known that none is left" {
	small_range
	fills_the_range
}

@test "so it is on a kernel without IP_LOCAL_PORT_RANGE, with reserved ports too" {
	small_range
	fills_the_range "$HELPERS/no_port_range"
	echo 40010-40019,40100 | "${INSIDE[@]}" tee \
		/proc/sys/net/ipv4/ip_local_reserved_ports >/dev/null
	exits 3 run_client --force -c 200 -n 0 -r 0 -t 0.1 --close rst 127.0.0.1
	holds '.connections | .opened == 189 and .failed == {"EADDRNOTAVAIL": 11}'
}

@test "each of two sources and two ports has the whole range" {
	small_range
	"${INSIDE[@]}" "$TCPSERVER" -b 127.0.0.1 --mode dns 5301 \
		>server2.out 2>server2.err 3>&- &
	STARTED+=($!)
	wait_until grep -q 'listening on' server2.err
	PORT=5300,5301
	client -c 800 -n 0 -r 0 -t 0.1 --close rst -a 127.0.0.2,127.0.0.3 127.0.0.1
	holds '.connections | .opened == 800 and .failed_total == 0'
}


@test "service times are those that tcpdump sees, or the run is not valid" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a network namespace"
	unshare -n true 2>/dev/null || skip "no network namespaces here"
	PORTS="40000 40999" "$BATS_TEST_DIRNAME/../bench/exchange" \
		"$(dirname "$TCPCLIENT")" -c 20 -r 300 -t 2 >out 2>&1 ||
		grep 'not as asked' out
	grep '^tcpdump ' out
}
