# shellcheck shell=bash
# Real name servers for bats, on loopback and with configurations of their
# own:
#
#	resolver_start KIND [ZONE]
#
# starts KIND (unbound, nsd, knot or bind9) with ZONE (example.com unless
# told) as all it knows, waits until it answers over TCP, and sets
# RESOLVER_PORT and RESOLVER_PID. For names outside ZONE the authoritative
# servers answer REFUSED; unbound answers NXDOMAIN for example.com and REFUSED
# for the rest. Several may run at once. Not for a subshell: a server ends
# with the shell that started it.
#
#	resolver_stop
#
# ends all that were started and returns when they are gone; call it from
# teardown().

RESOLVER_PIDS=()

# Daemons are not on the PATH of every user.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# Down to resolver_start, the functions see the local variables of their
# caller: zone, serial, addresses and dir, the server's own directory.

resolver_records() {
	cat <<-END
		$zone. 3600 IN SOA ns.$zone. hostmaster.$zone. $serial 3600 900 604800 300
		$zone. 3600 IN NS ns.$zone.
		$zone. 3600 IN A 192.0.2.1
		$zone. 3600 IN AAAA 2001:db8::1
		ns.$zone. 3600 IN A 127.0.0.1
		www.$zone. 3600 IN A 192.0.2.1
		www.$zone. 3600 IN AAAA 2001:db8::1
	END
}

# The zone "." answers for whatever the others do not: nothing is ever looked
# up, so that nothing leaves this host. Handlers are plenty because the idle
# timeout shrinks once half of them are taken, and the small message buffers
# pay for them; more would ask for too many descriptors (twice as many, with
# two addresses).
resolver_unbound_config() {
	cat <<-END
		server:
		$(printf 'interface: %s\n' "${addresses[@]/%/@$RESOLVER_PORT}")
		access-control: 127.0.0.0/8 allow
		access-control: ::1/128 allow
		directory: "$dir"
		chroot: ""
		username: ""
		pidfile: ""
		logfile: ""
		use-syslog: no
		do-udp: no
		so-reuseport: no
		num-threads: 1
		incoming-num-tcp: 1280
		msg-buffer-size: 4096
		stream-wait-size: 64m
		tcp-idle-timeout: 120000
		outgoing-range: 16
		module-config: "iterator"
		local-zone: "." always_refuse
		local-zone: "$zone." static
		$(resolver_records | sed 's/.*/local-data: "&"/')
	END
	if [[ $zone != example.com ]]; then
		echo 'local-zone: "example.com." always_nxdomain'
	fi
	echo 'remote-control:'
	echo 'control-enable: no'
}

resolver_unbound_run() {
	resolver_exec unbound -d -p -c "$dir/config"
}

# Half of tcp-count may be in use before the timeout shrinks to 0.2 s. Mind that
# nsd 4.6 breaks or stalls a connection once megabytes of answers are unread.
resolver_nsd_config() {
	cat <<-END
		server:
		$(printf 'ip-address: %s\n' "${addresses[@]/%/@$RESOLVER_PORT}")
		chroot: ""
		username: ""
		zonesdir: "$dir"
		zonelistfile: "$dir/zone.list"
		xfrdir: "$dir"
		xfrdfile: ""
		database: ""
		pidfile: ""
		server-count: 1
		tcp-count: 2048
		tcp-query-count: 0
		tcp-timeout: 120
		rrl-ratelimit: 0
		rrl-whitelist-ratelimit: 0
		verbosity: 0
		remote-control:
		control-enable: no
		zone:
		name: "$zone"
		zonefile: "zone"
	END
}

resolver_nsd_run() {
	resolver_exec nsd -d -c "$dir/config"
}

# Zero for tcp-io-timeout: its default, half a second, is less than a client
# that is kept from running may take to read.
resolver_knot_config() {
	cat <<-END
		server:
		    rundir: "$dir"
		$(printf '    listen: "%s"\n' "${addresses[@]/%/@$RESOLVER_PORT}")
		    udp-workers: 1
		    tcp-workers: 2
		    background-workers: 1
		    tcp-max-clients: 4096
		    tcp-idle-timeout: 120
		    tcp-io-timeout: 0
		database:
		    storage: "$dir"
		log:
		  - target: stderr
		    any: warning
		zone:
		  - domain: "$zone"
		    file: "$dir/zone"
		    zonefile-sync: -1
		    journal-content: none
	END
}

resolver_knot_run() {
	# The path of a socket must be short, which $dir need not be.
	cd "$dir" || return
	resolver_exec knotd -s knot.sock -c "$dir/config"
}

