#!/usr/bin/env bats
# The server, with clients other than tcpclient.

load helpers

bats_require_minimum_version 1.5.0

@test "100 MB of random bytes over 50 connections come back intact" {
	start_server
	python3 "$BATS_TEST_DIRNAME/echo_check.py" "$PORT" 50 2000000
	stop_server
	grep -q 'bytes in 100000000, out 100000000, discarded 0' server.out
	grep -q 'accepted 50$' server.out
}

@test "takes IPv4 and IPv6, and only the address of -b" {
	start_server
	client -c 1 -r 100 -t 100ms 127.0.0.1
	client -c 1 -r 100 -t 100ms ::1
	stop_server
	start_server -b 127.0.0.1
	client -c 1 -r 100 -t 100ms 127.0.0.1
	exits 1 client -c 1 -r 100 -t 100ms ::1
}

@test "where IPv6 is off it says so and listens on 0.0.0.0" {
	"$HELPERS/no_ipv6" "$TCPSERVER" 0 >server.out 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_until grep -q 'listening on 0.0.0.0:' server.err
	grep -q 'IPv6 is off' server.err
	PORT=$(sed -n 's/.*listening on .*:\([0-9]*\), .*/\1/p' server.err)
	client -c 1 -r 100 -t 100ms 127.0.0.1
}

@test "port in use: exit 1 and the reason" {
	start_server
	run -1 "$TCPSERVER" "$PORT"
	[[ $output == *"cannot bind: Address already in use"* ]]
}

@test "backlog: the kernel's largest, or what -B says" {
	queue_limit() {
		ss -Hltn "sport = :$PORT" | awk '{ print $3 }'
	}
	start_server
	[ "$(queue_limit)" -eq "$(cat /proc/sys/net/core/somaxconn)" ]
	grep -q "backlog $(cat /proc/sys/net/core/somaxconn)" server.err
	start_server -B 7
	[ "$(queue_limit)" -eq 7 ]
	start_server -B 1000000
	grep -q 'cut it to .* net.core.somaxconn=1000000' server.err
}

@test "SIGUSR1 prints the counts and the server goes on" {
	start_server
	client -c 3 -r 100 -t 100ms ::1
	kill -USR1 "$SERVER"
	wait_until grep -q 'accepted 3$' server.out
	client -c 3 -r 100 -t 100ms ::1
	stop_server
	grep -q 'accepted 6$' server.out
}

@test "JSON has the counts and they add up" {
	start_server --json=server.json
	client -c 30 -r 3000 -t 500ms ::1
	stop_server
	jq -e --argjson sent "$(result .queries.sent)" '
		.counts | .accepted == 30 and .peak == 30 and .messages == $sent
		and .bytes_in == 31 * $sent and .bytes_out == .bytes_in
		and .accepted == .closed_by_peer + .reset_by_peer +
			.closed_by_error + .closed_locally' server.json
	jq -e --argjson port "$PORT" '.config.port == $port' server.json
}

@test "--json on stdout: the summary goes to stderr" {
	start_server --json
	stop_server
	jq -e .counts server.out
	grep -q '^connections' server.err
}

@test "-i prints rates, -v a line for each connection" {
	start_server -i 100ms -v
	client -c 3 -r 1000 -t 1 ::1
	wait_until grep -q 'messages [1-9][0-9]*/s' server.err
	[ "$(grep -c ': accepted$' server.err)" -eq 3 ]
	wait_until grep -q ': closed by peer$' server.err
}

@test "without -v there is no line for a connection" {
	start_server
	client -c 20 -r 1000 -t 200ms ::1
	stop_server
	[ "$(wc -l <server.err)" -eq 1 ]
}

@test "descriptor limit: accepting pauses, is said once, and resumes" {
	(
		ulimit -n 40
		exec "$TCPSERVER" 0 >server.out 2>server.err 3>&-
	) &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_until grep -q 'listening on' server.err
	PORT=$(sed -n 's/.*listening on .*:\([0-9]*\), .*/\1/p' server.err)
	python3 "$BATS_TEST_DIRNAME/hold.py" "$PORT" 60
	stop_server
	[ "$(grep -c 'no more are accepted' server.err)" -eq 1 ]
	grep -q 'accepting was paused' server.out
	grep -q 'accepted 60$' server.out
}

@test "--max-connections: the others wait, and get their turn" {
	start_server --max-connections 20
	python3 "$BATS_TEST_DIRNAME/hold.py" "$PORT" 60
	stop_server
	grep -q 'peak 20, accepted 60$' server.out
}

@test "a full server costs no processor time" {
	start_server --max-connections 1
	exec 5<>"/dev/tcp/127.0.0.1/$PORT" 6<>"/dev/tcp/127.0.0.1/$PORT"
	wait_until grep -q 'no more are accepted' server.err
	ticks() { awk '{ print $14 + $15 }' "/proc/$(worker_of "$SERVER")/stat"; }
	before=$(ticks)
	begun=$(date +%s%N)
	passed() { (($(date +%s%N) - begun >= 1000000000)); }
	wait_until passed
	[ $(($(ticks) - before)) -le 5 ]
	exec 5>&- 6>&-
}

@test "a peer that does not read grows no memory" {
	start_server
	worker=$(worker_of "$SERVER")
	memory() { awk '/^VmRSS/ { print $2 }' "/proc/$worker/status"; }
	before=$(memory)
	# each writes until neither side takes any more, then closes
	python3 "$BATS_TEST_DIRNAME/no_reader.py" "$PORT" 50 >stuffed
	after=$(cat stuffed)
	[ "$after" -gt 1000000 ]
	grown=$(($(cat "/proc/$worker/status" | awk '/^VmHWM/ { print $2 }') - before))
	echo "took $after bytes, grew by $grown kB"
	[ "$grown" -lt 8192 ]
	stop_server
	grep -q 'discarded [1-9]' server.out
}

@test "a reset is told apart from a close" {
	start_server
	python3 - "$PORT" <<-'END'
		import socket, struct, sys
		for linger in (0, 1):
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		    s.sendall(b"\0\5hello")
		    assert s.recv(7) == b"\0\5hello"
		    if linger:
		        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
		                     struct.pack("ii", 1, 0))
		    s.close()
	END
	ended() {
		kill -USR1 "$SERVER"
		grep -q 'closed by peer 1, reset by peer 1, by error 0, locally 0' \
			server.out
	}
	wait_until ended
	grep -q 'messages 2, bytes in 14' server.out
}

@test "SIGTERM closes what is open and says so" {
	start_server
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	accepted() {
		kill -USR1 "$SERVER"
		grep -q 'accepted 1$' server.out
	}
	wait_until accepted
	stop_server
	exec 5>&-
	grep -q 'locally 1$' server.out
}

@test "stdout that fails: exit 1" {
	"$TCPSERVER" 0 >/dev/full 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_until grep -q 'listening on' server.err
	exits 1 stop_server
	grep -q 'standard output: No space left' server.err
}
