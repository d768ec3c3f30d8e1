#!/usr/bin/env bats
# --find-max: a step is measured by itself, and what is said of a search is true.

bats_require_minimum_version 1.5.0
load helpers

# reason TEXT...: one of the verdict's reasons has all of these.
reason() {
	local text expression='.verdict.reasons | any(true'
	for text; do
		expression+=" and contains(\"$text\")"
	done
	holds "$expression)"
}

# 4000 queries come in 0.5 s, and the last of them is answered after 2 s: for 1.2 s
# after the last one has timed out the peer answers late.
@test "--find-max rate: a step begins when late answers to the one before have come" {
	start_peer slow 2000
	start_client -c 5 -n 0 -r 8000 -t 500ms --timeout 300ms -i 50ms \
		--max-lateness 10s --find-max rate --until 'timed_out>0' 127.0.0.1
	wait_until grep -q '^ *4000 .*timed_out' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	# the first 0.3 s of answers of the same queue, in each of the first steps
	holds '.find_max.steps | length >= 3' \
		'.find_max.steps[0:3] | all(.answered_qps > 0 and .renewed == 0 and
			(.unsettled | not))' \
		'.find_max.steps[0].stopped_by == "server"' \
		'.queries.late > 0 and .connections.opened == 5'
}

# 1600 queries take 8 s; the wait is 4 times 0.4 s and 0.3 s.
@test "--find-max rate: an answer that takes too long is given up, and that is said" {
	start_peer slow 200
	start_client -c 5 -n 0 -r 4000 -t 400ms --timeout 300ms -i 50ms \
		--max-lateness 10s --find-max rate --until 'timed_out>0' 127.0.0.1
	wait_until grep -q 'began while answers to the step before still came' \
		client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	reason "1 step that did not hold began while answers to the step before still came"
	holds '.find_max.steps[0].unsettled | not' \
		'.find_max.steps[1] | .unsettled and .renewed == 5 and .open == 5' \
		'.connections.opened >= 10'
}

# Of 100,000 queries on one connection nine in ten are not answered: more than the
# 65,536 IDs of a connection. Of 50,000, less.
@test "--find-max rate: IDs used up in one step are free in the next" {
	start_server --mode dns --drop 90%
	exits 3 client -c 1 -r 250k -t 400ms --timeout 300ms --max-lateness 10s \
		--find-max rate --until 'failed>0' 127.0.0.1
	accounts_close
	holds '.find_max.steps | all(.sent_qps > 0 and .answered_qps > 0 and .open == 1)' \
		'.find_max.steps[0:2] | all(.stopped_by == "IDs")' \
		'.find_max.steps[1:] | all(.renewed == 1 and (.unsettled | not))' \
		'.find_max.best.load | . >= 125000 and . < 200000' \
		'.find_max.limit.stopped_by == "IDs"' \
		'.find_max.limit.why | test("all 65,536 IDs .* waited for answers")'
	grep -q '^stopped at [0-9]* by a lack of IDs: sent ' client.out
	reason "the IDs of the connections were the limit, so the server may hold more; more connections (-c)"
}

@test "--find-max: percentiles of the half that is answered need another condition" {
	start_peer drop 2
	client -c 5 -n 0 -r 1000 -t 300ms --timeout 200ms --max-lateness 10s \
		--find-max rate --until 'p50>20ms' 127.0.0.1 || (($? == 3))
	accounts_close
	holds '.find_max.best | .answered_qps < 0.6 * .sent_qps' \
		'.verdict.warnings | any(test("^percentiles of the load that held are of the (4|5)[0-9][.][0-9] % of queries sent that were answered: "))'
	client -c 5 -n 0 -r 1000 -t 300ms --timeout 200ms --max-lateness 10s \
		--find-max rate --until 'p50>20ms,timed_out>60%' 127.0.0.1 ||
		(($? == 3))
	holds '.verdict.warnings | any(startswith("percentiles of the load")) | not'
}

