# shellcheck shell=bash
# What the tests of whole programs share. Everything that is started is ended by
# its process ID in teardown; nothing waits for a fixed time.

: "${TCPCLIENT:=$BATS_TEST_DIRNAME/../tcpclient}"
: "${TCPSERVER:=$BATS_TEST_DIRNAME/../tcpserver}"
export TCPCLIENT TCPSERVER
: "${HELPERS:=$BATS_TEST_DIRNAME/../build/tests/helpers}"

STARTED=()

# Goes before each program: empty, or what enters a network namespace.
INSIDE=()

# jq 1.6 takes an empty file for true with -e: nothing was false.
jq() {
	local out status=0
	out=$(command jq "$@") || status=$?
	case " $* " in
	*" -e"*) [ -n "$out" ] || ((status != 0)) || status=4 ;;
	esac
	[ -z "$out" ] || printf '%s\n' "$out"
	return "$status"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	local pid
	for pid in "${STARTED[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill "$pid" 2>/dev/null || true
	done
	# one that hangs must not hold up the other tests
	wait_until gone "${STARTED[@]}" 2>/dev/null ||
		kill -KILL "${STARTED[@]}" 2>/dev/null || true
	for pid in "${STARTED[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
}

# A network namespace of the test's own, whose local ports are FIRST to LAST:
# from here on all programs run in it.
enter_namespace() {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a network namespace"
	unshare -n true 2>/dev/null || skip "no network namespaces here"
	# shellcheck disable=SC2016
	unshare -n sh -c '
		ip link set lo up &&
		echo "$0 $1" >/proc/sys/net/ipv4/ip_local_port_range &&
		echo ready && exec sleep infinity' "$1" "$2" >namespace.out 3>&- &
	STARTED+=($!)
	INSIDE=(nsenter -t $! -n --)
	wait_until grep -q ready namespace.out
}

# Up to 20 s: until a command succeeds.
wait_until() {
	local tries
	for ((tries = 0; tries < 1000; tries++)); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.02
	done
	echo "waited in vain for: $*" >&2
	return 1
}

# exits STATUS COMMAND...: it does, in this shell (run takes one of its own, which
# cannot wait for what this one started).
exits() {
	local expected=$1 status=0
	shift
	"$@" || status=$?
	if ((status != expected)); then
		echo "exit status $status instead of $expected: $*" >&2
		return 1
	fi
}

# A server with these options, on a free port. Sets SERVER (its process) and
# PORT; its output is in server.out and server.err.
start_server() {
	start_server_on "$@" 0
}

# The same without a port of its own, so that the options may name some; PORT
# is of use where there is one.
start_server_on() {
	rm -f server.out server.err
	"${INSIDE[@]}" "$TCPSERVER" "$@" >server.out 2>server.err 3>&- &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
}

# The same as start_server, with no more than LIMIT descriptors.
start_limited_server() {
	local limit=$1
	shift
	rm -f server.out server.err
	(
		ulimit -n "$limit"
		exec "$TCPSERVER" "$@" 0 >server.out 2>server.err 3>&-
	) &
	SERVER=$!
	STARTED+=("$SERVER")
	wait_for_server
}

wait_for_server() {
	wait_until grep -q 'listening on' server.err || {
		cat server.err >&2
		return 1
	}
	PORT=$(sed -n 's/.*listening on .*:\([0-9]*\), .*/\1/p' server.err)
}

# Ends the server and returns its exit status.
stop_server() {
	local status=0
	kill -TERM "$SERVER"
	wait "$SERVER" || status=$?
	return "$status"
}

# gone PID...: all of them have ended, if nobody has waited for them either.
gone() {
	local pid
	for pid; do
		[ ! -e "/proc/$pid" ] ||
			grep -q '^State:.Z' "/proc/$pid/status" || return 1
	done
}

# The worker processes of a program, in the order of their start.
worker_of() {
	pgrep -P "$1"
}

# A peer.py with this mode. Sets PEER and PORT.
start_peer() {
	rm -f peer.out
	python3 "$BATS_TEST_DIRNAME/peer.py" "$@" >peer.out 2>peer.err 3>&- &
	PEER=$!
	STARTED+=("$PEER")
	wait_until test -s peer.out
	PORT=$(cat peer.out)
}

# as_asked COMMAND...: it runs as asked, or is not valid for one reason only, that
# this machine was too busy to send in time. result.json says so.
as_asked() {
	local status=0
	"$@" || status=$?
	punctual_or_busy "$status"
}

punctual_or_busy() {
	if (($1 == 3)) && jq -e '.verdict | .failed == [] and .reasons != [] and
		(.reasons | all(startswith("queries left late") or
			startswith("answers waited to be read") or
			startswith("this program was late at the end") or
			test("^(connects began late|opened .*: this program was late)")))' \
		result.json >/dev/null; then
		return 0
	fi
	return "$1"
}

