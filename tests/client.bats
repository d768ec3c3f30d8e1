#!/usr/bin/env bats
# The client against peers that behave in particular ways.

load helpers

bats_require_minimum_version 1.5.0

@test "replies split at every byte" {
	start_peer split
	client -c 4 -r 500 -t 2 127.0.0.1
	holds '.queries.sent > 800' '.queries.answered == .queries.sent' \
		'.queries.malformed == 0 and .queries.unmatched == 0'
	accounts_close
}

@test "1,000 replies glued together" {
	start_peer glue 1000
	# the last, incomplete thousand is never answered
	client -c 1 -r 5000 -t 2 --timeout 1s 127.0.0.1
	holds '.queries.answered == (.queries.sent / 1000 | floor) * 1000' \
		'.queries.answered >= 9000' \
		'.queries.timed_out == .queries.sent - .queries.answered' \
		'.queries.malformed == 0 and .queries.unmatched == 0'
	accounts_close
}

@test "the same seed gives the same counts, split or glued" {
	start_peer split
	client -c 1 -r 1000 -t 1 127.0.0.1
	split=$(result '.queries | [.sent, .answered, .replies, .bytes_received] | tostring')
	start_peer glue 1
	client -c 1 -r 1000 -t 1 127.0.0.1
	[ "$(result '.queries | [.sent, .answered, .replies, .bytes_received] | tostring')" = "$split" ]
}

@test "answers in any order, with QR set, in capitals" {
	start_peer reverse 10
	client -c 3 -r 1000 -t 1 --timeout 500ms 127.0.0.1
	holds '.queries.rcodes.NOERROR == .queries.answered' \
		'.queries.answered > 900' '.queries.echoed == 0' \
		'.queries.unmatched == 0'
	accounts_close
	start_peer upper
	client -c 3 -r 1000 -t 1 127.0.0.1
	holds '.queries.answered == .queries.sent' '.queries.unmatched == 0'
}

@test "response codes are counted" {
	start_peer servfail
	client -c 3 -r 500 -t 1 127.0.0.1
	holds '.queries.rcodes == {SERVFAIL: .queries.sent}'
	accounts_close
}

@test "garbage between the answers has counters of its own" {
	start_peer garbage
	client -c 3 -r 300 -t 1 127.0.0.1
	holds '.queries.answered == .queries.sent' \
		'.queries.malformed == 2 * .queries.sent' \
		'.queries.unmatched == 2 * .queries.sent'
	accounts_close
}

@test "what is not answered times out, the rest does not wait for it" {
	start_peer drop 10
	client -c 1 -r 2000 -t 2 --timeout 300ms 127.0.0.1
	holds '.queries.timed_out == ((.queries.sent + 9) / 10 | floor)' \
		'.queries.late == 0' '.response_ns.p99 < 300000000'
	accounts_close
}

@test "late answers are late, not answers to newer queries" {
	start_peer late 1
	client -c 2 -r 500 -t 3 --timeout 200ms 127.0.0.1
	holds '.queries.answered == 0' '.queries.timed_out == .queries.sent' \
		'.queries.late > 0' '.queries.unmatched == 0'
	accounts_close
}

@test "the peer closes: FIN and RST are told apart, in flight is lost" {
	start_peer fin 100
	exits 3 client -c 10 -r 2000 -t 20 127.0.0.1
	accounts_close
	holds '.connections.closed_by_peer == 10' \
		'.queries.answered == 1000' \
		'.queries.lost_by_reason.peer_fin == .queries.lost' \
		'.verdict.reasons | any(contains("closed by the other side"))'
	start_peer rst 100
	exits 3 client -c 10 -r 2000 -t 20 127.0.0.1
	accounts_close
	holds '.connections.reset_by_peer == 10' \
		'.queries.lost_by_reason.peer_rst == .queries.lost' \
		'.queries.answered <= 1000'
}

@test "a peer that never reads: bounded, and nothing is lost silently" {
	[ "$(id -u)" -eq 0 ] || skip "needs a network namespace"
	# small socket buffers, in a namespace of their own
	unshare -n bash -c '
		ip link set lo up
		echo 4096 4096 4096 >/proc/sys/net/ipv4/tcp_wmem
		echo 4096 4096 4096 >/proc/sys/net/ipv4/tcp_rmem
		python3 "$0/peer.py" noread >peer.out 3>&- &
		until [ -s peer.out ]; do sleep 0.02; done
		"$TCPCLIENT" -p "$(cat peer.out)" --json=result.json -c 2 \
			-r 20k -t 2 --timeout 500ms 127.0.0.1 2>client.err
		status=$?
		kill $!
		exit "$status"' "$BATS_TEST_DIRNAME" || (($? == 3))
	accounts_close
	# what it sent was acknowledged until the buffers were full
	holds '.connections.suspect == {unacked: 0, queued: 2}' \
		'.verdict.reasons | any(startswith("2 connections were accepted by the server\u0027s kernel and never answered"))' \
		'.queries.answered == 0' '.queries.send_blocked > 20000' \
		'.queries.timed_out == .queries.sent' '.queries.skipped == 0'
}