@test "--find-max rate: a step that the server cuts off is as long as it was" {
	start_server --mode dns --close-after 20
	exits 3 client -c 5 -n 0 -r 500 -t 5 --find-max rate --until 'p50>4s' \
		127.0.0.1
	accounts_close
	holds '.find_max.steps | length == 1' \
		'.find_max.steps[0] | .duration_s > 0.05 and .duration_s < 4 and (.answered_qps * .duration_s | round) == 100' \
		'.find_max.steps[0].duration_s * 1e9 - (.times_unix_ns | .query_end - .query_begin) | fabs < 1e6'
	grep -Eq '^ +500 +[0-3][.][0-9] ' client.out
}

@test "--find-max rate: a server that falls behind: what it owed is said" {
	start_peer slow 300
	client -c 5 -n 0 -r 100 --arrival uniform -t 1 --timeout 5s \
		--max-lateness 10s --find-max rate --until 'answered_qps<98%' \
		127.0.0.1 || (($? == 3))
	accounts_close
	holds '.find_max.best | .answered_later > 0.05 * .answered_qps * .duration_s' \
		'.verdict.warnings | any(test("^[0-9]+ of [0-9]+ answers of the load that held came when querying was over, "))'
}

@test "--find-max rate: where no connect succeeds no step was run" {
	start_server
	stop_server
	exits 1 client -c 5 -n 0 -t 300ms --find-max rate --until 'timed_out>0' \
		127.0.0.1
	holds '.find_max | .steps == [] and .best == null and .limit == null'
	reason "the search ended after 0 steps, unfinished: no connection was opened"
	run ! grep -q 'closed them all' client.out
	# what was opened before the first step is nothing to draw either
	jq '.connections.opened = 5' result.json >interrupted.json
	run -1 "$BATS_TEST_DIRNAME/../plot.sh" interrupted.json out.svg
	[[ $output == *"nothing to draw: no step of the search came to its end" ]]
	[ ! -e out.svg ]
}

@test "--find-max connections: where no connect succeeds the step says so" {
	start_server
	stop_server
	exits 1 client -c 5 -n 0 -t 300ms --find-max connections \
		--until 'timed_out>0' 127.0.0.1
	holds '.find_max.steps | length == 1' \
		'.find_max.steps[0] | .why == "no connection was opened" and .sent_qps == null'
	reason "the search ended after 1 step, unfinished: no connection was opened"
	grep -Eq '^ +5 +- +- +0 ' client.out
}

@test "SIGINT in a search: the step is named, and not that nothing stopped it" {
	start_server
	start_client -c 5 -n 0 --find-max rate -r 100 -t 300ms -i 50ms \
		--until 'failed>0' 127.0.0.1
	wait_until grep -q ' held$' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	reason "the search ended after " "unfinished: interrupted before the end of the step of " " queries/s"
	run ! grep -q 'nothing stopped it' client.out
}

# Queries leave some microseconds late, whatever the server does.
@test "--find-max rate: a limit of the client has the advice of its step or none" {
	start_server
	exits 3 client -c 5 -n 0 -r 20k -t 50ms --find-max rate \
		--until 'lateness_p50>0s' 127.0.0.1
	accounts_close
	# shellcheck disable=SC2016
	holds '.find_max.limit | .stopped_by == "client"' \
		'"this client was the limit, so the server may hold more" as $said |
			(.find_max.limit.why | if contains(";") then sub("^[^;]*"; "")
			else "" end) as $advice |
			.verdict.reasons | index($said + $advice) != null'
}

@test "a search ends where a worker dies: no step without its load is held" {
	start_server
	start_client -w 2 -c 10 -n 0 -r 100 -t 300ms -i 50ms --find-max rate \
		--until 'timed_out>50%' 127.0.0.1
	wait_until grep -q ' held$' client.err
	kill -KILL "$(worker_of "$CLIENT" | head -n 1)"
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.end.workers_died == 1' \
		'[.find_max.steps[] | select(.answered_qps == null)] == []' \
		'.verdict.reasons | any(startswith("1 worker died")) and
			any(startswith("the search ended after "))'
}

@test "answers of the warm-up only: said" {
	start_server --mode dns --delay 1s
	client -c 5 -n 0 -r 100 -t 300ms --warmup 1500ms --drain 0 127.0.0.1
	accounts_close
	holds '.queries.answered == 0 and .queries.warmup.answered > 0' \
		'.verdict.warnings | any(startswith("no query was answered: timed out 0, lost "))'
}
