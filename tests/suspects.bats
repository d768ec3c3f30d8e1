#!/usr/bin/env bats
# Connections that are open and do not answer: what is said of them is what can be
# known, and no cause that is not there.

load helpers
load namespaces

# reason PATTERN: one of the reasons is so. No reason PATTERN: none is.
reason() {
	pattern=$1 jq -e '.verdict.reasons | any(test(env.pattern))' \
		result.json >/dev/null || {
		jq -c .verdict.reasons result.json >&2
		return 1
	}
}

no_reason() {
	pattern=$1 jq -e '.verdict.reasons + [.findings[] | .limit, .symptom] |
		any(test(env.pattern)) | not' result.json >/dev/null || {
		jq -c '[.verdict.reasons, .findings]' result.json >&2
		return 1
	}
}

# The handshake passes, what carries data does not.
drop_data() {
	"$@" iptables -I INPUT -p tcp --dport 7000 --tcp-flags PSH PSH \
		-j DROP 2>/dev/null || skip "no such iptables rule here"
}

# ask COUNT [OPTION]...: a probe on each of so many connections.
ask() {
	exits 3 client --probe --timeout 500ms -c "$1" -n 0 -r 0 -t 100ms \
		--close rst "${@:2}"
}

@test "data dropped on the way to another host: no accept queue is blamed alone" {
	enter_pair 20000 60000
	start_far_server --json=server.json
	drop_data "${FAR[@]}"
	PORT=7000
	ask 10 10.9.0.2
	accounts_close
	holds '.connections.suspect == {unacked: 10, queued: 0}' \
		'.connections.suspect_evidence == {handshake_open: 0, data_lost: 0, in_accept_queue: 0, not_read: 0, read: 0, cut_off: 0}'
	reason '^10 connections: nothing that was sent on them was acknowledged: .*accept queue.*, or what is sent is dropped on the way'
	no_reason 'their last ACK was dropped'
	stop_server
	# the server knows all of them
	jq -e '.counts.accepted == 10' server.json
}

@test "data dropped on this host: the server has the connections" {
	enter_both
	start_server_on 7000
	drop_data "${INSIDE[@]}"
	PORT=7000
	ask 10 10.9.8.1
	accounts_close
	holds '.connections.suspect == {unacked: 10, queued: 0}' \
		'.connections.suspect_evidence.data_lost == 10'
	reason '^10 connections: nothing that was sent on them was acknowledged: the server, on this host, has the connections and not what was sent on them: look for a packet filter'
	no_reason 'accept queue'
}

@test "a server that answers too late, or drops, has read the queries" {
	local way
	for way in "--delay 4s" "--mode sink" "--drop 100%"; do
		# shellcheck disable=SC2086
		start_server $way
		ask 10 127.0.0.1
		accounts_close
		holds '.connections.suspect == {unacked: 0, queued: 10}' \
			'.connections.suspect_evidence.read == 10'
		reason '^10 connections were accepted by the server.s kernel and never answered: the program has read what was sent, and answers later than --timeout or not at all, or a packet filter drops its answers'
		no_reason 'stuck|accept queue'
		stop_server
	done
}

@test "a peer that accepts and does not read is stuck" {
	start_peer noread
	ask 10 127.0.0.1
	accounts_close
	holds '.connections.suspect == {unacked: 0, queued: 10}' \
		'.connections.suspect_evidence.not_read == 10'
	reason 'never answered: the program has accepted them and read nothing: it is stuck'
}

@test "from another host all that it may be is said" {
	local way
	enter_pair 20000 60000
	PORT=7000
	for way in "--mode sink" "--delay 4s"; do
		# shellcheck disable=SC2086
		start_far_server $way
		ask 10 10.9.0.2
		accounts_close
		holds '.connections.suspect == {unacked: 0, queued: 10}' \
			'[.connections.suspect_evidence[]] | add == 0'
		reason 'never answered: they wait in its accept queue, or the program is stuck, or it answers later than --timeout or not at all .*ss -ltn, Recv-Q., or a packet filter drops its answers'
		stop_server
	done
	# the server answers, and the answers are dropped on the way back
	start_far_server --json=server.json
	"${INSIDE[@]}" iptables -I INPUT -p tcp --sport 7000 --tcp-flags PSH PSH \
		-j DROP 2>/dev/null || skip "no such iptables rule here"
	ask 10 10.9.0.2
	holds '.connections.suspect == {unacked: 0, queued: 10}'
	reason 'or a packet filter drops its answers'
	stop_server
	jq -e '.counts.bytes_out > 0' server.json
}

@test "a server that drops half of the queries is at no limit of descriptors" {
	enter_pair 20000 60000
	start_far_server --drop 50% --json=server.json
	PORT=7000
	exits 3 client --probe --timeout 500ms -c 100 -n 0 -r 0 -t 100ms \
		--close rst 10.9.0.2
	accounts_close
	holds '.connections.verified > 0' '.connections.suspect.queued > 0' \
		'.findings == []'
	no_reason 'RLIMIT|does not accept'
	stop_server
	jq -e '.counts.accepted == 100' server.json
}

@test "--merge adds up what is known of suspects, and takes results without" {
	start_peer sink
	ask 5 127.0.0.1
	"$TCPCLIENT" --merge --json=sum.json result.json result.json >sum.out ||
		(($? == 3))
	jq -e '.connections.suspect_evidence.read == 10' sum.json
	jq 'del(.connections.suspect_evidence)' result.json >older.json
	"$TCPCLIENT" --merge --json=sum.json older.json >sum.out || (($? == 3))
	jq -e '.connections.suspect.queued == 5 and ([.connections.suspect_evidence[]] | add == 0) and
		(.verdict.reasons | any(contains("accept queue, or the program is stuck")))' sum.json
}
