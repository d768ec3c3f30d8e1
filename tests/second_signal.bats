#!/usr/bin/env bats
# A second signal ends the server, whatever its workers do.

load helpers

bats_require_minimum_version 1.5.0

# ends_within SECONDS PID: and three more, for a machine that is busy. Without the
# second signal it would never end.
ends_within() {
	timeout $(($1 + 3)) tail --pid="$2" -s 0.05 -f /dev/null
}

# hold_connections COUNT: opens them and has an echo on each; they stay.
hold_connections() {
	python3 - "$PORT" "$1" 3>&- <<-'END' &
		import socket, sys, time
		held = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		        for _ in range(int(sys.argv[2]))]
		for s in held:
		    s.sendall(b"\0\1x")
		    s.recv(3)
		open("held", "w").close()
		time.sleep(60)
	END
	STARTED+=("$!")
	wait_until test -e held
}

# The server was ended by two signals while its first worker was stopped.
is_ended_with_accounts() {
	jq -e '.workers_died == 1 and .findings == [] and (.counts |
		.accepted == 20 and .open == 0 and .messages == 20 and
		.closed_locally + .closed_worker_died == 20 and
		.bytes_in == 60 and .bytes_in == .bytes_out + .bytes_discarded)' \
		server.json
	grep -q 'worker 0 had not ended 0.8 s after the second signal: it was killed' \
		server.err
}

@test "a worker is stopped: a second SIGTERM ends the server, accounts in order" {
	start_server -w 2 --json=server.json
	hold_connections 20
	kill -STOP "$(worker_of "$SERVER" | head -n 1)"
	kill -INT "$SERVER" # the same signal twice at once can be one
	kill -TERM "$SERVER"
	ends_within 2 "$SERVER"
	exits 3 wait "$SERVER"
	is_ended_with_accounts
}

@test "the only worker is stopped: SIGHUP and SIGINT end the server" {
	start_server --json=server.json
	hold_connections 20
	kill -STOP "$(worker_of "$SERVER")"
	kill -HUP "$SERVER"
	kill -INT "$SERVER"
	ends_within 2 "$SERVER"
	exits 3 wait "$SERVER"
	is_ended_with_accounts
}

@test "a worker is stopped and the JSON pipe is not read: two signals are enough" {
	mkfifo full
	exec 7<>full
	start_server --json=full
	timeout 1 dd if=/dev/zero of=full oflag=nonblock bs=4096 || true
	kill -STOP "$(worker_of "$SERVER")"
	kill -HUP "$SERVER"
	kill -TERM "$SERVER"
	ends_within 3 "$SERVER"
	exits 1 wait "$SERVER"
	grep -q '^tcpserver: full: it was not read' server.err
}
