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
	start_limited_server 40
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

# crowd OPEN [SERVED [GO]]: see crowd.py.
crowd() {
	python3 "$BATS_TEST_DIRNAME/crowd.py" "$PORT" "$@"
}

# counted EXPRESSION: true of the counts in server.json.
counted() {
	jq -e ".counts | $1" server.json || {
		cat server.json >&2
		return 1
	}
}

# What must be true of them at every end.
server_accounts_close() {
	counted '.open == 0 and .accepted == .closed_by_peer + .reset_by_peer +
		.closed_by_error + .closed_locally + .closed_worker_died and
		.bytes_in == .bytes_out + .bytes_discarded and
		.peak <= .peak_at_most'
}

@test "several workers share the connections, and are one server" {
	start_server -w 3 --json=server.json
	grep -q "^tcpserver: listening on \[::\]:$PORT, backlog [0-9]*, 3 workers$" \
		server.err
	[ "$(wc -l <server.err)" -eq 1 ]
	[ "$(worker_of "$SERVER" | wc -l)" -eq 3 ]
	crowd 300
	kill -USR1 "$SERVER"
	wait_until grep -q 'accepted 300$' server.out
	stop_server
	server_accounts_close
	counted '.accepted == 300 and .closed_by_peer == 300'
	jq -e --argjson port "$PORT" '.config | .workers == 3 and
		.port == $port and .ports == [[$port, $port]]' server.json
	grep -q ', 3 workers, up' server.out
}

@test "a full worker hands over: all room of all workers is used" {
	start_limited_server 200 -w 8 --json=server.json
	crowd 1400 1400 300
	stop_server
	server_accounts_close
	counted '.accepted == 1700 and .closed_by_peer == 1700 and
		.handed_over > 0 and .handed_over == .taken_over and
		.peak_at_most >= 1400'
}

@test "a full worker hands over: --max-connections is for all together" {
	start_server -w 8 --max-connections 80 --json=server.json
	crowd 100 80
	stop_server
	server_accounts_close
	counted '.accepted == 100 and .closed_by_peer == 100 and
		.handed_over > 0 and .handed_over == .taken_over and
		.peak_at_most == 80'
	grep -q -- '--max-connections reached' server.err
	[ "$(grep -c 'no more are accepted' server.err)" -eq 1 ]
}

@test "fewer connections than workers: those without a share hand over all" {
	start_server -w 8 --max-connections 3 --json=server.json
	crowd 5 3
	stop_server
	server_accounts_close
	counted '.accepted == 5 and .peak_at_most == 3'
}

@test "a queue passes fast through the last place, though it is another's" {
	start_server -w 2 --max-connections 4 --json=server.json
	# three stay: one worker is full, the other has one place; and half of
	# what comes and goes comes to the first
	python3 - "$PORT" 3>&- <<-'END' &
		import socket, sys, time
		def connect():
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		    s.sendall(b"\0\1x")
		    return s
		held = [connect() for _ in range(3)]
		for s in held:
		    s.recv(3)
		for _ in range(1500):
		    connect().close()
		time.sleep(60)
	END
	STARTED+=("$!")
	all_served() {
		kill -USR1 "$SERVER"
		grep -q 'open 3, .*accepted 1503$' server.out
	}
	wait_until all_served
	stop_server
	server_accounts_close
	counted '.accepted == 1503 and .peak_at_most <= 4 and .handed_over > 100'
}

# Opens and closes connections as fast as it can, for some seconds: sets STORM,
# to be killed. Returns when full workers have handed over some of them.
start_storm() {
	python3 - "$PORT" 2>/dev/null 3>&- <<-'END' &
		import random, socket, sys, time
		end = time.monotonic() + 5
		held = []
		while time.monotonic() < end:
		    s = socket.socket()
		    s.setblocking(False)
		    s.connect_ex(("127.0.0.1", int(sys.argv[1])))
		    held.append(s)
		    if len(held) > 60:
		        random.shuffle(held)
		        for s in held[30:]:
		            s.close()
		        del held[30:]
	END
	STORM=$!
	STARTED+=("$STORM")
	handing_over() {
		kill -USR1 "$SERVER"
		[ "$(grep -c 'handed over' server.out)" -gt 3 ]
	}
	wait_until handing_over
}

@test "SIGTERM amid hand-overs: every connection is booked" {
	start_server -w 4 --max-connections 40 --json=server.json
	start_storm
	stop_server
	kill "$STORM"
	server_accounts_close
	counted '.closed_worker_died == 0 and .closed_locally > 0'
}

@test "a worker that is killed amid hand-overs: the rest goes on, exit 3" {
	start_server -w 4 --max-connections 40 --json=server.json
	start_storm
	kill -9 "$(worker_of "$SERVER" | sed -n 2p)"
	wait_until grep -q 'worker 1 was ended by signal 9' server.err
	kill "$STORM"
	crowd 20
	exits 3 stop_server
	server_accounts_close
	counted '.closed_worker_died > 0'
	jq -e '.workers_died == 1' server.json
}

