#!/usr/bin/env bats
# Conditions of --fail, against results.

load helpers

# The counters of a result's totals by the names that conditions have for them: what
# is of one group has the group's name in front.
counters() {
	jq -r '
		def named(prefix): to_entries[] |
			select(.value | type == "number") | prefix + .key;
		(.connections | del(.asked, .open_s, .close_s) | named(""),
			(.suspect | named("suspect_")), (.failed | named("failed_")),
			(.probes | named("probe_"))),
		(.queries | named(""), (.skipped_by_reason | named("skipped_")),
			(.lost_by_reason | named("lost_")),
			(.rcodes | named("rcode_")), (.warmup | named("warmup_")))
	' result.json
}

@test "each counter of the JSON totals is known to --fail" {
	local some
	start_server --mode dns
	client -c 5 -n 0 --probe -r 100 --warmup 100ms -t 200ms 127.0.0.1
	[ "$(counters | wc -l)" -ge 60 ]
	# 32 at a time, which is as many as there may be
	counters | sed 's/$/<0/' | xargs -n 32 | tr ' ' , >conditions
	while read -r some; do
		echo "$some"
		client -c 5 -n 0 -r 0 -t 1ms --fail "$some" 127.0.0.1
		holds '.verdict.failed == []'
	done <conditions
}

@test "answers that are missing: a warning that percentiles are of the others" {
	# the first of each 4 is not answered
	start_peer drop 4
	client -c 1 -n 0 -r 400 -t 500ms --timeout 200ms --fail 'p99>100ms' \
		--max-lateness 1s 127.0.0.1
	# shellcheck disable=SC2016
	holds '.queries.timed_out > 0' '.verdict.failed == []' \
		'(.queries | "percentiles are of the \(1000 * .answered / .sent | round / 10)") as $text |
			.verdict.warnings | any(startswith($text))' \
		'.queries as $q | .verdict.warnings | any(contains(
			"(timed out \($q.timed_out), lost \($q.lost))"))'
	start_server
	client -c 1 -n 0 -r 400 -t 500ms --max-lateness 1s 127.0.0.1
	holds '.verdict.warnings | any(startswith("percentiles")) | not'
}

@test "a limit on times that no timeout allows is refused" {
	local condition
	for condition in 'p99>10s' 'p99>=5s' 'lost>0,mean==5s' 'service_max>5s'; do
		exits 2 "$TCPCLIENT" -c 1 -r 1 --fail "$condition" ::1 2>err
		grep -q 'tcpclient: --fail .*: never holds, as a query times out after 5 s (--timeout)' err
	done
	exits 2 "$TCPCLIENT" -c 1 --find-max rate --timeout 200ms \
		--until 'p50>200ms' ::1 2>err
	grep -q 'tcpclient: --until p50>200ms: never holds, as a query times out after 0.2 s' err
	exits 2 "$TCPCLIENT" -c 1 -r 1 --connect-timeout 1s \
		--fail 'connect_max>2s' ::1 2>err
	grep -q 'never holds, as a connect times out after 1 s (--connect-timeout)' err
	# it is not looked at in each millisecond
	"$TCPCLIENT" -c 1 -r 1 --connect-timeout 1s --check \
		--fail 'connect_max>=1s' ::1 >check.out || (($? == 1))
	start_server
	client -c 1 -n 0 -r 50 -t 100ms --max-lateness 1s --fail \
		'p99>4999ms,service_max>4s,connect_p50>4s,lateness_p99>6s' ::1
	client -c 1 -n 0 -r 50 -t 100ms --max-lateness 1s --timeout 11s \
		--fail 'p99>10s' ::1
}

@test "--fail on suspects and on wrong answers" {
	start_peer sink
	exits 3 client -c 5 -n 0 --probe -r 0 -t 100ms --timeout 300ms \
		--fail 'suspect>4,suspect_queued>4,wrong_answer>0' 127.0.0.1
	holds '.verdict.failed == ["suspect>4: suspect is 5",
		"suspect_queued>4: suspect_queued is 5"]'
	start_peer answer 'SSH-2.0-x\r\n'
	exits 3 client -c 5 -n 0 --probe -r 0 -t 100ms --timeout 300ms \
		--fail 'suspect>0,wrong_answer>50%' 127.0.0.1
	holds '.verdict.failed | length == 1 and (.[0] | startswith("wrong_answer>50%"))'
}
