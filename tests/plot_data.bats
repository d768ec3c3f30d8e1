#!/usr/bin/env bats
# plot.sh: the numbers that it hands to gnuplot.
bats_require_minimum_version 1.5.0

load helpers

# drawn NAME RESULT: the data block of this name, as gnuplot gets it.
drawn() {
	mkdir -p bin
	printf '#!/bin/sh\ncat >"%s/script"\n' "$PWD" >bin/gnuplot
	chmod +x bin/gnuplot
	PATH=$PWD/bin:$PATH "$BATS_TEST_DIRNAME/../plot.sh" "$2" out.svg || true
	sed -n "/^\$$1 << END/,/^END/p" script | sed '1d;$d' >data
	[ -s data ]
}

@test "connections that come and go: what was open is drawn, not what was ever opened" {
	start_server
	client -c 100 -n 0 -r 0 --churn 300 -t 2 --close rst ::1 || (($? == 3))
	stop_server
	holds '.connections.opened > 300' '.connections.peak <= 110'
	drawn opening result.json
	awk '{ if ($2 > most) most = $2 }
		END { print most; exit most < 50 || most > 110 }' data
}

@test "connections that only open: all of them are open when opening ends" {
	start_server
	client -c 50 -n 0 -r 0 -t 300ms ::1
	stop_server
	drawn opening result.json
	awk -v end="$(jq '.times_unix_ns | (.open_end - .open_begin) / 1e9' result.json)" '
		$1 > end - 1e-5 && $1 < end + 1e-5 && $2 == 50 { found = 1 }
		END { exit !found }' data
}

@test "rows of several seconds: rates are over the length of the row" {
	start_server
	client -c 5 -n 0 -r 100 -t 300ms ::1 || (($? == 3))
	stop_server
	jq '1790000000e9 as $begun | .series[0] as $row |
		.config.warmup_s = 0 | .series_step_s = 2 |
		.times_unix_ns |= (.begun = $begun | .query_begin = $begun |
			.query_end = $begun + 6e9 | .close_begin = $begun + 6e9) |
		.series = [2, 4, 6 | . as $t | $row + {unix_s: (1790000000 + $t - 2),
			t_s: $t, length_s: 2, offered: 400, sent: 380,
			answered: 360}]' result.json >long.json
	drawn rates long.json
	[ "$(cat data)" = $'1 200 190 180\n3 200 190 180\n5 200 190 180' ]
}

@test "a search: each step at its load, held and not held apart" {
	start_server
	client -c 5 -n 0 -r 500 -t 200ms --find-max rate --until 'sent>10' \
		::1 || (($? == 3))
	# what came out depends on this machine: known steps instead
	jq '.find_max |= (.steps[0] as $s | .steps = [
		$s + {load: 1000, held: true, response_p50_ns: 1e6, response_p99_ns: 2e6},
		$s + {load: 2000, held: false, response_p50_ns: 3e6, response_p99_ns: 4e6},
		$s + {load: 1500, held: true, response_p50_ns: 5e6, response_p99_ns: null}])' \
		result.json >search.json
	drawn held_p50 search.json
	[ "$(cat data)" = $'1000 1\n1500 5' ]
	drawn held_p99 search.json
	[ "$(cat data)" = $'1000 2\n1500 NaN' ]
	drawn failed_p99 search.json
	[ "$(cat data)" = "2000 4" ]
	# shellcheck disable=SC2016
	run ! grep -q '^\$response' script
	run -1 "$BATS_TEST_DIRNAME/../plot.sh" search.json search.json two.svg
	[[ $output == *"is drawn alone"* ]]
	"$BATS_TEST_DIRNAME/../plot.sh" search.json real.svg
	grep -q 'p99, not held' real.svg
}
