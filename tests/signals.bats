#!/usr/bin/env bats
# Signals: what a launcher left blocked or ignored, and what each of them does.

load helpers

bats_require_minimum_version 1.5.0

# launched HOW SIGNALS: the programs are started by such a launcher from here on.
launched() {
	INSIDE=(python3 "$BATS_TEST_DIRNAME/launch.py" "$1" "$2")
}

# The signals that end the programs in order.
ENDING=(INT TERM HUP ALRM XCPU)

# in_mask FIELD SIGNAL PID: the process has it in this mask of /proc/PID/status.
in_mask() {
	local mask
	mask=$(awk -v field="$1:" '$1 == field { print $2 }' "/proc/$3/status")
	(((16#$mask >> ($(kill -l "$2") - 1)) & 1))
}

# ends_in_order SIGNAL: both programs, with their results.
ends_in_order() {
	local workers
	start_server -w 2 --json=server.json
	start_client -w 2 -c 20 -n 0 -r 2000 -t 60 -i 20ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	mapfile -t workers < <(worker_of "$CLIENT")
	kill "-$1" "$CLIENT"
	exits 3 wait_client
	holds '.end.interrupted and .queries.sent > 0 and
		.queries.answered == .queries.sent and
		.connections.closed_locally == 20 and
		(.verdict.reasons[0] | startswith("interrupted"))'
	gone "${workers[@]}"
	kill "-$1" "$SERVER"
	exits 0 wait "$SERVER"
	jq -e '.counts.accepted == 20' server.json
}

@test "INT, TERM, HUP, ALRM and XCPU end both programs in order" {
	local signal
	for signal in "${ENDING[@]}"; do
		ends_in_order "$signal"
	done
}

@test "all signals blocked by the launcher: both programs end as ever" {
	launched block ALL
	client_and_server_end
	ends_in_order TERM
}

@test "all signals ignored by the launcher: both programs end as ever" {
	launched ignore ALL
	client_and_server_end
	ends_in_order TERM
}

# A run of its own accord.
client_and_server_end() {
	start_server -w 2
	client -w 2 -c 10 -n 0 -r 500 -t 200ms 127.0.0.1
	holds '.queries.sent > 0'
	kill -TERM "$SERVER"
	exits 0 wait "$SERVER"
}

# But SIGUSR2 in a worker, which hears it in a wait for the reader of -R alone.
@test "no signal is blocked in a parent or a worker, whatever the launcher did" {
	launched block ALL
	start_server -w 2
	start_client -w 2 -c 10 -n 0 -r 500 -t 60 -i 20ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	local pid
	for pid in "$SERVER" "$CLIENT" $(worker_of "$SERVER") \
		$(worker_of "$CLIENT"); do
		grep -Eqx 'SigBlk:.0*(800)?' "/proc/$pid/status"
	done
	kill -INT "$CLIENT"
	exits 3 wait_client
}

@test "workers ignore what a terminal sends to all, and see their children end" {
	start_server -w 2
	local pid signal
	for pid in $(worker_of "$SERVER"); do
		for signal in INT TERM HUP ALRM USR1 PIPE XFSZ TTOU; do
			in_mask SigIgn "$signal" "$pid"
		done
		for signal in CHLD XCPU; do
			run ! in_mask SigIgn "$signal" "$pid"
		done
	done
	for signal in INT TERM HUP ALRM XCPU USR1 CHLD; do
		in_mask SigCgt "$signal" "$SERVER"
	done
}

@test "nohup: SIGHUP that was ignored at the start stays ignored" {
	launched ignore HUP
	start_server --control=control
	kill -HUP "$SERVER"
	told count '.ok'
	in_mask SigIgn HUP "$SERVER"
	start_client -c 10 -n 0 -r 500 -t 500ms -i 20ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	kill -HUP "$CLIENT"
	wait_client
	holds '.end.interrupted | not' '.rate.duration_s >= 0.5'
}

@test "a job in the background may write to its terminal (SIGTTOU is ignored)" {
	start_server
	in_mask SigIgn TTOU "$SERVER"
	start_client -c 1 -n 0 -r 100 -t 60 -i 20ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	in_mask SigIgn TTOU "$CLIENT"
	kill -INT "$CLIENT"
	exits 3 wait_client
}

@test "ulimit -f: a result that is too large is named, the others are written" {
	start_server
	(
		ulimit -f 4
		exits 1 "$TCPCLIENT" -p "$PORT" --json=result.json -c 10 -n 0 \
			-r 2000 -t 300ms 127.0.0.1 >client.out 2>client.err
	)
	grep -q 'result.json: File too large' client.err
	grep -q '^queries  *scheduled [1-9]' client.out
}

@test "ulimit -f: rows of -R that do not fit end the run with the reason" {
	start_server
	(
		ulimit -f 4
		exits 1 "$TCPCLIENT" -p "$PORT" -R -c 10 -n 0 -r 2000 -t 60 \
			127.0.0.1 >rows.csv 2>client.err
	)
	grep -q 'standard output: File too large' client.err
}

@test "ulimit -f: the server's result that is too large is named" {
	mkfifo out err
	cat out >server.out 3>&- &
	cat err >server.err 3>&- &
	(
		ulimit -f 0
		exec "$TCPSERVER" --json=server.json 0 >out 2>err 3>&-
	) &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
	kill -TERM "$SERVER"
	exits 1 wait "$SERVER"
	wait_until grep -q 'server.json: File too large' server.err
	wait_until grep -q '^connections' server.out
}

@test "SIGPIPE: a reader of -R that has gone is an error with a reason" {
	start_server
	exits 1 "$TCPCLIENT" -p "$PORT" -R -c 10 -n 0 -r 2000 -t 60 \
		127.0.0.1 2>client.err > >(head -n 1 >rows.csv)
	grep -q 'standard output: Broken pipe' client.err
}

@test "a worker over its own limit of processor time is booked as lost" {
	start_server
	start_client -w 2 -c 10 -n 0 -r 1000 -t 1 -i 20ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	kill -XCPU "$(worker_of "$CLIENT" | head -n 1)"
	exits 3 wait_client
	accounts_close
	grep -q 'worker 0 was ended by signal 24' client.err
}