# pause_client SECONDS: its worker is stopped for so long.
pause_client() {
	local worker
	worker=$(worker_of "$CLIENT")
	kill -STOP "$worker"
	sleep "$1"
	kill -CONT "$worker"
}

# fails_gate COMMAND...: a condition of --fail holds, status 4; or 3, because this
# machine was too busy to send in time.
fails_gate() {
	local status=0
	"$@" || status=$?
	((status == 4)) && return 0
	((status == 3)) && jq -e '.verdict | .failed != [] and .reasons != [] and
		(.reasons | all(startswith("queries left late") or
			startswith("answers waited to be read") or
			startswith("this program was late at the end") or
			test("^(connects began late|opened .*: this program was late)")))' \
		result.json >/dev/null
}

# The client against PORT with a JSON result in result.json, its summary in
# client.out. HOST is the last argument.
client() {
	rm -f result.json
	as_asked run_client "$@"
}

run_client() {
	"${INSIDE[@]}" "$TCPCLIENT" -p "$PORT" --json=result.json "$@" \
		>client.out 2>client.err
}

# The same in the background; sets CLIENT.
start_client() {
	"${INSIDE[@]}" "$TCPCLIENT" -p "$PORT" --json=result.json "$@" \
		>client.out 2>client.err 3>&- &
	CLIENT=$!
	STARTED+=("$CLIENT")
}

# Its exit status.
wait_client() {
	local status=0
	wait "$CLIENT" || status=$?
	punctual_or_busy "$status"
}

# result KEY: a value of the result.
result() {
	jq -r "$1" result.json
}

# holds EXPRESSION...: each is true of the result.
holds() {
	local expression
	for expression; do
		if ! jq -e "$expression" result.json >/dev/null; then
			echo "not true: $expression" >&2
			jq -c '[.connections, .queries, .verdict]' \
				result.json >&2
			cat client.err >&2
			return 1
		fi
	done
}

# The accounting identities, recomputed from the JSON result by other means
# than the program's own check.
accounts_close() {
	holds \
		'.queries | .scheduled == .sent + .skipped' \
		'.queries | .sent == .answered + .timed_out + .lost' \
		'.queries.warmup | .scheduled == .sent + .skipped and .sent == .answered + .timed_out + .lost' \
		'.queries | .skipped == ([.skipped_by_reason[]] | add)' \
		'.queries | .lost == ([.lost_by_reason[]] | add)' \
		'.queries.replies == .connections.probes.answered + .queries.warmup.answered + (.queries | .answered + .late + .unmatched + .malformed)' \
		'.connections.probes | .sent == .answered + .timed_out + .lost' \
		'.queries | .bytes_received == .bytes_of_answers + .bytes_of_no_answer' \
		'.queries | .answered == .echoed + ([.rcodes[]] | add // 0)' \
		'.connections | .attempted == .opened + .failed_total + .abandoned' \
		'.connections | .failed_total == ([.failed[]] | add // 0)' \
		'.connections | .opened == .verified + .unverified + .wrong_answer + (.suspect | .unacked + .queued)' \
		'.connections | .opened == .closed_by_peer + .reset_by_peer + .closed_by_error + .closed_locally + .closed_churned + .closed_used_up + .closed_on_timeout + .closed_on_request + .closed_worker_died' \
		'.lifetime_ns.count == (.connections | .closed_churned + .closed_used_up)' \
		'.response_ns.count == .queries.answered' \
		'.service_ns.count <= .queries.answered' \
		'if .connections.buried == 0 then .read_delay_ns.count == .queries.answered else .read_delay_ns.count <= .queries.answered end' \
		'.lateness_ns.count == .queries.sent' \
		'.connect_ns.count == .connections.opened' \
		'.open_lateness_ns.count == (.connections | .paced + .churn_begun)' \
		'[.response_ns, .lateness_ns, .read_delay_ns, .open_lateness_ns, .service_ns, .connect_ns, .lifetime_ns] | all(.count == ([.buckets[][2]] | add // 0))'
}

# at PATH LINE...: what the program there answers to these commands. -t: how long
# socat waits for answers after its own end.
at() {
	printf '%s\n' "${@:2}" | timeout 60 socat -t 30 - "UNIX-CONNECT:$1"
}

# tell LINE...: the same of the program at ./control.
tell() {
	at control "$@"
}

# answers LINE ANSWER
answers() {
	local got
	got=$(tell "$1")
	if [ "$got" != "$2" ]; then
		echo "$1: $got instead of $2" >&2
		return 1
	fi
}

# told LINE EXPRESSION: it is true of the answer.
told() {
	local got
	got=$(tell "$1")
	if ! jq -e "$2" <<<"$got" >/dev/null; then
		echo "$1: $got, but not $2" >&2
		return 1
	fi
}
