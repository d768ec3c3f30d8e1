#!/usr/bin/env bats
# Load that changes, and what it is for: times that can be calculated, programs
# of rates, warm-up, a common start, conditions, searches for the most.

load helpers

bats_require_minimum_version 1.5.0

# A timed_peer in this mode. Sets PEER and PORT.
start_timed() {
	rm -f peer.out
	"${INSIDE[@]}" "$HELPERS/timed_peer" "$@" >peer.out 2>peer.err 3>&- &
	PEER=$!
	STARTED+=("$PEER")
	wait_until test -s peer.out
	PORT=$(cat peer.out)
}

stop_timed() {
	kill "$PEER"
	wait "$PEER" || true
}

# A network namespace of the test's own, where that can be had: what others do
# then moves no counter of the kernel that a search looks at.
isolate() {
	if [ "$(id -u)" -eq 0 ] && unshare -n true 2>/dev/null; then
		enter_namespace 20000 60000
	fi
}

# until_passed NANOSECONDS: since it was called.
until_passed() {
	local begun
	begun=$(date +%s%N)
	passed() { (($(date +%s%N) - begun >= $1)); }
	wait_until passed "$1"
}

# in_seconds N: the time of the wall clock then, for --start-at.
in_seconds() {
	date -d "+$1 seconds" +%s.%N
}

# reason TEXT...: one of the verdict's reasons has all of these in it.
reason() {
	local text expression='.verdict.reasons | any(true'
	for text; do
		expression+=" and contains(\"$text\")"
	done
	holds "$expression)"
}

# Rows of -R in client.out against "SECONDS RATE RATE" of each piece, a hold or a
# ramp: in each window of 100 ms are as many arrivals as the integral of the rate
# says, within 5 sigma of a Poisson process (and 2, for the least means are not
# normal). No query was sent before it was due.
agrees_with_program() {
	python3 - "$@" <<-'END'
		import json, math, sys
		pieces, begin = [], 0.0
		for text in sys.argv[1:]:
		    length, first, last = map(float, text.split())
		    pieces.append((begin, length, first, last))
		    begin += length
		total = begin

		def integral(until):
		    done = 0.0
		    for begin, length, first, last in pieces:
		        x = min(max(until - begin, 0.0), length)
		        done += first * x + (last - first) * x * x / length / 2
		    return done

		result = json.load(open("result.json"))
		start = result["times_unix_ns"]["query_begin"]
		due, dues = {}, []
		for line in open("client.out"):
		    row = line.rstrip("\n").split(",")
		    if row[0] not in "QS":
		        continue
		    assert row[0] == "Q", line
		    at = due[row[4]] = due.get(row[4], 0.0) + float(row[5]) / 1e6
		    dues.append(at)
		    whole, fraction = row[1].split(".")
		    sent = int(whole) * 10**9 + int(fraction) - start
		    assert sent >= at * 1e9 - 1e6, (line, at)
		assert len(dues) == result["queries"]["sent"], len(dues)
		assert max(dues) <= total
		wrong = 0
		for i in range(math.ceil(total * 10 - 1e-6)):
		    a, b = i / 10, min((i + 1) / 10, total)
		    mean = integral(b) - integral(a)
		    count = sum(a <= x < b for x in dues)
		    bound = 5 * math.sqrt(mean) + 2 if mean > 0 else 0
		    if abs(count - mean) > bound:
		        print(f"{a} to {b} s: {count}, not {mean:.1f}", file=sys.stderr)
		        wrong += 1
		mean = integral(total)
		assert abs(len(dues) - mean) <= 5 * math.sqrt(mean), (len(dues), mean)
		sys.exit(wrong > 0)
	END
}

# A program on this processor that never sleeps, and has three shares of it where
# that is allowed.
start_loop() {
	taskset -c "$1" sh -c 'while :; do :; done' 3>&- &
	STARTED+=($!)
	if [ "$(id -u)" -eq 0 ]; then
		renice -n -5 -p $! >/dev/null
	fi
}

#
# Times that can be calculated.
#

