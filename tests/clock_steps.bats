#!/usr/bin/env bats
# What a step of the wall clock does to a run. The clock of the machine stays as it
# is: the client sees another (tests/preload/step_clock.c).
bats_require_minimum_version 1.5.0

load helpers

# It hears of the moment late.
BUSY='(.end.busiest_waited > 0.01)'

# begin_stepped SECONDS OPTION...: a client whose wall clock is stepped by that when
# ./stepped comes.
begin_stepped() {
	STEP_CLOCK="$1 $PWD/stepped" \
		LD_PRELOAD=$HELPERS/../preload/step_clock.so \
		ASAN_OPTIONS=verify_asan_link_order=0 \
		"$TCPCLIENT" -p "$PORT" -c 10 -n 0 -r 100 -t 300ms \
		--json=result.json "${@:2}" ::1 >client.out 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
}

# ends: waits for the client; status 0 or 3.
ends() {
	local status=0
	wait "$CLIENT" || status=$?
	((status == 0 || status == 3)) || {
		echo "status $status"
		cat client.err
		return 1
	}
}

connections_are_open() {
	(($(ss -Htn state established "sport = :$PORT" | wc -l) >= 10))
}

# after_step SECONDS AHEAD OPTION...: --start-at is AHEAD seconds away, and the clock
# is stepped while the client waits for it.
after_step() {
	start_server
	AT=$(($(date +%s) + $2))
	begin_stepped "$1" --start-at "$AT" "${@:3}"
	wait_until connections_are_open
	touch stepped
	ends
	stop_server
}

# Times in a result are by the clock as it was when the program began.
@test "--start-at: a step back while waiting: begins that much later" {
	after_step -1 7 -w 2
	grep -q 'the wall clock was stepped by -1.000 s' client.err
	holds "$BUSY as \$busy | .times_unix_ns.clock_begin / 1e9 - $AT - 1 |
			. > -0.02 and (. < 0.02 or (. < 1 and \$busy))" \
		'.queries.scheduled > 5'
}

@test "--start-at: a step forward while waiting: begins that much sooner" {
	after_step 2 9 --arrival uniform
	grep -q 'the wall clock was stepped by +2.000 s' client.err
	holds "$BUSY as \$busy | .times_unix_ns.clock_begin / 1e9 - $AT + 2 |
			. > -0.02 and (. < 0.02 or (. < 1 and \$busy))" \
		'.queries.scheduled == 30'
}

@test "--start-at: a step over the moment: begins at once, exit 3" {
	after_step 100 8
	holds ".times_unix_ns.clock_begin / 1e9 < $AT - 1" '.verdict.valid | not'
	grep -q 'start-at was 9[0-9.]* s before the schedule could begin' client.out
}

a_row_was_written() {
	(($(wc -l <series.csv) >= 2))
}

@test "--series: no second comes twice when the wall clock is stepped back" {
	start_server
	begin_stepped -1.5 --series series.csv -t 2500ms
	wait_until a_row_was_written
	touch stepped
	ends
	stop_server
	tail -n +2 series.csv | cut -d, -f1 >seconds
	[ -z "$(uniq -d seconds)" ]
	sort -n seconds | cmp - seconds
	diff seconds <(jq '.series[].unix_s' result.json)
}
