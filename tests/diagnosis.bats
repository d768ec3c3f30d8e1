#!/usr/bin/env bats
# Each limit is met for real, in network namespaces of the test's own: the run
# names it, on the right side, and with what it says for a fix it succeeds.

load helpers
load namespaces

bats_require_minimum_version 1.5.0

# set_global NAME VALUE: a setting of the whole machine, put back by
# restore_global, when this test ends in any way, or after 4 s. One test at a
# time.
set_global() {
	[ "$(id -u)" -eq 0 ] || skip "only root can set $1"
	[ -w "/proc/sys/$1" ] || skip "$1 cannot be set here"
	mkfifo held
	# shellcheck disable=SC2016
	flock /run/lock/tcpscaler-tests bash -c '
		old=$(cat "/proc/sys/$0")
		trap "echo \"$old\" >/proc/sys/$0" EXIT
		trap exit TERM INT HUP
		echo "$1" >"/proc/sys/$0" && echo set
		read -r -t 4' "$1" "$2" <held >global.out 2>&1 3>&- &
	HOLDER=$!
	STARTED+=("$HOLDER")
	exec 8>held
	wait_until grep -q set global.out
}

restore_global() {
	exec 8>&-
	wait "$HOLDER" || true
}

@test "descriptor limit of the client: -w" {
	start_server
	(
		ulimit -n 120
		exits 3 client --force -w 1 -c 150 -n 0 -r 100 -t 200ms \
			127.0.0.1
	)
	names RLIMIT_NOFILE client '^[0-9]+ connects failed' 'more workers \(-w\)'
	(
		ulimit -n 120
		finds_nothing -w 3 -c 150 -n 0 -r 100 -t 200ms 127.0.0.1
	)
}

@test "descriptor limit of the server: both say so" {
	start_limited_server 80 --json=server.json
	run_client -c 100 -n 0 -r 0 --probe -t 200ms --timeout 500ms 127.0.0.1 ||
		true
	# when the others had closed, it took those that waited
	holds '.connections.verified < 100' \
		'.verdict.reasons | all(contains("is empty") | not)'
	names 'the server does not accept' server \
		'^[0-9]+ connections wait in its accept queue' 'ulimit -Hn'
	stop_server
	jq -e '.findings | length == 1 and (.[0] | .limit == "RLIMIT_NOFILE" and
		.side == "server" and (.fix | contains("hard limit")))' \
		server.json >/dev/null
	grep -q '^  RLIMIT_NOFILE (server): [0-9]* times' server.out
	start_limited_server 300 --json=server.json
	finds_nothing -c 100 -n 0 -r 0 --probe -t 200ms --timeout 500ms 127.0.0.1
	stop_server
	jq -e '.findings == []' server.json >/dev/null
}

@test "100 local ports: another source" {
	enter_namespace 40000 40099
	start_server_on 7000
	PORT=7000
	exits 3 client --force -c 120 -n 0 -r 0 --close rst -t 100ms 127.0.0.1
	names ip_local_port_range client \
		'^20 connects .* 100 ports x 1 source x 1 target' \
		'1 more source address \(-a\)'
	finds_nothing -a 127.0.0.1-127.0.0.2 -c 120 -n 0 -r 0 --close rst -t 100ms \
		127.0.0.1
}

@test "local ports in TIME_WAIT: tcp_tw_reuse, or --close rst" {
	enter_pair 40000 40099
	start_far_server
	PORT=7000
	client -c 90 -n 0 -r 0 --close rst -t 100ms 10.9.0.2
	# nothing was left of them
	finds_nothing -c 90 -n 0 -r 0 --close rst -t 100ms 10.9.0.2
	client -c 90 -n 0 -r 0 --close fin -t 100ms 10.9.0.2
	exits 3 client -c 90 -n 0 -r 0 --close fin -t 100ms 10.9.0.2
	names ip_local_port_range client \
		'^[0-9]+ connects .* 100 ports .* and [0-9]+ sockets .* TIME_WAIT' \
		'close rst.*tcp_tw_reuse=1 and wait a second'
	set_inside net/ipv4/tcp_tw_reuse 1
	sleep 1.1
	finds_nothing -c 90 -n 0 -r 0 --close fin -t 100ms 10.9.0.2
	holds '.kernel.TWRecycled > 0' '.kernel.gauges.tcp_tw_reuse.begin == 1'
}