@test "a server that answers after 1, 10, 100 ms is measured as that" {
	local delay
	for delay in 1 10 100; do
		start_timed delay "$delay"
		client -c 10 -n 0 -r 500 -t 1 127.0.0.1
		accounts_close
		# a percentile is the middle of its bucket, which is 1/256 wide
		holds '.queries.answered == .queries.sent' \
			"[.service_ns.p50, .response_ns.p50] | all(
				. >= ${delay}e6 * (1 - 1 / 512) and
				. <= ${delay}e6 * (1 + 1 / 512) + 1e6) or
			.end.busiest_waited > 0.1"
		stop_timed
	done
}

# What comes in a stall of S seconds waits from S down to 0, evenly. With n
# stalls in T seconds the share n * (S - x) / T of all queries waits for longer
# than x, so that the quantile q is S - (1 - q) * T / n. The (1 - q) * N longest
# waits are those of the stalls' first arrivals; how long it takes until there are
# so many has a standard deviation of their square root, divided by the rate.
@test "a stall of 1 s in every 5 s: p90 and p99 are as arithmetic says" {
	start_timed stall 1000 5000
	client -c 10 -n 0 -r 2000 -t 5 127.0.0.1
	accounts_close
	holds '.queries.answered == .queries.sent' \
		'.queries.sent > 9500 and .queries.sent < 10500'
	# 10 ms are for the server, which has 2,000 answers to send at once
	# shellcheck disable=SC2016
	holds '. as $r | [0.9, .response_ns.p90], [0.99, .response_ns.p99],
			[0.9, .service_ns.p90], [0.99, .service_ns.p99] |
		(1 - .[0]) as $share | .[1] as $measured |
		(1 - $share * $r.rate.duration_s) as $expected |
		(($share * $r.queries.sent | sqrt) / $r.rate.sent_qps) as $sigma |
		($measured / 1e9 - $expected | fabs) <
			5 * $sigma + $expected / 512 + 0.010'
}

#
# A client that is not in time.
#

@test "a worker that is stopped for 1 s: the run is not valid, and why" {
	start_server
	start_client -c 10 -n 0 -r 500 -t 4 -i 50ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	worker=$(worker_of "$CLIENT")
	kill -STOP "$worker"
	until_passed 1000000000
	kill -CONT "$worker"
	exits 3 wait "$CLIENT"
	accounts_close
	# a quarter of the queries was due meanwhile
	holds '.queries.sent == .queries.scheduled' \
		'.lateness_ns.p90 > 500e6' '.response_ns.p90 > 500e6'
	reason "queries left late" "the cause is not known"
}

@test "other programs on its processor: the run is not valid, and why" {
	local cpu
	cpu=$(taskset -cp $$ | sed 's/.*[ ,-]//')
	start_server
	for _ in 1 2 3; do
		start_loop "$cpu"
	done
	exits 3 taskset -c "$cpu" "$TCPCLIENT" -p "$PORT" --json=result.json \
		-c 10 -n 0 -r 500 -t 1 127.0.0.1 >client.out 2>client.err
	accounts_close
	reason "queries left late" "end the other programs on this host"
}

#
# Programs of rates.
#

@test "--program: as many queries in each 100 ms as it says, at 0 none" {
	start_server
	client -R -c 10 -n 0 \
		--program 500ms@400,300ms@0,700ms@0..1000,300ms@800..200 \
		127.0.0.1
	accounts_close
	agrees_with_program "0.5 400 400" "0.3 0 0" "0.7 0 1000" "0.3 800 200"
	holds '.config.duration_s == 1.8' \
		'.config.program | length == 4' '.rate.target_qps * 1.8 - 700 | fabs < 0.001'
}

@test "--program with 2 workers: together they are the program" {
	start_server
	client -R -w 2 -c 7 -n 0 --program 400ms@600,300ms@0,500ms@200..1200 \
		127.0.0.1
	accounts_close
	agrees_with_program "0.4 600 600" "0.3 0 0" "0.5 200 1200"
	[ "$(sed -n 's/^Q,[^,]*,[^,]*,[^,]*,\([^,]*\),.*/\1/p' client.out |
		sort -u | tr '\n' ' ')" = "0 1 " ]
}

