#!/usr/bin/env bats
# The server's modes and what it does on purpose: with DNS tools that know nothing
# of it, and with what both sides count.

load helpers

bats_require_minimum_version 1.5.0

# counted EXPRESSION...: each is true of the counts in server.json.
counted() {
	local expression
	for expression; do
		jq -e ".counts | $expression" server.json >/dev/null || {
			echo "not true: $expression" >&2
			jq .counts server.json >&2
			return 1
		}
	done
}

# Ends the server; its accounts must close, reckoned again from the JSON.
finish_server() {
	stop_server
	counted '.open == 0' '.accepted == .closed_by_peer + .reset_by_peer +
		.closed_by_error + .closed_idle + .closed_after +
		.closed_locally + .closed_worker_died' \
		'.messages == .messages_answered + .messages_dropped +
		.messages_unanswerable + .messages_swallowed +
		.messages_discarded' \
		'.bytes_in + .bytes_made == .bytes_out + .bytes_consumed +
		.bytes_discarded'
}

# peer: Python with a connection s and exactly(n), which reads so many bytes.
peer() {
	{
		cat <<-'END'
			import socket, sys, time
			port = int(sys.argv[1])
			def connect():
			    s = socket.create_connection(("127.0.0.1", port), 20)
			    return s
			def exactly(s, n):
			    data = b""
			    while len(data) < n:
			        more = s.recv(n - len(data))
			        assert more, "closed after %d of %d bytes" % (len(data), n)
			        data += more
			    return data
			s = connect()
		END
		cat
	} >peer.py
	"${INSIDE[@]}" timeout 60 python3 peer.py "$PORT" "$@"
}

# A socket that the system says is in TIME_WAIT.
time_wait() {
	"${INSIDE[@]}" ss -Htan state time-wait "$1" | wc -l
}

@test "--mode dns: dig, kdig and drill are content" {
	start_server --mode dns --json=server.json
	dig +tcp +tries=1 -p "$PORT" @127.0.0.1 www.example.com A >dig.out
	grep -q 'status: NOERROR' dig.out
	grep -q '^;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1' \
		dig.out
	grep -q 'EDNS: version: 0, flags:; udp' dig.out
	grep -q '^www.example.com.[[:space:]].*IN[[:space:]]*A[[:space:]]*192.0.2.1$' \
		dig.out
	run ! grep -iE 'malformed|truncated|mismatch|unexpected|extra bytes' dig.out
	dig +tcp +dnssec +tries=1 -p "$PORT" @::1 . A | grep -q 'flags: do;'
	[ "$(dig +tcp +short +noedns -p "$PORT" @::1 MiXed.example A)" = 192.0.2.1 ]
	dig +tcp -p "$PORT" @::1 example.com AAAA >dig.out
	grep -q 'status: NOERROR' dig.out
	grep -q 'ANSWER: 0' dig.out
	dig +tcp +opcode=5 -p "$PORT" @::1 example.com | grep -q 'status: NOTIMP'
	dig +tcp +edns=1 +noednsneg -p "$PORT" @::1 example.com |
		grep -q 'status: BADVERS'
	kdig +tcp +retry=0 -p "$PORT" @127.0.0.1 example.com A >kdig.out 2>&1
	grep -q 'status: NOERROR' kdig.out
	grep -q '192.0.2.1$' kdig.out
	run ! grep -i warning kdig.out
	kdig +tcp +edns +retry=0 -p "$PORT" @::1 example.com TXT |
		grep -q 'status: NOERROR'
	drill -t -p "$PORT" @127.0.0.1 example.com A >drill.out
	grep -q 'rcode: NOERROR' drill.out
	grep -q '192.0.2.1$' drill.out
	finish_server
	counted '.messages == 9 and .messages_answered == 9'
}

@test "--mode dns: dnsperf with 500 connections loses nothing" {
	seq 1000 | sed 's/.*/n&.example.com A/' >queries
	start_server --mode dns --json=server.json
	timeout 60 dnsperf -m tcp -s 127.0.0.1 -p "$PORT" -d queries -c 500 -T 2 \
		-Q 20000 -l 3 -t 20 >dnsperf.out 2>&1
	grep -q 'Queries lost: *0 ' dnsperf.out || {
		cat dnsperf.out >&2
		return 1
	}
	sent=$(awk '/Queries sent/ { print $3 }' dnsperf.out)
	grep -q "Queries completed: *$sent " dnsperf.out
	grep -q "NOERROR $sent (100.00%)" dnsperf.out
	finish_server
	[ "$sent" -gt 10000 ]
	counted ".messages == $sent and .messages_answered == $sent" \
		'.accepted == 500'
}