@test "of three workers one is killed: its connections are booked, exit 3" {
	start_server -w 3 --json=server.json
	# with an echo each: all have been accepted
	python3 - "$PORT" 3>&- <<-'END' &
		import socket, sys, time
		held = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		        for _ in range(60)]
		for s in held:
		    s.sendall(b"\0\1x")
		    s.recv(3)
		open("held", "w").close()
		time.sleep(60)
	END
	STARTED+=("$!")
	wait_until test -e held
	kill -9 "$(worker_of "$SERVER" | sed -n 1p)"
	wait_until grep -q 'worker 0 was ended by signal 9' server.err
	crowd 30
	exits 3 stop_server
	server_accounts_close
	counted '.accepted == 90 and .closed_worker_died > 0 and
		.closed_by_peer == 30 and
		.closed_worker_died + .closed_locally == 60'
	jq -e '.workers_died == 1' server.json
	grep -q 'worker died [1-9]' server.out
}

@test "no worker outlives its parent, even one that is killed" {
	local workers pid
	start_server -w 3
	mapfile -t workers < <(worker_of "$SERVER")
	[ "${#workers[@]}" -eq 3 ]
	kill -9 "$SERVER"
	for pid in "${workers[@]}"; do
		wait_until gone "$pid"
	done
	start_server -w 3
	mapfile -t workers < <(worker_of "$SERVER")
	stop_server
	for pid in "${workers[@]}"; do
		gone "$pid"
	done
}

@test "several ports: each is served by each worker" {
	local count
	for count in 1 3; do
		start_server_on -w "$count" 17100-17119 17053,17853 \
			--json=server.json
		grep -q 'listening on \[::\]:17100-17119,17053,17853 (22 ports), backlog' \
			server.err
		[ "$(ss -Hltn '( sport >= :17053 and sport <= :17853 )' | wc -l)" \
			-eq $((22 * count)) ]
		PORT=17053,17100,17110,17119,17853 crowd 60
		stop_server
		server_accounts_close
		counted '.accepted == 60'
		jq -e '.config.port == 17100 and .config.ports ==
			[[17100, 17119], [17053, 17053], [17853, 17853]]' server.json
	done
}

@test "full with several ports: what waits on any of them gets its turn" {
	start_server_on -w 2 --max-connections 10 17100-17109 --json=server.json
	PORT=17100,17103,17109 crowd 20 10
	stop_server
	server_accounts_close
	grep -q 'no more are accepted' server.err
	counted '.accepted == 20 and .peak_at_most == 10'
}

@test "a port in use, with one worker or several, alone or among others" {
	local first second address
	for first in 1 2; do
		for address in :: 127.0.0.1; do
			start_server -w "$first" -b "$address"
			for second in 1 2; do
				run -1 timeout 10 "$TCPSERVER" -w "$second" "$PORT"
				[[ $output == *"port $PORT: cannot bind: Address already in use"* ]]
				run -1 timeout 10 "$TCPSERVER" -w "$second" -b "$address" 0 \
					17100-17109 "$PORT"
				[[ $output == *"port $PORT: cannot bind: Address already in use"* ]]
			done
			crowd 10
			stop_server
		done
	done
}

@test "of servers that start at once, one gets the port, even after another" {
	local pids run i
	# the side that closes first keeps the port in TIME_WAIT
	start_server_on -w 2 17100
	exec 5<>/dev/tcp/127.0.0.1/17100
	wait_until in_use
	stop_server
	exec 5>&-
	for run in 1 2 3 4 5; do
		pids=()
		for i in 1 2 3 4; do
			rm -f "err.$i"
			"$TCPSERVER" -w 2 17100 >/dev/null 2>"err.$i" 3>&- &
			pids+=("$!")
			STARTED+=("$!")
		done
		all_said() {
			[ "$(cat err.? | grep -cE 'listening on|cannot bind')" -eq 4 ]
		}
		wait_until all_said
		[ "$(cat err.? | grep -c 'listening on')" -eq 1 ]
		kill "${pids[@]}" 2>/dev/null || true
		wait "${pids[@]}" || true
	done
}

in_use() {
	kill -USR1 "$SERVER"
	grep -q 'accepted 1$' server.out
}

@test "-w auto: the processors, or what --max-connections takes" {
	start_server -w auto
	[ "$(worker_of "$SERVER" | wc -l)" -eq "$(getconf _NPROCESSORS_ONLN)" ]
	start_limited_server 200 -w auto --max-connections 2000
	[ "$(worker_of "$SERVER" | wc -l)" -gt $((2000 / 200)) ]
	run ! grep -q 'raise the hard limit' server.err
	crowd 2000
}

@test "too few descriptors for the ports or workers: exit 1 and how many" {
	few() {
		ulimit -n 100
		"$TCPSERVER" "$@"
	}
	run -1 few -w 50 0
	[[ $output == *"1 port(s) and 50 worker(s) need 175 descriptors"* ]]
	run -1 few 17100-17299
	[[ $output == *"200 port(s) and 1 worker(s) need"* ]]
}

@test "workers and ports of very many have their limits in the line" {
	start_server -w 100
	[ "$(worker_of "$SERVER" | wc -l)" -eq 100 ]
	stop_server
	start_server_on 17101,17103,17105,17107,17109,17111,17113,17115,17117
	grep -q ':17101,17103,17105,17107,17109,17111,17113,17115,... (9 ports), ' \
		server.err
}
