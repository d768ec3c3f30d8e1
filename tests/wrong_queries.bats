#!/usr/bin/env bats
# Clients of a name server that speak something else than DNS over TCP: their bytes
# are counted and named.

load helpers

# send BYTES: on a connection that is closed then, once the server has had them.
send() {
	printf '%b' "$1" | timeout 20 socat -t 0 - "TCP:127.0.0.1:$PORT"
}

# foreign COUNT NAME: so many connections, and what their first bytes are.
foreign() {
	stop_server
	count=$1 name=$2 jq -e '(env.count | tonumber) as $count |
		.counts.wrong_query == $count and
		(.first_bytes.name // "none") == env.name and
		([.findings[] | select(.limit == "bytes that are no DNS query")] |
			length == 1 and (.[0] | .side == "client" and
			(.symptom | startswith("\($count) ")) and
			(.evidence | startswith("first bytes: "))))' \
		server.json >/dev/null || {
		jq -c '[.counts, .first_bytes, .findings]' server.json >&2
		return 1
	}
	grep -q "$1 connections: bytes came that are no DNS query (first bytes: .*): wrong port or protocol?" server.out
}

@test "an HTTP request" {
	start_server --mode dns --json=server.json
	send 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
	send 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
	foreign 2 'an HTTP request'
}

@test "a TLS handshake" {
	start_server --mode dns --json=server.json
	timeout 20 openssl s_client -connect "127.0.0.1:$PORT" \
		</dev/null >/dev/null 2>&1 &
	STARTED+=($!)
	wait_until_counted 1
	kill "${STARTED[-1]}"
	foreign 1 'a TLS handshake'
}

# wait_until_counted N: by the counts that SIGUSR1 prints while it serves.
wait_until_counted() {
	wait_until counted "$1"
}

counted() {
	kill -USR1 "$SERVER"
	grep -q "$1 connections: bytes came that are no DNS query" server.out
}

@test "a DNS query without its length in front" {
	start_server --mode dns --json=server.json
	send '\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01'
	foreign 1 'a DNS message without its length in front'
}

@test "a DNS answer is no query" {
	start_server --mode dns --json=server.json
	send '\x00\x0c\x12\x34\x81\x80\x00\x00\x00\x00\x00\x00\x00\x00'
	foreign 1 'an unexpected DNS message'
}

@test "queries are queries, cut off or refused: none is foreign" {
	start_server --mode dns --json=server.json
	client -c 5 -n 0 --probe -r 100 -t 300ms 127.0.0.1
	send '\x00\x1d\x12\x34\x01\x00\x00\x01\x00'
	send '\x00\x0c\x12\x34\x28\x00\x00\x00\x00\x00\x00\x00\x00\x00'
	stop_server
	jq -e '.counts.wrong_query == 0 and .first_bytes == null and
		.findings == []' server.json
}

@test "an echo server looks at no bytes" {
	start_server --json=server.json
	send 'GET / HTTP/1.1\r\n\r\n'
	stop_server
	jq -e '.counts.wrong_query == 0 and .first_bytes == null' server.json
}
