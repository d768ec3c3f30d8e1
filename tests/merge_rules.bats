#!/usr/bin/env bats
# --merge: what it refuses, what it warns of, and that what it writes it reads.
bats_require_minimum_version 1.5.0

load helpers

# Two runs, one after the other, once for all tests: 1.json and 2.json.
setup_file() {
	local i
	cd "$BATS_FILE_TMPDIR" || return 1
	start_server
	for i in 1 2; do
		"$TCPCLIENT" -p "$PORT" -c 10 -n 0 -r 500 -t 0.3 --warmup 200ms \
			-s "$i" --json="$i.json" ::1 >"$i.out" 2>"$i.err" ||
			(($? == 3))
	done
	stop_server
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	cp "$BATS_FILE_TMPDIR"/[12].* .
}

merge() {
	rm -f result.json
	"$TCPCLIENT" --merge --json=result.json "$@" >client.out 2>client.err ||
		(($? == 3))
}

# refuses MESSAGE FILE...: exit 2, the message, and the old result stays.
refuses() {
	local message=$1
	shift
	echo old >kept.json
	run -2 --separate-stderr "$TCPCLIENT" --merge --json=kept.json "$@"
	[ "$(cat kept.json)" = old ]
	# shellcheck disable=SC2154
	if [[ $stderr != *"$message"* ]]; then
		echo "expected '$message', got: $stderr" >&2
		return 1
	fi
}

@test "an input is not written over, whatever its name" {
	start_server
	client -c 2 -n 0 -r 100 -t 200ms ::1
	cp result.json a.json
	ln -s a.json symbolic
	ln a.json hard
	for name in a.json ./a.json symbolic hard; do
		exits 2 "$TCPCLIENT" --merge --json="$name" a.json result.json
		exits 2 "$TCPCLIENT" --merge --histogram="$name" - result.json \
			<a.json
	done
	cmp a.json result.json
}

@test "the headline says that a warm-up came on top" {
	grep -q '500 queries/s for 0.3 s after 0.2 s of warm-up$' 1.out
	jq '.config.warmup_s = 1' 2.json >longer.json
	merge 1.json longer.json
	grep -q '1000 queries/s for 0.3 s after warm-ups of different lengths' client.out
}

@test "runs one after the other: no time and no rate of opening of their own" {
	merge 1.json 2.json
	grep -q '^connections  asked 20, opened 20, failed 0, abandoned 0$' client.out
	holds '.connections | .open_s == null and .close_s == null' \
		'.times_unix_ns | .open_end > .open_begin'
	merge 1.json
	grep -q '^connections  asked 10, opened 10 in ' client.out
	holds '.connections.open_s > 0'
}

@test "rows that contradict the totals are refused, by name" {
	local name
	for name in opened failed closed_locally scheduled sent answered \
		bytes_sent bytes_received warmup_sent skipped lost \
		response_sum_ns lateness_sum_ns; do
		jq ".series[0].$name += 1" 1.json >bad.json
		refuses "bad.json: series: the rows add up to $name " 2.json bad.json
	done
	# shellcheck disable=SC2016
	jq '([.series[].answered > 0] | rindex([true])) as $last |
		.series[$last].response_buckets = "0:1"' 1.json >bad.json
	refuses "bad.json: series: the response_buckets of the rows" bad.json
	jq '.series = []' 1.json >bad.json
	refuses "bad.json: series: the rows add up to opened 0, but in all it is 10" bad.json
}

@test "what is part of a number, or of its buckets, is held against it" {
	local change
	for change in '.response_ns.max = 1e15' \
		'.response_ns.min = 0' '.service_ns.sum = 1e15' \
		'.connect_ns.sum = 0' '.read_delay_ns.sum = 1e15'; do
		jq "$change" 1.json >bad.json
		[[ $change =~ \.([a-z_]+\.[a-z]+) ]]
		refuses "bad.json: ${BASH_REMATCH[1]}: cannot be of the values in its buckets" \
			bad.json
	done
	jq '.connections.peak = 11' 1.json >bad.json
	refuses "bad.json: connections.peak: 11, but it is a part of opened, 10" bad.json
	jq '.connections.opened_late = 11' 1.json >bad.json
	refuses "bad.json: connections.opened_late: 11" bad.json
	jq '.connections.unsent_after_failure = 7' 1.json >bad.json
	refuses "bad.json: connections.unsent_after_failure: 7, but it is a part of skipped_by_reason.no_connection, 0" bad.json
	jq '.connections.suspect_evidence.read = 1' 1.json >bad.json
	refuses "bad.json: connections.suspect_evidence: 1, but it is a part of suspect.queued, 0" bad.json
}

