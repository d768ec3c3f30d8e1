#!/usr/bin/env bats
# A finding says at which targets and from which sources it is, and of how many of
# their connections; where all of them are alike it says so.

load helpers
load namespaces

bats_require_minimum_version 1.5.0

# evidence LIMIT PATTERN: of the finding of that limit.
evidence() {
	limit=$1 pattern=$2 jq -e '.findings | any((.limit | test(env.limit)) and
		((.evidence // "") | test(env.pattern)))' result.json >/dev/null || {
		jq -c .findings result.json >&2
		return 1
	}
}

@test "of 11 ports one is closed: which" {
	enter_both
	start_server_on 7000-7004,7006-7010
	PORT=7000-7010
	exits 3 client -c 110 -n 0 -r 0 -t 100ms 10.9.8.1
	evidence '^nothing listens' '^of 10\.9\.8\.1:7005: all 10(;|$)'
	grep -q 'of 10\.9\.8\.1:7005: all 10' client.out
	finds_nothing -c 110 -n 0 -r 0 -t 100ms 10.9.8.1:7000
}

@test "all 3 ports are closed: alike" {
	enter_both
	PORT=7000-7002
	exits 1 client -c 30 -n 0 -r 0 -t 100ms 10.9.8.1
	evidence '^nothing listens' '^all 3 targets alike'
}

@test "one target: it is not repeated" {
	enter_both
	PORT=7000
	exits 1 client -c 30 -n 0 -r 0 -t 100ms 10.9.8.1
	run ! evidence '^nothing listens' '7000|alike'
}

@test "of 40 ports 30 are closed: some of them, exactly, and how many others" {
	enter_both
	start_server_on 7000-7009
	PORT=7000-7039
	exits 3 client -c 80 -n 0 -r 0 -t 100ms 10.9.8.1
	evidence '^nothing listens' \
		'^of 10\.9\.8\.1:70[0-9]{2}: all 2, (.*: all 2, ){3}of others: 52(;|$)'
}

@test "of 3 hosts one is silent: which, by all workers" {
	enter_both
	inside ip addr add 10.9.8.2/24 dev lo
	inside ip addr add 10.9.8.3/24 dev lo
	start_server_on 7000
	PORT=7000
	rule -A INPUT -d 10.9.8.2 -p tcp --dport 7000 -j DROP
	exits 3 client -w 2 -c 30 -n 0 -r 0 --connect-timeout 500ms -t 100ms \
		10.9.8.1-10.9.8.3
	evidence '^no answer to the SYN' '^of 10\.9\.8\.2:7000: all 10(;|$)'
	inside iptables -F
	finds_nothing -w 2 -c 30 -n 0 -r 0 -t 100ms 10.9.8.1-10.9.8.3
}

@test "of 2 servers one closes: which" {
	local other
	start_server
	other=$PORT
	start_peer close
	run_client -c 20 -n 0 -r 200 -t 500ms "127.0.0.1:$other" 127.0.0.1 ||
		true
	evidence '^the server closes' "^of 127\\.0\\.0\\.1:$PORT: all 10(;|\$)"
}

# reason PATTERN: the verdict has that one.
reason() {
	pattern=$1 jq -e '.verdict.reasons | any(test(env.pattern))' \
		result.json >/dev/null || {
		jq -c .verdict result.json >&2
		return 1
	}
}

@test "of 2 sources one is refused: which, and that the targets are alike" {
	enter_both
	inside ip addr add 10.9.8.2/24 dev lo
	start_server_on 7000-7002
	PORT=7000-7002
	rule -A INPUT -s 10.9.8.2 -p tcp -m multiport --dports 7000:7002 \
		-j REJECT --reject-with tcp-reset
	exits 3 client -a 10.9.8.1,10.9.8.2 -c 60 -n 0 -r 0 -t 100ms 10.9.8.1
	evidence 'reject' '^all 3 targets alike; from 10\.9\.8\.2: all 30(;|$)'
	inside iptables -F
	finds_nothing -a 10.9.8.1,10.9.8.2 -c 60 -n 0 -r 0 -t 100ms 10.9.8.1
}

@test "of 2 servers one does not answer: the suspects are said to be its own" {
	enter_both
	start_server_on 7000
	start_server_on 7001
	freeze_server
	PORT=7000-7001
	exits 3 client --probe --timeout 500ms -c 20 -n 0 -r 0 -t 100ms 10.9.8.1
	holds '.connections.suspect.queued == 10'
	reason '^10 connections \(of 10\.9\.8\.1:7001: all 10\) were accepted'
	thaw_server
	finds_nothing --probe -c 20 -n 0 -r 0 -t 100ms 10.9.8.1
}

@test "a server that serves 4 of 10 connections: how many of how many" {
	enter_both
	start_server_on 7000
	start_server_on --max-connections 4 7001
	PORT=7000-7001
	exits 3 client --probe --timeout 500ms -c 20 -n 0 -r 0 -t 100ms 10.9.8.1
	holds '.connections.suspect.queued == 6'
	reason '^6 connections \(of 10\.9\.8\.1:7001: 6 of 10\) were accepted'
	evidence '^the server does not accept' \
		'^of 10\.9\.8\.1:7001: 6 of 10(;|$)'
}

@test "of 2 peers one speaks another protocol: which" {
	local other
	start_server
	other=$PORT
	start_peer answer 'SSH-2.0-OpenSSH_9.2\r\n'
	exits 3 run_client --probe -c 20 -n 0 -r 0 -t 100ms \
		"127.0.0.1:$other" 127.0.0.1
	evidence '^bytes that are no DNS answer' \
		"^of 127\\.0\\.0\\.1:$PORT: all 10(;|\$)"
	reason "^10 connections \\(of 127\\.0\\.0\\.1:$PORT: all 10\\): bytes came"
}