@test "--stdin from a pipe that stays open" {
	start_server
	mkfifo input
	exec 7<>input
	printf '3\n500 400\n200 0\n500 1000\n' >&7
	client -R --stdin -c 10 -n 0 127.0.0.1 <input
	exec 7>&-
	accounts_close
	agrees_with_program "0.5 400 400" "0.2 0 0" "0.5 1000 1000"
}

@test "--stdin-rateslope: ramps from -r on" {
	start_server
	mkfifo input
	exec 7<>input
	printf '4\n500 800\n200 0\n400 -1500\n200 0\n' >&7
	client -R --stdin-rateslope -r 200 -c 10 -n 0 127.0.0.1 <input
	exec 7>&-
	accounts_close
	agrees_with_program "0.5 200 600" "0.2 600 600" "0.4 600 0" "0.2 0 0"
}

@test "--stdin: what is wrong is named with its line, and nothing connects" {
	start_server --json=server.json
	# refuses LINE TEXT OPTION...
	refuses() {
		local line=$1
		printf '%b' "$2" >input
		shift 2
		exits 2 client "$@" -c 1 127.0.0.1 <input
		grep -q "standard input: line $line: " client.err || {
			cat client.err >&2
			return 1
		}
	}
	refuses 1 '' --stdin
	refuses 1 'many\n' --stdin
	refuses 3 '2\n100 5\n100 x\n' --stdin
	refuses 2 '1\n-100 5\n' --stdin
	refuses 3 '2\n100 5\n' --stdin
	refuses 3 '1\n100 5\n100 5\n' --stdin
	refuses 2 '1\n100\n' --stdin-rateslope -r 10
	stop_server
	jq -e '.counts.accepted == 0' server.json
}

@test "--arrival uniform: gaps of 1/rate, as many as rate x time" {
	start_server
	client -R --arrival uniform -c 10 -n 0 -r 1000 -t 1 127.0.0.1
	accounts_close
	holds '.queries.scheduled == 1000' '.queries.sent == 1000' \
		'.config.arrival == "uniform"'
	# microseconds; the first is half a gap from the start, and need not be the
	# first row: what is due in one turn is sent by connection
	awk -F, '$1 == "Q" { n++ }
		$1 == "Q" && $6 > 499.9989 && $6 < 500.0011 { first++ }
		$1 == "Q" && $6 > 999.9989 && $6 < 1000.0011 { more++ }
		END { exit n != 1000 || first != 1 || more != 999 }' client.out
}

#
# Begin and end.
#

# Its first 300 ms are answered 600 ms late, and what comes up to 900 ms later
# has to wait behind them: all of that is in the warm-up.
@test "--warmup: counted apart, in no percentile and no rate" {
	start_timed cold 300 600
	client -R -c 10 -n 0 -r 500 --warmup 1200ms -t 1 127.0.0.1
	accounts_close
	# 5 sigma of a Poisson process
	holds '.queries.warmup.scheduled | . > 478 and . < 722' \
		'.queries.scheduled | . > 388 and . < 612' \
		'.queries.warmup | .sent == .scheduled and .answered == .sent' \
		'.queries.answered == .queries.sent' \
		'.response_ns.p99 < 500e6' \
		'.rate.duration_s >= 1 and .rate.duration_s < 1.2' \
		'(.rate | .sent_qps * .duration_s | round) == .queries.sent' \
		'(.rate | .answered_qps * .duration_s | round) == .queries.answered' \
		'.config.warmup_s == 1.2' '.config.duration_s == 1' \
		'([.series[].sent] | add) == .queries.sent' \
		'([.series[].warmup_sent] | add) == .queries.warmup.sent'
	[ "$(grep -c '^Q,' client.out)" -eq "$(result '.queries | .sent + .warmup.sent')" ]
	[ "$(grep -c '^A,' client.out)" -eq "$(result '.queries | .answered + .warmup.answered')" ]
	# the rows do show what was slow, and which query was due when
	awk -F, -v measured="$(result .queries.sent)" '
		$1 == "Q" { due += $6; if (due >= 1200000) n++ }
		$1 == "A" && $7 >= 600000 { slow++ }
		END { exit n != measured || slow < 50 }' client.out
}

