#!/usr/bin/env bats
# --merge: the sum of several results is exact, and what is no result is refused.

load helpers

bats_require_minimum_version 1.5.0

# four_runs SECONDS: that long from now, at the same time: 1.json to 4.json.
four_runs() {
	local i client clients=() status=0 at
	at=$(($(date +%s) + $1))
	for i in 1 2 3 4; do
		"$TCPCLIENT" -p "$PORT" -c "${i}0" -n 0 -r 2000 -t 3 -s "$i" --start-at "$at" \
			--json="$i.json" ::1 >"$i.out" 2>"$i.err" 3>&- &
		clients+=($!)
	done
	for client in "${clients[@]}"; do
		wait "$client" || (($? == 3)) || status=1
	done
	return "$status"
}

# Once for all tests. Where this machine is too busy to begin in time: later.
setup_file() {
	local lead client
	cd "$BATS_FILE_TMPDIR" || return 1
	start_server
	for lead in 2 5 10 20; do
		four_runs "$lead" || return
		jq -es 'all(.end.late_start_ns == 0)' [1-4].json >/dev/null &&
			break
	done
	for client in [1-4].json; do
		calm "$client"
	done
	stop_server
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	cp "$BATS_FILE_TMPDIR"/[1-4].json .
}

# calm FILE: without the reasons for which this machine, being busy, is to blame.
calm() {
	jq 'def kept: map(select(
			test("queries left late|answers waited|this program was late at the end|: this program was late") | not));
		.verdict.judged = (.verdict |
			.reasons[:.judged] | kept | length)
		| .verdict.reasons |= kept
		| .verdict.valid = (.verdict.reasons == [])' "$1" >calm
	mv calm "$1"
}

# merge FILE...: into result.json, the summary in client.out.
merge() {
	local status=0
	rm -f result.json
	"$TCPCLIENT" --merge --json=result.json "$@" >client.out 2>client.err ||
		status=$?
	[ ! -e result.json ] || calm result.json
	((status == 3)) && jq -e .verdict.valid result.json >/dev/null ||
		return "$status"
}

# sums EXPRESSION...: each gives in the merged result what it does in the four,
# added up.
sums() {
	local expression
	for expression; do
		jq -es --slurpfile merged result.json \
			"(\$merged[0] | $expression) == (map($expression) | add)" \
			[1-4].json >sums.out || {
			echo "does not add up: $expression" >&2
			return 1
		}
	done
}

# refuses MESSAGE FILE...: exit 2, the message, and no result.
refuses() {
	local message=$1
	shift
	run -2 --separate-stderr "$TCPCLIENT" --merge --json=none.json "$@"
	[ -z "$output" ]
	[ ! -e none.json ]
	# shellcheck disable=SC2154
	if [[ $stderr != *"$message"* ]]; then
		echo "expected '$message', got: $stderr" >&2
		return 1
	fi
}

# edited FILTER: 1.json changed in that way, as bad.json.
edited() {
	jq "$1" 1.json >bad.json
}

@test "counters, buckets, rates asked and seconds add up" {
	merge 1.json 2.json 3.json 4.json
	accounts_close
	holds '.verdict.valid == (.verdict.reasons == [])' '.runs.count == 4' '.config.connections == 100' \
		'.config.seed == null' '.config.duration_s == 3'
	sums '.queries.sent' '.queries.answered' '.queries.bytes_sent' \
		'.connections.opened' '.connections.peak' '.connections.asked' \
		'.config.rate_qps' '.config.workers' '.rate.target_qps' \
		'.response_ns.sum' '.response_ns.count' '.lateness_ns.count' \
		'[.series[].sent] | add' '[.series[].response_sum_ns] | add' \
		'.kernel.AttemptFails'
	jq -es --slurpfile merged result.json '
		def buckets: map(.response_ns.buckets[]) | group_by(.[0]) |
			map([.[0][0], .[0][1], (map(.[2]) | add)]);
		buckets == $merged[0].response_ns.buckets
		and (map(.response_ns.max) | max) == $merged[0].response_ns.max
		and (map(.response_ns.min) | min) == $merged[0].response_ns.min
		and (map(.series[].unix_s) | unique) ==
			($merged[0].series | map(.unix_s))
		and (map(.series[]) | group_by(.unix_s) | map(map(.sent) | add))
			== ($merged[0].series | map(.sent))
		' [1-4].json
}

@test "summary, series and histogram file are those of a run" {
	merge --series series.csv --histogram hist 1.json 2.json 3.json 4.json
	grep -q '^tcpclient .*, 100 connections, 8000 queries/s for 3 s, 4 workers, 4 runs$' \
		client.out
	grep -q "sent $(result .queries.sent)," client.out
	awk '!/^#/ { n += $3 } END { print n }' hist >count
	[ "$(cat count)" -eq "$(result .queries.answered)" ]
	[ "$(head -n 1 series.csv | cut -d, -f1-3)" = unix_s,t_s,length_s ]
	[ "$(tail -n +2 series.csv | cut -d, -f1)" = "$(result '.series[].unix_s')" ]
	"$TCPCLIENT" --merge --json 1.json 2.json 2>err >out || (($? == 3))
	jq -e '.runs.count == 2' out
	grep -q '^queries      scheduled' err
}

