#!/usr/bin/env bats
# --check, and what of it is looked at before a run, on real values: those of a
# network namespace of the test's own, and of processes.

load helpers

bats_require_minimum_version 1.5.0

# put NAME VALUE: a sysctl in the namespace.
put() {
	# shellcheck disable=SC2016
	"${INSIDE[@]}" sh -c 'echo "$2" >"/proc/sys/$1"' sh \
		"$(tr . / <<<"$1")" "$2"
}

get() {
	"${INSIDE[@]}" cat "/proc/sys/$(tr . / <<<"$1")" | xargs
}

# checks STATUS PROGRAM ARG...: its table is in check.out.
checks() {
	local expected=$1
	shift
	exits "$expected" "${INSIDE[@]}" "$@" >check.out 2>check.err
	[ ! -s check.err ]
}

# row NAME VERDICT: the table says this of the limit.
row() {
	grep -qE "^$1 +.* $2\$" check.out || {
		echo "not '$2': $1" >&2
		cat check.out >&2
		return 1
	}
}

# Runs the commands of the table.
mend() {
	grep '^    [^#]' check.out >commands
	"${INSIDE[@]}" sh -e commands >/dev/null
}

# mends NAME VALUE PROGRAM ARG...: with this value it is too low, and what is
# then printed raises it.
mends() {
	local name=$1
	put "$1" "$2"
	shift 2
	checks 1 "$@"
	row "$name" 'too low'
	mend
	checks 0 "$@"
	row "$name" ok
	grep -q '^0 too low' check.out
}

@test "check: the client's limits, too low, and fixed by what is printed" {
	local check=("$TCPCLIENT" --check -c 800 -r 20000 -n 10k 127.0.0.1)
	enter_namespace 32768 60999
	put net.ipv4.tcp_max_tw_buckets 100000
	checks 0 "${check[@]}"
	mends net.ipv4.ip_local_port_range "40000 40099" "${check[@]}"
	[ "$(get net.ipv4.ip_local_port_range)" = "1024 65535" ]
	# the port that is listened on is none to connect from
	[ "$(get net.ipv4.ip_local_reserved_ports)" = 4242 ]
	mends net.ipv4.tcp_max_tw_buckets 799 "${check[@]}"
	[ "$(get net.ipv4.tcp_max_tw_buckets)" -eq 800 ]
	mends net.core.somaxconn 128 "${check[@]}"
	put net.ipv4.tcp_syncookies 0
	mends net.ipv4.tcp_max_syn_backlog 128 "${check[@]}"
	put net.ipv4.ip_local_reserved_ports ""
	mends net.ipv4.ip_local_reserved_ports "1-10" "${check[@]}"
	[ "$(get net.ipv4.ip_local_reserved_ports)" = 1-10,4242 ]
}

@test "check: the server's limits, too low, and fixed by what is printed" {
	local check=("$TCPSERVER" --check -w 8 --max-connections 5000 -n 0 \
		40050)
	enter_namespace 32768 60999
	put net.core.somaxconn 65535
	put net.ipv4.ip_local_reserved_ports 40050
	checks 0 "${check[@]}"
	mends net.core.somaxconn 4096 "${check[@]}"
	[ "$(get net.core.somaxconn)" -eq 5000 ]
	put net.ipv4.tcp_syncookies 0
	mends net.ipv4.tcp_max_syn_backlog 5000 "${check[@]}"
	mends net.ipv4.ip_local_reserved_ports "" "${check[@]}"
	mends net.ipv6.conf.all.disable_ipv6 1 "${check[@]}"
}

@test "check: what cannot be read is said, and is not too low" {
	enter_namespace 32768 60999
	# these belong to the first namespace only
	checks 0 "$TCPCLIENT" --check -c 10 -r 10 127.0.0.1
	row net.core.netdev_max_backlog unreadable
	row net.ipv4.tcp_max_orphans unreadable
	run ! grep -qE '^0 too low, 0 unreadable' check.out
}

@test "check: descriptors, and workers as another way" {
	(
		ulimit -n 200
		checks 1 "$TCPCLIENT" --check -c 500 -r 0 192.0.2.1
		row 'descriptors of a process' 'too low'
		grep -qx '    ulimit -Hn 564' check.out
		grep -q ' -w 4, ' check.out
		checks 0 "$TCPCLIENT" --check -c 500 -r 0 -w 4 192.0.2.1
		checks 0 "$TCPCLIENT" --check -c 500 -r 0 -w auto 192.0.2.1
		checks 1 "$TCPSERVER" --check --max-connections 500
		grep -qx '    ulimit -Hn 565' check.out
		checks 0 "$TCPSERVER" --check --max-connections 500 -w auto
	)
}

