#!/usr/bin/env bats
# What the exit status says: valid or not, and whether a condition of --fail holds.

load helpers

bats_require_minimum_version 1.5.0

# A client that queries while its worker is stopped for 300 ms. Its exit status.
stopped_client() {
	local status=0
	start_client -c 2 -n 0 -r 500 -t 2 --control control "$@" ::1
	wait_until told count '.phase == "running"'
	pause_client 0.3
	wait "$CLIENT" || status=$?
	return "$status"
}

@test "a percentile of no answers fails the gate of a valid run: status 4" {
	# answers the probe and nothing after it, as a server does that dies then
	start_peer first 1
	fails_gate run_client -c 2 -n 0 -r 100 -t 500ms --timeout 200ms --probe \
		--fail 'p99>10ms' --fail 'mean>100ms,service_max<=1h' \
		--fail 'answered_qps<1' 127.0.0.1
	accounts_close
	holds '.queries.sent > 0 and .queries.answered == 0' \
		'.verdict.failed == [
			"p99>10ms: p99 has no value: nothing was answered",
			"mean>100ms: mean has no value: nothing was answered",
			"service_max<=1h: service_max has no value: nothing was answered",
			"answered_qps<1: answered_qps is 0.0"]'
	grep -q 'p99>10ms: p99 has no value: nothing was answered' client.out
}

@test "a share of nothing fails the gate" {
	start_server
	exits 4 run_client -c 2 -n 0 -r 0 -t 100ms --fail 'timed_out>50%' ::1
	holds '.verdict.valid' '.verdict.failed == ["timed_out>50%: timed_out is 0 of 0 sent: a share of nothing has no value"]'
}

@test "a run that is not valid has status 3, whatever --fail says" {
	start_peer sink
	exits 3 run_client -c 2 -n 0 -r 0 -t 100ms --probe --timeout 200ms \
		--fail 'verified<1' 127.0.0.1
	holds '.verdict.valid == false' '.verdict.failed == ["verified<1: verified is 0"]'
}

@test "--merge: status 4 where a condition holds of valid runs" {
	start_server
	exits 0 run_client -c 2 -n 0 -r 0 -t 100ms ::1
	mv result.json 1.json
	exits 4 "$TCPCLIENT" --merge --fail 'p50>1s' 1.json
	exits 0 "$TCPCLIENT" --merge --fail 'opened<2' 1.json
	# also where it held of a run that is merged
	exits 4 run_client -c 2 -n 0 -r 0 -t 100ms --fail 'opened<3' ::1
	exits 4 "$TCPCLIENT" --merge --json=sum.json result.json
	jq -e '.verdict.valid and
		.verdict.failed == ["result.json: opened<3: opened is 2"]' sum.json
	jq '.verdict.valid = false' 1.json >2.json
	exits 3 "$TCPCLIENT" --merge --fail 'opened<3' 2.json
}

@test "a search: a step without an answer does not hold" {
	start_peer sink
	exits 3 run_client -c 2 -n 0 -r 1000 -t 50ms --timeout 50ms \
		--find-max rate --until 'max>40ms' 127.0.0.1
	# and no lower load is tried, each step of which would take longer
	holds '.find_max.best == null' '.find_max.steps | length == 2' \
		'.verdict.reasons | any(startswith("no query was answered, so no lower rate was tried"))' \
		'.find_max.steps | length > 0 and all(.held == false)' \
		'.find_max.steps[0].why | startswith("max>40ms: max has no value: nothing was answered")'
}

@test "a search: conditions that can never have a value are refused" {
	local usage
	usage=$("$TCPCLIENT" -c 1 --find-max rate --until 'connect_p99>1s' ::1 2>&1) ||
		(($? == 2))
	[[ $usage == *"connect_p99>1s: never has a value: a search for a rate opens all connections before its first step" ]]
	usage=$("$TCPCLIENT" -c 1 --find-max connections --until 'failed>0,p99>1s' ::1 2>&1) ||
		(($? == 2))
	[[ $usage == *"p99>1s: never has a value: nothing is sent without a rate (-r)" ]]
	usage=$("$TCPCLIENT" -c 1 --find-max rate --until 'lifetime_p99>1s' ::1 2>&1) ||
		(($? == 2))
	[[ $usage == *"lifetime_p99>1s: never has a value: no connection is replaced in a search" ]]
}

