#!/usr/bin/env bats
# Many processes, sources and targets; ports that run out; probes; how
# connections are closed.

load helpers

bats_require_minimum_version 1.5.0

# A spread.py with these arguments. Sets PORT, to all of its ports.
start_spread() {
	rm -f spread.out
	python3 "$BATS_TEST_DIRNAME/spread.py" "$@" >spread.out 2>spread.err \
		3>&- &
	STARTED+=($!)
	wait_until grep -q . spread.out
	PORT=$(head -n 1 spread.out)
}

# count_of N: the peer has seen so many connections.
count_of() {
	(($(tail -n +2 spread.out | wc -l) == $1))
}

# shares COLUMNS: how many different ones there are, the least and the largest
# number of connections of one.
shares() {
	tail -n +2 spread.out | cut -d ' ' -f "$1" | sort | uniq -c |
		awk 'NR == 1 || $1 < least { least = $1 }
			$1 > most { most = $1 }
			END { print NR, least, most }'
}

# A server in a namespace with 100 local ports. Its own is none of them.
enter_narrow_namespace() {
	enter_namespace 40000 40099
	"${INSIDE[@]}" "$TCPSERVER" 7000 >server.out 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	PORT=7000
	wait_until grep -q 'listening on' server.err
}

# Connections from 127.0.0.1 to its PORT that are held, so many.
hold() {
	"${INSIDE[@]}" python3 - "$PORT" "$1" >held 3>&- <<-'END' &
		import signal, socket, sys
		port, count = map(int, sys.argv[1:])
		held = [socket.create_connection(("127.0.0.1", port))
		        for _ in range(count)]
		print(len(held), flush=True)
		signal.pause()
	END
	STARTED+=($!)
	wait_until grep -qx "$1" held
}

# time_wait PORT: how many connections to it are in TIME_WAIT here.
time_wait() {
	"${INSIDE[@]}" ss -Htn state time-wait "dport = :$1" | wc -l
}

@test "3 workers: all connections, numbered through, and one schedule" {
	start_server
	"$TCPCLIENT" -p "$PORT" -R --json=result.json -w 3 -c 100 -n 0 -r 20000 \
		-t 1 127.0.0.1 >rows.csv 2>client.err || (($? == 3))
	accounts_close
	holds '.config.workers == 3' '.connections.opened == 100' \
		'.queries.sent == .queries.scheduled' \
		'.queries.answered == .queries.sent' \
		'.connections.closed_locally == 100' \
		'.rate.duration_s >= 1'
	# 5 sigma of a Poisson process
	holds '.queries.scheduled > 19293 and .queries.scheduled < 20707'
	[ "$(head -n 1 rows.csv)" = "type,timestamp,connection_id,query_id,poisson_id,poisson_interval_us,rtt_us" ]
	awk -F, 'NF != 7 { exit 1 }' rows.csv
	[ "$(grep -c '^Q,' rows.csv)" -eq "$(result .queries.sent)" ]
	[ "$(grep -c '^A,' rows.csv)" -eq "$(result .queries.answered)" ]
	diff <(sed -n 's/^O,[^,]*,\([0-9]*\),.*/\1/p' rows.csv | sort -n) \
		<(seq 0 99)
	# each process sends on its own third, and has a share as large
	awk -F, '$1 == "Q" {
			if ($5 != ($3 < 34 ? 0 : $3 < 67 ? 1 : 2)) exit 1
			n[$5]++; all++ }
		END { if (all == 0) exit 1
			for (i = 0; i < 3; i++)
				if (n[i] < 0.31 * all || n[i] > 0.36 * all)
					exit 1 }' rows.csv
}

@test "the same seed and workers schedule the same number" {
	start_server
	client -w 3 -c 10 -n 0 -r 10000 -t 500ms -s 7 127.0.0.1
	first=$(result .queries.scheduled)
	client -w 3 -c 10 -n 0 -r 10000 -t 500ms -s 8 127.0.0.1
	[ "$(result .queries.scheduled)" -ne "$first" ]
	client -w 3 -c 10 -n 0 -r 10000 -t 500ms -s 7 127.0.0.1
	[ "$(result .queries.scheduled)" -eq "$first" ]
}

