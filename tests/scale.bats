#!/usr/bin/env bats
# bench/scale.sh, in small.

load helpers

bats_require_minimum_version 1.5.0

SCALE=$BATS_TEST_DIRNAME/../bench/scale.sh

# figure LINE: the first number of the line that begins with this word.
figure() {
	sed -n "s/^$1 *\([0-9][0-9]*\).*/\1/p" scale.out
}

@test "scale: many small workers hold, verify, query and close them all" {
	(
		ulimit -n 300
		exec "$SCALE" -r 1000 -t 1 2000
	) >scale.out 2>scale.err 3>&- || (($? == 3))
	grep -q 'processes *10 of tcpclient, 11 of tcpserver, of 300 desc' scale.out
	[ "$(figure opened)" -eq 2000 ]
	[ "$(figure verified)" -eq 2000 ]
	grep -q 'timed out 0, lost 0, skipped 0$' scale.out
	grep -q 'accepted 2000, reset by peer 2000, closed otherwise 0$' scale.out
	# 21 processes may well be late on a small machine
	grep -qE '^verdict *(ran as asked|not as asked:(;? (queries left late|answers waited|too slow)[^;]*;[^;]*(; run it again)?)+)$' \
		scale.out
}

@test "scale: says no to what the memory cannot hold, and why" {
	run -1 "$SCALE" 900000000
	[[ $output == *"900000000 connections need"*"of memory"*"at most about"* ]]
}

@test "scale: usage" {
	run -2 "$SCALE"
	run -2 "$SCALE" many
	run -2 "$SCALE" 10 20
}
