#!/usr/bin/env bats
# Messages between the parent and its workers that the kernel does not take.

load helpers

bats_require_minimum_version 1.5.0

ENOBUFS=105
EBADF=9
EPIPE=32

# failing WHERE FIRST COUNT ERRNO: send() fails so in what is started from here on.
failing() {
	INSIDE=(env "LD_PRELOAD=$HELPERS/../preload/fail_call.so"
		"FAIL_CALL=send $*" ASAN_OPTIONS=verify_asan_link_order=0)
}

@test "a message that fails once (ENOBUFS) is sent again: the whole load is sent" {
	start_server
	local where
	for where in parent worker; do
		failing "$where" 1 3 "$ENOBUFS"
		client -w 2 -c 10 -n 0 -r 1000 -t 300ms -s 1 127.0.0.1
		holds '.queries.answered == .queries.scheduled' \
			'.end.workers_died == 0' '.queries.scheduled > 150'
	done
}

@test "a worker that no message reaches is lost, by name, and the run not valid" {
	start_server
	failing parent 2 1 "$EBADF"
	exits 3 run_client -w 2 -c 10 -n 0 -r 1000 -t 300ms 127.0.0.1
	accounts_close
	holds '.end.workers_died == 1' \
		'.verdict.reasons | any(startswith("1 worker died"))'
	grep -q 'worker 1 is lost: no messages to it or from it: Bad file descriptor' \
		client.err
}

@test "a worker that lives and is said to have gone (EPIPE) is lost, by name" {
	start_server
	failing parent 2 1 "$EPIPE"
	exits 3 run_client -w 2 -c 10 -n 0 -r 1000 -t 300ms 127.0.0.1
	accounts_close
	grep -q 'worker 1 is lost: no messages to it or from it: Broken pipe' \
		client.err
	failing parent 1 1 "$EPIPE"
	start_server -w 2
	kill -TERM "$SERVER"
	exits 3 wait "$SERVER"
	grep -q 'worker 0 is lost: ' server.err
}

@test "a lack of memory that lasts (ENOBUFS) loses the worker, and ends the run" {
	start_server
	failing parent 2 1000000 "$ENOBUFS"
	exits 3 run_client -w 2 -c 10 -n 0 -r 1000 -t 300ms 127.0.0.1
	accounts_close
	grep -q 'worker 1 is lost: .*No buffer space available' client.err
}

@test "a worker that cannot report is lost, by name" {
	start_server
	failing worker 1 1000000 "$EBADF"
	exits 3 run_client -w 2 -c 10 -n 0 -r 1000 -t 300ms 127.0.0.1
	accounts_close
	holds '.end.workers_died == 2'
	grep -q 'worker 0: a message to its parent cannot be sent: Bad file' \
		client.err
}

@test "the server: messages that fail are sent again, and it ends on SIGTERM" {
	local where
	for where in parent worker; do
		failing "$where" 1 3 "$ENOBUFS"
		start_server -w 2
		kill -TERM "$SERVER"
		exits 0 wait "$SERVER"
	done
}

@test "the server: a worker that no message reaches is lost, and it ends" {
	failing parent 1 1 "$EBADF"
	start_server -w 2
	kill -TERM "$SERVER"
	exits 3 wait "$SERVER"
	grep -q 'worker 0 is lost: ' server.err
}

@test "a worker that ends before the others makes the run not valid" {
	start_server --control=control
	start_client -w 2 -c 2 -n 0 -r 1000 -t 3 -i 20ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	answers 'close 1' '{"ok":true,"closed":1}'
	exits 3 wait_client
	# by a reset, where a query was on its way to it
	holds '.connections | .closed_by_peer + .reset_by_peer == 1' '.queries.scheduled < 2672' \
		'.verdict.reasons | any(test("^[0-9]+ queries were scheduled, but 3000 were asked: a worker"))'
}
