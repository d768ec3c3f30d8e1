#!/usr/bin/env bats
# An output is a pipe that is full and that nobody reads.

load helpers

bats_require_minimum_version 1.5.0

# Descriptor 7 is a pipe that nobody reads.
unread_pipe() {
	mkfifo full
	exec 7<>full
}

# And now it is full.
fill_pipe() {
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

# Descriptor 7 is a full pipe.
full_pipe() {
	unread_pipe
	fill_pipe
}

# ends_within SECONDS PID: what is promised are 2 s, on a machine that is not busy.
ends_within() {
	timeout "$1" tail --pid="$2" -s 0.05 -f /dev/null
}

# The result is there as a whole: it is written before anybody is waited for.
is_written() {
	[ -s "$1" ] && jq -e '.queries.answered > 0' "$1"
}

last_line_has() {
	tail -n 1 client.err | grep -q "$1"
}

more_lines_than() {
	[ "$(wc -l <client.err)" -gt "$1" ]
}

# The client with these options, for a short time; sets CLIENT.
start_short() {
	"$TCPCLIENT" -p "$PORT" -c 4 -r 200 -t 300ms "$@" ::1 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
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
	exits 3 wait_client
	holds '.end.interrupted' \
		'.verdict.reasons | any(startswith("no query was answered"))' \
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

@test "-R into a pipe that is not read, and two signals: what was due is skipped" {
	start_server --mode dns
	unread_pipe
	"$TCPCLIENT" -p "$PORT" --json=result.json -c 10 -n 0 -r 1000 --arrival uniform \
		-t 60 -R \
		-i 50ms 127.0.0.1 >&7 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until grep -q 'sent [1-9]' client.err
	# it stands when the pipe is full
	wait_until last_line_has 'sent 0/s'
	wait_until more_lines_than $(($(wc -l <client.err) + 20))
	kill -INT "$CLIENT" # the same signal twice at once can be one
	kill -TERM "$CLIENT"
	ends_within 20 "$CLIENT"
	exits 1 wait "$CLIENT"
	accounts_close
	# as many as were due by the first signal: uniform, so to within one
	# shellcheck disable=SC2016
	holds '.verdict.reasons | any(startswith("interrupted after ")) and any(startswith("ended after "))' \
		'.queries.skipped > 0 and .queries.skipped == .queries.skipped_by_reason.overload' \
		'((.end.interrupted_unix_ns - .times_unix_ns.query_begin) / 1e9) as $told | (.queries.scheduled - 1000 * $told | fabs) <= 1.5 and (.rate.duration_s - $told | fabs) < 1e-6'
}

@test "-R that is read long after a signal: nothing is sent any more" {
	start_server --mode dns
	unread_pipe
	"$TCPCLIENT" -p "$PORT" --json=result.json -c 10 -n 0 -r 1000 \
		--arrival uniform -t 60 -R -i 50ms 127.0.0.1 >&7 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until grep -q 'sent [1-9]' client.err
	wait_until last_line_has 'sent 0/s'
	kill -INT "$CLIENT"
	# 1 s and more
	wait_until more_lines_than $(($(wc -l <client.err) + 30))
	(exec cat <full >rows 3>&- 7>&-) &
	STARTED+=($!)
	exec 7>&-
	ends_within 20 "$CLIENT"
	exits 3 wait_client
	accounts_close
	# shellcheck disable=SC2016
	holds '.end.interrupted' '.queries.skipped_by_reason.overload > 0' \
		'((.end.interrupted_unix_ns - .times_unix_ns.query_begin) / 1e9) as $told | (.queries.scheduled - 1000 * $told | fabs) <= 1.5' \
		'.rate | (.sent_qps * .duration_s | round) > 0'
	[ "$(grep -c ^Q rows)" -eq "$(result .queries.sent)" ]
}

@test "a full pipe for --series: all else is written, and SIGINT ends the wait" {
	start_server
	full_pipe
	start_short --json=result.json --series=full --histogram=h \
		>client.out 2>client.err
	wait_until is_written result.json
	wait_until grep -q '^response' client.out
	[ -s h ]
	kill -0 "$CLIENT"
	kill -INT "$CLIENT"
	ends_within 10 "$CLIENT"
	exits 1 wait "$CLIENT"
	grep -Eq '^tcpclient: full: it was not read, and the last [0-9]+ bytes are lost' \
		client.err
}

@test "a full pipe for --series: the run goes on at its rate" {
	start_server
	full_pipe
	"$TCPCLIENT" -p "$PORT" --json=result.json --series=full -c 4 -r 200 \
		-t 2500ms ::1 >client.out 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until is_written result.json
	holds '.series | length >= 3' '.queries.sent == .queries.scheduled' \
		'(.queries.scheduled - 500 | fabs) < 6 * (500 | sqrt)' \
		'.end.slow_turns_ns.writing == 0'
}

@test "a full pipe for --series that is read at last: no row is lost" {
	start_server
	full_pipe
	start_short --json=result.json --series=full \
		>client.out 2>client.err
	wait_until is_written result.json
	(exec tr -d x <full >rows 3>&- 7>&-) &
	STARTED+=($!)
	exec 7>&-
	wait_until gone "$CLIENT"
	wait_client
	[ "$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "sent") k = i }
		NR > 1 { n += $k } END { print n }' rows)" = \
		"$(result .queries.sent)" ]
}

@test "a full pipe on stdout: a JSON result for another pipe arrives" {
	mkfifo other
	(exec cat <other >result.json 3>&-) &
	STARTED+=($!)
	start_server
	full_pipe
	start_short --json=other >&7 2>client.err
	wait_until is_written result.json
	kill -0 "$CLIENT"
	kill -TERM "$CLIENT"
	ends_within 10 "$CLIENT"
	exits 1 wait "$CLIENT"
	grep -q '^tcpclient: standard output: it was not read' client.err
}

@test "--merge into a full pipe: files are written, and SIGINT ends the wait" {
	start_server
	full_pipe
	start_short --json=result.json >client.out 2>client.err
	wait_until gone "$CLIENT"
	wait_client
	"$TCPCLIENT" --merge --json=full --histogram=h result.json \
		>client.out 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until grep -q '^response' client.out
	[ -s h ]
	kill -0 "$CLIENT"
	kill -INT "$CLIENT"
	ends_within 10 "$CLIENT"
	exits 1 wait "$CLIENT"
	grep -q '^tcpclient: full: it was not read' client.err
}

@test "-R is not read: a second SIGINT ends the run within 2 s, accounts in order" {
	start_server
	unread_pipe
	"$TCPCLIENT" -p "$PORT" --json=result.json -R -c 4 -w 2 -r 20000 -t 60 \
		--control=control ::1 >&7 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until told stats '.queries.sent > 0'
	fill_pipe
	kill -INT "$CLIENT"
	told count '.phase == "draining"'
	kill -INT "$CLIENT"
	ends_within 10 "$CLIENT"
	exits 1 wait "$CLIENT"
	accounts_close
	holds '.end.workers_died == 0' '.connections.closed_worker_died == 0' \
		'.verdict.reasons | any(test("-R. could not be written: it was not read"))'
	grep -q '^tcpclient: standard output: it was not read, and the last rows' \
		client.err
}

@test "-v into a full pipe: the client ends at its time and counts the lines" {
	start_server
	full_pipe
	start_short -v -i 50ms --json=result.json >client.out 2>&7
	wait_until gone "$CLIENT"
	wait_client
	grep -Eq '[0-9]+ lines on standard error were left out' client.out
}

@test "-v into a full pipe: the server serves, and counts the lines" {
	unread_pipe
	"$TCPSERVER" -v -w 2 -i 50ms --json=server.json 0 >server.out 2>&7 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	while [[ ! ${line-} =~ listening\ on\ .*:([0-9]+), ]]; do
		read -r line <&7
	done
	PORT=${BASH_REMATCH[1]}
	fill_pipe
	client -c 50 -r 500 -t 300ms ::1
	holds '.queries.answered == .queries.sent'
	kill -TERM "$SERVER"
	wait_until gone "$SERVER"
	exits 0 wait "$SERVER"
	# each connection has a line when it begins and one when it ends
	jq -e '.counts | .accepted == 50 and .lines_left_out >= 100' server.json
	grep -q 'lines on standard error that were left out' server.out
}

@test "a full pipe for the server's JSON result: a second SIGTERM ends the wait" {
	unread_pipe
	start_server --json=full
	fill_pipe
	kill -TERM "$SERVER"
	wait_until grep -q '^traffic' server.out
	kill -0 "$SERVER"
	kill -TERM "$SERVER"
	ends_within 10 "$SERVER"
	exits 1 wait "$SERVER"
	grep -q '^tcpserver: full: it was not read' server.err
}

@test "a full pipe on stdout: a second SIGINT in mid-run ends the client within 2 s" {
	start_peer sink
	full_pipe
	"$TCPCLIENT" -p "$PORT" --json=result.json -c 10 -n 0 -r 500 \
		--timeout 60s --control=control 127.0.0.1 \
		>&7 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
	wait_until told stats '.queries.sent > 0'
	kill -INT "$CLIENT"
	told count '.phase == "draining"'
	kill -INT "$CLIENT"
	ends_within 10 "$CLIENT"
	exits 1 wait "$CLIENT"
	holds '.end.interrupted'
	grep -q '^tcpclient: standard output: it was not read' client.err
}

@test "one SIGINT after the other does not put the end off" {
	local tries=0
	start_server
	start_client -c 4 -r 100 -t 60 --control control ::1
	wait_until told stats '.queries.sent > 0'
	kill -STOP "$(worker_of "$CLIENT")"
	until gone "$CLIENT"; do
		((++tries < 300))
		kill -INT "$CLIENT" 2>/dev/null || true
		sleep 0.2
	done
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.end.workers_died == 1'
}
