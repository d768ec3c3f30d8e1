#!/usr/bin/env bats
# The kernel counts a full accept queue for all servers of a host as one: whose was it?

load helpers

bats_require_minimum_version 1.5.0

# overflow_another: another service of this namespace takes no connection, and some
# handshakes meet its full queue. Their SYNs are sent again for a minute.
overflow_another() {
	"${INSIDE[@]}" python3 - 3>&- <<-'END' &
		import socket, time
		listener = socket.socket()
		listener.bind(("127.0.0.1", 0))
		listener.listen(1)
		for _ in range(20):
		    s = socket.socket()
		    s.setblocking(False)
		    s.connect_ex(listener.getsockname())
		    globals().setdefault("kept", []).append(s)
		open("overflowed", "w").close()
		time.sleep(60)
	END
	STARTED+=("$!")
	wait_until test -e overflowed
}

@test "another server's full accept queue is not said to be this one's" {
	enter_namespace 20000 60000
	start_server --json=server.json --control=control
	start_client -c 20 -n 0 -r 200 -t 60 --control=client 127.0.0.1
	wait_until at client stats
	wait_until told stats '.counts.accepted == 20'
	overflow_another
	kill -INT "$CLIENT"
	exits 3 wait_client
	holds '.kernel.ListenOverflows > 0' '.kernel.target_drops == 0' \
		'.findings == []'
	stop_server
	jq -e '.kernel.ListenOverflows > 0 and .accept_queue.dropped == 0 and
		.findings == []' server.json
	grep -q ', dropped 0$' server.out
}

@test "both queues were full: this server's part is told" {
	enter_namespace 20000 60000
	start_server -B 1 --json=server.json --control=control
	tell pause-accept
	overflow_another
	exits 3 client -c 5 -n 0 -r 0 --connect-timeout 500ms -t 100ms 127.0.0.1
	holds '.kernel.target_drops > 0' \
		'.findings[0] | .side == "server" and
			(.limit | startswith("accept queue"))' \
		'.kernel.target_drops >= (.findings[0].symptom |
			split(" ")[0] | tonumber)'
	wait_until told stats '.accept_queue.dropped > 0'
	stop_server
	jq -e '.accept_queue.dropped as $n | .kernel.ListenOverflows > $n and
		(.findings | length == 1) and (.findings[0] | .side == "server"
			and (.symptom | startswith("\($n) times that a handshake")))' server.json
}
