#!/usr/bin/env bats
# Programs that are told something while they run, over a Unix socket.

load helpers

bats_require_minimum_version 1.5.0

# hold NUMBER: a client with as many connections, until it is ended.
hold() {
	start_client -c "$1" -n 0 -r 0 ::1
}

# It ends, however it likes that its connections were closed.
end_client() {
	kill -INT "$CLIENT" 2>/dev/null || true
	wait "$CLIENT" || true
}

# counted EXPRESSION: it is true of the server's JSON result.
counted() {
	if ! jq -e ".counts | $1" server.json >/dev/null; then
		echo "not true: $1" >&2
		jq -c .counts server.json >&2
		return 1
	fi
}

@test "count and stats say what is open, was accepted and came in" {
	local sent
	start_server --control control
	answers count '{"ok":true,"open":0,"accepted":0}'
	client -c 10 -r 1000 -t 200ms ::1
	sent=$(result .queries.sent)
	wait_until answers count '{"ok":true,"open":0,"accepted":10}'
	hold 50
	wait_until answers count '{"ok":true,"open":50,"accepted":60}'
	told stats ".ok and .workers_died == 0 and .accept_queue.listeners == 1 and
		(.counts | .open == 50 and .accepted == 60 and .peak == 50 and
		.messages == $sent and .closed_by_control == 0)"
	end_client
	wait_until answers count '{"ok":true,"open":0,"accepted":60}'
	stop_server
}

@test "close N closes the oldest first" {
	start_server --control control
	cat >oldest.py <<-'END'
		import select, socket, subprocess, sys
		held = []
		for i in range(5):
		    s = socket.create_connection(("::1", int(sys.argv[1])), timeout=20)
		    s.sendall(b"\0\1x")  # served, and so older than the next
		    s.recv(3, socket.MSG_WAITALL)
		    held.append(s)
		c = socket.socket(socket.AF_UNIX)
		c.connect("control")
		c.sendall(b"close 2\ncount\n")
		answers = c.makefile()
		print(answers.readline() + answers.readline(), end="")
		for s in held[:2]:
		    assert s.recv(1) == b""
		assert select.select(held[2:], [], [], 0)[0] == []
		held[2].sendall(b"\0\1x")
		assert held[2].recv(3, socket.MSG_WAITALL) == b"\0\1x"
	END
	python3 oldest.py "$PORT" >answers
	printf '%s\n' '{"ok":true,"closed":2}' \
		'{"ok":true,"open":3,"accepted":5}' | diff - answers
	stop_server
	grep -q ', by control 2$' server.out
}

@test "close N is exact over three workers, and closes no more than there are" {
	start_server -w 3 --control control --json=server.json
	hold 60
	wait_until answers count '{"ok":true,"open":60,"accepted":60}'
	answers 'close 0' '{"ok":true,"closed":0}'
	answers 'close 1' '{"ok":true,"closed":1}'
	answers 'close 19' '{"ok":true,"closed":19}'
	answers count '{"ok":true,"open":40,"accepted":60}'
	answers 'close 1k' '{"ok":true,"closed":40}'
	answers 'close 5' '{"ok":true,"closed":0}'
	end_client
	stop_server
	counted '.closed_by_control == 60 and .accepted == 60 and
		.closed_by_peer + .reset_by_peer + .closed_locally == 0'
}

@test "close of some thousands, in slices: the client sees all of them go" {
	start_server --control control
	hold 3000
	wait_until answers count '{"ok":true,"open":3000,"accepted":3000}'
	answers 'close 2500' '{"ok":true,"closed":2500}'
	answers count '{"ok":true,"open":500,"accepted":3000}'
	end_client
	holds '.connections.closed_by_peer == 2500'
	stop_server
}

@test "pause-accept leaves what comes in the queue until resume-accept" {
	local workers
	for workers in 1 3; do
		start_server -w "$workers" --control control
		answers pause-accept '{"ok":true}'
		answers pause-accept '{"ok":true}'
		hold 20
		wait_until told stats '.accept_queue.queued == 20'
		answers count '{"ok":true,"open":0,"accepted":0}'
		answers resume-accept '{"ok":true}'
		wait_until answers count '{"ok":true,"open":20,"accepted":20}'
		answers resume-accept '{"ok":true}'
		end_client
		stop_server
	done
}

@test "what is paused stays so when a full server has room again" {
	start_server --max-connections 10 --control control
	hold 15
	wait_until told stats '.counts.open == 10 and .accept_queue.queued == 5'
	answers pause-accept '{"ok":true}'
	# each is a turn of the worker, in which it had room
	answers 'close 1' '{"ok":true,"closed":1}'
	answers 'close 1' '{"ok":true,"closed":1}'
	answers 'close 1' '{"ok":true,"closed":1}'
	answers 'close 1' '{"ok":true,"closed":1}'
	answers count '{"ok":true,"open":6,"accepted":10}'
	answers resume-accept '{"ok":true}'
	wait_until answers count '{"ok":true,"open":10,"accepted":14}'
	end_client
	stop_server
}

