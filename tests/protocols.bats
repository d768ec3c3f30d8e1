#!/usr/bin/env bats
# Peers that speak something else than DNS over TCP: the bytes that came are named,
# and neither the connections nor the server are called stuck.

load helpers

# named COUNT BYTES [ADVICE]: so many connections on which bytes came that are no DNS answer,
# beginning like that, are the first finding and the first reason, and nothing else
# is said of them. ADVICE ends the reason.
named() {
	local advice=${3-: wrong port or protocol?}
	holds ".connections.wrong_answer == $1" \
		'.connections.suspect == {unacked: 0, queued: 0}' \
		'.queries.answered == 0' \
		".verdict.reasons[0] | startswith(\"$1 connections: bytes came that are no DNS answer (first bytes: \") and contains($2) and endswith(\")$advice\")" \
		'.findings[0] | .limit == "bytes that are no DNS answer" and .side == "server"' \
		".findings[0].evidence | startswith(\"first bytes: \") and contains($2)" \
		'[.findings[].limit] | index("the server closes") == null' \
		'.verdict.reasons | any(contains("stuck")) | not' \
		'.queries.bytes_of_no_answer > 0'
	accounts_close
}

# ask COUNT [OPTION]...: a query on each connection, and time enough for an answer.
ask() {
	exits 3 client -c "$1" -n 0 --probe -r 0 -t 100ms --timeout 2s \
		"${@:2}" 127.0.0.1
}

# A program that is ended with the test.
start() {
	"$@" >program.out 2>program.err 3>&- &
	STARTED+=($!)
}

pick_port() {
	PORT=$((10240 + RANDOM % 20000))
	while [ -n "$(ss -Hlnt "sport = :$PORT")" ]; do
		PORT=$((10240 + RANDOM % 20000))
	done
}

listens() {
	[ -n "$(ss -Hlnt "sport = :$PORT")" ]
}

@test "an SSH server" {
	type -P /usr/sbin/sshd >/dev/null || skip "no sshd here"
	mkdir -p /run/sshd || skip "sshd needs /run/sshd"
	ssh-keygen -q -t ed25519 -N '' -f key
	pick_port
	start /usr/sbin/sshd -D -e -f /dev/null -h "$PWD/key" \
		-o "ListenAddress=127.0.0.1:$PORT" -o PidFile=none \
		-o MaxStartups=100
	wait_until listens
	ask 5
	named 5 '"an SSH banner, \"SSH-2.0-"'
	holds '.connections.first_bytes | .name == "an SSH banner" and (.hex | startswith("5353482d322e302d"))'
}

# It reads a line first: the tenth ID has the byte that ends one.
@test "an HTTP server" {
	pick_port
	start python3 -m http.server --bind 127.0.0.1 "$PORT"
	wait_until listens
	ask 1 -r 200 -t 500ms
	named 1 '"an HTML page of an HTTP server, \"<!DOCTYPE HTML>\""'
}

@test "an HTTP server that refuses the request" {
	start_peer answer 'HTTP/1.1 400 Bad Request\r\n\r\n'
	ask 5
	named 5 '"an HTTP answer, \"HTTP/1.1 400 Bad\""'
}

# What a server says to a record whose version it does not know.
@test "a TLS server: its alert" {
	start_peer answer '\x15\x03\x01\x00\x02\x02\x46'
	ask 5
	named 5 '"a TLS alert, 15 03 01 00 02 02 46"'
}

# It reads a query as a record whose version it does not know, and closes without an
# alert: there are no bytes to name.
@test "a TLS server that closes without an alert" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout key -out cert -subj /CN=x 2>openssl.err
	pick_port
	start openssl s_server -quiet -accept "127.0.0.1:$PORT" -key key \
		-cert cert
	wait_until listens
	ask 3
	holds '.connections.wrong_answer == 0' '.connections.first_bytes == null' \
		'.findings | length == 1 and (.[0] |
			(.limit | test("^the server( closes|, or what .* resets)$")) and
			.side == "server" and
			(.evidence | contains("no query was answered on any connection")) and
			(.fix | contains("wrong port or protocol?")))'
}

# The same end, but it has answered: nothing is wrong with its protocol.
@test "a DNS server that closes is not said to speak another protocol" {
	start_peer fin 1
	exits 3 client -c 5 -n 0 --probe -r 10 -t 200ms 127.0.0.1
	holds '.connections.closed_by_peer == 5' \
		'.findings[0] | .limit == "the server closes" and
			(.fix | contains("protocol") | not)'
}