@test "a full accept queue, both ends here: a larger backlog" {
	enter_both
	start_server -B 1
	freeze_server
	exits 3 client -c 20 -n 0 -r 0 --connect-timeout 500ms -t 100ms 127.0.0.1
	names 'accept queue' server '^[0-9]+ times that a handshake' 'net.core.somaxconn'
	holds '.findings[0].evidence | contains("connects timed out")'
	thaw_server
	stop_server
	grep -q '^  accept queue .* (server): [0-9]* times that a handshake' server.out
	start_server
	freeze_server
	finds_nothing -c 20 -n 0 -r 0 --connect-timeout 500ms -t 100ms 127.0.0.1
}

@test "a full accept queue on another host: it cannot be told from here" {
	enter_pair 20000 60000
	start_far_server -B 1
	PORT=7000
	freeze_server
	exits 3 client -c 20 -n 0 -r 0 --connect-timeout 500ms -t 100ms 10.9.0.2
	names 'no answer to the SYN' 'cannot tell' '^[0-9]+ connects timed out' \
		'nstat -az TcpExtListenOverflows'
	holds '.findings[0].evidence | contains("look the same from here")' \
		'.findings[0].evidence | contains("a host that is down")'
	thaw_server
	stop_server
	grep -q '^  accept queue .* (server): [0-9]* times that a handshake' server.out
	start_far_server
	freeze_server
	finds_nothing -c 20 -n 0 -r 0 --connect-timeout 500ms -t 100ms 10.9.0.2
}

@test "SYN cookies: of the setting" {
	enter_both
	start_server
	set_inside net/ipv4/tcp_syncookies 2
	client -c 20 -n 0 -r 100 -t 100ms 127.0.0.1
	names tcp_syncookies server '^20 SYNs answered with a SYN cookie' \
		'tcp_syncookies=1'
	set_inside net/ipv4/tcp_syncookies 1
	finds_nothing -c 20 -n 0 -r 100 -t 100ms 127.0.0.1
}

# half_open: the server's SYN-ACKs are lost on their way, as are many clients'
# of an attacker.
@test "a full SYN queue: cookies, or SYNs dropped where there are none" {
	enter_pair 20000 60000
	local far=("${FAR[@]}")
	start_far_server -B 8 --json=server.json
	PORT=7000
	rule -A INPUT -p tcp --sport 7000 --tcp-flags SYN,ACK SYN,ACK -j DROP
	"${far[@]}" sh -c 'echo 8 >/proc/sys/net/ipv4/tcp_max_syn_backlog'
	exits 1 client -c 40 -n 0 -r 0 --connect-timeout 500ms -t 100ms 10.9.0.2
	"${far[@]}" sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_syncookies'
	exits 1 client -c 40 -n 0 -r 0 --connect-timeout 500ms -t 100ms 10.9.0.2
	stop_server
	jq -e '[.findings[] | select(.side == "server") | .symptom] |
		any(test("SYNs dropped, the queue of half-open")) and
		any(test("SYNs answered with a SYN cookie"))' server.json
	inside iptables -F
	"${far[@]}" sh -c 'echo 65535 >/proc/sys/net/ipv4/tcp_max_syn_backlog'
	start_far_server --json=server.json
	finds_nothing -c 40 -n 0 -r 0 --connect-timeout 500ms -t 100ms 10.9.0.2
	stop_server
	jq -e '.findings == []' server.json
}

# Connections that a packet filter stops, or does not.
DIAL=(-c 20 -n 0 -r 0 --connect-timeout 1s -t 100ms)

