#!/usr/bin/env bats
# What keeps local ports after a close, each case for real between two network
# namespaces: the run names it, and with the fix that it says the same run
# succeeds.

load helpers
load namespaces

bats_require_minimum_version 1.5.0

# 90 connections over 100 ports, closed with a FIN.
RUN=(-c 90 -n 0 -r 0 -t 100ms --connect-timeout 1s 10.9.0.2)

# Until all that closed did so more than a second ago: tcp_tw_reuse_delay.
wait_to_reuse() {
	wait_until are_a_second_old
}

are_a_second_old() {
	! inside ss -Htano | grep -qE 'timewait,(1min|59)'
}

# fails_for PATTERN FIX: the run finds no local port, and says so and why.
fails_for() {
	exits 3 client "${RUN[@]}"
	names ip_local_port_range client "$1" "$2"
}

checks() {
	inside "$TCPCLIENT" --check -p "$PORT" -c 90 -r 0 -t 1s 10.9.0.2 \
		>check.out
}

# row NAME VERDICT
row() {
	grep -qE "^$1 +.* $2\$" check.out || {
		cat check.out >&2
		return 1
	}
}

@test "tcp_tw_reuse 1 without TCP timestamps reuses no port" {
	enter_pair 40000 40099
	start_far_server
	PORT=7000
	set_inside net/ipv4/tcp_tw_reuse 1
	set_inside net/ipv4/tcp_timestamps 0
	client "${RUN[@]}"
	wait_to_reuse
	fails_for '[0-9]+ sockets of this host in TIME_WAIT' \
		'sysctl net.ipv4.tcp_timestamps=1 and wait a minute'
	holds '.findings[0].fix | contains("tcp_tw_reuse=1") | not' \
		'.kernel.gauges.tcp_timestamps.begin == 0'
	# --check knows it before the run, and what it says is the fix
	exits 1 checks
	row net.ipv4.tcp_timestamps 'too low'
	row net.ipv4.tcp_tw_reuse ok
	# on the host of a server, too: what its clients need is not known there
	run inside "$TCPSERVER" --check 7000
	grep -qE '^ *net.ipv4.tcp_timestamps +0 +1 +too low' <<<"$output"
	[[ $output == *"clients that reuse ports in TIME_WAIT (tcp_tw_reuse) need"* ]]
	# the minute, made short: those of before have no timestamps
	enter_pair 40000 40099
	start_far_server
	set_inside net/ipv4/tcp_tw_reuse 1
	set_inside net/ipv4/tcp_timestamps 0
	grep -oE 'sysctl -w net.ipv4.tcp_timestamps=[0-9]+' check.out >commands
	inside sh -e commands
	client "${RUN[@]}"
	wait_to_reuse
	finds_nothing "${RUN[@]}"
	holds '.kernel.TWRecycled > 0'
}

@test "tcp_tw_reuse 1 where the server's host has no TCP timestamps" {
	enter_pair 40000 40099
	"${FAR[@]}" sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_timestamps'
	start_far_server
	PORT=7000
	set_inside net/ipv4/tcp_tw_reuse 1
	client "${RUN[@]}"
	wait_to_reuse
	fails_for 'TIME_WAIT' \
		"tcp_timestamps=1 on the server's host, if it is 0 there"
	holds '.findings[0].fix | contains("tcp_tw_reuse=1") | not'
	enter_pair 40000 40099
	"${FAR[@]}" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_timestamps'
	start_far_server
	set_inside net/ipv4/tcp_tw_reuse 1
	client "${RUN[@]}"
	wait_to_reuse
	finds_nothing "${RUN[@]}"
}

@test "tcp_tw_reuse 1 with a tcp_tw_reuse_delay of a minute" {
	enter_pair 40000 40099
	inside test -e /proc/sys/net/ipv4/tcp_tw_reuse_delay ||
		skip "this kernel has no tcp_tw_reuse_delay"
	start_far_server
	PORT=7000
	set_inside net/ipv4/tcp_tw_reuse 1
	set_inside net/ipv4/tcp_tw_reuse_delay 60000
	client "${RUN[@]}"
	wait_to_reuse
	fails_for 'TIME_WAIT' \
		'sysctl net.ipv4.tcp_tw_reuse_delay=1000 and wait a second'
	exits 1 checks
	row net.ipv4.tcp_tw_reuse_delay 'too low'
	inside sh -c "$(grep -oE 'sysctl -w .*reuse_delay=[0-9]+' check.out)"
	wait_to_reuse
	finds_nothing "${RUN[@]}"
	exits 0 checks
}

