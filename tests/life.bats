#!/usr/bin/env bats
# Connections that come and go while the run goes on: replaced, ended by the other
# side and opened again, each with its own queries, closed on a timeout.

load helpers
load namespaces

bats_require_minimum_version 1.5.0

# A namespace where ports in TIME_WAIT are not used again: over loopback that
# would be so after a second.
enter_strict() {
	enter_namespace "$@"
	inside sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_tw_reuse'
}

inside() {
	"${INSIDE[@]}" "$@"
}

time_waits() {
	inside sed -n 's/^TCP: .* tw \([0-9]*\) .*/\1/p' /proc/net/sockstat
}

# For holds: how long it queried, seconds.
TOOK='(.times_unix_ns | (.query_end - .query_begin) / 1e9)'

# How each connection that was opened has ended, and by nothing else.
ends_are() {
	holds ".connections | .opened == $1" '.connections.abandoned <= 500'
	accounts_close
}

# The server has accepted as many as the client has opened, and has none left. One
# that was abandoned may have been open before the client heard of it.
server_agrees() {
	wait_until server_is_empty
	stop_server
	jq -e --argjson opened "$(result .connections.opened)" \
		--argjson abandoned "$(result .connections.abandoned)" \
		'.counts | .accepted >= $opened and .closed_locally == 0 and
		.accepted <= $opened + $abandoned and
		.closed_by_peer + .reset_by_peer == .accepted' \
		server.json >/dev/null
}

# No socket of its port but the one that listens, and those in TIME_WAIT.
server_is_empty() {
	local hex
	hex=$(printf ':%04X' "$PORT")
	# shellcheck disable=SC2016
	! inside awk -v port="$hex\$" '$2 ~ port && $4 != "0A" && $4 != "06" {
		found = 1 } END { exit !found }' /proc/net/tcp
}

# The server is gone, with all that it held, and has told nobody.
kill_server() {
	kill -KILL "$SERVER" "$(worker_of "$SERVER")"
	wait "$SERVER" || true
}

freeze_server() {
	kill -STOP "$SERVER" "$(worker_of "$SERVER")"
}

# live PATTERN: the last live line of the client is like that.
live() {
	tail -n 1 client.err | grep -Eq "$1"
}

now_ns() {
	date +%s%N
}

churned() {
	client -c 500 -n 0 -r 2000 -t 3 --churn 500 "$@" 127.0.0.1
	# 1500 were due; what was connecting at the end took a place, too
	holds '.connections | .closed_churned >= 1470 and .closed_churned <= 1530' \
		'.connections.failed == {}' \
		'(.connections | .reopened >= .closed_churned) or (.verdict.valid | not)' \
		'.connections.churn_skipped == 0' \
		'.lifetime_ns.count == .connections.closed_churned' \
		'.config.life.churn_per_s == 500' \
		'.queries | .lost == 0 and .timed_out == 0 and .skipped == 0' \
		'.end.none_open_ns == 0 and .end.some_missing_ns == 0'
	ends_are '.closed_churned + .closed_locally'
	grep -Eq '^ *left [0-9]+ \(churned [0-9]+, used up 0\), ' client.out
	server_agrees
}

@test "churn that leaves too many in TIME_WAIT is warned of" {
	enter_strict 20000 20999
	start_server -b 127.0.0.1
	client -c 100 -n 0 -r 0 -t 100ms --churn 100 127.0.0.1
	run ! grep TIME_WAIT client.err
	client -c 100 -n 0 -r 0 -t 10ms --churn 100 --close rst 127.0.0.1
	run ! grep TIME_WAIT client.err
	run ! inside "$TCPCLIENT" --check -c 100 -n 0 -r 0 --churn 100 127.0.0.1
	grep -Eq 'tcp_tw_reuse +0 +1 +too low' <<<"$output"
	# and those of the first run
	grep -q '6[01][0-9][0-9] connections will be in TIME_WAIT' <<<"$output"
	inside "$TCPCLIENT" --check -c 100 -n 0 -r 0 --churn 100 --close rst \
		127.0.0.1 >check.out || true
	run ! grep 'will be in TIME_WAIT' check.out
}

