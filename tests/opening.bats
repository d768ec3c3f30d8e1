#!/usr/bin/env bats
# How connections are opened: local ports without a long search, rates that were
# asked, connects that this program sees late.

bats_require_minimum_version 1.5.0
load helpers
load namespaces

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

@test "service times are those that tcpdump sees, but for the delay of reading" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a network namespace"
	unshare -n true 2>/dev/null || skip "no network namespaces here"
	PORTS="40000 40999" "$BATS_TEST_DIRNAME/../bench/exchange" \
		"$(dirname "$TCPCLIENT")" -c 20 -r 300 -t 2 >out 2>&1 ||
		grep '^the p99 are more than 1 ms apart' out # of so few: by chance
	cat out
	grep '^on the average .*: enough$' out
}

# start_slow_server RATE BACKLOG: it accepts so many a second. Sets PORT.
start_slow_server() {
	python3 "$BATS_TEST_DIRNAME/slow_accept.py" "$@" >peer.out 2>&1 3>&- &
	STARTED+=($!)
	wait_until test -s peer.out
	PORT=$(cat peer.out)
}

@test "a rate of exchanges that uses up the local ports is named with what came" {
	enter_pair 40000 40399
	set_inside net/ipv4/tcp_tw_reuse 0
	start_far_server --mode dns
	exits 3 run_client -c 20 -n 400 --queries-per-connection 0 -t 3 10.9.0.2
	# each port once, or a few more where the server was the first to close;
	# 400 * 3 were due after the first 20
	holds '.connections.opened >= 400 and .connections.opened <= 410' \
		'.connections | .paced == .attempted' \
		'.connections | .missed_window_full + .missed_all_busy + .missed_after_failure + .missed_late + .paced >= 1215' \
		'.verdict.reasons | any(test("^opened (1[0-3][0-9]|[5-9][0-9])[.0-9]*/s of the 400/s asked .-n.: the local ports were used up"))'
	accounts_close
}

@test "a server that accepts more slowly than -n asks is named" {
	start_slow_server 400 32
	exits 3 run_client -c 900 -n 4000 -r 0 -t 0.1 --connect-timeout 20s \
		--close rst 127.0.0.1
	# where this machine is too busy, this program is late as well
	holds '.connections | .missed_window_full > 90 or .missed_late > 90' \
		'(.connections | .missed_late > .missed_window_full) as $late | .verdict.reasons | any(test("^opened [.0-9]*/s of the 4000/s asked .-n.: " + if $late then "this program was late" else "the server or the path to it was slower" end))'
	accounts_close
}

@test "a worker that is stopped while it opens: lateness of opening shows it" {
	start_server -b 127.0.0.1
	start_client -c 3000 -n 1000 -r 0 -t 0.1 --close rst -i 50ms 127.0.0.1
	wait_until grep -q 'opened [1-9]' client.err
	pause_client 0.3
	wait_client
	holds '.connections | .opened == 3000 and .paced == 3000' \
		'.open_lateness_ns | .max > 250000000 and .p99 > 150000000' \
		'.verdict.warnings | any(startswith("connects began late"))'
	accounts_close
}

@test "connects that a stopped worker saw late have not timed out" {
	start_server -b 127.0.0.1
	start_client -c 6000 -n 3000 -r 0 -t 0.1 --connect-timeout 200ms \
		--close rst -i 50ms 127.0.0.1
	wait_until grep -q 'opened [1-9]' client.err
	for _ in 1 2 3; do
		pause_client 0.3
		sleep 0.05
	done
	wait_client
	holds '.connections.opened == 6000 and .connections.failed == {}'
	accounts_close
}

@test "churn that a stopped client missed is its own lateness" {
	start_server -b 127.0.0.1
	start_client -c 5 -n 0 -r 10 --churn 10 -t 3 --control control 127.0.0.1
	wait_until told stats '.seconds > 0.5'
	# 15 come due, of which 5 connections can leave at once
	pause_client 1.5
	exits 3 wait "$CLIENT"
	# the turn may end after 200 us, and what it left has a turn of its own
	holds '.connections | .churn_skipped < 2 or .churn_late >= .churn_skipped - 1' \
		'.connections | .closed_by_peer + .reset_by_peer + .closed_by_error == 0'
	accounts_close
}

@test "with -n 0 no connect is due at a time, and churn has a lateness" {
	start_server -b 127.0.0.1
	client -c 200 -n 0 -r 0 -t 0.5 --close rst 127.0.0.1
	holds '.connections.paced == 0' '.open_lateness_ns.count == 0'
	client -c 200 -n 0 -r 0 -t 0.5 --churn 100 --close rst 127.0.0.1
	holds '.connections.paced == 0' '.connections.churn_begun >= 40' \
		'.open_lateness_ns.count == .connections.churn_begun'
	accounts_close
}

@test "opening takes the time from when the first connect was due" {
	start_server -b 127.0.0.1
	client -w 2 -c 20 -n 100 -r 0 -t 0.1 127.0.0.1
	# the last of 20 is due after 19 hundredths
	holds '.connections | .opened == 20 and .open_s >= 0.19'
	grep -qE '^connections  asked 20, opened 20 in [0-9.]+ s \(([0-9]|[0-9][0-9]|10[0-9])/s\)' client.out
}

@test "connections that an interrupt left unopened: no cause is named above" {
	start_server -b 127.0.0.1
	start_client -c 5000 -n 100 -r 100 -t 30 -i 50ms 127.0.0.1
	wait_until grep -q 'opened [1-9]' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	holds '.verdict.reasons | any(test("^opened [0-9]+ of 5000 connections; interrupted while it opened others$"))' \
		'.verdict.reasons | all(contains("named above") | not)'
}

@test "where nobody listens nothing is said to be opened at a rate" {
	PORT=1
	run_client -c 30 -n 1000 -r 100 -t 0.1 127.0.0.1 || (($? == 1))
	holds '.connections.opened == 0' \
		'.verdict.reasons | any(. == "opened 0 of 30 connections; the causes are named above")' \
		'.verdict.reasons | all(test("asked .-n.") | not)'
}

@test "a summary has few digits of a rate that was worked out" {
	start_server -b 127.0.0.1
	client -c 20 -n 0 -t 0.1 --every 300ms 127.0.0.1
	grep -q ' 20 connections, 66.7 queries/s for 0.1 s$' client.out
	grep -q '^queries/s    asked 66.7, sent ' client.out
	start_client -c 1 -n 0 -t 30 -r 10 --control control 127.0.0.1
	wait_until told count '.phase == "running"'
	tell 'rate 20' 'rate 30' quit
	wait_client || true
	grep -q ' 1 connections, [23] rates in turn (--control)$' client.out
}