@test "DNS messages without their length in front" {
	start_peer answer '\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01'
	ask 5
	named 5 '"a DNS message without its length in front, 12 34 81 80"'
}

# The first ID is 0, which is read as a length of 0.
@test "DNS messages without their length in front, of ID 0" {
	start_peer answer '\x00\x00\x85\x80\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01'
	ask 5
	named 5 '"a DNS message without its length in front, 00 00 85 80 00 01"'
}

@test "an HTTP/2 server: its settings" {
	start_peer answer '\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64'
	ask 5
	named 5 '"HTTP/2 settings, 00 00 12 04 00"'
}

@test "DNS answers whose counts lie: all are malformed" {
	start_peer answer '\x00\x0c\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00'
	ask 5
	named 5 '"a DNS message too short for its counts of records, 00 0c 12 34"' \
		'; look at what the server sends: tcpdump -X'
	holds '.queries.malformed > 0 and .queries.malformed == .queries.replies'
}

@test "answers with the right ID and question, but more records than bytes" {
	start_peer lie 1
	ask 5
	named 5 '"an unexpected DNS message, 00 1d "' \
		'; look at what the server sends: tcpdump -X'
	holds '.queries.malformed == 5 and .queries.replies == 5'
	start_peer lie 65535
	ask 5
	named 5 '"a DNS message too short for its counts of records, 00 1d "' \
		'; look at what the server sends: tcpdump -X'
	holds '.queries.malformed == 5 and .queries.replies == 5'
}

# The first ID of a connection is 0, and no question is repeated; but it is no
# response.
@test "twelve zero bytes answer no query" {
	start_peer zeros
	ask 5
	holds '.connections.wrong_answer == 5' \
		'.queries.replies == 5 and .queries.unmatched == 5' \
		'.queries.answered == 0 and .connections.probes.answered == 0' \
		'.verdict.reasons[0] | contains("bytes came that are no DNS answer")'
	accounts_close
}

@test "a whole DNS answer to another query" {
	start_peer answer '\x00\x0c\xff\xfe\x81\x85\x00\x00\x00\x00\x00\x00\x00\x00'
	ask 5
	holds '.connections.wrong_answer == 5' \
		'.queries.unmatched == 5 and .queries.malformed == 0' \
		'.queries.bytes_of_no_answer == 0' \
		'.verdict.reasons | any(contains("stuck")) | not'
	accounts_close
}

@test "a flood of garbage" {
	start_peer flood 'y\n'
	ask 5
	named 5 '"79 0a 79 0a"'
}

@test "two bytes of text and no more" {
	start_peer answer 'HT'
	ask 5
	named 5 '"48 54"'
}

@test "a server that stops in the middle of an answer is no wrong port" {
	start_peer cut 10
	ask 5
	holds '.connections | .wrong_answer == 5 and .suspect_evidence.cut_off == 5' \
		'.connections.first_bytes | .name == "the beginning of a DNS message" and .cut_off and (.hex | startswith("001d"))' \
		'.verdict.reasons[0] | startswith("5 connections: an answer began, and its rest did not come (first bytes: the beginning of a DNS message, 00 1d ") and endswith("); look at the server")' \
		'.findings[0] | .limit == "DNS answers that are cut off" and .side == "server"' \
		'.verdict.reasons + [.findings[].fix] | any(contains("wrong port")) | not'
	accounts_close
	"$TCPCLIENT" --merge --json=merged.json result.json >merge.out ||
		(($? == 3))
	diff <(jq -c .connections.first_bytes,.findings result.json) \
		<(jq -c .connections.first_bytes,.findings merged.json)
	[ "$(jq .verdict.reasons[0] merged.json)" = \
		"$(jq .verdict.reasons[0] result.json)" ]
}

@test "a single byte of zero, and a length that never comes true" {
	start_peer answer '\x00'
	ask 5
	named 5 '"00"'
	start_peer answer '\xff\xff\x00\x00'
	ask 5
	named 5 '"ff ff 00 00"'
}

@test "messages that match no query, behind answers" {
	start_peer garbage
	client -c 2 -n 0 --probe -r 100 -t 500ms --fail 'unmatched==0' 127.0.0.1 ||
		(($? == 4))
	holds '.queries.unmatched > 0' \
		'.verdict.warnings | any(test("^[0-9]+ of [0-9]+ messages received match no query"))'
}

@test "garbage behind answers" {
	start_peer desync 3
	client -c 2 -n 0 --probe -r 100 -t 500ms --timeout 200ms 127.0.0.1
	holds '.queries.answered > 0 and .queries.bytes_of_no_answer == 8' \
		'.connections.wrong_answer == 0' \
		'.verdict.warnings | any(startswith("8 bytes came beside the answers that are no whole DNS answer (first bytes: "))'
	accounts_close
}