@test "churn: as many as asked are replaced, and stay in TIME_WAIT" {
	enter_strict 20000 60000
	start_server -b 127.0.0.1 --json=server.json
	churned --close rst
	[ "$(time_waits)" -eq 0 ]
	start_server -b 127.0.0.1 --json=server.json
	churned --close fin
	# all but those that both ends close at the same moment
	(($(time_waits) >= 1800))
}

@test "churn: so slow that the next is due in no time that can be counted: one" {
	start_server
	client -c 3 -r 10 -t 1 --churn 0.00000000000000000000001 ::1
	holds '.connections | .closed_churned == 1 and .churn_skipped == 0'
}

@test "churn: any of them, with probes, workers and a warm-up" {
	enter_strict 20000 60000
	start_server -b 127.0.0.1 --json=server.json
	client -w 2 -c 300 -n 0 -r 1000 -t 2 --warmup 500ms --churn 200 \
		--churn-pick random --probe --close rst 127.0.0.1
	holds '.config.life.churn_pick == "random"' \
		'.connections | .closed_churned >= 490 and .closed_churned <= 510' \
		'.connections.verified == .connections.opened' \
		'.connections.probes | .sent == .answered'
	ends_are '.closed_churned + .closed_locally'
	# it goes on in the warm-up as well: 200 a second, not 250
	local rate
	rate=$(grep -oE '^ *left [0-9]+ .*, [0-9.]+/s' client.out)
	rate=${rate##* }
	holds ".connections.closed_churned / 2.5 - ${rate%/s} | fabs < 0.5"
	# the oldest all live for c / rate: these do not
	holds '.lifetime_ns | .max > 3 * .p50 or .p50 < 0.8 * .max'
	server_agrees
}

@test "churn: local ports run out with fin, not with rst or more sources" {
	enter_strict 20000 20599
	start_server -b 127.0.0.1
	local run=(-c 200 -n 0 -r 500 -t 3 --churn 300)
	client "${run[@]}" --close rst 127.0.0.1
	holds '.connections | .failed == {} and .closed_churned >= 882'
	exits 3 run_client "${run[@]}" --close fin 127.0.0.1
	# each connect takes a port for good
	holds '.connections | .opened <= 600 and .failed.EADDRNOTAVAIL > 0' \
		'.findings[0] | .limit == "net.ipv4.ip_local_port_range" and .side == "client"' \
		'.findings[0].fix | contains("--close rst") and contains("more sources (-a)")' \
		'.verdict.reasons | any(startswith("churned "))' \
		'.verdict.reasons | any(contains("connects failed, of those in place of others"))'
	ends_are '.closed_churned + .closed_locally'
	# failures wait: some thousand attempts a second they are not
	holds '.connections.attempted < 600 + 600 * 12'
	client "${run[@]}" --close fin -a 127.0.0.2-127.0.0.9 127.0.0.1
	holds '.connections | .failed == {} and .closed_churned >= 882'
	accounts_close
}

@test "so many queries for each connection" {
	enter_strict 20000 60000
	local n
	for n in 1 5; do
		start_server -b 127.0.0.1 --json=server.json
		client -c 1000 -n 0 -r 1000 -t 2 --queries-per-connection "$n" \
			--close rst 127.0.0.1
		holds ".config.life.queries_per_connection == $n" \
			'.config.life.reconnect == "backoff"' \
			'.queries | .sent == .answered and .skipped == 0' \
			".queries.sent >= $n * .connections.closed_used_up" \
			".queries.sent <= $n * .connections.closed_used_up + ($n - 1) * 1000" \
			'.connections.failed == {}'
		ends_are '.closed_used_up + .closed_locally'
		server_agrees
		jq -e --argjson sent "$(result .queries.sent)" \
			'.counts.messages == $sent' server.json
	done
}

@test "no query for each connection: opened and closed at the rate of -n" {
	enter_strict 20000 60000
	local c
	for c in 1 20; do
		start_server -b 127.0.0.1 --json=server.json
		client -c "$c" -n 200 -t 2 --queries-per-connection 0 \
			--close rst 127.0.0.1
		holds '.queries.scheduled == 0' '.connections.closed_locally == 0' \
			".connections.attempted <= $c + 1 + 200 * ($TOOK + 0.2)" \
			'.connections.attempted > 100'
		ends_are '.closed_used_up'
		server_agrees
	done
}

# What a server's end, and its start 0.3 s after all have noticed, come to.
restarted() {
	local reconnect=$1 killed down up full
	start_server_on -b 127.0.0.1 7000
	start_client -c 50 -n 100 -r 1000 --timeout 20s -i 100ms \
		--reconnect "$reconnect" 127.0.0.1
	wait_until live 'open 50, sent'
	freeze_server
	wait_until live 'open 50, .*in flight [0-9]{2}'
	killed=$(now_ns)
	kill_server
	wait_until live 'open 0, '
	down=$(now_ns)
	sleep 0.3
	up=$(now_ns)
	start_server_on -b 127.0.0.1 7000
	wait_until live 'open 50, .*answered [1-9]'
	full=$(now_ns)
	kill -TERM "$CLIENT"
	exits 3 wait_client
	holds '.connections | .closed_locally == 50 and .reopened >= 50' \
		'.connections.failed | keys - ["ECONNREFUSED", "ECONNRESET"] == []' \
		'.queries | .lost >= 10 and .lost + .answered + .timed_out == .sent' \
		'.queries.lost_by_reason | .peer_fin + .peer_rst == ([.[]] | add)' \
		'.queries.skipped_by_reason.no_connection > 0' \
		".end.none_open_ns | . >= $up - $down and . <= $full - $killed" \
		".end.some_missing_ns | . >= $up - $down and . <= $full - $killed" \
		'.end.none_open_ns <= .end.some_missing_ns' \
		'.verdict.reasons | any(startswith("no connection was open for "))'
	ends_are '.closed_by_peer + .reset_by_peer + .closed_locally'
	# -n a second, whatever fails
	holds ".connections.attempted <= 51 + 100 * ($TOOK + 0.5)"
	grep -q '^ *ended by others: some were missing for up to ' client.out
	stop_server
}

@test "server restarted: with backoff all come back, and each loss counts once" {
	enter_strict 20000 60000
	restarted backoff
}

@test "server restarted: the same at once" {
	enter_strict 20000 60000
	restarted now
}

@test "server gone: without --reconnect the run ends early" {
	enter_strict 20000 60000
	start_server_on -b 127.0.0.1 7000
	start_client -c 50 -n 0 -r 1000 -t 60 -i 100ms 127.0.0.1
	wait_until live 'open 50, sent'
	kill_server
	exits 3 wait_client
	holds "$TOOK < 50" '.connections.reopened == 0' \
		'.verdict.reasons | any(test("^ended after .*: every connection was closed by the other side$"))'
	ends_are '.closed_by_peer + .reset_by_peer'
}

@test "a server that closes each at once: no storm of connects" {
	local reconnect
	start_peer close
	for reconnect in now backoff; do
		run_client -c 5 -n 50 -r 0 -t 2 --reconnect "$reconnect" \
			127.0.0.1 || (($? == 3))
		holds '.connections | .opened > 5 and .closed_by_peer + .reset_by_peer + .closed_locally == .opened' \
			".connections.attempted <= 6 + 50 * ($TOOK + 0.5)"
		accounts_close
	done
	# 100 ms, doubled each time: six times in 2 s at most
	holds ".connections.attempted <= 5 + 5 * (6 + $TOOK)"
}

@test "a server that closes after some queries: what was lost is not sent again" {
	start_peer fin 3
	run_client -c 20 -n 0 -r 400 -t 2 --reconnect now 127.0.0.1 || (($? == 3))
	holds '.connections | .closed_by_peer + .reset_by_peer > 20' \
		'.connections | .reopened >= .closed_by_peer + .reset_by_peer - 20' \
		'.queries | .lost + .answered + .timed_out == .sent' \
		'.queries.answered >= 3 * (.connections.closed_by_peer - 20)'
	accounts_close
}

@test "--every: each connection in its turn, evenly" {
	start_server
	as_asked run_client -c 50 -n 0 --every 100ms -t 3 -R ::1
	holds '.config.life.every_s == 0.1' '.config.rate_qps == 500' \
		'.config.arrival == "uniform"' '.queries.sent == 1500'
	python3 - <<-'END'
		import collections, statistics
		rows = collections.defaultdict(list)
		for line in open("client.out"):
		    kind, when, connection = line.split(",")[:3]
		    if kind == "Q":
		        rows[int(connection)].append(float(when))
		assert len(rows) == 50, len(rows)
		assert all(len(r) == 30 for r in rows.values()), rows
		# medians: this machine may stop for a while
		gaps = [statistics.median(b - a for a, b in zip(r, r[1:]))
		        for r in rows.values()]
		assert 0.09 < statistics.median(gaps) < 0.11, gaps
		first = min(r[0] for r in rows.values())
		phases = sorted(statistics.median(t - first - 0.1 * k
		                                  for k, t in enumerate(r))
		                for r in rows.values())
		assert 0.07 < phases[-1] - phases[0] < 0.13, phases
	END
}

@test "--drop-on-timeout: closed, and opened again if asked" {
	start_peer sink
	local run=(-c 10 -n 0 -r 400 --timeout 100ms --drop-on-timeout)
	exits 3 run_client "${run[@]}" -t 20 127.0.0.1
	holds '.connections | .closed_on_timeout == 10 and .opened == 10' \
		'.queries | .timed_out >= 10 and .answered == 0' \
		'.queries.lost_by_reason | .on_timeout == ([.[]] | add)' \
		'.config.life.drop_on_timeout' "$TOOK < 15" \
		'.verdict.reasons | any(test("^ended after .*: no connection was left"))'
	accounts_close
	run_client "${run[@]}" -t 1 --reconnect now 127.0.0.1 || (($? == 3))
	holds '.connections | .closed_on_timeout > 10' \
		'.connections | .opened == .closed_on_timeout + .closed_locally' \
		'.queries.lost_by_reason.on_timeout > 0' \
		'.end.none_open_ns == 0 and .end.some_missing_ns == 0'
	accounts_close
	grep -Eq '^ *closed on timeout [1-9]' client.out
}

@test "limits by the new counters: --fail" {
	start_server
	fails_gate run_client -c 20 -n 0 -r 200 -t 1 --churn 50 \
		--fail 'closed_churned>10' ::1
	holds '.verdict.failed == ["closed_churned>10: 50"] or (.verdict.failed | length == 1)'
	as_asked run_client -c 20 -n 0 -r 200 -t 1 --churn 50 \
		--fail 'closed_churned>1000,reopened>1000,lost_on_timeout>0' ::1
}

@test "merged: rates of churn add up, what differs is null" {
	start_server
	local i reconnect=(none now backoff)
	for i in 1 2; do
		run_client -c 20 -n 0 -r 200 -t 1 --churn "${i}0" --close rst \
			--reconnect "${reconnect[i]}" ::1 || (($? == 3))
		mv result.json "$i.json"
	done
	"$TCPCLIENT" --merge --json=result.json 1.json 2.json >client.out || (($? == 3))
	holds '.config.life | .churn_per_s == 30 and .churn_pick == "oldest"' \
		'.config.life | .reconnect == null and .queries_per_connection == null' \
		'.config.life.drop_on_timeout == false' \
		'.connections.closed_churned == 30' '.lifetime_ns.count == 30'
	accounts_close
	jq '.config.life.reconnect = "often"' 1.json >3.json
	run -2 "$TCPCLIENT" --merge 1.json 3.json
	[[ $output == *"config.life.reconnect: "* ]]
	# what a program that has no 1.0 has written is the same
	jq '.config.life.churn_per_s = 10' 1.json >4.json
	"$TCPCLIENT" --merge --json=result.json 4.json 4.json >client.out || (($? == 3))
	holds '.config.life.churn_per_s == 20'
}

@test "a server that ends while connections are replaced: not their replacing" {
	start_server
	start_client -c 20 -n 0 -r 500 -t 60 --queries-per-connection 1 \
		--close rst --control control 127.0.0.1
	# far more are replaced than fail afterwards
	wait_until told stats '.connections.closed_used_up > 600'
	stop_server
	wait_until told stats '.queries.skipped_by_reason.no_connection > 300'
	tell quit
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.connections.closed_used_up > 2 * .connections.failed_total' \
		'.connections.unsent_after_failure * 2 > .queries.skipped_by_reason.no_connection' \
		'.verdict.reasons | any(contains("no connection was open for them: look at what ended or refused them, above"))' \
		'.verdict.reasons | all(contains("being replaced") | not)'
}

@test "connections that a command closed: no other cause is named" {
	start_server
	start_client -c 5 -n 0 -r 200 -t 60 --control control 127.0.0.1
	wait_until told stats '.seconds > 0.3'
	tell 'connections 0'
	wait_until told stats '.queries.skipped_by_reason.no_connection > 50'
	tell quit
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.connections.unsent_after_failure == 0' \
		'.connections.unsent_on_request == .queries.skipped_by_reason.no_connection' \
		'.verdict.reasons | any(endswith("no connection was open for them: a command closed them"))'
}

@test "connections that a command closed, after many were replaced" {
	start_server
	start_client -c 5 -n 0 -r 500 -t 60 --queries-per-connection 1 \
		--close rst --control control 127.0.0.1
	wait_until told stats '.connections.closed_used_up > 200'
	tell 'connections 0'
	wait_until told stats '.queries.skipped_by_reason.no_connection > 100'
	tell quit
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.connections.closed_used_up > .connections.closed_on_request' \
		'.connections.unsent_on_request * 2 > .queries.skipped_by_reason.no_connection' \
		'.verdict.reasons | any(endswith("no connection was open for them: a command closed them"))'
}

@test "a server that hangs while connections are replaced: their last answers" {
	start_server
	start_client -c 5 -n 0 -r 500 -t 60 --queries-per-connection 2 \
		--close rst --control control 127.0.0.1
	wait_until told stats '.connections.closed_used_up > 100'
	worker=$(worker_of "$SERVER")
	kill -STOP "$worker"
	wait_until told stats '.queries.skipped_by_reason.no_connection > 300'
	tell quit
	exits 3 wait "$CLIENT"
	kill -CONT "$worker"
	accounts_close
	holds '.connections.unsent_for_answers * 2 > .queries.skipped_by_reason.no_connection' \
		'.verdict.reasons | any(contains("waited for last answers"))' \
		'.verdict.reasons | all(contains("being replaced") | not)'
}

@test "a dropped SYN while connections are replaced: the handshake, not this program" {
	enter_both
	start_server_on 7000
	PORT=7000
	start_client -c 5 -n 0 -r 200 -t 60 --queries-per-connection 5 \
		--close rst --control control 10.9.8.1
	wait_until told stats '.connections.closed_used_up > 50'
	"${INSIDE[@]}" iptables -I INPUT -p tcp --syn --dport 7000 -j DROP ||
		skip "no such iptables rule here"
	wait_until told stats '.queries.skipped_by_reason.no_connection > 100'
	"${INSIDE[@]}" iptables -D INPUT -p tcp --syn --dport 7000 -j DROP
	# the SYNs that are sent again arrive
	wait_until told stats '.connections.unsent_in_handshake > 50'
	tell quit
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.connections.failed_total == 0' \
		'.connections.unsent_in_handshake * 2 > .queries.skipped_by_reason.no_connection' \
		'.verdict.reasons | any(contains("waited for the other side'"'"'s handshake"))'
}

@test "--every: turns of connections that are still to be opened" {
	start_server
	start_client -c 2 -n 10 --every 50ms -t 60 --control control 127.0.0.1
	wait_until told stats '.queries.sent > 3'
	tell 'connections 100'
	wait_until told stats '.queries.skipped_by_reason.no_connection > 100'
	tell quit
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.verdict.reasons | any(contains("their connections were still to be opened: a higher rate of opening (-n)"))'
}

@test "a probe whose answer is still in time at the end: no reason" {
	start_server --delay 300ms
	client -c 10 -n 0 -r 100 -t 1s --churn 20 --probe --drain 0 \
		--max-lateness 300ms 127.0.0.1
	accounts_close
	holds '.connections.unverified > 0' '.connections.probes.lost > 0' \
		'.verdict.valid'
}
