#!/usr/bin/env bats
# Outputs that fail: all others are written, and each failure is named with the
# errno of the write that failed.

load helpers

bats_require_minimum_version 1.5.0

run_short() {
	"$TCPCLIENT" -p "$PORT" -c 2 -r 200 -t 1 "$@" ::1
}

@test "standard output fails: the JSON result and the histogram are written" {
	start_server
	exits 1 run_short --json=result.json --histogram=h >/dev/full 2>client.err
	grep -q '^tcpclient: standard output: No space left on device' client.err
	holds '.queries.answered > 0'
	[ "$(awk '!/#/ { n += $3 } END { print n }' h)" = \
		"$(result .queries.answered)" ]
}

@test "standard output is closed: the JSON result is written" {
	start_server
	exits 1 run_short --json=result.json >&- 2>client.err
	grep -q '^tcpclient: standard output: Bad file descriptor' client.err
	holds '.queries.answered > 0'
}

@test "the server's standard output fails: its JSON result is written" {
	"$TCPSERVER" --json=server.json 0 >/dev/full 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
	exits 1 stop_server
	grep -q '^tcpserver: standard output: No space left on device' server.err
	jq -e '.counts.accepted == 0' server.json
}

@test "--series on a full disk: its own errno, and all else is written" {
	start_server
	exits 1 run_short --json=result.json --series /dev/full >client.out 2>client.err
	grep -q '^tcpclient: /dev/full: No space left on device' client.err
	holds '.queries.answered > 0'
	grep -q '^queries' client.out
}

@test "several outputs fail: each is named" {
	start_server
	exits 1 run_short --json=/dev/full --series /dev/full --histogram=h \
		>/dev/full 2>client.err
	[ "$(grep -c '^tcpclient: /dev/full: No space left' client.err)" -eq 2 ]
	[ "$(grep -c '^tcpclient: standard output: No space left' client.err)" -eq 1 ]
	[ -s h ]
}

@test "an output that cannot be opened: no old result is emptied" {
	local bad
	start_server
	mkdir directory
	for bad in directory absent/file; do
		echo old >result.json
		exits 1 run_short --json=result.json --series "$bad" 2>client.err
		grep -q "^tcpclient: $bad: " client.err
		[ "$(cat result.json)" = old ]
	done
}

@test "an old result that was longer leaves nothing behind, and its mode stays" {
	start_server
	head -c 1000000 /dev/zero | tr '\0' x >result.json
	chmod 600 result.json
	ln -s result.json link.json
	as_asked run_short --json=link.json >client.out
	holds '.queries.answered > 0'
	[ "$(stat -c %a result.json)" = 600 ]
	[ -L link.json ]
}

@test "two outputs that are one file are refused, under any name" {
	echo old >one
	ln -s one two
	PORT=1
	exits 2 run_short --json=one --series two 2>client.err
	grep -q 'one and two are the same file' client.err
	exits 2 run_short --json=two >>one 2>client.err
	grep -q 'two and standard output are the same file' client.err
	[ "$(cat one)" = old ]
}
