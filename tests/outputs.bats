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

# Other errors come in between there: files of /proc that a namespace lacks.
@test "--series on a full disk, in a network namespace: its own errno" {
	enter_namespace 20000 60000
	start_server_on 7000
	PORT=7000
	exits 1 run_client -c 2 -r 200 -t 300ms --series /dev/full 127.0.0.1
	grep -q '^tcpclient: /dev/full: No space left on device' client.err
	holds '.queries.answered > 0'
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

# on_small_disk COMMAND...: with 4 KB of room in ./small.
on_small_disk() {
	[ "$(id -u)" -eq 0 ] || skip "only root can mount a file system"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	mkdir -p small
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs -o size=4k none small && exec "$@"' sh "$@"
}

@test "a disk that fills in the middle of an output: its errno, all others whole" {
	local output name
	start_server
	for output in json histogram; do
		name=small/$output
		exits 1 on_small_disk "$TCPCLIENT" -p "$PORT" -c 20 -r 2000 -t 1 \
			--json=result.json --histogram=h \
			"--$output=$name" ::1 >client.out 2>client.err
		grep -q "^tcpclient: $name: No space left on device" client.err
		grep -q '^queries' client.out
		[ "$output" = json ] || accounts_close
		[ "$output" = histogram ] || [ "$(wc -l <h)" -gt 100 ]
		rm -f result.json h
	done
}

@test "-R to a disk that is full ends the run, and the result says why" {
	local status=0
	start_server
	# shellcheck disable=SC2016
	on_small_disk sh -c '"$@" >small/rows' sh "$TCPCLIENT" -p "$PORT" -c 20 \
		-r 2000 -t 60 -R --json=result.json ::1 2>client.err || status=$?
	[ "$status" -eq 1 ]
	grep -q 'standard output (-R) could not be written: No space left on device' \
		client.err
	accounts_close
	holds '.queries.sent > 0 and .rate.duration_s < 60'
}

@test "a sum and a search on a disk that is full: said, and the other output whole" {
	start_server
	client -c 20 -n 0 -r 2000 -t 500ms ::1
	exits 1 on_small_disk "$TCPCLIENT" --merge --json=small/sum --histogram=h \
		result.json >merge.out 2>merge.err
	grep -q '^tcpclient: small/sum: No space left on device' merge.err
	[ "$(awk '!/#/ { n += $3 } END { print n }' h)" = \
		"$(result .queries.answered)" ]
	exits 1 on_small_disk "$TCPCLIENT" -p "$PORT" -c 20 -r 500 -t 200ms \
		--find-max rate --until 'p50>10s' --timeout 20s --json=small/search \
		--histogram=h2 ::1 >search.out 2>search.err
	grep -q '^tcpclient: small/search: No space left on device' search.err
	[ -s h2 ]
}