# Ends what the kernel alone has served, and serves again.
restart_frozen_server() {
	kill -KILL "${FROZEN[@]}"
	FROZEN=()
	wait_until port_is_free
	start_far_server
}

port_is_free() {
	[ -z "$("${FAR[@]}" ss -Htln sport = :7000)" ]
}

# The client's sockets are in FIN_WAIT2, which the kernel counts as TIME_WAIT,
# but never reuses.
@test "a server that does not close: FIN_WAIT2, and tcp_fin_timeout" {
	enter_pair 40000 40099
	start_far_server
	PORT=7000
	set_inside net/ipv4/tcp_tw_reuse 1
	freeze_server
	client "${RUN[@]}"
	wait_to_reuse
	fails_for '[0-9]+ in FIN_WAIT2, which the server has not closed' \
		'have the server close, too, or sysctl net.ipv4.tcp_fin_timeout=5'
	holds '.findings[0].symptom | contains("TIME_WAIT") | not' \
		'.findings[0].fix | contains("tw_reuse") | not'
	# sockets keep the timeout that they came with
	set_inside net/ipv4/tcp_fin_timeout 1
	set_inside net/ipv4/ip_local_port_range "41000 41099"
	client "${RUN[@]}"
	wait_until no_sockets fin-wait-2
	restart_frozen_server
	finds_nothing "${RUN[@]}"
}

# no_sockets STATE: from the ports of the second range.
no_sockets() {
	[ -z "$(inside ss -Htn state "$1" sport ge :41000)" ]
}

@test "tcp_fin_timeout does nothing for TIME_WAIT, and is not advised" {
	enter_pair 40000 40099
	start_far_server
	PORT=7000
	set_inside net/ipv4/tcp_fin_timeout 1
	client "${RUN[@]}"
	wait_to_reuse
	fails_for '[0-9]+ sockets of this host in TIME_WAIT' 'tcp_tw_reuse=1'
	holds '.findings[0].fix | contains("fin_timeout") | not'
}

# Their FINs are lost, and sent again for 100 s: 8 times, if it is 0.
@test "a server that is cut off: FIN_WAIT1, and tcp_orphan_retries" {
	enter_pair 40000 40099
	start_far_server
	PORT=7000
	client -c 90 -n 0 -r 0 -t 100ms --close rst 10.9.0.2
	leaves_orphans
	fails_for '[0-9]+ in FIN_WAIT1, whose FIN the server.s host' \
		'sysctl net.ipv4.tcp_orphan_retries=2'
	set_inside net/ipv4/tcp_orphan_retries 2
	set_inside net/ipv4/ip_local_port_range "41000 41099"
	leaves_orphans
	wait_until no_sockets fin-wait-1
	finds_nothing "${RUN[@]}"
}

# 90 connections that close while nothing comes through; then all does again.
leaves_orphans() {
	inside iptables -A OUTPUT -p tcp --tcp-flags FIN FIN -j DROP \
		2>/dev/null || skip "no iptables here"
	run_client "${RUN[@]}" || true
}

@test "both set-up scripts turn TCP timestamps on, --check=sysctl too" {
	enter_namespace 40000 40099
	set_inside net/ipv4/tcp_timestamps 0
	inside "$TCPCLIENT" --check=sysctl -c 90 -r 0 192.0.2.1 >lines
	grep -qx 'net.ipv4.tcp_timestamps 1' lines
	inside "$TCPSERVER" --check=sysctl --max-connections 90 >lines
	grep -qx 'net.ipv4.tcp_timestamps 1' lines
}

@test "--check: what is in TIME_WAIT towards another target keeps no port of this run" {
	enter_pair 40000 40099
	start_far_server
	PORT=7000
	client "${RUN[@]}"
	inside ss -Htan state time-wait | grep -q ':7000'
	exits 1 checks
	row net.ipv4.tcp_tw_reuse 'too low'
	PORT=7001
	checks || (($? == 1))
	row net.ipv4.tcp_tw_reuse ok
}
