# shellcheck shell=bash
# Limits that are met in network namespaces: one for both ends, or one for each.
# helpers.bash comes first.

FROZEN=()

# Its kernel goes on completing handshakes, but nobody accepts.
freeze_server() {
	FROZEN=("$SERVER" "$(worker_of "$SERVER")")
	kill -STOP "${FROZEN[@]}"
}

thaw_server() {
	[ "${#FROZEN[@]}" -eq 0 ] || kill -CONT "${FROZEN[@]}"
	FROZEN=()
}

eval "ended_$(declare -f teardown)"
teardown() {
	thaw_server || true
	[ -z "${CGROUP:-}" ] || rmdir "$CGROUP" 2>/dev/null || true
	ended_teardown
}

# names LIMIT SIDE SYMPTOM FIX: the first finding (patterns; the side exactly),
# and it is the only one.
names() {
	limit=$1 side=$2 symptom=$3 fix=$4 jq -e '.findings | length == 1 and
		(.[0] | (.limit | test(env.limit)) and .side == env.side and
			(.symptom | test(env.symptom)) and
			(.fix | test(env.fix)))' result.json >/dev/null || {
		jq -c .findings result.json >&2
		return 1
	}
	grep -q "^  .*($2): " client.out
}

# The run before with its fix: it has no finding, and all connections open.
finds_nothing() {
	exits 0 client "$@"
	holds '.findings == []' '.connections.opened == .connections.asked'
}

# A namespace for both ends, with local ports to spare.
enter_both() {
	enter_namespace 20000 60000
	inside ip addr add 10.9.8.1/24 dev lo
}

inside() {
	"${INSIDE[@]}" "$@"
}

# set NAME VALUE: a setting of the namespace.
set_inside() {
	# shellcheck disable=SC2016
	inside sh -c 'echo "$1" >"/proc/sys/$0"' "$1" "$2"
}

# Two namespaces, the client's (INSIDE, 10.9.0.1) and the server's (10.9.0.2).
# Client's local ports are FIRST to LAST.
enter_pair() {
	rm -f namespace.out
	enter_namespace 20000 60000
	local far=("${INSIDE[@]}")
	rm -f namespace.out
	enter_namespace "$1" "$2"
	inside ip link add near type veth peer name far netns "${far[2]}"
	inside ip addr add 10.9.0.1/24 dev near
	inside ip link set near up
	"${far[@]}" ip addr add 10.9.0.2/24 dev far
	"${far[@]}" ip link set far up
	FAR=("${far[@]}")
}

start_far_server() {
	local INSIDE=("${FAR[@]}")
	start_server_on "$@" 7000
}

# Where a rule cannot be made, the kernel lacks what it needs.
rule() {
	inside iptables "$@" 2>/dev/null || skip "no such iptables rule here: $*"
}