@test "one of 3 workers is killed: the others go on to the end" {
	start_server
	start_client -w 3 -c 100 -n 0 -r 6000 -t 2 -i 20ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	kill -KILL "$(worker_of "$CLIENT" | sed -n 2p)"
	exits 3 wait_client
	accounts_close
	holds '.connections.buried == 1' \
		'.connections.closed_worker_died == 33' \
		'.connections.closed_locally == 67' \
		'.verdict.reasons | any(startswith("1 worker died"))' \
		'.rate.duration_s >= 2 and .rate.duration_s < 3'
	# two thirds of 2 s are the others'
	holds '.queries.answered > 7500' \
		'.queries | .sent - .answered == .lost_by_reason.worker_died' \
		'.queries | .skipped == .skipped_by_reason.worker_died'
	grep -q 'worker 1 was ended by signal 9 (Killed)' client.err
}

@test "a worker that is killed: the time of draining is none of querying" {
	start_peer sink
	start_client -w 2 -c 10 -n 0 -r 200 -t 300ms --timeout 1500ms -i 20ms \
		127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	kill -KILL "$(worker_of "$CLIENT" | sed -n 1p)"
	exits 3 wait_client
	accounts_close
	holds '.queries.timed_out > 0' '.queries.lost_by_reason.worker_died > 0' \
		'.rate.duration_s >= 0.3 and .rate.duration_s < 1.3'
}

@test "a worker is killed while connections are opened" {
	start_server
	start_client -w 3 -c 60 -n 60 -r 300 -t 300ms -i 20ms 127.0.0.1
	wait_until grep -q 'opened [1-9]' client.err
	kill -KILL "$(worker_of "$CLIENT" | sed -n 3p)"
	exits 3 wait_client
	accounts_close
	# the others' are there, and queries were sent on them
	holds '.connections.opened >= 40 and .connections.opened < 60' \
		'.connections.closed_locally == 40' \
		'.connections.closed_worker_died == .connections.opened - 40' \
		'.queries.sent > 0' '.queries.answered == .queries.sent' \
		'.verdict.reasons | any(startswith("1 worker died"))' \
		'.verdict.reasons | any(test("opened [0-9]+ of 60"))'
}

@test "a worker is killed while probes are awaited" {
	start_peer late 2
	start_client -w 3 -c 30 -n 0 --probe -r 0 -t 100ms -i 20ms 127.0.0.1
	wait_until grep -q 'opened 30 of 30, pending 30' client.err
	kill -KILL "$(worker_of "$CLIENT" | sed -n 1p)"
	exits 3 wait_client
	accounts_close
	holds '.connections.probes == {sent: 30, answered: 20, timed_out: 0, lost: 10}' \
		'.connections.verified == 20' \
		'.connections.closed_worker_died == 10' \
		'.queries.sent == 0 and .queries.lost == 0'
}

