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
