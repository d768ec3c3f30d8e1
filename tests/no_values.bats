#!/usr/bin/env bats
# What does not exist, as a percentile of nothing or a rate over no time: "-" in
# text, null in JSON, empty in CSV, and never 0.

load helpers

bats_require_minimum_version 1.5.0

NONE='[.min, .mean, .max, .p50, .p90, .p99, .p99_9, .p99_99] | all(. == null)'
ALL='[.min, .mean, .max, .p50, .p90, .p99, .p99_9, .p99_99] | all(. != null)'

# column NAME: of series.csv.
column() {
	python3 -c 'import csv, sys
for row in csv.DictReader(open("series.csv")):
	print(row[sys.argv[1]])' "$1"
}

# Two connections whose queries nothing answers, which is a reason to look at the
# server: status 3.
unanswered() {
	start_peer sink
	exits 3 run_client -c 2 -n 0 -r 50 -t 1 --timeout 100ms "$@" 127.0.0.1
	accounts_close
	holds '.queries.sent > 0 and .queries.answered == 0'
}

@test "without an answer there is no response time: summary, live line, JSON, CSV" {
	unanswered -i 500ms --series=series.csv
	grep -Eq '^response( +-){5} +due to answered' client.out
	grep -Eq '^service( +-){5} +sent to answered' client.out
	grep -Eq '^lateness( +[0-9]+\.[0-9]{3}){5} ' client.out
	grep -Eq 'answered 0/s, in flight [0-9]+, response p50 - p99 - ms, late p99 [0-9.]+ ms' client.err
	holds ".response_ns | .count == 0 and .sum == 0 and ($NONE)" \
		".service_ns | $NONE" ".lifetime_ns | $NONE" \
		".lateness_ns | $ALL" ".connect_ns | $ALL" \
		'.series | all(.response_min_ns == null and
			.response_p50_ns == null and .response_p90_ns == null and
			.response_p99_ns == null and .response_p99_9_ns == null and
			.response_max_ns == null and .response_sum_ns == 0)' \
		'.series | all((.lateness_p99_ns == null) == (.sent == 0))' \
		'.rate.answered_qps == 0' # of a time that exists
	[ -z "$(column response_p50_ns | tr -d '\n')" ]
	[ -z "$(column response_max_ns | tr -d '\n')" ]
	[ "$(column response_sum_ns | sort -u)" = 0 ]
	column lateness_p99_ns | grep -Eq '^[1-9][0-9]*$'
}

@test "without queries there is no lateness either, but rates of 0 exist" {
	start_server
	client -c 2 -n 0 -r 0 -t 200ms ::1
	accounts_close
	grep -Eq '^lateness( +-){5} ' client.out
	grep -Eq '^connect( +[0-9]+\.[0-9]{3}){5} ' client.out
	grep -q '^queries/s    asked 0, sent 0.0, answered 0.0, over 0.2' client.out
	holds "[.response_ns, .service_ns, .lateness_ns] | all($NONE)" \
		'.rate.sent_qps == 0 and .rate.answered_qps == 0' \
		'.series | all(.lateness_p99_ns == null and .offered == 0)'
}

@test "a run that does not come to querying has no rates and no load" {
	start_server
	stop_server
	exits 1 run_client -c 1 -n 0 -r 10 -t 200ms ::1
	accounts_close
	grep -q '^queries/s    asked 10, sent -, answered -, over 0.000 s' client.out
	grep -Eq '^connect( +-){5} ' client.out
	holds '.rate | .sent_qps == null and .answered_qps == null and .duration_s == 0' \
		'.end | .busiest_ran == null and .busiest_waited == null and .stolen == null' \
		".connect_ns | $NONE"
	"$TCPCLIENT" --merge --json=sum.json result.json >merged.out || (($? != 2))
	grep -q '^queries/s    asked 10, sent -, answered -' merged.out
	jq -e '.rate.sent_qps == null and .end.busiest_ran == null and
		.connect_ns.p50 == null' sum.json
}

