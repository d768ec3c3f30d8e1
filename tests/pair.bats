#!/usr/bin/env bats
# Client and server together.

load helpers

bats_require_minimum_version 1.5.0

@test "2,000 connections, 50,000 queries/s for 10 s: as asked" {
	start_server
	client -c 2000 -r 50000 -t 10 ::1
	holds '.queries.sent > 497500 and .queries.sent < 502500' \
		'.queries.answered == .queries.sent' \
		'.queries.echoed == .queries.sent' \
		'.connections.opened == 2000' '.connections.verified == 2000'
	accounts_close
	stop_server
	grep -q "messages $(result .queries.sent), " server.out
}

@test "10,000 connections at -n 0 do not take 10 s" {
	ulimit -n 10100 || skip "descriptor limit too low"
	start_server
	client -c 10000 -r 0 -t 1 -n 0 ::1
	holds '.connections.opened == 10000' '.connections.open_s < 5'
	accounts_close
}

@test "-n paces the connections, which overlap" {
	start_server
	client -c 100 -r 0 -t 100ms -n 200 127.0.0.1
	holds '.connections.opened == 100' '.connections.open_s >= 0.4'
}

@test "the same seed schedules the same number, another seed another" {
	start_server
	client -c 5 -r 10000 -t 1 -s 7 ::1
	first=$(result .queries.scheduled)
	client -c 50 -r 10000 -t 1 -s 7 ::1
	[ "$(result .queries.scheduled)" -eq "$first" ]
	client -c 5 -r 10000 -t 1 -s 8 ::1
	[ "$(result .queries.scheduled)" -ne "$first" ]
}

@test "-r 0 holds the connections only" {
	start_server
	client -c 10 -r 0 -t 300ms ::1
	holds '.queries.scheduled == 0' '.connections.opened == 10' \
		'.connections.closed_locally == 10' '.verdict.valid'
	accounts_close
}

@test "-R: header, seven columns, in agreement with the summary" {
	start_server
	as_asked "$TCPCLIENT" -p "$PORT" -R --json=result.json -c 20 -r 5000 -t 1 ::1 \
		>rows.csv 2>client.err
	[ "$(head -n 1 rows.csv)" = "type,timestamp,connection_id,query_id,poisson_id,poisson_interval_us,rtt_us" ]
	awk -F, 'NF != 7 { exit 1 }' rows.csv
	[ "$(grep -c '^Q,' rows.csv)" -eq "$(result .queries.sent)" ]
	[ "$(grep -c '^A,' rows.csv)" -eq "$(result .queries.answered)" ]
	[ "$(grep -c '^O,' rows.csv)" -eq 20 ]
	[ "$(grep -c '^C,' rows.csv)" -eq 20 ]
	# each query has one answer, and the round-trip times are the service
	# times of the result
	awk -F, '$1 == "Q" { q[$3 "," $4]++ }
		$1 == "A" { if (--q[$3 "," $4] != 0) exit 1; if ($7 > m) m = $7 }
		END { for (k in q) if (q[k] != 0) exit 1; print m }' \
		rows.csv >longest
	[ "$(cat longest)" -eq "$(result '.service_ns.max / 1000 | floor')" ]
	grep -q '^queries      scheduled' client.err
}

@test "-R agrees with the summary at 100,000 queries per second" {
	start_server
	as_asked "$TCPCLIENT" -p "$PORT" -R --json=result.json -c 200 -r 100k -t 3 \
		-n 0 ::1 >rows.csv 2>client.err
	holds '.queries.sent > 295000'
	awk -F, 'NF != 7 { exit 1 } { n[$1]++ }
		END { print n["Q"] + 0, n["A"] + 0, n["T"] + n["L"] + n["S"] }' \
		rows.csv >counts
	[ "$(cat counts)" = "$(result '.queries | "\(.sent) \(.answered) \(.timed_out + .lost + .skipped)"')" ]
	accounts_close
}

@test "JSON: every key of the design" {
	start_server
	client -c 5 -r 1000 -t 1 ::1
	holds '["version","command","config","connections","queries","rate","response_ns","service_ns","lateness_ns","connect_ns","series","kernel","findings","verdict"] - keys == []' \
		'["asked","attempted","opened","failed","verified","closed_by_peer","reset_by_peer","closed_locally","peak"] - (.connections | keys) == []' \
		'["scheduled","sent","answered","timed_out","lost","skipped","late","unmatched","malformed"] - (.queries | keys) == []' \
		'["target_qps","sent_qps","answered_qps"] - (.rate | keys) == []' \
		'[.response_ns, .service_ns, .lateness_ns, .connect_ns] | all(["count","min","mean","max","p50","p90","p99","p99_9","p99_99","buckets"] - keys == [])' \
		'.response_ns | .min <= .p50 and .p50 <= .p90 and .p90 <= .p99 and .p99 <= .p99_9 and .p99_9 <= .p99_99 and .p99_99 <= .max' \
		'.verdict | .valid == (.reasons == []) and .failed == []' \
		'([.series[].sent] | add) == .queries.sent' \
		'([.series[].answered] | add) == .queries.answered' \
		'.rate.target_qps == 1000'
}