@test "--mode dns: tcpclient has NOERROR for each query, over two workers" {
	start_server --mode dns -w 2 --json=server.json
	client -c 100 -n 0 -r 5000 -t 1 ::1
	accounts_close
	holds '.queries | .answered == .sent and .echoed == 0 and
		.rcodes.NOERROR == .sent'
	finish_server
	counted ".messages_answered == $(result .queries.sent)"
}

@test "--mode dns: what is no query gets FORMERR, or nothing, and counts" {
	start_server --mode dns --json=server.json
	peer <<-'END'
		def framed(m): return len(m).to_bytes(2, "big") + m
		head = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0"
		query = head + b"\1x\0\0\1\0\1"
		response = query[:2] + b"\x81\0" + query[4:]
		garbage = framed(head + b"\xc0\xff\xff") # FORMERR
		stream = (framed(b"") + framed(b"stump") + framed(response) +
		          garbage + framed(query))
		for b in stream: # one by one
		    s.sendall(bytes([b]))
		got = exactly(s, 14 + 2 + len(query) + 16)
		assert got[:6] == b"\0\x0c\x12\x34\x81\1", got
		assert got[16:20] == b"\x12\x34\x85\0", got
		assert got.endswith(b"\xc0\0\2\1"), got
		s.sendall(framed(query)[:-1]) # never whole
	END
	finish_server
	counted '.messages == 5 and .messages_answered == 2 and
		.messages_unanswerable == 3' '.bytes_discarded == 20'
}

@test "--mode ping: Pong to each Ping, and noise is swallowed" {
	start_server --mode ping --json=server.json
	peer <<-'END'
		s.sendall(b"Ping")
		assert exactly(s, 4) == b"Pong"
		s.sendall(b"noisePiPingPi")
		assert exactly(s, 4) == b"Pong"
		s.sendall(b"ngPing")
		assert exactly(s, 8) == b"PongPong"
	END
	finish_server
	counted '.messages == 4 and .messages_answered == 4' \
		'.bytes_discarded == 7 and .bytes_out == 16'
}

@test "--mode sink: all is swallowed, nothing comes back" {
	start_server --mode sink --json=server.json
	peer <<-'END'
		for _ in range(1000):
		    s.sendall(b"\0\3abc" * 1000)
		s.shutdown(socket.SHUT_WR)
		assert s.recv(1) == b""
	END
	finish_server
	counted '.messages == 1000000 and .messages_swallowed == 1000000' \
		'.bytes_in == 5000000 and .bytes_consumed == 5000000' \
		'.bytes_out == 0 and .closed_by_peer == 1'
}

@test "--delay: never sooner, and hardly later, whatever the mode" {
	local mode
	for mode in echo dns; do
		start_server --mode "$mode" --delay 100ms --json=server.json
		client -c 50 -n 0 -r 2000 -t 2 ::1
		accounts_close
		holds '.queries.answered == .queries.sent' \
			'.service_ns.min >= 100e6' '.service_ns.p50 < 200e6'
		finish_server
		counted ".messages_answered == $(result .queries.sent)"
	done
}

@test "--delay: a peer that hangs up leaves nothing behind" {
	start_server --delay 1h --json=server.json
	peer <<-'END'
		s.sendall(b"\0\3abc" * 1000)
		s.close()
		s = connect()
		s.sendall(b"\0\3abc" * 1000)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
		             b"\1\0\0\0\0\0\0\0")
		s.close()
	END
	finish_server
	counted '.messages_answered == 0 and .messages == .messages_discarded' \
		'.bytes_in == .bytes_discarded and .accepted == 2'
}