@test "the answer to stats has null for percentiles of nothing" {
	start_server
	start_client -c 2 -n 0 -r 0 -t 1h --control control ::1
	wait_until told count '.phase == "running"'
	told stats '.response_ns | .count == 0 and .p50 == null and .p90 == null and
		.p99 == null and .max == null'
	told stats '.connect_ns | .count == 2 and .p50 != null and .max > 0'
	told stats '.connections | .open_s > 0 and .close_s == null'
	kill -INT "$CLIENT"
	wait "$CLIENT" || true
}

@test "a step of a search that nothing answers has no response time" {
	start_peer sink
	exits 3 run_client -c 2 -n 0 -r 50 -t 300ms --timeout 100ms \
		--find-max rate --until 'answered_qps<90%' 127.0.0.1
	grep -Eq '^ +50 +[0-9.]+ +0\.0 +2 +- +- +[0-9.]+ +[0-9]+%  (server|client): ' client.out
	holds '.find_max.steps | length > 0 and all(.response_p50_ns == null and
			.response_p99_ns == null and .answered_qps == 0 and
			(.lateness_p99_ns == null) == (.sent_qps == 0))' \
		'.find_max.steps[0].lateness_p99_ns > 0'
}

# old.json: another run, with 0 for what does not exist, as older programs wrote it.
older() {
	jq 'def zeros: with_entries(if .value == null then .value = 0 else . end);
		with_entries(if .key | test("_ns$") and . != "times_unix_ns"
			then .value |= zeros else . end) |
		.series[] |= with_entries(
			if .value == null and (.key | test("_ns$"))
			then .value = 0 else . end) |
		.runs.ids = {"old": 1}' result.json >old.json
}

@test "--merge takes null, and the 0 of older results, for what does not exist" {
	unanswered
	older
	jq -e '.response_ns.p50 == 0 and .series[0].response_p50_ns == 0' old.json
	"$TCPCLIENT" --merge --json=sum.json result.json old.json >merged.out ||
		(($? == 3))
	grep -Eq '^response( +-){5} ' merged.out
	jq -e "(.response_ns | $NONE) and (.lateness_ns | $ALL) and
		(.series | all(.response_p50_ns == null and .response_max_ns == null))" \
		sum.json
	jq -e --slurpfile one result.json \
		'.lateness_ns.count == 2 * $one[0].lateness_ns.count and
		.lateness_ns.max == $one[0].lateness_ns.max' sum.json
}

@test "--merge refuses null for what exists, and a value of nothing" {
	unanswered
	jq '.lateness_ns.max = null' result.json >bad.json
	run -2 "$TCPCLIENT" --merge bad.json
	[[ $output == *"bad.json: lateness_ns.max: null, but there are values"* ]]
	jq '.response_ns.max = 5' result.json >bad.json
	run -2 "$TCPCLIENT" --merge bad.json
	[[ $output == *"bad.json: response_ns.max: 5, but there are no values"* ]]
	jq '(.series[] | select(.sent > 0) | .lateness_p99_ns) = null' \
		result.json >bad.json
	run -2 "$TCPCLIENT" --merge bad.json
	[[ $output == *"lateness_p99_ns: null, but there are values"* ]]
}

@test "plot.sh draws null and the 0 of older results alike: not at all" {
	unanswered
	older
	mkdir bin old
	mv old.json old/result.json
	printf '#!/bin/sh\ncat >"%s/script"\n' "$PWD" >bin/gnuplot
	chmod +x bin/gnuplot
	for result in result.json old/result.json; do
		PATH=$PWD/bin:$PATH "$BATS_TEST_DIRNAME/../plot.sh" "$result" 1.svg || true
		mv script "$result.script"
	done
	grep -q '^ANSWERS = 0' result.json.script
	cmp result.json.script old/result.json.script
	"$BATS_TEST_DIRNAME/../plot.sh" result.json real.svg
	grep -q 'no answers' real.svg
}