@test "a worker that is killed ends what it was told, and the rest is exact" {
	local worker
	start_server -w 3 --control control --json=server.json
	hold 60
	wait_until answers count '{"ok":true,"open":60,"accepted":60}'
	worker=$(worker_of "$SERVER" | tail -1)
	kill -STOP "$worker"
	tell 'close 60' count >answers 3>&- &
	STARTED+=($!)
	local asking=$!
	wait_until told stats '.counts.closed_by_control > 0'
	[ ! -s answers ]
	kill -KILL "$worker"
	wait "$asking"
	end_client
	exits 3 stop_server
	counted '.closed_by_control + .closed_worker_died == 60'
	[ "$(head -1 answers | jq .closed)" -eq \
		"$(jq .counts.closed_by_control server.json)" ]
	tail -1 answers | grep -qx '{"ok":true,"open":0,"accepted":60}'
}

@test "quit is answered, and ends the server as SIGTERM does" {
	local status=0
	start_server -w 2 --control control
	hold 7
	wait_until answers count '{"ok":true,"open":7,"accepted":7}'
	[ "$(tell quit)" = '{"ok":true}' ]
	wait "$SERVER" || status=$?
	[ "$status" -eq 0 ]
	[ ! -e control ]
	grep -q 'accepted 7$' server.out
	grep -q 'locally 7$' server.out
	end_client
}

@test "what is no command is refused and changes nothing" {
	start_server --control control
	answers foo '{"ok":false,"error":"unknown command '"'foo'"': count, stats, close N, pause-accept, resume-accept, quit"}'
	told close '.ok == false'
	told 'close x' '.error | startswith("close x: not a whole number")'
	told 'close -1' '.ok == false'
	told 'quit now' '.error | startswith("'"'now' is too much"'")'
	printf 'quit' | socat -t 20 - UNIX-CONNECT:control | jq -e '.ok == false'
	head -c 100000 /dev/urandom | socat -t 20 - UNIX-CONNECT:control |
		jq -es 'length > 0 and all(.ok == false)'
	answers count '{"ok":true,"open":0,"accepted":0}'
	stop_server
}

@test "a line of a megabyte gets one error; a thousand commands a thousand answers" {
	start_server --control control
	head -c 1000000 /dev/zero | tr '\0' x |
		socat -t 20 - UNIX-CONNECT:control >answers
	[ "$(cat answers)" = '{"ok":false,"error":"a line has 4096 bytes at most"}' ]
	yes 'close 0' | head -1000 | socat -t 20 - UNIX-CONNECT:control >answers
	[ "$(sort answers | uniq -c | xargs)" = '1000 {ok:true,closed:0}' ]
	stop_server
}

@test "the socket is the user's alone, and only the parent has it" {
	local inode worker
	start_server -w 3 --control control
	[ "$(stat -c %a%F control)" = 600socket ]
	# those that are connected have the name, too: this one listens
	inode=$(awk '$NF == "control" && $4 == "00010000" { print $7 }' \
		/proc/net/unix)
	ls -l "/proc/$SERVER/fd" | grep -q "socket:\[$inode\]"
	[ "$(worker_of "$SERVER" | wc -l)" -eq 3 ]
	for worker in $(worker_of "$SERVER"); do
		run ! grep -q "socket:\[$inode\]" <(ls -l "/proc/$worker/fd")
	done
	stop_server
	[ ! -e control ]
}

@test "a path in use is refused, one that a killed server left is taken" {
	local first
	start_server --control control
	first=$SERVER
	run -1 timeout 20 "$TCPSERVER" -w 2 --control control 0
	[[ $output == *"--control control: another program listens there"* ]]
	[[ $output != *"listening on"* ]]
	answers count '{"ok":true,"open":0,"accepted":0}'
	kill -KILL "$first"
	wait "$first" || true
	[ -S control ]
	start_server --control control
	answers count '{"ok":true,"open":0,"accepted":0}'
	stop_server
	[ ! -e control ]
	echo precious >control
	run -1 timeout 20 "$TCPSERVER" --control control 0
	[[ $output == *"--control control: exists and is not a socket"* ]]
	[ "$(cat control)" = precious ]
	run -1 timeout 20 "$TCPSERVER" --control "$(printf '%0108d' 0)" 0
	[[ $output == *"107 at most"* ]]
}