@test "--json alone owns stdout, the summary goes to stderr" {
	start_server
	"$TCPCLIENT" -p "$PORT" -c 1 -r 100 -t 200ms --json ::1 >out 2>err ||
		(($? == 3))
	jq -e .queries.sent out
	grep -q '^queries      scheduled' err
}

@test "--histogram adds up to the answers" {
	start_server
	client -c 5 -r 1000 -t 1 --histogram hist ::1
	head -n 2 hist | grep -q '^# lo_ns hi_ns count'
	awk '!/^#/ { if ($2 <= $1 || $1 < last) exit 1; last = $2; n += $3 }
		END { print n }' hist >count
	[ "$(cat count)" -eq "$(result .queries.answered)" ]
}

@test "-i prints a line each interval where there is no terminal" {
	start_server
	client -c 5 -r 1000 -t 1 -i 200ms ::1
	[ "$(grep -c 'answered .*/s' client.err)" -ge 3 ]
}

@test "SIGINT drains and reports in full" {
	start_server
	start_client -c 50 -r 5000 -i 100ms ::1
	wait_until grep -q 'sent [1-9]' client.err
	kill -INT "$CLIENT"
	wait_client
	holds '.queries.sent > 0' '.queries.answered == .queries.sent'
	accounts_close
}

@test "SIGINT before the end of -t: exit 3, and the reason" {
	start_server
	start_client -c 5 -r 500 -t 60 -i 100ms ::1
	wait_until grep -q 'sent [1-9]' client.err
	kill -TERM "$CLIENT"
	exits 3 wait_client
	holds '.verdict.reasons[0] | startswith("interrupted")'
	accounts_close
}

@test "a second SIGINT stops at once: what is in flight is lost, once" {
	start_peer sink
	start_client -c 10 -r 1000 --timeout 60s -i 100ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	kill -INT "$CLIENT"
	wait_until grep -q 'again to stop' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	holds '.queries.sent > 0' \
		'.queries.lost_by_reason.stopped == .queries.sent'
	accounts_close
}

@test "SIGINT while connecting: pending connects are abandoned" {
	start_server
	start_client -c 1000 -n 100 -r 0 -i 50ms ::1
	wait_until grep -q 'opened [1-9]' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	holds '.connections.opened < 1000' \
		'.connections.closed_locally == .connections.opened'
	accounts_close
}

@test "the server is killed in mid-run: every query is counted once" {
	start_server
	start_client -c 100 -r 20000 -t 30 -i 100ms ::1
	wait_until grep -q 'sent [1-9]' client.err
	kill -KILL "$(worker_of "$SERVER")"
	exits 3 wait_client
	accounts_close
	holds '.connections.opened == 100' '.connections.closed_locally == 0' \
		'.queries.sent > 0' '.queries.timed_out == 0'
	exits 3 wait "$SERVER"
	grep -q 'worker died' server.out
}

@test "the client's worker is killed: the parent books what it held" {
	start_server
	start_client -c 100 -r 20000 -t 30 -i 100ms ::1
	wait_until grep -q 'sent [1-9]' client.err
	kill -KILL "$(worker_of "$CLIENT")"
	exits 3 wait_client
	accounts_close
	holds '.connections.closed_worker_died == 100' \
		'.verdict.reasons | any(startswith("1 worker died"))'
}

@test "no worker outlives a parent that is killed" {
	start_server
	worker=$(worker_of "$SERVER")
	start_client -c 10 -r 100 -i 50ms ::1
	wait_until grep -q 'sent [1-9]' client.err
	other=$(worker_of "$CLIENT")
	kill -KILL "$SERVER" "$CLIENT"
	gone() { ! kill -0 "$1" 2>/dev/null; }
	wait_until gone "$worker"
	wait_until gone "$other"
}

@test "the server is stopped for 2 s: queries stay scheduled, the stall shows" {
	start_server
	start_client -c 20 -r 2000 -t 6 -i 100ms ::1
	wait_until grep -q 'sent [1-9]' client.err
	worker=$(worker_of "$SERVER")
	begun=$(date +%s%N)
	kill -STOP "$worker"
	passed() { (($(date +%s%N) - begun >= 2000000000)); }
	wait_until passed
	kill -CONT "$worker"
	wait_client
	accounts_close
	# all were sent in time and answered; a third had to wait for the server
	holds '.queries.sent > 11000' '.queries.answered == .queries.sent' \
		'.response_ns.max > 1900000000' \
		'.response_ns.p90 > 1000000000' '.response_ns.p50 < 500000000' \
		'.lateness_ns.p99 < 500000000'
}

@test "valgrind finds no leak and no error in either program" {
	if nm -D "$TCPCLIENT" | grep -q __asan_init; then
		skip "built with sanitizers"
	fi
	# a worker still reaches what its parent had when it was forked
	local check=(valgrind -q --leak-check=full --error-exitcode=99)
	"${check[@]}" "$TCPSERVER" --json=server.json 0 >server.out \
		2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_until grep -q 'listening on' server.err
	PORT=$(sed -n 's/.*listening on .*:\([0-9]*\), .*/\1/p' server.err)
	as_asked "${check[@]}" "$TCPCLIENT" -p "$PORT" -c 20 -r 500 -t 2 -R \
		--json=result.json --histogram hist ::1 >rows 2>client.err
	accounts_close
	stop_server
	cat server.err
	run ! grep '^==' server.err client.err
}