# Without reuseport another server could share the port unnoticed. The cache
# has nothing to hold, but would be sized for the memory of the whole host.
resolver_bind9_config() {
	cat <<-END
		options {
			directory "$dir";
			listen-on port $RESOLVER_PORT { 127.0.0.1; };
			listen-on-v6 port $RESOLVER_PORT { ::1; };
			reuseport no;
			pid-file none;
			lock-file none;
			session-keyfile none;
			recursion no;
			dnssec-validation no;
			empty-zones-enable no;
			notify no;
			querylog no;
			max-cache-size 16M;
			tcp-clients 2048;
			tcp-listen-queue 512;
			tcp-initial-timeout 1200;
			tcp-idle-timeout 1200;
		};
		controls { };
		zone "$zone" {
			type primary;
			file "zone";
		};
	END
}

resolver_bind9_run() {
	resolver_exec named -g -n 1 -c "$dir/config"
}

# resolver_exec PROGRAM [ARGUMENT]...: in a session of its own, by which
# resolver_stop finds the children; and never to outlive the test, however
# that ends.
resolver_exec() {
	local program
	program=$(type -P "$1")
	# AppArmor confines these programs to the system's directories, going
	# by their path.
	if [[ $(cat /sys/module/apparmor/parameters/enabled 2>&1) == Y ]]; then
		cp "$program" "$dir/"
		program=$dir/$1
	fi
	exec setpriv --pdeathsig TERM setsid "$program" "${@:2}"
}

resolver_raise_descriptors() {
	local hard
	hard=$(ulimit -Hn)
	if [[ $hard == unlimited || $hard -gt 8192 ]]; then
		hard=8192
	fi
	ulimit -Sn "$hard"
}

# Below the ports that the kernel gives to outgoing connections by default.
resolver_pick_port() {
	RESOLVER_PORT=$((10240 + RANDOM % 20000))
	while [[ $(ss -Hlntu "sport = :$RESOLVER_PORT") ]]; do
		RESOLVER_PORT=$((10240 + RANDOM % 20000))
	done
}

# The serial tells this server's answer from that of any other on its port.
resolver_answers() {
	local address
	for address in "${addresses[@]}"; do
		dig -r +tcp +short +tries=1 +time=2 -p "$RESOLVER_PORT" \
		    "@$address" "$zone" SOA 2>&1 |
		    grep -q " $serial " || return
	done
}

resolver_alive() {
	[[ $(pgrep --session "$1" --runstates D,R,S,T,t) ]]
}

# bind9 does not stop when it cannot have a port, nor always say why.
resolver_port_taken() {
	grep -Eqi 'address (already )?in use|creating .* interface .* failed' \
	    "$dir/log"
}

resolver_await() {
	local deadline=$((SECONDS + 60))
	while ((SECONDS < deadline)); do
		if resolver_answers; then
			return 0
		fi
		if ! kill -0 "$RESOLVER_PID" 2>/dev/null || resolver_port_taken; then
			return 1
		fi
		sleep 0.05
	done
	return 1
}

resolver_end() {
	local deadline=$((SECONDS + 20))
	kill -TERM "$1" 2>/dev/null || true
	while resolver_alive "$1"; do
		if ((SECONDS >= deadline)); then
			pkill -KILL --session "$1" || true
		fi
		sleep 0.02
	done
	wait "$1" 2>/dev/null || true
}

# resolver_launch KIND
resolver_launch() {
	dir=$(mktemp -d "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/$1.XXXXXX")
	resolver_pick_port
	resolver_records >"$dir/zone"
	"resolver_$1_config" >"$dir/config"
	# bats waits for whoever has its descriptor 3.
	(
		resolver_raise_descriptors
		"resolver_$1_run"
	) </dev/null >"$dir/log" 2>&1 3>&- &
	RESOLVER_PID=$!
	RESOLVER_PIDS+=("$RESOLVER_PID")
}

resolver_start() {
	local kind=$1 zone=${2:-example.com} serial dir attempt
	local addresses=(127.0.0.1)
	if grep -qs '^0\{31\}1 ' /proc/net/if_inet6; then
		addresses+=(::1)
	fi
	for attempt in 1 2 3 4 5; do
		serial=$((RANDOM << 15 | RANDOM))
		resolver_launch "$kind"
		if resolver_await; then
			return 0
		fi
		resolver_end "$RESOLVER_PID"
		if ! resolver_port_taken; then
			break
		fi
	done
	echo "$kind does not answer (attempt $attempt); its log:" >&2
	cat "$dir/log" >&2
	return 1
}

resolver_stop() {
	local pid
	for pid in "${RESOLVER_PIDS[@]}"; do
		resolver_end "$pid"
	done
	RESOLVER_PIDS=()
}