@test "a server whose answers are answers: no first bytes" {
	start_server --mode dns
	client -c 5 -n 0 --probe -r 100 -t 300ms 127.0.0.1
	holds '.connections.first_bytes == null' \
		'.connections.wrong_answer == 0' '.findings == []' \
		'.queries | .bytes_of_no_answer == 0 and .bytes_of_answers == .bytes_received and .bytes_received == .replies * (31 + 16)'
	accounts_close
}

@test "a server that closes in the middle of an answer" {
	start_peer cutfin 10
	ask 5
	holds '.connections | .wrong_answer == 5 and .closed_by_peer == 5' \
		'.connections.first_bytes | .name == "the beginning of a DNS message" and .cut_off' \
		'.verdict.reasons[0] | startswith("5 connections: an answer began, and its rest did not come (first bytes: ")' \
		'.findings | length == 1' \
		'.findings[0] | .limit == "DNS answers that are cut off" and (.evidence | contains("5 connections closed by the other side"))' \
		'.verdict.reasons + [.findings[].fix] | any(contains("wrong port")) | not'
	accounts_close
}

@test "answers that are cut off at one target, and HTTP at another: each has its cause" {
	start_peer cut 10
	local cut=$PORT
	start_peer answer 'HTTP/1.1 400 Bad Request\r\n\r\n'
	PORT=$cut,$PORT
	ask 10
	holds '.connections | .wrong_answer == 10 and .suspect_evidence.cut_off == 5' \
		".verdict.reasons | any(startswith(\"5 connections (of 127.0.0.1:$cut: all 5\") and contains(\": an answer began, and its rest did not come\"))" \
		".verdict.reasons | any(startswith(\"5 connections (of 127.0.0.1:${PORT#*,}: all 5\") and contains(\": bytes came that are no DNS answer\") and endswith(\"wrong port or protocol?\"))" \
		'[.findings[] | .limit] | index("DNS answers that are cut off") != null and index("bytes that are no DNS answer") != null'
	accounts_close
}

@test "a whole DNS message that answers nothing is no wrong port" {
	start_peer zeros
	ask 5
	holds '.connections.wrong_answer == 5' \
		'.verdict.reasons[0] | endswith("; look at what the server sends: tcpdump -X")' \
		'.findings[0].fix == "look at what the server sends: tcpdump -X"'
}

@test "an answer that the end of the run cuts off is the server's in no way" {
	start_peer cut 10
	exits 3 client -c 5 -n 0 -r 100 -t 300ms --timeout 60s --drain 100ms \
		127.0.0.1
	holds '.connections | .closed_locally == 5 and .wrong_answer == 0 and .first_bytes == null'
	accounts_close
}

@test "two bytes of an answer, and no more: either may be" {
	start_peer cut 2
	ask 5
	named 5 '"maybe the beginning of a DNS message, 00 1d"'
	holds '.connections.first_bytes.cut_off'
}

@test "--merge keeps the first bytes, and takes results that have none" {
	start_peer answer 'SSH-2.0-x\r\n'
	ask 5
	"$TCPCLIENT" --merge --json=merged.json result.json >merge.out ||
		(($? == 3))
	[ "$(jq -c '[.connections.first_bytes, .connections.wrong_answer]' \
		result.json)" = "$(jq -c \
		'[.connections.first_bytes, .connections.wrong_answer]' \
		merged.json)" ]
	# an earlier result has none of these
	jq 'del(.connections.first_bytes, .connections.wrong_answer,
		.connections.suspect_evidence.cut_off, .rate.answered_later,
		.end.interrupted_unix_ns,
		.queries.bytes_of_answers, .queries.bytes_of_no_answer,
		.series[].bytes_of_answers, .series[].bytes_of_no_answer) |
		.connections.unverified += 5' result.json >older.json
	"$TCPCLIENT" --merge --json=merged.json older.json >merge.out ||
		(($? == 3))
	jq -e '.connections.first_bytes == null and .queries.bytes_of_answers == .queries.bytes_received and
		.connections.suspect_evidence.cut_off == 0' merged.json
	# nor has one in between this
	jq 'del(.connections.first_bytes.cut_off)' result.json >older.json
	"$TCPCLIENT" --merge --json=merged.json older.json >merge.out ||
		(($? == 3))
	jq -e '.connections.first_bytes.cut_off == false' merged.json
}