@test "a firewall that drops SYNs: on this host, and elsewhere" {
	enter_pair 20000 60000
	start_far_server
	PORT=7000
	"${FAR[@]}" iptables -A INPUT -p tcp --dport 7000 -j DROP 2>/dev/null ||
		skip "no iptables here"
	exits 1 client "${DIAL[@]}" 10.9.0.2
	names 'no answer to the SYN' 'cannot tell' '^20 connects timed out' \
		'nft list ruleset'
	local near=("${INSIDE[@]}")
	INSIDE=("${FAR[@]}")
	exits 1 client "${DIAL[@]}" 10.9.0.2
	names 'no answer to the SYN' path '^20 connects timed out' \
		'nft list ruleset'
	inside iptables -F
	finds_nothing "${DIAL[@]}" 10.9.0.2
	INSIDE=("${near[@]}")
	finds_nothing "${DIAL[@]}" 10.9.0.2
}

# rejected WITH STATUS LIMIT SIDE: far away, by a rule that rejects with that.
rejected() {
	"${FAR[@]}" iptables -A INPUT -p tcp --dport 7000 -j REJECT \
		--reject-with "$1" 2>/dev/null ||
		skip "iptables does not reject here with $1"
	exits 1 client "${DIAL[@]}" 10.9.0.2
	names "$2" "$3" '^20 connects ' "$4"
	"${FAR[@]}" iptables -F
}

@test "a firewall that rejects: with ICMP, or a reset" {
	enter_pair 20000 60000
	start_far_server
	PORT=7000
	"${FAR[@]}" sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'
	rejected icmp-port-unreachable 'packet filter rejects' path nft
	holds '.findings[0].evidence | contains("another host")'
	rejected icmp-host-prohibited 'packet filter rejects' path nft
	rejected icmp-net-unreachable 'packet filter rejects' path nft
	# from here, one that nothing listens for looks the same
	rejected tcp-reset 'nothing listens there, or a packet filter' server start
	finds_nothing "${DIAL[@]}" 10.9.0.2
}

# some_refused COUNT FILE: connects, by a target that opens others.
some_refused() {
	jq -e --argjson count "$1" '.connections.refused.beside_opened == $count and
		(.findings | length == 1) and (.findings[0] |
			.limit == "some connects are refused, though something listens there" and
			.side == "cannot tell" and (.fix | contains("connlimit")) and
			(.fix | contains("start the server") | not))' "$2"
}

@test "another host refuses some connects and opens others" {
	enter_pair 20000 60000
	inside ip addr add 10.9.0.3/24 dev near
	start_far_server
	"${FAR[@]}" iptables -A INPUT -s 10.9.0.3 -p tcp --dport 7000 \
		-j REJECT --reject-with tcp-reset
	PORT=7000
	exits 3 client -a 10.9.0.1,10.9.0.3 "${DIAL[@]}" 10.9.0.2
	some_refused 10 result.json
	holds '.findings[0].evidence | contains("from 10.9.0.3: all 10")'
	# the sum of results without addresses says the same
	cp result.json one.json
	exits 3 client -a 10.9.0.1,10.9.0.3 "${DIAL[@]}" 10.9.0.2
	"$TCPCLIENT" --merge --json=sum.json one.json result.json >/dev/null ||
		(($? == 3))
	some_refused 20 sum.json
	# beside a port where nothing listens, which refuses more
	PORT=7000-7003
	exits 3 client -a 10.9.0.1,10.9.0.3 -c 40 "${DIAL[@]:2}" 10.9.0.2
	holds '.connections.refused.beside_opened == 5' \
		'.findings[0].limit | startswith("nothing listens there")'
	"${FAR[@]}" iptables -F
	PORT=7000
	finds_nothing -a 10.9.0.1,10.9.0.3 "${DIAL[@]}" 10.9.0.2
}

