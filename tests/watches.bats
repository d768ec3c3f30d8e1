#!/usr/bin/env bats
# epoll_ctl() fails: fs.epoll.max_user_watches (ENOSPC), or no memory (ENOMEM).

load helpers

bats_require_minimum_version 1.5.0

ENOMEM=12
ENOSPC=28

# failing WHERE FIRST COUNT ERRNO: the EPOLL_CTL_ADD fail so, counted in each process
# from 1, in what is started from here on.
failing() {
	INSIDE=(env "LD_PRELOAD=$HELPERS/../preload/fail_call.so"
		"FAIL_CALL=epoll_ctl $*" ASAN_OPTIONS=verify_asan_link_order=0)
}

# The program ends by itself, with status 1 and this message.
refused() {
	local status=0
	timeout -s KILL 20 "${INSIDE[@]}" "${@:2}" >refused.out 2>refused.err ||
		status=$?
	cat refused.err >&2
	((status == 1)) && grep -q "$1" refused.err
}

counted() {
	jq -e "$1" server.json >/dev/null || {
		jq -c '[.counts, .findings]' server.json >&2
		return 1
	}
}

@test "client: sockets that cannot be watched fail with that errno, and are a finding" {
	start_server
	failing worker 10 1000000 "$ENOSPC"
	exits 3 run_client -c 20 -n 0 -r 200 -t 200ms 127.0.0.1
	accounts_close
	holds '.connections.opened > 0' \
		'.connections | .failed.ENOSPC == 20 - .opened' \
		'.findings | any(.limit == "fs.epoll.max_user_watches" and .side == "client")'
	failing worker 10 1000000 "$ENOMEM"
	exits 3 run_client -c 20 -n 0 -r 200 -t 200ms 127.0.0.1
	accounts_close
	holds '.connections.opened > 0' \
		'.connections | .failed.ENOMEM == 20 - .opened'
}

@test "client: an open connection needs no new watch" {
	start_server
	# more than a client of one connection ever adds
	failing worker 4 1000000 "$ENOSPC"
	client -c 1 -n 0 -r 200 -t 200ms 127.0.0.1
	holds '.connections.opened == 1' '.queries.answered == .queries.sent'
}

@test "client: with no watch left for a connection it ends on SIGINT" {
	start_server
	failing worker 6 1000000 "$ENOSPC"
	start_client -c 5 -n 0 -r 200 -t 60s --reconnect now \
		--control=control 127.0.0.1
	wait_until told stats '.connections.failed.ENOSPC > 5'
	kill -INT "$CLIENT"
	wait_until gone "$CLIENT"
	accounts_close
}

@test "client: refused where its own descriptors cannot be watched" {
	start_server
	local where first
	for where in parent worker; do
		for first in 1 2; do
			failing "$where" "$first" 1000000 "$ENOSPC"
			refused 'fs.epoll.max_user_watches.*No space left' \
				"$TCPCLIENT" -p "$PORT" -w 2 -c 2 -r 10 -t 60 \
				127.0.0.1
		done
	done
	failing worker 2 1 "$ENOMEM"
	refused 'cannot watch a descriptor.*Cannot allocate memory' \
		"$TCPCLIENT" -p "$PORT" -w 2 -c 2 -r 10 -t 60 127.0.0.1
}

@test "server: a connection that cannot be watched is closed, counted, a finding" {
	failing worker 8 1000000 "$ENOSPC"
	start_server --json=server.json
	INSIDE=()
	run_client -c 20 -n 0 -r 200 -t 200ms 127.0.0.1 || true
	accounts_close
	stop_server
	counted '.counts | .accepted == 20 and .closed_unwatched > 0 and
		.closed_unwatched + .closed_by_peer + .reset_by_peer == 20'
	counted '.findings | any(.limit == "fs.epoll.max_user_watches" and
		.side == "server")'
	grep -q 'cannot be watched (fs.epoll.max_user_watches).*: No space left' \
		server.err
	grep -q 'not to be watched [1-9]' server.out
}

@test "server: refused where its own descriptors cannot be watched" {
	local where first
	for where in parent worker; do
		for first in 1 2 3; do
			failing "$where" "$first" 1000000 "$ENOSPC"
			refused 'fs.epoll.max_user_watches.*No space left' \
				"$TCPSERVER" -w 2 0
		done
	done
}

@test "server: a pause of accepting ends, also where its watch fails twice" {
	# the timer, the listener, the channel, all sources, a connection
	failing worker 6 2 "$ENOSPC"
	start_server --json=server.json --max-connections 1
	INSIDE=()
	run_client -c 2 -n 0 -r 100 -t 200ms --timeout 200ms 127.0.0.1 || true
	exits 0 client -c 1 -n 0 -r 100 -t 200ms 127.0.0.1
	holds '.queries.answered == .queries.sent'
	stop_server
	counted '.counts | .accept_pauses >= 1 and .closed_unwatched == 0'
}

@test "server: to wait for a slow reader and to read again takes no new watch" {
	failing worker 6 1000000 "$ENOSPC"
	start_server --json=server.json
	python3 - "$PORT" <<-'END'
		import socket, sys
		sent = heard = 0
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		for _ in range(2):
		    s.settimeout(0.3)
		    try:
		        while sent - heard < 1 << 26:
		            sent += s.send(bytes(65536))
		    except TimeoutError:
		        pass
		    s.settimeout(20)
		    while heard < sent:
		        heard += len(s.recv(65536))
	END
	stop_server
	counted '.counts | .closed_unwatched == 0 and .bytes_in == .bytes_out'
}

@test "--control: a client that cannot be watched is closed, the run goes on" {
	# the timer, signals, the worker, the control socket
	failing parent 5 1 "$ENOSPC"
	start_server --control=control
	[ -z "$(tell stats)" ]
	told stats '.ok'
	failing parent 4 1000000 "$ENOSPC"
	refused 'control control2: it cannot be watched: No space left' \
		"$TCPSERVER" --control=control2 0
	stop_server
}
