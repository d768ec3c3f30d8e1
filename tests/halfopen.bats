#!/usr/bin/env bats
# Connections that only one side knows of, accept queues, and the states that
# the kernel tells of.

load helpers

bats_require_minimum_version 1.5.0

# A server on port 7000 of the namespace, with a stopped worker.
start_stopped_server() {
	"${INSIDE[@]}" "$TCPSERVER" --json=server.json "$@" 7000 >server.out \
		2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
	stop_worker
}

# The first one; teardown is to continue it before it waits for its parent.
stop_worker() {
	WORKER=$(worker_of "$SERVER" | head -n 1)
	STARTED=("$WORKER" "${STARTED[@]}")
	kill -STOP "$WORKER"
}

# Packets wait, the first in the first out, until they are let go: so all
# handshakes are begun before the first of them is over.
hold_packets() {
	"${INSIDE[@]}" ip link set lo mtu 1500
	"${INSIDE[@]}" sysctl -qw net.ipv4.tcp_syncookies=1
	"${INSIDE[@]}" tc qdisc add dev lo root tbf rate 8bit burst 200 \
		limit 1000000 || skip "no tbf here"
}

let_packets_go() {
	"${INSIDE[@]}" tc qdisc change dev lo root tbf rate 8mbit burst 200 \
		limit 1000000
}

# The last live line has this.
now() {
	tail -n 1 client.err | grep -q "$1"
}

# meet_full_queue BACKLOG COUNT: that many connections, and not one answer.
meet_full_queue() {
	enter_namespace 20000 60000
	start_stopped_server -B "$1"
	hold_packets
	start_client -c "$2" -n 0 --probe -r 0 -t 60 --timeout 300ms -i 20ms \
		127.0.0.1
	wait_until grep -q "pending $2" client.err
	let_packets_go
	wait_until now "open $2, .*suspect $2"
}

@test "backlog 1 and a stopped server: all are suspect, by what was dropped" {
	meet_full_queue 1 200
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	holds '.connections | .opened == 200 and .verified == 0' \
		'.connections.unverified == 0' \
		'.connections.suspect == {unacked: 198, queued: 2}' \
		'.verdict.reasons | any(startswith("198 connections: nothing that was sent on them was acknowledged: their last ACK was dropped by a full accept queue"))' \
		'.verdict.reasons | any(test("^2 connections .* they wait in its accept queue: the program is stuck"))'
	grep -q 'verified 0, suspect 200 (unacked 198, queued 2), unverified 0' \
		client.out
	holds '.findings | any(.limit == "accept queue (backlog, net.core.somaxconn)"
		and .side == "server" and (.fix | contains("a larger backlog")))'
	kill -USR1 "$SERVER"
	wait_until grep -q 'accept queue 2 of 1, most seen in one 2' server.out
	# with room in the queue, and a program that takes what is in it
	kill -CONT "$WORKER"
	stop_server
	start_server_on 7000
	client -c 200 -n 0 --probe -r 0 -t 1s --timeout 5s 127.0.0.1
	accounts_close
	holds '.connections | .opened == 200 and .verified == 200' \
		'.findings == []' '.verdict.reasons == []'
}

@test "a server that goes on: suspects answer, and are none any more" {
	meet_full_queue 8 12
	# one more than the backlog fits in; the others knock again
	[ "$("${INSIDE[@]}" ss -Htln | awk '{ print $2 }')" -eq 9 ]
	kill -CONT "$WORKER"
	wait_until now 'open 12, .*late p99 - ms$'
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	holds '.connections | .opened == 12 and .verified == 12' \
		'.connections.suspect == {unacked: 0, queued: 0}' \
		'.connections.probes.timed_out == 12' \
		'.verdict.reasons | all(startswith("interrupted"))'
}

@test "a stopped server with room in its queue: it waits there" {
	enter_namespace 20000 60000
	start_stopped_server -B 100
	run_client -c 50 -n 0 -r 200 -t 500ms --timeout 300ms 127.0.0.1 ||
		(($? == 3))
	accounts_close
	holds '.connections.opened == 50' \
		'.connections.suspect.unacked == 0' \
		'.connections | .suspect.queued + .unverified == 50' \
		'.connections.suspect.queued > 0' \
		'.verdict.reasons | any(test("wait in its accept queue: the program is stuck"))'
}

@test "a peer that reads and never answers" {
	start_peer sink
	exits 3 client -c 20 -n 0 --probe -r 0 -t 2500ms --timeout 200ms \
		127.0.0.1
	accounts_close
	holds '.connections.suspect == {unacked: 0, queued: 20}' \
		'.verdict.reasons | any(startswith("20 connections were accepted by the server\u0027s kernel and never answered: the program has read what was sent, and answers later than --timeout or not at all, or a packet filter drops its answers"))'
}

@test "what was never asked is unverified, and no reason for anything" {
	start_server
	client -c 20 -n 0 -r 0 -t 100ms 127.0.0.1
	accounts_close
	holds '.connections | .unverified == 20 and .verified == 0' \
		'.connections.suspect == {unacked: 0, queued: 0}'
	grep -q 'verified 0, suspect 0, unverified 20' client.out
}

@test "a worker that is killed: what it had suspected stays so" {
	start_peer sink
	start_client -w 2 -c 20 -n 0 --probe -r 0 -t 60 --timeout 200ms -i 20ms \
		127.0.0.1
	wait_until now 'suspect 20'
	kill -KILL "$(worker_of "$CLIENT" | sed -n 2p)"
	wait_until grep -q 'ended by signal 9' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	holds '.connections.suspect.queued == 20' \
		'.connections.closed_worker_died == 10'
}