# lengthen RESULT: as one with rows of 2^16 s.
lengthen() {
	jq '.series_step_s = 65536 | .series[].unix_s |= . - . % 65536' "$1"
}

@test "rows of different lengths: all become as long as the longest, and add up" {
	lengthen 1.json >long.json
	merge long.json 2.json
	cp result.json first.json
	merge 2.json long.json
	local file
	for file in first.json result.json; do
		jq -e '.series_step_s == 65536 and (.series | length <= 2 and
			all(.unix_s % 65536 == 0)) and
			([.series[].sent] | add) == .queries.sent and
			([.series[].bytes_received] | add) == .queries.bytes_received and
			([.series[].response_sum_ns] | add) == .response_ns.sum and
			([.series[].response_buckets | split(" ")[] |
				split(":")[1] | tonumber] | add) == .response_ns.count' \
			"$file"
	done
	jq -S .series first.json >first
	jq -S .series result.json | cmp - first
	jq '.series_step_s = 3' 1.json >bad.json
	refuses "bad.json: series_step_s: not a power of two" bad.json
	jq '.series_step_s = 0' 1.json >bad.json
	refuses "bad.json: series_step_s: not a power of two" bad.json
	jq '.series[0].unix_s = 1790000001 | .series_step_s = 2' 1.json >bad.json
	refuses "bad.json: series[0].unix_s: not a multiple of series_step_s, 2" bad.json
	# a result of an older program has rows of a second
	jq 'del(.series_step_s)' 1.json >old.json
	merge old.json 2.json
	holds '.series_step_s == 1'
}

@test "a run that is added twice is named in a warning" {
	merge 1.json 2.json
	holds '.verdict.warnings | all(test("added before") | not)' \
		'.runs.ids | length == 2 and all(.[]; . == 1)'
	cp result.json both.json
	cp 1.json copy.json
	merge 1.json copy.json
	holds '.verdict.warnings | any(. ==
		"copy.json: 1 of its runs has been added before: counted more than once")'
	grep -q 'copy.json: 1 of its runs has been added before' client.out
	# also in a merged result
	cp result.json twice.json
	merge both.json 2.json
	holds '.verdict.warnings | any(startswith("2.json: 1 of its runs has been"))'
	merge twice.json
	holds '.verdict.warnings | any(startswith("twice.json: 1 of its runs has been"))'
	# a result of an older program has no ids: it is known by its begin
	jq 'del(.runs.ids)' 1.json >old.json
	merge old.json 2.json
	holds '.verdict.warnings | all(test("added before") | not)'
	merge old.json old.json
	holds '.verdict.warnings | any(startswith("old.json: 1 of its runs has been"))'
}

@test "rates that are too large and a begin of 0 are refused, before outputs are opened" {
	jq '.config.rate_qps = 1e308' 1.json >bad.json
	refuses "bad.json: config.rate_qps: 1e+308 is more than 1e+18" bad.json 2.json
	jq '.config.rate_qps = 9e17' 1.json >bad.json
	refuses "the rates add up to more than a result can hold" bad.json bad.json
	jq '.config.open_rate = 9e17' 1.json >bad.json
	refuses "the rates add up to more than a result can hold" bad.json bad.json
	jq '.config.life.churn_per_s = 9e17' 1.json >bad.json
	refuses "the rates add up to more than a result can hold" bad.json bad.json
	jq '.series[0].offered = 9e17' 1.json >bad.json
	refuses "the rates add up to more than a result can hold" bad.json bad.json
	jq '.times_unix_ns.begun = 0' 1.json >bad.json
	refuses "bad.json: times_unix_ns.begun: 0 is no time" bad.json
}

# Values at the edges of what is read, in random places; a result is either refused,
# or what is written of it is read again and is the same.
@test "whatever --merge writes, --merge reads again, with the same sums" {
	timeout 100 python3 "$BATS_TEST_DIRNAME/merge_again.py" "$TCPCLIENT" \
		1.json 2.json
}