@test "--start-at: clients that were started one after the other begin together" {
	local at n status clients=()
	start_server
	at=$(in_seconds 3)
	for n in 1 2; do
		# the later option is the one that counts
		start_client --json="$n.json" --start-at "$at" -c 10 -n 0 \
			-r 200 -t 500ms -i 20ms 127.0.0.1
		clients+=("$CLIENT")
		wait_until grep -q . client.err
	done
	for n in 1 2; do
		status=0
		wait "${clients[n - 1]}" || status=$?
		cp "$n.json" result.json
		punctual_or_busy "$status"
		accounts_close
		# in two halves: the nanoseconds of today are no double. On a
		# busy machine a client hears of the moment late.
		holds "(.times_unix_ns.query_begin / 1e9 - ${at%.*} - 0.${at#*.}) as \$late |
			\$late > -0.005 and
			(\$late < 0.005 or (\$late < 1 and .end.busiest_waited > 0.01))"
	done
}

@test "--start-at that passes while connecting: exit 3, and how late" {
	start_server
	exits 3 client --start-at "$(in_seconds 0.5)" -n 20 -c 30 -r 100 -t 300ms \
		127.0.0.1
	accounts_close
	reason "--start-at was " "s before the schedule could begin"
	holds '.connections.opened == 30' '.queries.answered > 0'
}

@test "--start-at in the past is refused" {
	PORT=1
	exits 2 client --start-at "$(($(date +%s) - 1))" -c 1 -r 1 127.0.0.1
	grep -q 'is past' client.err
}

@test "SIGINT while waiting for --start-at ends at once" {
	start_server -v
	start_client --start-at "$(in_seconds 600)" -c 5 -n 0 -r 100 -t 1 127.0.0.1
	all_accepted() { [ "$(grep -c ': accepted$' server.err)" -eq 5 ]; }
	wait_until all_accepted
	kill -INT "$CLIENT"
	wait_until gone "$CLIENT"
	exits 3 wait_client
	accounts_close
	holds '.queries.scheduled == 0' '.connections.closed_locally == 5'
	reason "interrupted"
}

@test "--drain: what is not answered by then is lost" {
	start_timed delay 2000
	exits 3 client --drain 200ms -c 5 -n 0 -r 100 -t 500ms 127.0.0.1
	accounts_close
	reason "no query was answered: $(result .queries.sent) of $(result .queries.sent) were lost, as --drain was over"
	# long before the first answer
	holds '.queries.sent > 0' \
		'.queries.lost_by_reason.drain_over == .queries.sent' \
		'.times_unix_ns | .close_begin - .query_end |
			. >= 200e6 and . < 1200e6'
}

@test "--drain that is longer than --timeout changes nothing" {
	start_timed delay 2000
	# connections of which no answer came in time are suspects
	exits 3 client --drain 10 --timeout 300ms -c 5 -n 0 -r 100 -t 300ms \
		127.0.0.1
	accounts_close
	holds '.queries.sent > 0' '.queries.timed_out == .queries.sent' \
		'.config.drain_s == null' \
		'.times_unix_ns | .close_begin - .query_end | . < 1500e6'
}

#
# Results.
#

@test "--fail: conditions that hold fail the run, with what was measured" {
	start_timed delay 20
	fails_gate run_client -c 5 -n 0 -r 200 -t 500ms --fail 'p50>10ms' \
		--fail 'lost>0' --fail 'sent<1M' 127.0.0.1
	accounts_close
	holds '.verdict.failed | length == 2' \
		'.verdict.failed[0] | test("^p50>10ms: p50 is 2[0-9]\\.[0-9]+ ms$")'
	holds ".verdict.failed[1] == \"sent<1M: sent is $(result .queries.sent)\""
	grep -q 'p50>10ms: p50 is ' client.out
}