@test "--delay: what waits is bounded, and then the peer is not read from" {
	start_server --delay 1h --json=server.json
	worker=$(worker_of "$SERVER")
	highest() { awk '/^VmHWM/ { print $2 }' "/proc/$worker/status"; }
	before=$(highest)
	peer <<-'END'
		s.settimeout(1)
		data = b"\0\2ab" * 100000
		try:
		    while True:
		        s.send(data)
		except socket.timeout:
		    pass
		other = connect() # has room of its own, and is read
		other.sendall(b"\0\0")
	END
	grown=$(($(highest) - before))
	echo "grew by $grown kB"
	[ "$grown" -lt 65536 ]
	finish_server
	counted '.read_pauses == 1 and .messages_answered == 0'
}

@test "--drop: a share of the messages, whole ones, as both sides count" {
	local mode
	for mode in echo dns; do
		start_server --mode "$mode" --drop 20% --json=server.json
		client -c 20 -n 0 -r 5000 -t 1 --timeout 2s ::1
		accounts_close
		finish_server
		sent=$(result .queries.sent)
		# six standard deviations
		counted ".messages == $sent and
			.messages_dropped == $(result '.queries.timed_out') and
			(.messages_dropped - 0.2 * $sent | fabs) <
				6 * ($sent * 0.2 * 0.8 | sqrt)"
	done
	start_server --drop 1 --json=server.json
	peer <<-'END'
		s.sendall(b"\0\1a" * 10)
		s.shutdown(socket.SHUT_WR)
		assert s.recv(1) == b""
	END
	finish_server
	counted '.messages_dropped == 10 and .bytes_discarded == 30'
}

@test "--stall: nothing is answered meanwhile, by no worker, and all after it" {
	start_server -w 2 --stall 400ms/1s --json=server.json
	client -c 40 -n 0 -r 1000 -t 3 --warmup 1s ::1
	accounts_close
	holds '.queries.answered == .queries.sent' \
		'.response_ns.max > 300e6' '.response_ns.p90 > 200e6' \
		'.response_ns.p50 < 200e6'
	finish_server
	# what comes in a stall is answered when it is over; one may be late
	start_server --stall 600ms/1200ms --json=server.json
	peer <<-'END'
		kept = 0
		for _ in range(6):
		    while not 0.25 < time.time() % 1.2 < 0.35:
		        time.sleep(0.01)
		    began = time.time() // 1.2 * 1.2
		    s.sendall(b"\0\1x")
		    exactly(s, 3)
		    kept += time.time() - began >= 0.599
		assert kept >= 5, kept
	END
	finish_server
	counted '.messages_answered == 6'
}

@test "--stall: a server that does nothing still takes a signal" {
	start_server --stall 3599999ms/1h --json=server.json
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	printf '\0\1x' >&5
	accepted() {
		kill -USR1 "$SERVER"
		grep -q 'accepted 1$' server.out
	}
	wait_until accepted
	finish_server
	exec 5>&-
	counted '.accepted == 1 and .messages_answered == 0'
}

@test "--close-after: N answers and a FIN, and TIME_WAIT is the server's" {
	enter_namespace 20000 30000
	start_server --close-after 3 --json=server.json
	# one behind the last, which nobody answers, must make no RST of the FIN
	peer <<-'END'
		s.close()
		for i in range(50):
		    s = connect()
		    s.sendall(b"\0\1x" * (3 + i % 2))
		    assert exactly(s, 9) == b"\0\1x" * 3
		    assert s.recv(1) == b""
		    s.close()
	END
	all_waiting() { [ "$(time_wait "sport = :$PORT")" -eq 50 ]; }
	wait_until all_waiting
	# that of the first connection, which its peer closed
	[ "$(time_wait "dport = :$PORT")" -eq 1 ]
	finish_server
	counted '.closed_after == 50 and .closed_by_peer == 1 and
		.reset_by_peer == 0' \
		'.messages == 175 and .messages_answered == 150 and
		.messages_discarded == 25'
}

@test "without --close-after TIME_WAIT is the client's" {
	enter_namespace 20000 30000
	start_server --json=server.json
	peer <<-'END'
		s.close()
		for i in range(20):
		    s = connect()
		    s.sendall(b"\0\1x")
		    exactly(s, 3)
		    s.close()
	END
	all_waiting() { [ "$(time_wait "dport = :$PORT")" -eq 21 ]; }
	wait_until all_waiting
	[ "$(time_wait "sport = :$PORT")" -eq 0 ]
	finish_server
}