@test "check: nothing listens, nothing connects" {
	start_server --json=server.json
	checks 0 "$TCPCLIENT" --check -p "$PORT" -c 10 -r 10 192.0.2.1
	# a name with several addresses, where a run would try which one answers
	"$TCPCLIENT" --check -p "$PORT" -c 10 -r 10 localhost >check.out || true
	"$TCPCLIENT" --check -p "$PORT" -c 10 -r 10 127.0.0.1 >check.out || true
	"$TCPSERVER" --check --max-connections 10 "$PORT" >check.out || true
	grep -q 'somaxconn' check.out
	stop_server
	jq -e '.counts.accepted == 0' server.json
}

@test "check: =sysctl prints what each is to be, and exits 0" {
	enter_namespace 40000 40099
	"${INSIDE[@]}" "$TCPCLIENT" --check=sysctl -c 1000 -r 0 192.0.2.1 >lines
	grep -qx 'net.ipv4.ip_local_port_range 1024 65535' lines
	grep -qx 'net.ipv4.ip_local_reserved_ports 4242' lines
	grep -qx 'net.ipv4.tcp_tw_reuse 1' lines
	run ! grep -vE '^(fs|kernel|net)\.[a-z0-9_.-]+ [0-9][0-9, -]*$' lines
	"${INSIDE[@]}" "$TCPSERVER" --check=sysctl >lines
	grep -qE '^net.core.somaxconn [0-9]+$' lines
	run ! grep 'port_range' lines
	run ! grep -vE '^(fs|kernel|net)\.[a-z0-9_.-]+ [0-9][0-9, -]*$' lines
}

@test "check: usage" {
	run -2 "$TCPCLIENT" --check=all -c 1 -r 1 ::1
	[[ $output == *"--check=all: not sysctl"* ]]
	run -2 "$TCPCLIENT" --check -r 1 ::1
	[[ $output == *"-c is missing"* ]]
	run -2 "$TCPCLIENT" --check -c 1 -r 1
	[[ $output == *"HOST is missing"* ]]
	run -2 "$TCPSERVER" --check=all
	[[ $output == *"--check=all: not sysctl"* ]]
	run -2 "$TCPSERVER" -n 100
	[[ $output == *"-n and -r belong to --check"* ]]
	run -1 bash -c '"$0" --check -c 1 -r 1 ::1 >/dev/full' "$TCPCLIENT"
}

@test "a run that cannot be is stopped before it connects; --force tries it" {
	local run=(-n 0 -r 0 -t 100ms --close rst)
	enter_namespace 40000 40099
	"${INSIDE[@]}" "$TCPSERVER" --json=server.json 7000 >server.out \
		2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
	exits 1 run_client "${run[@]}" -c 101 127.0.0.1
	grep -q 'net.ipv4.ip_local_port_range: 100, and this run needs 101: ' client.err
	grep -qx 'tcpclient: this run is not possible here; --force tries it all the same' client.err
	[ ! -s client.out ]
	[ ! -e result.json ]
	exits 3 client "${run[@]}" --force -c 101 127.0.0.1
	holds '.connections.opened == 100'
	# nothing stands in the way of one connection less
	client "${run[@]}" -c 100 127.0.0.1
	[ ! -s client.err ]
	stop_server
	jq -e '.counts.accepted == 200' server.json
}

@test "a server without room for --max-connections is not begun; --force begins it" {
	(
		ulimit -n 100
		run -1 "$TCPSERVER" --max-connections 100 0
		[[ $output == *"descriptors of a process: 100, and this run needs 165: ulimit -Hn 165; or more workers: -w 3"* ]]
		[[ $output == *"--force serves as many as are"* ]]
	)
	start_limited_server 100 --force --max-connections 100
	grep -q -- '--force: it is tried' server.err
	stop_server
}

@test "a search for connections is only told that its -c is too many" {
	enter_namespace 40000 40099
	"${INSIDE[@]}" "$TCPSERVER" 7000 >server.out 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
	run_client --find-max connections --until 'failed>0' -c 200 -n 0 \
		-t 100ms --close rst 127.0.0.1 || (($? == 3))
	grep -q 'c 200 is the most that is tried' client.err
	[ -s result.json ]
}

@test "a run that is well within its limits is not warned" {
	enter_namespace 32768 60999
	"${INSIDE[@]}" "$TCPSERVER" 7000 >server.out 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
	client -c 1000 -r 20000 -n 0 -t 100ms 127.0.0.1
	[ ! -s client.err ]
}