@test "--fail: conditions that do not hold change nothing" {
	start_timed delay 20
	client -c 5 -n 0 -r 200 -t 500ms --fail 'p50>1s' --fail 'lost>0' \
		--fail 'timed_out>0.1%' --fail 'answered_qps<10%' 127.0.0.1
	accounts_close
	holds '.verdict.failed == []'
}

@test "--series: a row for each second, which add up" {
	start_server
	client -c 10 -n 0 -r 500 -t 2500ms --series series.csv 127.0.0.1
	accounts_close
	head -n 1 series.csv | grep -q '^unix_s,t_s,length_s,offered,open,'
	# sum NAME: of a column
	sum() {
		awk -F, -v name="$1" 'NR == 1 { while ($++i != name) if (i > NF) exit
			next } { n += $i } END { print n + 0 }' series.csv
	}
	local name
	for name in scheduled sent answered bytes_received; do
		[ "$(sum "$name")" -eq "$(result ".queries.$name")" ]
	done
	[ "$(sum opened)" -eq 10 ]
	awk -F, -v columns="$(head -n 1 series.csv | tr , '\n' | wc -l)" '
		NF != columns { wrong = 1 }
		END { exit wrong || NR < 2 }' series.csv
	# a row is of the second in which the last one ended, which is the next one,
	# unless this program was held up for longer than that
	holds '.series as $s | [range(1; $s | length)] | length >= 1 and
		all($s[.].unix_s == ($s[. - 1].end_unix_ns / 1e9 | floor))' \
		'.series as $s | [range(1; $s | length)] |
		all($s[.].unix_s - $s[. - 1].unix_s == 1 or
			$s[. - 1].length_s > 1)'
	diff <(tail -n +2 series.csv | cut -d, -f1) <(result '.series[].unix_s')
}

#
# --find-max.
#

# A queue that serves 5,000/s, for steps of 1.5 s of a Poisson process at r times
# that. Below, the mean wait is that of M/D/1, r / (1 - r) / 2 / 5000 s: 1 ms at
# 0.9, 4 ms at 0.975, and p90 about 2.3 times as long. Above, the queue grows, and
# after t s the last query waits for (r - 1) t s; p90 is that of t = 0.9 * 1.5 s,
# with the standard deviation of all arrivals until then, sqrt(6750) / 5000 s =
# 16 ms: 68 ms at 1.05, 93 ms at 1.069 (5,343/s, the least above 1.05 that comes
# up). 35 ms lie clear of both.
@test "--find-max rate: a server of 5,000/s, within 5 %" {
	isolate
	start_timed rate 5000
	client -c 20 -n 0 --find-max rate -r 3000 -t 1500ms --until 'p90>35ms' \
		127.0.0.1
	accounts_close
	holds '.find_max.best.load | . >= 4750 and . <= 5250' \
		'.find_max.limit.stopped_by == "server"' \
		'.find_max.limit.why | startswith("p90>35ms: p90 is ")' \
		'.find_max | .limit.load <= 1.02 * .best.load' \
		'.verdict.valid'
	grep -q "^holds $(result .find_max.best.load) queries/s$" client.out
	grep -q '^stopped at [0-9]* by the server: p90>35ms' client.out
}

# 500 hold, 501 do not: so it ends at no more than 500, and less than 2 % below
# what did not hold.
@test "--find-max connections: a server that takes 500" {
	isolate
	start_server --max-connections 500
	client -c 700 -n 0 --find-max connections -t 100ms --timeout 500ms \
		--until 'failed>0' 127.0.0.1
	accounts_close
	holds '.find_max | .best.load <= 500 and .limit.load > 500' \
		'.find_max | .limit.load <= 1.02 * .best.load' \
		'.find_max.limit.stopped_by == "server"' \
		'.find_max.limit.why | test("^[0-9]+ of [0-9]+ new connections did not answer")' \
		'.verdict.valid'
}