@test "--max-lateness says how late queries may be sent in a valid run" {
	start_server
	exits 3 stopped_client
	holds '.lateness_ns.p99 > 200e6' '.config.max_lateness_s == 0.001' \
		'.verdict.valid == false'
	# the reason of the run stays; the sum has none of its own
	exits 3 "$TCPCLIENT" --merge --max-lateness 1h --json=sum.json result.json
	jq -e '.config.max_lateness_s == 3600 and (.verdict |
		.reasons[:.judged] | all(startswith("queries left late") | not))' \
		sum.json
	exits 0 stopped_client --max-lateness 1h
	holds '.lateness_ns.p99 > 200e6' '.verdict.valid' \
		'.config.max_lateness_s == 3600'
	# a result from before there was the option was judged with 1 ms
	jq 'del(.config.max_lateness_s)' result.json >old.json
	exits 3 "$TCPCLIENT" --merge --json=sum.json old.json
	jq -e '.config.max_lateness_s == 0.001' sum.json
}

#
# The delay of reading.
#

@test "answers that wait for a stopped client are its delay, and the run is not valid" {
	local worker
	# all is sent in 200 ms, and answered while the client is stopped
	start_peer hold
	start_client -c 10 -n 0 --program 200ms@2000,1s@0 --timeout 60s \
		--control control 127.0.0.1
	wait_until told stats '.in_flight > 300 and .seconds > 0.3'
	worker=$(worker_of "$CLIENT")
	kill -STOP "$worker"
	kill -USR1 "$PEER"
	wait_until grep -q released peer.out
	sleep 0.3
	kill -CONT "$worker"
	exits 3 wait "$CLIENT"
	accounts_close
	# every answer waited for all of the 300 ms
	holds '.read_delay_ns.min >= 300e6' \
		'.read_delay_ns.max <= .service_ns.max' \
		'.verdict.reasons | any(startswith("answers waited to be read, p99 up to ") or
			startswith("queries left late"))' \
		'.end.slow_turns_ns.stopped >= 300e6'
	grep -q '^read delay  ' client.out
}

@test "an answer that came in time and was read late has not timed out" {
	# 100 queries are always in flight: their answers come during the stop, in
	# which the timeout passes
	start_server --delay 50ms
	start_client -c 100 -n 0 -r 2000 -t 3 --timeout 1s --control control ::1
	wait_until told stats '.seconds > 0.5'
	pause_client 1.3
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.service_ns.max >= 1300e6' '.read_delay_ns.max >= 1200e6' \
		'.queries.timed_out == 0 and .queries.late == 0' \
		'.connections.suspect | add == 0'
}

@test "a gate that only the client's own lateness fails: status 3, measure again" {
	start_server
	# however late queries leave, the run is valid but for the gate
	start_client -c 2 -n 0 --program 2s@50 --max-lateness 1h \
		--fail 'max>200ms' --control control ::1
	wait_until told stats '.seconds > 0.5'
	pause_client 0.5
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.lateness_ns.max > 200e6 and .service_ns.max < .response_ns.max' \
		'.verdict.failed | length == 1' \
		'(.service_ns.max > 200e6) or .verdict.reasons == ["max>200ms holds only because queries left late: it does not hold of the service time; run it again"]'
}

@test "a gate that the server fails as well: no lateness takes it back" {
	start_server
	start_client -c 2 -n 0 --program 2s@50 --max-lateness 1h \
		--fail 'max>200ms,answered<1M' --control control ::1
	wait_until told stats '.seconds > 0.5'
	pause_client 0.5
	exits 4 wait "$CLIENT"
	accounts_close
	holds '.verdict.failed | length == 2' '.verdict.valid'
}

@test "no answer until the second SIGINT: not the server" {
	start_server --delay 60s
	start_client -c 2 -n 0 -r 50 -t 60 --timeout 60s --max-lateness 1h \
		--control control ::1
	wait_until told stats '.queries.sent > 5'
	kill -INT "$CLIENT"
	wait_until grep -q 'again to stop at once' client.err
	kill -INT "$CLIENT"
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.queries.lost_by_reason.stopped == .queries.sent' \
		'.verdict.reasons | any(endswith(" were lost when the second signal stopped the run"))' \
		'.verdict.reasons | all(contains("look at the server") | not)'
}

@test "late replacing of connections is not said to be the doing of others" {
	start_server
	start_client -c 20 -r 500 -t 2 --queries-per-connection 1 --close rst \
		--control control ::1
	wait_until told stats '.seconds > 0.3'
	pause_client 0.5
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.verdict.reasons | any(startswith("queries left late")) and
		all(contains("look at what ended") | not)'
}