@test "a reset by a firewall of this host is not TCP's" {
	enter_both
	start_server
	rule -A INPUT -p tcp --dport "$PORT" -j REJECT --reject-with tcp-reset
	exits 1 client -c 20 -n 0 -r 0 -t 100ms 127.0.0.1
	names '^a packet filter rejects' path '^20 connects refused' nft
	inside iptables -F
	finds_nothing -c 20 -n 0 -r 0 -t 100ms 127.0.0.1
}

@test "a closed port: nothing listens, and then something does" {
	enter_both
	PORT=7000
	exits 1 client -c 20 -n 0 -r 0 -t 100ms 10.9.8.1
	names '^nothing listens there$' server '^20 connects refused' \
		'start the server'
	start_server_on 7000
	finds_nothing -c 20 -n 0 -r 0 -t 100ms 10.9.8.1
}

@test "no route, no neighbour" {
	enter_pair 20000 60000
	PORT=7000
	exits 1 client -c 5 -n 0 -r 0 -t 100ms 203.0.113.1
	names 'no route' client '^5 connects found no way' 'ip route get'
	set_inside net/ipv4/neigh/near/retrans_time_ms 100
	exits 1 client -c 5 -n 0 -r 0 -t 100ms 10.9.0.77
	names 'no host there' path '^5 connects found no way' \
		'whether the host is up and the address right: .*ip neigh'
	holds '.findings[0].evidence | contains("no host at that address answers")'
}

@test "a server that is killed, seen while the run goes on" {
	enter_both
	start_server_on 7000
	PORT=7000
	start_client -i 200ms -c 20 -n 0 -r 1000 -t 3 127.0.0.1
	wait_until grep -q 'open 20,' client.err
	kill -KILL "$(worker_of "$SERVER")"
	exits 3 wait_client
	holds '.findings | length >= 1 and all(.side == "server")' \
		'.findings[0].limit | test("closes|resets")' \
		'.findings[0].symptom | test("^[0-9]+ connections (closed|reset) by the other side")' \
		'.findings[0].fix | contains("whether the server has ended")'
	start_server_on 7000
	finds_nothing -i 200ms -c 20 -n 0 -r 1000 -t 3 127.0.0.1
}

# No cgroup is needed for this, nor a namespace, nor root.
@test "a server that runs out of memory: it has ended" {
	local run=(-c 5000 -n 0 -r 1000 -t 1) worker data
	start_server --json=server.json
	worker=$(worker_of "$SERVER")
	data=$(awk '/^VmData:/ { print $2 }' "/proc/$worker/status")
	# beyond that it gets nothing: far from what 5,000 connections take
	prlimit --pid "$worker" --data=$((data * 1024 + 65536))
	exits 3 client "${run[@]}" 127.0.0.1
	holds '.findings | length > 0 and all(.side == "server")' \
		'.findings | any(.fix | contains("why the server ended"))' \
		'.connections.opened < 5000' \
		'.connections | .opened == .closed_by_peer + .reset_by_peer'
	exits 3 wait "$SERVER"
	jq -e '.counts | .accepted > 0 and .accepted < 5000 and
		.closed_worker_died > 0 and
		.closed_worker_died + .closed_unwatched == .accepted' server.json
	start_server --json=server.json
	finds_nothing "${run[@]}" 127.0.0.1
	stop_server
	jq -e '.counts.accepted == 5000' server.json
}

@test "a finding is said once while the run goes on, and only if asked" {
	enter_namespace 40000 40099
	start_server_on 7000
	PORT=7000
	exits 3 client --force -i 300ms -c 120 -n 0 -r 100 --close rst \
		-t 2500ms 127.0.0.1
	[ "$(grep -c '^tcpclient: LIMIT net.ipv4.ip_local_port_range (client): 20 connects .*; fix: ' client.err)" -eq 1 ]
	exits 3 client --force -c 120 -n 0 -r 100 --close rst -t 1200ms \
		127.0.0.1
	run ! grep -q LIMIT client.err
}