@test "suspects of two results add up" {
	start_peer sink
	exits 3 client -c 5 -n 0 --probe -r 0 -t 100ms --timeout 200ms 127.0.0.1
	exits 3 "$TCPCLIENT" --merge --json=sum.json result.json result.json \
		>client.out
	mv sum.json result.json
	accounts_close
	holds '.connections.suspect.queued == 10' \
		'.series | all(has("tcp_established"))' \
		'.verdict.reasons | any(startswith("10 connections were accepted"))'
}

@test "a worker of the server that is stopped: its queue is told of" {
	start_server_on -w 2 -B 50 -i 50ms --json=server.json 0
	stop_worker
	start_client -c 40 -n 0 --probe -r 0 -t 60 --timeout 300ms -i 20ms \
		127.0.0.1
	wait_until grep -q 'open 40,' client.err
	wait_until grep -qE 'accept queue [1-9][0-9]* \(most in one [1-9][0-9]* of 50\)' \
		server.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	# what had no answer is what waits there
	waiting=$(result .connections.suspect.queued)
	((waiting > 0))
	kill -USR1 "$SERVER"
	wait_until grep -q "accept queue $waiting (most in one $waiting of 50), most seen in one " \
		server.out
	kill -CONT "$WORKER"
	stop_server
	jq -e --argjson waiting "$waiting" '.accept_queue |
		.listeners == 2 and .limit == 50 and .fullest <= .queued and
		.peak >= $waiting and .peak <= 51' server.json || { jq -c .accept_queue server.json; false; }
}

@test "a burst that is taken at once is seen by the worker" {
	start_server -B 200 --json=server.json
	client -c 100 -n 0 -r 0 -t 100ms 127.0.0.1
	stop_server
	jq -e '.accept_queue | .peak >= 1 and .peak <= 100 and .limit == 200' \
		server.json
}

@test "connected to itself: not opened, and the port to reserve is named" {
	local host
	enter_namespace 40000 40000
	PORT=40000
	for host in 127.0.0.1 0.0.0.0 ::1; do
		exits 1 client -c 1 -n 0 -r 0 -t 100ms "$host"
		accounts_close
		holds '.connections.opened == 0' '.connections.failed == {ELOOP: 1}' \
			'.findings | any(.fix | test("net.ipv4.ip_local_reserved_ports"))'
		grep -q 'failed with ELOOP (connected to itself): ' client.out
	done
	# nothing of it is in the way of a server
	[ -z "$("${INSIDE[@]}" ss -Htan)" ]
	# of two ports the one that is not reserved is taken
	"${INSIDE[@]}" sh -c \
		'echo 40000 40001 >/proc/sys/net/ipv4/ip_local_port_range'
	# shellcheck disable=SC2016
	"${INSIDE[@]}" sh -c \
		'echo 40000 >/proc/sys/net/ipv4/ip_local_reserved_ports'
	start_server_on 40000
	for host in 127.0.0.1 0.0.0.0 ::1; do
		client --close rst -c 1 -n 0 -r 0 -t 100ms "$host"
		holds '.connections.opened == 1' '.findings == []'
	done
	stop_server
	# one port beyond, it cannot be
	PORT=40002
	exits 1 client --force -c 6 -n 0 -r 0 -t 100ms 127.0.0.1
	holds '.connections.failed == {ECONNREFUSED: 6}'
}

@test "the series has the states: established, then TIME_WAIT" {
	enter_namespace 20000 60000
	start_server
	client -c 50 -n 0 -r 100 -t 2500ms -v --series=series.csv --close fin \
		127.0.0.1
	holds '[.series[].tcp_established] | max == 50' \
		'.series[-1] | .tcp_established == 0 and .tcp_time_wait > 0 and
			.tcp_time_wait + .tcp_fin_wait1 + .tcp_fin_wait2 == 50' \
		'[.series[] | select(.tcp_established == 50)] | all(.tcp_syn_sent == 0)'
	grep -q '^tcp: established 50$' client.err
	# the server may still have to answer some of the FINs
	grep -qE '^tcp: .*time_wait [0-9]+$' client.err
	# the same in the rows, by name
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "tcp_time_wait") at = i }
		END { exit !(at > 0 && $at == '"$(result '.series[-1].tcp_time_wait')"') }' \
		series.csv
	awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' series.csv
}

@test "reset at the end, nothing is left; unasked, nothing is counted" {
	enter_namespace 20000 60000
	start_server
	client -c 50 -n 0 -r 100 -t 300ms --close rst 127.0.0.1
	holds '.series[-1] | .tcp_time_wait == 0 and .tcp_established == 0'
	"${INSIDE[@]}" "$TCPCLIENT" -p "$PORT" -c 5 -n 0 -r 0 -t 100ms \
		127.0.0.1 >client.out 2>client.err
	run ! grep tcp: client.err
}

@test "states of two hosts add up, and what one does not know nobody knows" {
	enter_namespace 20000 60000
	start_server
	client -c 10 -n 0 -r 100 -t 300ms 127.0.0.1
	jq '.series[-1] |= with_entries(if .key | startswith("tcp_")
		then .value = null else . end)' result.json >other.json
	"$TCPCLIENT" --merge --json=same.json result.json result.json \
		>/dev/null || (($? == 3)) # a machine that was too busy
	"$TCPCLIENT" --merge --json=less.json --series=less.csv result.json \
		other.json >/dev/null || (($? == 3))
	jq -e '.series[-1].tcp_time_wait == 20' same.json
	jq -e '.series[-1].tcp_time_wait == null' less.json
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "tcp_time_wait") at = i }
		END { exit !(at > 0 && $at == "") }' less.csv
	# twice merged is merged
	"$TCPCLIENT" --merge --json=again.json less.json >/dev/null ||
		(($? == 3))
	jq -e '.series[-1].tcp_time_wait == null' again.json
}