@test "a CPU quota that stopped the client is named" {
	local group status=0
	[ "$(id -u)" -eq 0 ] || skip "only root can make a cgroup"
	group=/sys/fs/cgroup/cpu/tcpscaler-test.$$
	if [ -e /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
		mkdir "$group" || skip "no cgroup can be made here"
		echo 3000 >"$group/cpu.cfs_quota_us"
	elif grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
		group=/sys/fs/cgroup/tcpscaler-test.$$
		mkdir "$group" || skip "no cgroup can be made here"
		echo "3000 100000" >"$group/cpu.max"
	else
		skip "no CPU cgroups here"
	fi
	start_server
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		run_client -c 20 -n 0 -r 20000 -t 2 ::1
	) || status=$?
	rmdir "$group"
	[ "$status" -eq 3 ]
	# 3 % of a processor is less than that rate takes
	holds '.end.throttled > 0.5 and .end.throttled <= 1' \
		'.verdict.reasons | any(contains("the CPU quota of its control group"))'
}

@test "no answer waited for longer than it took" {
	start_server
	# where the client is late, most answers wait for it
	run_client -c 50 -n 0 -r 200k -t 500ms ::1 || (($? == 3))
	accounts_close
	holds '[.service_ns, .read_delay_ns | .p50, .p90, .p99, .p99_9, .max] as $all |
		all(range(5); $all[. + 5] <= $all[.])'
}

@test "a client with nothing else to do reads in microseconds" {
	start_server --delay 20ms
	client -c 2 -n 0 -r 100 -t 1 --fail 'read_delay_max>1h' ::1
	accounts_close
	# where other programs had the processor, it waited for that
	holds '.read_delay_ns.p50 < 1e6 or .end.busiest_waited > 0.01'
}

@test "a reader of -R that is slow is named" {
	local status=0
	start_server
	"$TCPCLIENT" -p "$PORT" -c 10 -n 0 -R -r 20k -t 1 ::1 2>client.out |
		{ sleep 1; cat >rows; } || status=$?
	grep -q 'queries left late.*; standard output (-R) was not read in time' \
		client.out
}

@test "--merge: delays of reading add up, and a result without them is refused" {
	start_server
	client -c 2 -n 0 -r 100 -t 200ms ::1
	cp result.json 1.json
	"$TCPCLIENT" --merge --json=sum.json 1.json 1.json >out 2>err || (($? == 3))
	jq -e --slurpfile one 1.json '
		.read_delay_ns.count == 2 * $one[0].read_delay_ns.count and
		.end.slow_turns_ns.reading == 2 * $one[0].end.slow_turns_ns.reading' \
		sum.json
	jq 'del(.read_delay_ns)' 1.json >old.json
	run -2 "$TCPCLIENT" --merge old.json
	[[ $output == *"old.json: read_delay_ns: missing: an older tcpclient did not measure"* ]]
}

@test "a server that stops in mid-run: from when on is a warning" {
	start_peer first 30
	client -c 1 -n 0 -r 60 -t 3500ms --timeout 500ms 127.0.0.1 || (($? == 3))
	accounts_close
	# shellcheck disable=SC2016
	holds '([.series[] | select(.answered + .late == 0) | .sent] | add) as $n |
		.verdict.warnings | any(test("^nothing was answered for the last [123][.][0-9] s, ") and
			endswith(", to \($n) queries; has the server ended or stopped?"))'
}

@test "a slow server, and one that drops half, have not stopped" {
	start_server --mode dns --delay 2s
	client -c 1 -n 0 -r 60 -t 2500ms 127.0.0.1 || (($? == 3))
	holds '.queries.answered > 100' \
		'.verdict.warnings | any(startswith("nothing was answered")) | not'
	start_server --mode dns --drop 50%
	client -c 1 -n 0 -r 60 -t 2500ms --timeout 500ms 127.0.0.1 || (($? == 3))
	holds '.queries.answered > 40 and .queries.timed_out > 40' \
		'.verdict.warnings | any(startswith("nothing was answered")) | not'
}

@test "answers that came when querying was over: how many is in the result" {
	start_server --mode dns --delay 500ms
	client -c 5 -n 0 -r 200 --arrival uniform -t 1 127.0.0.1 || (($? == 3))
	accounts_close
	# those of the last half of a second
	holds '.rate.answered_later >= 95 and .rate.answered_later <= 200' \
		'.verdict.warnings | any(test("^[0-9]+ of 200 answers came when querying was over"))'
	later=$(result .rate.answered_later)
	cp result.json 1.json
	"$TCPCLIENT" --merge --json=merged.json 1.json >merge.out || (($? == 3))
	[ "$(jq .rate.answered_later merged.json)" -eq "$later" ]
	start_server --mode dns
	client -c 5 -n 0 -r 200 -t 1 127.0.0.1 || (($? == 3))
	holds '.rate.answered_later <= 5' \
		'.verdict.warnings | any(contains("when querying was over")) | not'
}