@test "merged results can be merged again" {
	merge 1.json 2.json 3.json 4.json
	"$TCPCLIENT" --merge --json=front.json 1.json 2.json >out || (($? == 3))
	"$TCPCLIENT" --merge --json=back.json 3.json 4.json >out || (($? == 3))
	"$TCPCLIENT" --merge --json=again.json front.json - <back.json >out ||
		(($? == 3))
	calm again.json
	jq -S 'del(.command)' result.json >expected
	jq -S 'del(.command)' again.json >is
	diff expected is
	"$TCPCLIENT" --merge --json=one.json result.json >out || (($? == 3))
	calm one.json
	jq -S 'del(.command)' one.json >is
	diff expected is
}

@test "a run that was not as asked is named, exit 3" {
	jq '.end.interrupted = true | .verdict.valid = false |
		.verdict.reasons = ["sent 93 %\u001b[1m"]' 2.json >host-b.json
	exits 3 merge 1.json host-b.json
	holds '.verdict.reasons == ["host-b.json: sent 93 %?[1m"]' \
		'.end.interrupted' '.runs.count == 2'
	grep -q '^  host-b.json: sent 93 %' client.out
	# the same through a merged result, whose own reasons are judged anew
	mv result.json middle.json
	exits 3 merge middle.json 3.json
	holds '.verdict.reasons == ["middle.json: host-b.json: sent 93 %?[1m"]'
}

@test "more reasons than fit: how many more" {
	jq '.verdict += {valid: false, judged: 0,
		reasons: [range(300) | "reason \(.)"]}' 1.json >many.json
	exits 3 merge many.json
	# calm() may have taken some that came first
	holds '.verdict.reasons | length >= 125 and length <= 128' \
		'.verdict.reasons[-2] | test("^many.json: reason 12[3-6]$")' \
		'.verdict.reasons[-1] | startswith("and ")'
}

@test "runs that were not at the same time" {
	jq '(.times_unix_ns, .runs) |= with_entries(
		if .key | test("unix_ns|^query|^close")
		then .value += 1e9 else . end)' 2.json >later.json
	exits 3 merge 1.json later.json
	holds '.verdict.reasons | length == 1' \
		'.verdict.reasons[0] | test("did not query at the same time: all of them for (1.9|2.0)[0-9]* s only, the longest for 3.0.*--start-at")'
}

@test "one kernel that cannot be read: no sum of it" {
	jq '.kernel.RetransSegs = null' 1.json >none.json
	merge none.json 2.json
	holds '.kernel.RetransSegs == null' '.kernel.AttemptFails >= 0'
}

@test "another version, another layout, no result at all" {
	edited '.version = "1.0"'
	refuses "bad.json: version: a result of version 1.0" 2.json bad.json
	edited '.histogram_layout = "log-linear/128/2^40"'
	refuses "bad.json: histogram_layout: log-linear/128/2^40" bad.json
	echo '{"queries": 1}' >bad.json
	refuses "bad.json: no version or no histogram_layout" 1.json bad.json
	echo '[]' >bad.json
	refuses "bad.json: not an object" bad.json
	head -c 5000 1.json >bad.json
	refuses "bad.json: not JSON, or not all of it" bad.json
	: >bad.json
	refuses "bad.json: not JSON" 1.json bad.json
	refuses "standard input: not JSON" - <bad.json
}

@test "members that are missing, of another type, negative" {
	edited 'del(.queries.sent)'
	refuses "bad.json: queries.sent: missing" 1.json bad.json
	edited '.queries.sent = "5"'
	refuses "bad.json: queries.sent: not a whole number" bad.json
	edited '.queries.skipped_by_reason.overload = -5'
	refuses "bad.json: queries.skipped_by_reason.overload: -5 is negative" \
		bad.json
	edited '.connections.probes = []'
	refuses "bad.json: connections.probes: not an object" bad.json
	edited '.series[1].answered = 1.5'
	refuses "bad.json: series[1].answered: not a whole number" bad.json
	edited '.series[0].response_buckets = "1:2 3"'
	refuses "bad.json: series[0].response_buckets: not buckets" bad.json
	edited '.connections.failed.EWHAT = 1'
	refuses "bad.json: connections.failed.EWHAT: no name of an errno" \
		bad.json
	edited '.config.rate_qps = -1'
	refuses "bad.json: config.rate_qps: -1 is negative" bad.json
	edited '.end.interrupted = 0'
	refuses "bad.json: end.interrupted: neither true nor false" bad.json
	edited 'del(.verdict)'
	refuses "bad.json: verdict: missing" bad.json
}

@test "numbers that contradict each other" {
	edited '.response_ns.buckets[0][2] += 1'
	refuses "bad.json: response_ns.count: " bad.json
	edited 'del(.lateness_ns.buckets[0])'
	refuses "bad.json: lateness_ns.count: " bad.json
	edited '.response_ns.buckets[0][1] += 1'
	refuses "bad.json: response_ns.buckets[0]: " bad.json
	edited '.response_ns.buckets |= reverse'
	refuses "not above the bucket before it" bad.json
	edited '.queries.sent += 1'
	refuses "bad.json: accounting broken: scheduled = " bad.json
	edited '.queries.lost += 1'
	refuses "bad.json: queries.lost: 1, but the lost_by_reason" bad.json
	edited '.runs.count = 2'
	refuses "bad.json: runs.count: 2, but there are targets of 1" bad.json
}

@test "a file that cannot be read: exit 1, and its name" {
	run -1 "$TCPCLIENT" --merge 1.json nowhere.json
	[[ $output == *"nowhere.json: No such file"* ]]
	run -1 "$TCPCLIENT" --merge 1.json .
	[[ $output == *".: Is a directory"* ]]
}

@test "a file that is refused costs no older result" {
	echo old >all.json
	run -2 "$TCPCLIENT" --merge --json=all.json 1.json /dev/null
	[ "$(cat all.json)" = old ]
}
