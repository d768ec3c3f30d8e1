#!/usr/bin/env bats
# An output is a pipe that is full and that nobody reads.

load helpers

bats_require_minimum_version 1.5.0

# Descriptor 7 is a full pipe.
full_pipe() {
	mkfifo full
	exec 7<>full
	python3 - <<-'END'
		import os
		own = os.open("full", os.O_WRONLY | os.O_NONBLOCK)
		try:
		    while True:
		        os.write(own, b"x" * 4096)
		except BlockingIOError:
		    pass
	END
}

@test "a full pipe on stderr: the client ends at its time, with its result" {
	start_server
	full_pipe
	"$TCPCLIENT" -p "$PORT" --json=result.json -c 10 -n 0 -r 500 -t 300ms \
		-i 10ms 127.0.0.1 >client.out 2>&7 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until gone "$CLIENT"
	wait_client
	holds '.queries.answered > 0'
}

@test "a full pipe on stderr: SIGINT drains, a second one stops" {
	start_peer sink
	full_pipe
	"$TCPCLIENT" -p "$PORT" --json=result.json -c 10 -n 0 -r 500 \
		--timeout 60s --control=control -i 10ms 127.0.0.1 \
		>client.out 2>&7 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until told stats '.queries.sent > 0'
	kill -INT "$CLIENT"
	told count '.phase == "draining"'
	kill -INT "$CLIENT"
	wait_until gone "$CLIENT"
	exits 0 wait_client
	holds '.end.interrupted' \
		'.queries.lost_by_reason.stopped == .queries.sent'
}

@test "a full pipe on stdout: the server ends on SIGTERM, also after SIGUSR1" {
	full_pipe
	"$TCPSERVER" 0 >&7 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
	kill -USR1 "$SERVER"
	wait_until grep -q 'the counts are not printed' server.err
	kill -TERM "$SERVER"
	(exec cat <full >server.out 3>&- 7>&-) &
	STARTED+=($!)
	exec 7>&-
	wait_until gone "$SERVER"
	exits 0 wait "$SERVER"
	wait_until grep -q 'connections  open 0' server.out
}