@test "all 65,536 IDs of a connection outstanding, then arrivals are skipped" {
	start_peer sink
	exits 3 client -c 1 -r 200k -t 1 --timeout 3s 127.0.0.1
	accounts_close
	holds '.queries.sent == 65536' \
		'.queries.skipped_by_reason.ids_exhausted > 100000' \
		'.verdict.reasons | any(contains("skipped"))'
}

@test "closed port: exit 1, by errno" {
	start_peer sink
	kill "$PEER"
	wait "$PEER" || true
	exits 1 client -c 20 -r 100 -t 1 127.0.0.1
	holds '.connections.failed.ECONNREFUSED == 20' \
		'.findings[0].side == "server"'
	accounts_close
	grep -q 'ECONNREFUSED.*: 20' client.out
	grep -q 'no connection could be opened' client.err
}

@test "connect timeout: failed, counted, and in time" {
	# a full accept queue: nobody accepts, and the kernel drops further SYNs
	python3 - >peer.out 3>&- <<-'END' &
		import socket, signal
		s = socket.socket()
		s.bind(("127.0.0.1", 0))
		s.listen(1)
		print(s.getsockname()[1], flush=True)
		signal.pause()
	END
	STARTED+=($!)
	wait_until test -s peer.out
	PORT=$(cat peer.out)
	exits 3 client -c 20 -r 0 -t 100ms --connect-timeout 500ms -n 0 127.0.0.1
	accounts_close
	holds '.connections.failed.ETIMEDOUT > 0' \
		'.connections.opened + .connections.failed.ETIMEDOUT == 20' \
		'.connections.open_s > 0.45 and .connections.open_s < 4'
}

@test "descriptor limit: named, counted, and the rest of the run goes on" {
	start_server
	(
		ulimit -n 64
		exits 1 client -c 100 -r 100 -t 300ms ::1
		[ ! -s result.json ]
		grep -qx 'tcpclient: descriptors of a process: 64, and this run needs 164: ulimit -Hn 164' client.err
		exits 3 client --force -c 100 -r 100 -t 300ms ::1
	)
	accounts_close
	holds '.connections.failed.EMFILE > 0' '.connections.opened > 30' \
		'.queries.answered == .queries.sent' \
		'.findings[0].limit == "RLIMIT_NOFILE"'
	grep -q 'descriptors of a process: 64, and this run needs 164' client.err
	grep -q -e '--force: it is tried' client.err
}

@test "stdout that fails: exit 1 and the reason" {
	start_server
	run -1 bash -c '"$@" 2>err >/dev/full' - "$TCPCLIENT" -p "$PORT" -c 1 \
		-r 100 -t 100ms ::1
	grep -q 'standard output: No space left' err
	run -1 bash -c '"$@" 2>err >/dev/full' - "$TCPCLIENT" -p "$PORT" -c 1 \
		-r 10k -t 20 -R ::1
	grep -q 'standard output: No space left' err
	run -1 bash -c '"$@" 2>err >&-' - "$TCPCLIENT" -p "$PORT" -c 1 -r 100 \
		-t 100ms ::1
	grep -q 'standard output: ' err
	run -1 bash -c '"$@" 2>err >&-' - "$TCPCLIENT" -p "$PORT" -c 1 -r 100 \
		-t 100ms --json=full.json ::1
	grep -q 'standard output: ' err
	# a reader that goes away in mid-run
	run bash -c '"$@" 2>err | head -n 5; exit "${PIPESTATUS[0]}"' - \
		"$TCPCLIENT" -p "$PORT" -c 10 -r 20k -t 20 -R ::1
	[ "$status" -eq 1 ]
	grep -q 'standard output: Broken pipe' err
}

@test "a result file that cannot be written is found out before the run" {
	start_server
	exits 1 client -c 1 -r 1 -t 20 --histogram /nonexistent/file ::1
	grep -q '^tcpclient: /nonexistent/file: No such file' client.err
	run -1 "$TCPCLIENT" -p "$PORT" -c 1 -r 1 -t 20 --json=/nonexistent/x ::1
}

@test "-4 and -6 choose the family" {
	start_server
	client -4 -c 1 -r 100 -t 100ms localhost
	holds '.config.target | startswith("127.0.0.1:")'
	client -6 -c 1 -r 100 -t 100ms ::1
	holds '.config.target | startswith("[::1]:")'
	exits 2 client -6 -c 1 -r 100 -t 100ms 127.0.0.1
}

@test "asked for more than any machine sends: said, and exact" {
	start_server
	exits 3 client -c 2000 -r 50M -t 1 -n 0 ::1
	accounts_close
	holds '.queries.skipped_by_reason.overload > 0' \
		'.queries.answered == .queries.sent' \
		'.rate.duration_s < 20' \
		'.verdict.reasons[0] | contains("of the schedule")'
}

@test "connections that end before anything was asked: not as asked" {
	start_peer close
	exits 3 client -c 5 -r 100 -t 20 127.0.0.1
	accounts_close
	holds '.connections.closed_by_peer == 5' '.verdict.valid == false'
	exits 3 client -c 5 -r 100 127.0.0.1
	holds '.verdict.reasons[0] | contains("closed by the other side")'
}