@test "--close-after: a peer that never closes is left after a while" {
	start_server --close-after 1 --json=server.json
	peer <<-'END' &
		s.sendall(b"\0\1x")
		exactly(s, 3)
		time.sleep(60)
	END
	STARTED+=("$!")
	closed() {
		kill -USR1 "$SERVER"
		grep -q 'after the last answer 1' server.out
	}
	wait_until closed
	finish_server
	counted '.closed_after == 1'
}

@test "--idle-timeout: who says nothing is closed, who does is not" {
	local mode
	for mode in echo dns; do
		start_server --mode "$mode" --idle-timeout 2s --json=server.json
		peer "$mode" <<-'END'
			size = 21 if sys.argv[2] == "echo" else 37
			query = b"\0\x13\0\1\1\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1"
			begun = time.monotonic()
			silent = [connect() for _ in range(30)]
			silent[0].sendall(b"\0")
			while time.monotonic() - begun < 3.5:
			    s.sendall(query)
			    exactly(s, size)
			    time.sleep(0.05)
			silent[0].settimeout(20)
			for i in range(30):
			    left = silent[i].recv(2)
			    if i == 0 and left == b"\0": # an echo
			        left = silent[i].recv(2)
			    assert left == b"", left
			assert time.monotonic() - begun >= 2
		END
		finish_server
		counted '.closed_idle == 30 and .closed_by_peer == 1'
	done
}

@test "all at once: dns, delay, drop, stall, close-after, idle timeout" {
	start_server -w 2 --mode dns --delay 20ms --drop 0.1 --stall 50ms/500ms \
		--close-after 20 --idle-timeout 10s --json=server.json
	# the server closes, so this is not as asked
	exits 3 run_client -c 100 -n 0 -r 5000 -t 2 --timeout 2s ::1
	accounts_close
	holds '.service_ns.min >= 20e6' '.connections.closed_by_peer == 100' \
		'.queries.answered == 2000'
	finish_server
	counted '.messages_answered == 2000 and .closed_after == 100' \
		'.messages_dropped > 0'
	jq -e '.config.service | .mode == "dns" and .delay_s == 0.02 and
		.drop == 0.1 and .stall_s == 0.05 and .stall_every_s == 0.5 and
		.close_after == 20 and .idle_timeout_s == 10' server.json
	grep -q '^service      dns, delay 0.02 s, stalls for 0.05 s in every 0.5 s, drops 10 %' \
		server.out
}

@test "a connection costs no more than 256 bytes without these options" {
	start_server --json=server.json
	worker=$(worker_of "$SERVER")
	heap() {
		awk '/\[heap\]/ { h = 1 } /^[0-9a-f]+-/ { if (!/\[heap\]/) h = 0 }
			h && /^Rss/ { print $2; exit }' "/proc/$worker/smaps"
	}
	before=$(heap)
	[ -n "$before" ] || skip "a sanitizer has a heap of its own"
	python3 "$BATS_TEST_DIRNAME/hold.py" "$PORT" 10000
	grown=$(($(heap) - before))
	echo "$grown kB for 10000"
	[ "$grown" -le 2560 ]
	finish_server
}

@test "options that make no sense: exit 2 and why" {
	refuses() {
		run -2 "$TCPSERVER" "${@:2}"
		[[ $output == *"$1"* ]]
	}
	refuses "--mode fast: not echo, dns, sink or ping" --mode fast
	refuses "--delay 1x: not a duration" --delay 1x
	refuses "--drop 2: too large" --drop 2
	refuses "--drop 10 %: not a share" --drop "10 %"
	refuses "--stall 1s: not a duration, a slash" --stall 1s
	refuses "--stall 5s/1s: nothing is left" --stall 5s/1s
	refuses "--close-after 0: too small" --close-after 0
	refuses "--idle-timeout must be" --idle-timeout 0
	refuses "-s x: not a whole number" -s x
	refuses "--delay: --mode sink answers nothing" --mode sink --delay 1s
	refuses "--drop: --mode sink answers nothing" --mode sink --drop 1%
	refuses "--close-after: --mode sink" --mode sink --close-after 1
}