@test "--find-max connections: a limit of this client is named" {
	isolate
	start_server
	(
		ulimit -n 300
		exits 3 client -c 1000 -n 0 --find-max connections -t 100ms \
			--timeout 500ms --until 'timed_out>0' 127.0.0.1
	)
	accounts_close
	holds '.verdict.reasons | any(contains("a limit of this host"))' \
		'.find_max.best.load | . < 300 and . > 200' \
		'.find_max | .limit.load <= 1.02 * .best.load' \
		'.find_max.limit.stopped_by == "this host"' \
		'.find_max.limit.why | contains("RLIMIT_NOFILE")'
	grep -q '^stopped at [0-9]* by the kernel of this host: .*RLIMIT_NOFILE' \
		client.out
}

@test "--find-max connections with 2 workers" {
	isolate
	start_server --max-connections 50
	client -w 2 -c 60 -n 0 --find-max connections -t 100ms --timeout 300ms \
		--until 'failed>0' 127.0.0.1
	accounts_close
	holds '.find_max.best.load == 50' \
		'.find_max.limit.stopped_by == "server"' '.verdict.valid'
}

@test "--find-max rate with 2 workers: each step's queries are the step's" {
	start_server
	start_client -w 2 -c 10 -n 0 --find-max rate --arrival uniform -r 500 \
		-t 200ms -i 100ms --until 'sent>750' 127.0.0.1
	# 100, 200, 400, 800 (which does not hold, twice), 600, 700, 750, ...
	wait_client
	accounts_close
	# shellcheck disable=SC2016
	holds '.find_max.steps[0:5] | map(.load) == [500, 1000, 2000, 4000, 4000]' \
		'.find_max.best.load | . >= 3676 and . <= 3750' \
		'.find_max.limit.why | test("^sent>750: sent is 7[56]")' \
		'[.find_max.steps[] | .load * 0.2 | round] as $due |
			.queries.sent - ($due | add) | fabs <= ($due | length) * 2'
}

@test "SIGINT in the middle of a search: what it has found so far" {
	start_server
	start_client -c 5 -n 0 --find-max rate -r 100 -t 300ms -i 50ms \
		--until 'p50>4s' 127.0.0.1
	wait_until grep -q ' held$' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	reason "the search ended after " "unfinished"
	grep -q ' held$' client.out
	holds '.find_max.best.load >= 100' '.find_max.limit == null'
}

@test "the server stops in the middle of a search: not called its limit" {
	start_server
	start_client -c 5 -n 0 --find-max rate -r 100 -t 200ms --timeout 200ms \
		-i 50ms --until 'timed_out>0' 127.0.0.1
	wait_until grep -q ' held$' client.err
	worker=$(worker_of "$SERVER")
	kill -STOP "$worker"
	wait_until gone "$CLIENT"
	exits 3 wait_client
	kill -CONT "$worker"
	accounts_close
	reason "nothing was answered in the last " "whatever the load"
}

@test "-R that cannot be written in the middle of a search: said, not the server" {
	start_server
	# shellcheck disable=SC2016
	run bash -c '"$@" 2>client.err | head -n 5 >/dev/null
		exit "${PIPESTATUS[0]}"' - "$TCPCLIENT" -p "$PORT" -c 5 -r 500 \
		-t 300ms --find-max rate --until 'timed_out>0' -R \
		--json=result.json 127.0.0.1
	[ "$status" -eq 1 ]
	accounts_close
	reason "the search ended after " "standard output (-R) could not be written: Broken pipe"
	holds '.find_max.steps | all(.stopped_by != "server")'
}

@test "the server dies in the middle of a search: said, exit 3" {
	start_server
	start_client -c 5 -n 0 --find-max rate -r 100 -t 300ms -i 50ms \
		--until 'p50>4s' 127.0.0.1
	wait_until grep -q ' held$' client.err
	kill -KILL "$(worker_of "$SERVER")"
	wait_until gone "$CLIENT"
	exits 3 wait_client
	accounts_close
	reason "the search ended after " "unfinished"
	grep -q 'no connection was left' client.out
}
