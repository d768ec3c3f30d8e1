#!/usr/bin/env bats
# Connections that an error ended: which error it was.

bats_require_minimum_version 1.5.0
load helpers
load namespaces

@test "the kernel gives up connections whose host has gone: ETIMEDOUT, by name" {
	local status=0
	enter_pair 20000 60000
	set_inside net/ipv4/tcp_retries2 1
	start_far_server --mode dns
	start_client -c 5 -n 0 -r 50 -t 60 --timeout 60s --close rst \
		--control control --fail 'closed_ETIMEDOUT>4' 10.9.0.2
	wait_until told stats '.seconds > 0.3'
	# its kernel drops what comes to an address that it no longer has
	"${FAR[@]}" ip addr del 10.9.0.2/24 dev far
	wait "$CLIENT" || status=$?
	[ "$status" -eq 3 ]
	accounts_close
	holds '.connections.closed_by_error == 5' \
		'.connections.closed_by_errno == {"ETIMEDOUT": 5}' \
		'.queries.lost_by_reason.error > 0' \
		'.verdict.failed == ["closed_ETIMEDOUT>4: closed_ETIMEDOUT is 5"]'
	grep -q '^ *ended by ETIMEDOUT (Connection timed out): 5$' client.out
}

@test "connections of one source that a filter silences: named, with the source" {
	enter_both
	inside ip addr add 10.9.8.2/24 dev lo
	set_inside net/ipv4/tcp_retries2 1
	start_server_on 7000 --mode dns
	PORT=7000
	start_client -c 6 -a 10.9.8.1,10.9.8.2 -n 0 -r 60 -t 60 --timeout 60s \
		--close rst --control control 10.9.8.1
	wait_until told stats '.seconds > 0.3'
	rule -I INPUT -p tcp -s 10.9.8.2 --dport 7000 -j DROP
	wait_until told count '.open <= 3'
	tell quit
	wait "$CLIENT" || true
	accounts_close
	holds '.connections.closed_by_errno == {"ETIMEDOUT": 3}' \
		'.findings | length == 1 and (.[0] |
			.limit == "open connections are no longer answered" and
			(.symptom | startswith("3 connections")) and
			(.evidence | contains("from 10.9.8.2: all 3")))'
}

@test "an outage that errors made is not said to be the doing of the other side" {
	enter_both
	set_inside net/ipv4/tcp_retries2 1
	start_server_on 7000 --mode dns
	PORT=7000
	start_client -c 3 -n 0 -r 60 -t 60 --timeout 60s --close rst \
		--reconnect now --connect-timeout 500ms --control control 10.9.8.1
	wait_until told stats '.seconds > 0.3'
	rule -I INPUT -p tcp --dport 7000 -j DROP
	wait_until told count '.open == 0'
	inside iptables -F INPUT
	wait_until told count '.open == 3'
	tell quit
	wait "$CLIENT" || true
	accounts_close
	holds '.connections | .closed_by_peer + .reset_by_peer == 0 and .closed_by_error > 0' \
		'.verdict.reasons | any(test("^no connection was open for .*, since an error had ended them; its name is above$"))'
}

@test "a blackhole route is named" {
	enter_both
	PORT=7000
	inside ip route add blackhole 192.0.2.0/24
	run_client -c 6 -n 0 -r 20 -t 100ms 192.0.2.9 || (($? == 1))
	names 'blackhole route' client '^6 connects failed as invalid' 'ip route get'
}
