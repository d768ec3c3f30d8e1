#!/usr/bin/env bats
# tcpclient is told something while it runs, over a Unix socket.

load helpers

bats_require_minimum_version 1.5.0

# A client that takes commands at ./control, once it runs; HOST is where the peer is.
start_told() {
	rm -f result.json control
	start_client --control control "$@" "${HOST:-::1}"
	wait_until in_phase running
}

in_phase() {
	[ "$(tell count | jq -r .phase)" = "$1" ]
}

# Both sides have as many connections; the server takes commands at ./server.
both_have() {
	told count ".open == $1 and .pending == 0" &&
		[ "$(at server count | jq .open)" -eq "$1" ]
}

# It ends, as asked or not, and its accounts are exact.
quits() {
	answers quit '{"ok":true}'
	ended
	accounts_close
}

ended() {
	wait "$CLIENT" || [ $? -eq 3 ]
	[ ! -e control ]
}

# What has been scheduled is what the program asks for, up to what ended it, within
# 5 standard deviations of a Poisson process.
follows_the_program() {
	holds '.config.program as $p | .rate.duration_s as $t |
		(reduce $p[] as $s ({at: 0, sum: 0};
			([$s.duration_s // infinite, ([$t - .at, 0] | max)] | min)
				as $d |
			.sum += $s.begin_qps * $d | .at += $d) | .sum) as $due |
		.queries.scheduled - $due | fabs <= 5 * ($due | sqrt) + 1'
}

@test "the rate changes from the moment on that the answer names" {
	local answer rates
	start_server --control server
	start_told -c 200 -n 0 -r 100k -t 4s
	answer=$(tell 'rate 20000' 'rate 50k' 'rate 0' 'rate 30000')
	[ "$(jq -s 'all(.ok)' <<<"$answer")" = true ]
	rates=$(jq -s '[.[].at_s]' <<<"$answer")
	wait_client || [ -s result.json ]
	holds "[.config.program[].begin_qps] == [100000, 20000, 50000, 0, 30000]" \
		"[.config.program[].duration_s][:4] as \$d |
			[\$d[:1], \$d[:2], \$d[:3], \$d[:4]] | map(add) |
			[., $rates] | transpose |
			all(.[0] - .[1] | fabs < 1e-6)" \
		'([.config.program[].duration_s] | add - 4 | fabs < 1e-6)' \
		'.end.by_command == false'
	# a worker that was held up would go on with the rate before
	if [ "$(result .end.change_late_ns)" -eq 0 ]; then
		follows_the_program
	fi
	accounts_close
	stop_server
}

@test "an answer comes at once, and what it names is not far ahead" {
	local answer
	start_server
	start_told -c 20 -n 0 -r 1000 -t 60s
	# the machine may be held up before, between and behind the three
	answer=$(tell stats 'rate 2000' stats)
	jq -es '.[0].seconds <= .[1].at_s and
		.[1].at_s < .[2].seconds + 0.1' <<<"$answer"
	quits
	holds '.verdict.reasons[0] | startswith("ended by quit after ") and
		endswith(" s of 60.0 s")' '.end.interrupted and .end.by_command'
	stop_server
}

@test "connections, open and stop are exact on both sides" {
	local workers
	for workers in 1 3; do
		start_server --control server
		start_told -w "$workers" -c 100 -n 0 -r 500
		wait_until both_have 100
		answers 'connections 250' '{"ok":true,"connections":250}'
		wait_until both_have 250
		answers 'open 7' '{"ok":true,"connections":257}'
		wait_until both_have 257
		answers 'stop 57' '{"ok":true,"connections":200}'
		wait_until both_have 200
		answers 'connections 1' '{"ok":true,"connections":1}'
		wait_until both_have 1
		told 'stop 2' '.error == "there are only 1 connections"'
		answers 'connections 0' '{"ok":true,"connections":0}'
		wait_until both_have 0
		answers 'open 30' '{"ok":true,"connections":30}'
		wait_until both_have 30
		told 'connections 2000000000' \
			'.error | startswith("at most ") and
				endswith(" as it may have descriptors")'
		told count '.wanted == 30'
		quits
		holds '.connections | .opened == 287 and .failed_total == 0 and
			.closed_on_request == 257'
		stop_server
	done
}

@test "open and stop count from what is there, connections brings back what has ended" {
	start_server --control server
	start_told -w 2 -c 40 -n 0 -r 0
	wait_until both_have 40
	at server 'close 15'
	wait_until both_have 25
	told count '.wanted == 40'
	answers 'open 5' '{"ok":true,"connections":30}'
	wait_until both_have 30
	at server 'close 10'
	wait_until both_have 20
	answers 'stop 5' '{"ok":true,"connections":15}'
	wait_until both_have 15
	at server 'close 15'
	# nothing is left, and it goes on
	wait_until both_have 0
	answers 'connections 40' '{"ok":true,"connections":40}'
	wait_until both_have 40
	quits
	stop_server
}

@test "shares of the rate follow the connections" {
	start_server
	start_told -w 3 -c 3 -n 0 -r 1000
	# two workers have none, and what falls to them is none
	answers 'connections 1' '{"ok":true,"connections":1}'
	wait_until told count '.open == 1'
	wait_until told stats '.queries.answered > 2000'
	quits
	# but what came before they had heard of it
	holds '.queries.skipped_by_reason.no_connection < 100'
	stop_server
}

@test "a worker that died leaves its share to the others" {
	local worker
	start_server --control server
	start_told -w 3 -c 30 -n 0 -r 300
	worker=$(worker_of "$CLIENT" | tail -1)
	kill -KILL "$worker"
	wait_until both_have 20
	answers 'connections 30' '{"ok":true,"connections":30}'
	wait_until both_have 30
	quits
	holds '.end.workers_died == 1' '.connections.opened == 40'
	stop_server
}

@test "a worker that is stopped holds up its command and nothing else" {
	local worker
	start_server
	start_told -w 2 -c 10 -n 0 -r 100
	worker=$(worker_of "$CLIENT" | tail -1)
	kill -STOP "$worker"
	yes 'rate 200' | head -500 | socat -t 30 - UNIX-CONNECT:control >rates 3>&- &
	STARTED+=($!)
	local asking=$!
	told count '.ok'
	told stats '.ok and .queries.sent > 0'
	[ ! -s rates ]
	kill -CONT "$worker"
	wait "$asking"
	[ "$(jq -s 'length == 500 and all(.rate == 200)' rates)" = true ]
	quits
	stop_server
}

@test "pause sends nothing and keeps the connections, resume goes on" {
	local first moment
	start_server --control server
	start_told -w 3 -c 30 -n 0 -r 10k
	moment=$(tell pause | jq -e .at_s)
	told count '.phase == "paused"'
	wait_until told stats ".seconds > $moment"
	# workers answer in a turn of their own, so each has had a whole one
	tell pause pause
	first=$(tell stats | jq .queries.scheduled)
	wait_until told stats '.in_flight == 0'
	told pause .ok
	told 'rate 5000' .ok
	told stats ".queries.scheduled == $first"
	both_have 30
	told resume .ok
	told resume .ok
	wait_until told stats ".queries.scheduled > $first"
	told count '.phase == "running" and .open == 30'
	quits
	holds '[.config.program[].begin_qps] == [10000, 0, 5000]' \
		'.connections.opened == 30'
	accounts_close
	stop_server
}

@test "a pause may last beyond the end" {
	start_server
	start_told -c 10 -n 0 -r 1000 -t 3s
	told pause .ok
	wait_client || [ -s result.json ]
	holds '.config.program[-1].begin_qps == 0' '.rate.duration_s < 6'
	accounts_close
	stop_server
}

@test "with --every each connection keeps its interval" {
	local workers
	for workers in 1 3; do
		start_server
		start_told -w "$workers" -c 50 -n 0 --every 100ms
		told 'rate 100' '.error | startswith("--every says how many")'
		answers 'connections 120' '{"ok":true,"connections":120}'
		wait_until told count '.open == 120'
		wait_until told stats '.queries.answered > 2000'
		answers 'stop 20' '{"ok":true,"connections":100}'
		quits
		holds '[.config.program[].begin_qps] == [500, 1200, 1000]'
		accounts_close
		stop_server
	done
}

@test "what is no command is refused and changes nothing" {
	start_server
	start_told -c 10 -n 0 -r 100
	told foo '.error == "unknown command '"'foo'"': rate RATE, connections N, open N, stop N, count, stats, pause, resume, quit"'
	told rate '.error | startswith("rate alone is too little")'
	told '' '.ok == false'
	told 'rate -1' '.ok == false'
	told 'rate 2000M' '.ok == false'
	told 'open 1.5' '.ok == false'
	told 'quit now' '.ok == false'
	head -c 100000 /dev/urandom | socat -t 20 - UNIX-CONNECT:control |
		jq -es 'length > 0 and all(.ok == false)'
	head -c 1000000 /dev/zero | tr '\0' x |
		socat -t 20 - UNIX-CONNECT:control >refused
	[ "$(cat refused)" = '{"ok":false,"error":"a line has 4096 bytes at most"}' ]
	printf 'connections 20' | socat -t 20 - UNIX-CONNECT:control |
		jq -e '.ok == false'
	answers count '{"ok":true,"open":10,"pending":0,"wanted":10,"phase":"running"}'
	quits
	holds '[.config.program[].begin_qps] == [100]' '.connections.opened == 10'
	stop_server
}

@test "a thousand commands at once are answered in their order" {
	local i
	start_server
	start_told -w 3 -c 30 -n 0 -r 1000
	for ((i = 1; i <= 1000; i++)); do
		echo "rate $i"
	done | socat -t 30 - UNIX-CONNECT:control >rates
	jq -es '[.[].rate] == [range(1; 1001)] and
		([.[].at_s] | . == sort)' rates
	quits
	holds '.config.program | length == 1001 and .[-1].begin_qps == 1000'
	accounts_close
	stop_server
}

@test "before the run has begun, and when it is over, nothing can be changed" {
	start_server
	start_client --control control -c 1000 -n 1 -r 100 ::1
	wait_until in_phase opening
	told 'rate 5' '.error | startswith("the connections are still being opened")'
	told 'open 5' '.error | startswith("the connections are still being opened")'
	told stats '.ok and .connections.opened < 1000'
	quits
	# answers that never come
	start_peer silent
	HOST=127.0.0.1 start_told -c 2 -n 0 -r 100 --timeout 60s
	wait_until told stats '.in_flight > 0'
	answers quit '{"ok":true}'
	wait_until in_phase draining
	told 'connections 7' '.error == "the run is over"'
	told pause '.error == "the run is over"'
	tell quit
	ended
	accounts_close
	stop_server
}

@test "with --start-at a command before it counts from the beginning on" {
	start_server
	start_client --control control -c 10 -n 0 -r 1000 -t 500ms \
		--start-at "$(($(date +%s) + 5))" ::1
	wait_until in_phase waiting
	told 'rate 3000' '.at_s == 0'
	answers 'connections 20' '{"ok":true,"connections":20}'
	wait_client || [ -s result.json ]
	holds '[.config.program[] | [.duration_s, .begin_qps]] == [[0.5, 3000]]' \
		'.connections.opened == 20'
	follows_the_program
	stop_server
}

@test "the path is private, and gone at any end" {
	start_server
	start_told -w 2 -c 4 -n 0 -r 10
	[ "$(stat -c %a%F control)" = 600socket ]
	kill -TERM "$CLIENT"
	ended
	stop_server
	start_peer silent
	HOST=127.0.0.1 start_told -c 2 -n 0 -r 100 --timeout 60s
	wait_until told stats '.in_flight > 0'
	kill -INT "$CLIENT"
	wait_until in_phase draining
	kill -INT "$CLIENT"
	ended
}

@test "a path that cannot be had is refused before anything is overwritten" {
	start_server
	echo precious >control
	echo old >result.json
	run -1 run_client --control control -w 2 -c 4 -n 0 -r 10 -t 100ms ::1
	grep -q -- '--control control: exists and is not a socket' client.err
	[ "$(cat control)" = precious ]
	[ "$(cat result.json)" = old ]
	run -1 run_client --control no/such/ctl -c 4 -r 10 -t 100ms ::1
	[ "$(cat result.json)" = old ]
	rm control
	start_told -c 4 -n 0 -r 10
	run -1 "$TCPCLIENT" -p "$PORT" --control control -c 4 -r 10 -t 100ms ::1
	[[ $output == *"--control control: another program listens there"* ]]
	quits
	stop_server
}
