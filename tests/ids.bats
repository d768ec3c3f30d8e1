#!/usr/bin/env bats
# IDs of queries: one is free again only when its answer has come or its connection
# has ended.

load helpers

# 65,536 IDs are used up after 2.2 s, the first answer comes after 4 s: until then
# nothing is sent, and from then on each late answer frees an ID.
@test "IDs of unanswered queries are not reused: no late answer counts as one" {
	start_server --delay 4s
	exits 3 client -c 1 -r 30k -t 5 --timeout 200ms 127.0.0.1
	accounts_close
	holds '.queries.answered == 0' '.queries.unmatched == 0' \
		'.queries.timed_out == .queries.sent' \
		'.queries.sent > 65536' \
		'.queries.late > 0 and .queries.sent <= 65536 + .queries.late' \
		'.queries.skipped_by_reason.ids_exhausted > 10000'
}

# If an ID were used again after ten seconds, this late answer would count as the
# answer to a newer query.
@test "an answer after 10.6 s is late, and answers no newer query" {
	start_server --delay 10600ms
	exits 3 client -c 1 -r 7k -t 11 --timeout 400ms 127.0.0.1
	holds '.queries.answered == 0'
	accounts_close
	holds '.response_ns.p50 == null' \
		'.queries.late > 0 and .queries.sent <= 65536 + .queries.late' \
		'.queries.skipped_by_reason.ids_exhausted > 1000' \
		'.verdict.reasons | any(contains("hold all IDs of 1 connection until"))'
}

@test "IDs used up by answers that never come: a finding and a reason say so" {
	start_peer sink
	exits 3 client -c 2 -r 60k -t 3 --timeout 200ms 127.0.0.1
	accounts_close
	holds '.queries.sent == 2 * 65536' '.connections.out_of_ids == 2' \
		'.queries.skipped == .queries.skipped_by_reason.ids_exhausted' \
		'.verdict.reasons | any(endswith("queries skipped: queries that timed out hold all IDs of 2 connections until their answers come; more connections (-c), --drop-on-timeout, or a lower rate"))' \
		'.findings | any(.side == "server" and .symptom == "2 connections had all IDs held by queries that timed out and whose answers had not come yet")'
}

@test "a connection that ends frees its IDs: with --drop-on-timeout none run out" {
	start_peer sink
	exits 3 client -c 1 -r 60k -t 3 --timeout 200ms --drop-on-timeout \
		--reconnect now 127.0.0.1
	accounts_close
	holds '.queries.sent > 65536' '.connections.out_of_ids == 0' \
		'.queries.skipped_by_reason.ids_exhausted == 0'
}

@test "a result without out_of_ids is merged as one without such connections" {
	start_server
	client -c 2 -r 200 -t 500ms 127.0.0.1
	jq 'del(.connections.out_of_ids)' result.json >older.json
	"$TCPCLIENT" --merge --json=merged.json older.json result.json \
		>merge.out || (($? == 3))
	jq -e '.connections.out_of_ids == 0 and .connections.opened == 4' \
		merged.json
}