@test "SIGINT with 3 workers: drained, reported, and all of them gone" {
	start_server
	start_client -w 3 -c 30 -n 0 -r 3000 -t 60 -i 50ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	mapfile -t workers < <(worker_of "$CLIENT")
	((${#workers[@]} == 3))
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	holds '.queries.sent > 0' '.queries.answered == .queries.sent' \
		'.connections.closed_locally == 30' \
		'.verdict.reasons[0] | startswith("interrupted")'
	gone "${workers[@]}"
}

@test "a worker that is stopped is killed after a second signal, and that is said" {
	start_server --mode dns
	start_client -c 10 -n 0 -r 200 -t 60 -i 50ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	kill -STOP "$(worker_of "$CLIENT")"
	kill -INT "$CLIENT" # the same signal twice at once can be one
	kill -TERM "$CLIENT"
	exits 3 wait_client
	accounts_close
	grep -q '^tcpclient: worker 0 had not ended 1.4 s after the second signal: it was killed$' \
		client.err
	run ! grep -q 'was ended by signal' client.err
	# the run was over at the first signal, not when the worker was killed
	holds '.verdict.reasons[:2] | .[0] == "1 worker died; look at the message on standard error" and (.[1] | startswith("interrupted after "))' \
		'.rate.duration_s * 1e9 - (.end.interrupted_unix_ns - .times_unix_ns.query_begin) | fabs < 2e6'
}

@test "a worker that is stopped and then killed: the run ends when it was to" {
	start_server --mode dns
	start_client -w 2 -c 10 -n 0 -r 200 -t 1 -i 50ms --control=control 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	worker=$(worker_of "$CLIENT" | sed -n 1p)
	kill -STOP "$worker"
	wait_until gone "$(worker_of "$CLIENT" | sed -n 2p)"
	kill -KILL "$worker"
	exits 3 wait_client
	accounts_close
	holds '.rate.duration_s >= 1 and .rate.duration_s < 1.1' \
		'.verdict.reasons | any(contains("was late at the end")) | not'
}

@test "a second SIGINT stops all workers at once" {
	start_peer sink
	start_client -w 3 -c 30 -n 0 -r 3000 --timeout 60s -i 50ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	mapfile -t workers < <(worker_of "$CLIENT")
	kill -INT "$CLIENT"
	wait_until grep -q 'again to stop' client.err
	kill -INT "$CLIENT"
	exits 3 wait_client
	accounts_close
	holds '.queries.sent > 0' \
		'.queries.lost_by_reason.stopped == .queries.sent'
	gone "${workers[@]}"
}

@test "what a second SIGINT has cut off is a warning" {
	start_peer first 1
	start_client -c 10 -n 0 -r 200 --timeout 60s -i 20ms 127.0.0.1
	wait_until grep -q 'answered [1-9].* in flight [1-9]' client.err
	kill -INT "$CLIENT"
	wait_until grep -q 'again to stop' client.err
	kill -INT "$CLIENT"
	wait_client || (($? == 3))
	accounts_close
	holds '.queries.answered > 0 and .queries.lost_by_reason.stopped > 0'
	punctual_or_busy 0
	# shellcheck disable=SC2016
	holds '.queries.lost_by_reason.stopped as $n | .verdict.reasons != [] or
		(.verdict.warnings | any(startswith("\($n) queries still waited for their answers when the run was stopped")))'
}

@test "SIGINT while probes are awaited: said, and a second one stops" {
	start_peer sink
	start_client -w 2 -c 10 -n 0 --probe -r 0 --timeout 60s -i 20ms 127.0.0.1
	wait_until grep -q 'opened 10 of 10, pending 10' client.err
	kill -INT "$CLIENT"
	wait_until grep -q 'again to stop' client.err
	kill -INT "$CLIENT"
	exits 3 wait "$CLIENT"
	accounts_close
	holds '.connections.probes.lost == 10' \
		'.verdict.reasons == ["interrupted while 10 of 10 opened connections waited for the answer to their probe"]'
}

@test "no worker of several outlives a parent that is killed" {
	start_server
	start_client -w 3 -c 30 -n 0 -r 300 -i 50ms 127.0.0.1
	wait_until grep -q 'sent [1-9]' client.err
	mapfile -t workers < <(worker_of "$CLIENT")
	((${#workers[@]} == 3))
	kill -KILL "$CLIENT"
	wait_until gone "${workers[@]}"
}

@test "-w auto: as many workers as the descriptor limit asks for" {
	start_server
	(
		ulimit -n 200
		client -w auto -c 500 -n 0 -r 0 --probe -t 100ms 127.0.0.1
	)
	accounts_close
	# 200 less 64 to spare are 136 each
	processors=$(nproc)
	holds ".config.workers == $((processors > 4 ? processors : 4))" \
		'.connections.opened == 500' \
		'.connections.verified == 500'
	run ! grep 'descriptors' client.err
	# one by itself is told how many it takes
	(
		ulimit -n 200
		exits 3 client --force -w 1 -c 500 -n 0 -r 0 -t 100ms 127.0.0.1
	)
	accounts_close
	holds '.connections.failed.EMFILE > 300' \
		'.connections.opened + .connections.failed.EMFILE == 500'
	grep -q 'descriptors of a process: 200, and this run needs 564: .*-w 4' \
		client.err
}

@test "-n paces all workers together" {
	start_server
	client -w 4 -c 400 -n 400 -r 0 -t 100ms 127.0.0.1
	accounts_close
	holds '.connections.opened == 400' \
		'.connections.open_s > 0.9 and .connections.open_s < 1.5'
}

@test "sources, addresses and ports: every pair has its share" {
	local workers
	for workers in 1 3; do
		start_spread 0.0.0.0 3
		client -w "$workers" -a 127.0.0.2-127.0.0.5 -c 120 -n 0 -r 0 \
			-t 100ms 127.0.0.1,127.0.0.10
		accounts_close
		wait_until count_of 120
		holds '.config | .sources == 4 and .targets == 6' \
			'.connections.opened == 120' \
			'.command[-1] == "127.0.0.1,127.0.0.10"'
		# 4 x 2 x 3
		[ "$(shares 1-3)" = "24 5 5" ]
		[ "$(shares 1)" = "4 30 30" ]
		[ "$(shares 2-3)" = "6 20 20" ]
	done
}

@test "fewer connections than pairs: sources and targets in turn" {
	start_spread 0.0.0.0 10
	client -a 127.0.0.2-127.0.0.3 -c 10 -n 0 -r 0 -t 100ms 127.0.0.1
	wait_until count_of 10
	[ "$(shares 1)" = "2 5 5" ]
	[ "$(shares 3)" = "10 1 1" ]
	holds '.config.target | endswith(" and 9 more")'
}

@test "several hosts as arguments, and as a prefix" {
	start_spread 0.0.0.0 1
	client -c 20 -n 0 -r 0 -t 100ms 127.0.0.1 127.0.0.10-127.0.0.11 \
		127.0.0.20/30
	wait_until count_of 20
	[ "$(shares 2)" = "5 4 4" ]
	tail -n +2 spread.out | cut -d ' ' -f 2 | sort -uV | xargs >targets
	[ "$(cat targets)" = "127.0.0.1 127.0.0.10 127.0.0.11 127.0.0.21 127.0.0.22" ]
}

@test "IPv6: a source, and several ports" {
	start_spread ::1 2
	client -a ::1 -c 10 -n 0 -r 0 -t 100ms ::1
	wait_until count_of 10
	[ "$(shares 1-3)" = "2 5 5" ]
	[ "$(shares 1)" = "1 10 10" ]
	tail -n +2 spread.out | grep -q '^::1 ::1 '
}

@test "-a that is not this host's, or of the other kind" {
	start_server
	exits 1 client -a 127.0.0.2,192.0.2.7 -c 2 -r 0 -t 100ms 127.0.0.1
	grep -q -e '-a 192.0.2.7: not an address of this host' client.err
	exits 1 client -a 2001:db8::7 -c 1 -r 0 -t 100ms ::1
	grep -q -e '-a 2001:db8::7: not an address of this host' client.err
	exits 2 client -a 127.0.0.1 -c 1 -r 0 -t 100ms ::1
	grep -q 'must all be IPv4, or all IPv6' client.err
	exits 2 client -a 127.0.0.1,::1 -c 1 -r 0 -t 100ms 127.0.0.1
	exits 2 client -a 127.0.0.1 -c 1 -r 0 -t 100ms 127.0.0.1,::1
	# without -a they may be mixed
	client -c 4 -n 0 --probe -r 0 -t 100ms 127.0.0.1,::1
	holds '.connections | .opened == 4 and .verified == 4'
}

@test "local ports run out: said before, counted, and what is missing" {
	enter_narrow_namespace
	exits 3 client --force -c 150 -n 0 -r 0 --probe -t 100ms --close rst \
		127.0.0.1
	accounts_close
	holds '.connections.opened == 100' \
		'.connections.failed == {EADDRNOTAVAIL: 50}' \
		'.config | .local_ports == 100 and .sources == 1 and .targets == 1' \
		'.connections.open_s < 2' \
		'.connections.verified == 100' \
		'.findings | length == 1' \
		'.findings[0].limit == "net.ipv4.ip_local_port_range"' \
		'.findings[0].symptom == "50 connects failed, no local port left: 100 ports x 1 source x 1 target = 100 connections at most"' \
		'.findings[0].fix == "1 more source address (-a) or 1 more target port (-p)"'
	grep -q -e '^tcpclient: net.ipv4.ip_local_port_range: 100, and this run needs 150: sysctl .*="1024 65535"; or 1 more source address (-a) or 1 more target port (-p)$' client.err
	grep -q 'failed with EADDRNOTAVAIL .*: 50' client.out
	# one more source, and nothing is missing
	client -a 127.0.0.1-127.0.0.2 -c 150 -n 0 -r 0 --probe -t 100ms --close rst \
		127.0.0.1
	accounts_close
	holds '.connections.opened == 150' '.findings == []'
	[ ! -s client.err ]
	# just as many as there are
	client -a 127.0.0.1-127.0.0.2 -c 200 -w 3 -n 0 -r 0 -t 100ms --close rst \
		127.0.0.1
	holds '.connections.opened == 200'
	[ ! -s client.err ]
}

@test "a pair whose ports others hold: the other pairs are used instead" {
	enter_narrow_namespace
	hold 100
	client -a 127.0.0.1-127.0.0.2 -c 100 -n 0 -r 500 -t 300ms --close rst \
		127.0.0.1
	accounts_close
	holds '.connections.opened == 100' '.connections.failed_total == 0'
	# until there is none left
	exits 3 client -a 127.0.0.1-127.0.0.2 -c 150 -n 0 -r 0 -t 100ms \
		--close rst 127.0.0.1
	accounts_close
	holds '.connections.opened == 100' \
		'.connections.failed == {EADDRNOTAVAIL: 50}' \
		'.connections.open_s < 2' \
		'.findings[0].symptom == "50 connects failed, no local port left: 100 ports x 2 sources x 1 target = 200 connections at most"' \
		'.findings[0].evidence == "other connections of this host hold the others"'
	# there would have been enough: nothing to warn of beforehand
	[ ! -s client.err ]
}

@test "--probe: every connection is verified, and nothing else is counted" {
	start_server
	local workers
	for workers in 1 3; do
		client -w "$workers" -c 50 -n 0 --probe -r 0 -t 100ms 127.0.0.1
		accounts_close
		holds '.connections | .opened == 50 and .verified == 50' \
			'.connections.probes == {sent: 50, answered: 50, timed_out: 0, lost: 0}' \
			'.queries | [.scheduled, .sent, .answered, .timed_out, .echoed, .lost, .skipped] | all(. == 0)' \
			'[.response_ns, .service_ns, .lateness_ns] | all(.count == 0)' \
			'.queries.replies == 50'
	done
	grep -q 'probes sent 50, answered 50, timed out 0, lost 0' client.out
	grep -q 'received 50: to probes 50, late 0' client.out
}

@test "--probe, and then queries: they do not mix" {
	start_server
	client -w 2 -c 50 -n 0 --probe -r 5000 -t 300ms 127.0.0.1
	accounts_close
	holds '.connections.probes.answered == 50' \
		'.queries.answered == .queries.sent' \
		'.queries.echoed == .queries.sent' \
		'.queries.replies == .queries.sent + 50'
}

@test "--probe: a peer that never answers" {
	start_peer sink
	exits 3 client -c 10 -n 0 --probe -r 0 -t 100ms --timeout 300ms 127.0.0.1
	accounts_close
	holds '.connections | .opened == 10 and .verified == 0' \
		'.connections.probes == {sent: 10, answered: 0, timed_out: 10, lost: 0}' \
		'.queries.timed_out == 0' \
		'.verdict.reasons[0] | startswith("10 of 10 opened connections never answered")'
	grep -q '10 of 10 opened connections never answered' client.out
}

@test "--probe: a peer that closes" {
	start_peer close
	exits 3 client -c 10 -n 0 --probe -r 0 -t 100ms 127.0.0.1
	accounts_close
	holds '.connections | .opened == 10 and .closed_by_peer == 10' \
		'.connections.probes == {sent: 10, answered: 0, timed_out: 0, lost: 10}' \
		'.queries.lost == 0'
}

@test "--close rst leaves nothing in TIME_WAIT, --close fin does" {
	enter_narrow_namespace
	client -c 20 -n 0 -r 0 --probe -t 100ms --close rst 127.0.0.1
	accounts_close
	holds '.config.close == "rst"' '.connections.closed_locally == 20' \
		'.connections.verified == 20'
	[ "$(time_wait 7000)" -eq 0 ]
	client -c 30 -n 0 -r 0 --probe -t 100ms --close fin 127.0.0.1
	accounts_close
	holds '.config.close == "fin"' '.connections.closed_locally == 30'
	all_waiting() { [ "$(time_wait 7000)" -eq 30 ]; }
	wait_until all_waiting
	stop_server
	grep -q 'closed by peer 30, reset by peer 20, ' server.out
}