@test "128 tracked connections: no tracking for the port" {
	enter_both
	start_server_on 7000
	PORT=7000
	[ "$(cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null)" = 0 ] ||
		skip "this machine tracks connections, or cannot"
	rule -A INPUT -m conntrack --ctstate NEW -j ACCEPT
	set_global net/netfilter/nf_conntrack_max 128
	exits 3 client -c 300 -n 0 -r 0 --connect-timeout 300ms -t 100ms 127.0.0.1
	names nf_conntrack_max 'client and server' \
		'^[0-9]+ packets dropped, the table' 'no tracking for the port'
	holds '.findings[0].evidence | contains("room for 128")'
	for side in sport dport; do
		rule -t raw -A OUTPUT -p tcp --"$side" 7000 -j CT --notrack
		rule -t raw -A PREROUTING -p tcp --"$side" 7000 -j CT --notrack
	done
	finds_nothing -c 300 -n 0 -r 0 --connect-timeout 300ms -t 100ms 127.0.0.1
	restore_global
}

@test "netdev_max_backlog: drops on loopback" {
	local run=(-c 50 -n 0 -r 20000 -t 500ms --timeout 1s
		--connect-timeout 1s)
	enter_both
	start_server
	# packets that wait for another processor do not leave the queue at once
	inside unshare -m sh -c 'mount -t sysfs sysfs /sys &&
		echo 3 >/sys/class/net/lo/queues/rx-0/rps_cpus' ||
		skip "packets cannot be steered to another processor here"
	set_global net/core/netdev_max_backlog 1
	run_client "${run[@]}" 127.0.0.1 || true
	restore_global
	names netdev_max_backlog 'client and server' '^[0-9]+ packets dropped' \
		'netdev_max_backlog=100000'
	finds_nothing "${run[@]}" 127.0.0.1
}

@test "tcp_mem: TCP short of memory" {
	local run=(-c 100 -n 0 -r 20000 -t 1)
	enter_both
	start_server
	# pressure from the first pages on, but nothing is refused
	set_global net/ipv4/tcp_mem "1 2 $(awk '{ print $3 }' /proc/sys/net/ipv4/tcp_mem)"
	run_client "${run[@]}" 127.0.0.1 || true
	restore_global
	holds '.kernel.TCPMemoryPressures != null'
	if [ "$(result .kernel.TCPMemoryPressures)" = 0 ]; then
		skip "another program's socket met the pressure first"
	fi
	names '^net.ipv4.tcp_mem' 'client and server' \
		'^[0-9]+ times TCP ran short' 'raise net.ipv4.tcp_mem'
	finds_nothing "${run[@]}" 127.0.0.1
}

# A memory cgroup of the test's own. Sets CGROUP, and LIMIT, its file.
make_cgroup() {
	local name=tcpscaler-test.$$
	if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
		CGROUP=/sys/fs/cgroup/memory/$name LIMIT=memory.limit_in_bytes
	elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
		CGROUP=/sys/fs/cgroup/$name LIMIT=memory.max
	else
		skip "no memory cgroups here"
	fi
	mkdir "$CGROUP" 2>/dev/null || skip "no memory cgroup can be made here"
}

# in_cgroup BYTES COMMAND...
in_cgroup() {
	echo "$1" >"$CGROUP/$LIMIT"
	shift
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		"$@"
	)
}

@test "a memory limit: the worker is killed, and it is said why" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a cgroup"
	ulimit -n 6000 || skip "descriptor limit too low"
	make_cgroup
	start_server
	local status=0
	in_cgroup 6M run_client -c 5000 -n 0 -r 0 -t 100ms 127.0.0.1 || status=$?
	[ -s result.json ] || {
		skip "the whole program was killed, not one process"
	}
	echo "$status"
	names '^memory' client '^[0-9]+ processes ended by the kernel' memory.max
	in_cgroup 400M finds_nothing -c 5000 -n 0 -r 0 -t 100ms 127.0.0.1
}
