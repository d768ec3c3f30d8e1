#!/usr/bin/env bash
#
# usage: bench/scale.sh [-r RATE] [-t SECONDS] N
#
# Opens N connections between tcpclient and tcpserver on this host, each verified
# by an answer, holds them, sends RATE queries per second (20000) over all of
# them for SECONDS (60), closes them, and prints what that took: time, memory,
# what was lost. Exit status: tcpclient's; 1 also where this host cannot hold N,
# with the reason.
#
# As root it makes a network namespace for itself, with a table of connections
# that is large enough: the host's is made for fewer, and with chains of ten and
# more sockets each packet takes several times as long.
#
# TCPCLIENT and TCPSERVER: the programs, if not those of this directory's parent.
set -u -o pipefail

ROOT=$(dirname "$0")/..
TCPCLIENT=${TCPCLIENT:-$ROOT/tcpclient}
TCPSERVER=${TCPSERVER:-$ROOT/tcpserver}

# Measured (docs/scale.md): bytes for both ends of a connection, and of a process.
KERNEL_EACH=8300
PROGRAMS_EACH=1450
PROCESS_EACH=2500000
SPARE_DESCRIPTORS=96

# Connections to different targets share a local port. That saves the kernel an
# entry for each, and long chains of them: its table is of 65,536 buckets.
PORTS=7000-7031
TARGETS=32

die() {
	echo "scale.sh: $*" >&2
	exit 1
}

usage() {
	sed -n '3s/^# //p' "$0" >&2
	exit 2
}

is_number() {
	[[ $1 =~ ^[1-9][0-9]{0,8}$ ]]
}

# read_limit FILE: its number; nothing where there is none, or "max".
read_limit() {
	local value
	{ read -r value _ <"$1"; } 2>/dev/null || return 0
	[[ $value =~ ^[0-9]+$ ]] && echo "$value"
}

# memory_field NAME...: the sum of these lines of /proc/meminfo, in bytes.
memory_field() {
	local name pattern=
	for name; do
		pattern+=${pattern:+|}$name
	done
	awk -v pattern="^($pattern):" '$1 ~ pattern { sum += $2 }
		END { printf "%.0f", sum * 1024 }' /proc/meminfo
}

#
# What N takes of this host.
#

# Connections hash to the server's workers unevenly, and one that is full has the
# trouble of handing over: room for 5 % more.
count_workers() {
	local limit
	limit=$(ulimit -Hn)
	[[ $limit == unlimited ]] && limit=$(cat /proc/sys/fs/nr_open)
	limit=$((limit - SPARE_DESCRIPTORS))
	WORKERS=$(((N - 1) / limit + 1))
	SERVER_WORKERS=$((WORKERS == 1 ? 1 : (N * 21 / 20 - 1) / limit + 1))
}

check_memory() {
	local each=$((KERNEL_EACH + PROGRAMS_EACH)) need available cgroup used
	need=$((N * each + (WORKERS + SERVER_WORKERS) * PROCESS_EACH))
	available=$(memory_field MemAvailable)
	cgroup=$(read_limit /sys/fs/cgroup/memory.max)
	used=$(read_limit /sys/fs/cgroup/memory.current)
	if [[ -n $cgroup ]] && ((cgroup - ${used:-0} < available)); then
		available=$((cgroup - ${used:-0}))
	fi
	((need <= available)) || die "$N connections need $(mb "$need") MB of" \
		"memory ($each bytes each, both ends, $KERNEL_EACH of them the" \
		"kernel's), and $(mb "$available") MB are available: at most" \
		"about $((available * 95 / each / 100000))000 here"
	echo "memory       $(mb "$need") MB of $(mb "$available") MB available"
}

mb() {
	echo $(($1 / 1000000))
}

# at_least NAME FILE NEED SYSCTL
at_least() {
	local have
	have=$(read_limit "$2")
	if [[ -n $have ]] && ((have < $3)); then
		die "$N connections need $1 of $3, it is $have: sysctl $4=$3"
	fi
}

# The kernel lets root of the whole host have more files than fs.file-max.
is_exempt_from_file_max() {
	local capabilities
	capabilities=0x$(awk '/^CapEff/ { print $2 }' /proc/self/status)
	((capabilities >> 21 & 1)) &&
		awk '{ exit !($1 == 0 && $2 == 0 && $3 >= 4294967295) }' \
			/proc/self/uid_map
}

check_limits() {
	local files pids
	files=$((2 * N + 10000))
	is_exempt_from_file_max ||
		at_least fs.file-max /proc/sys/fs/file-max "$files" fs.file-max
	at_least fs.epoll.max_user_watches \
		/proc/sys/fs/epoll/max_user_watches "$files" \
		fs.epoll.max_user_watches
	pids=$(read_limit /sys/fs/cgroup/pids.max)
	if [[ -n $pids ]] && ((pids < WORKERS + SERVER_WORKERS + 32)); then
		die "$N connections need $((WORKERS + SERVER_WORKERS))" \
			"processes under this descriptor limit" \
			"($(ulimit -Hn)), and the cgroup's pids.max is $pids"
	fi
	echo "processes    $WORKERS of tcpclient, $SERVER_WORKERS of tcpserver," \
		"of $(ulimit -Hn) descriptors each"
}

# A quarter of a way's ports: connect() tries every other port first, and searches
# for long when those are taken.
choose_sources() {
	local low high
	read -r low high </proc/sys/net/ipv4/ip_local_port_range
	SOURCES=$(((N - 1) / ((high - low + 1) * TARGETS / 4) + 1))
	((SOURCES <= 65000)) || die "$N connections need $SOURCES sources:" \
		"widen net.ipv4.ip_local_port_range"
	echo "ways         $SOURCES sources x $TARGETS targets, of" \
		"$((high - low + 1)) local ports each"
}

# The k-th address from 127.1.0.0 on.
source_address() {
	echo "127.1.$(($1 / 256)).$(($1 % 256))"
}

#
# The namespace.
#

HASH_SYSCTL=/proc/sys/net/ipv4/tcp_child_ehash_entries

# A chain of two: N connections are 2 N sockets.
hash_entries() {
	local entries=262144
	while ((entries < N && entries < 16777216)); do
		entries=$((entries * 2))
	done
	echo "$entries"
}

# Runs this script again, in a namespace made with a table of that size.
run_in_namespace() {
	local name=tcpscaler-$$ before status=0
	before=$(cat "$HASH_SYSCTL")
	hash_entries >"$HASH_SYSCTL" || return
	if ! ip netns add "$name"; then
		echo "$before" >"$HASH_SYSCTL"
		return
	fi
	echo "$before" >"$HASH_SYSCTL"
	SCALE_NAMESPACE=$name nsenter --net="/run/netns/$name" \
		"$0" -r "$RATE" -t "$SECONDS_ASKED" "$N" || status=$?
	ip netns delete "$name"
	exit "$status"
}

say_table() {
	local entries
	entries=$(cat /proc/sys/net/ipv4/tcp_ehash_entries 2>/dev/null) || return
	entries=${entries#-}
	echo "table        $entries buckets of connections, for $((2 * N)) sockets"
}

#
# The run.
#

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -n ${CLIENT:-} ]] && kill "$CLIENT" 2>/dev/null
	[[ -n ${SERVER:-} ]] && kill "$SERVER" 2>/dev/null
	wait
	rm -rf "$TMP"
}

start_server() {
	"$TCPSERVER" -b 127.0.0.1 -w "$SERVER_WORKERS" \
		--json="$TMP/server.json" "$PORTS" \
		>"$TMP/server.out" 2>"$TMP/server.err" &
	SERVER=$!
	until grep -q 'listening on' "$TMP/server.err"; do
		kill -0 "$SERVER" 2>/dev/null || die "$(cat "$TMP/server.err")"
		sleep 0.05
	done
}

start_client() {
	local status
	: >"$TMP/client.err"
	"$TCPCLIENT" -p "$PORTS" -w "$WORKERS" -c "$N" -n 0 --probe --close rst \
		-a "$(source_address 1)-$(source_address "$SOURCES")" \
		-r "$RATE" -t "$SECONDS_ASKED" -i $((N > 500000 ? 5 : 1))s \
		--json="$TMP/client.json" 127.0.0.1 \
		>"$TMP/client.out" 2>"$TMP/client.err" &
	CLIENT=$!
	# the live line, when all is open and the queries have begun
	until grep -q 'in flight' "$TMP/client.err"; do
		if ! kill -0 "$CLIENT" 2>/dev/null; then
			wait "$CLIENT"
			status=$?
			cat "$TMP/client.out" "$TMP/client.err" >&2
			exit "$status"
		fi
		sleep 0.2
	done
}

processes() {
	pgrep -P "$1" || true
	echo "$1"
}

# private PID: bytes of a program's processes that nothing else uses.
private() {
	local pid
	for pid in $(processes "$1"); do
		cat "/proc/$pid/smaps_rollup"
	done 2>/dev/null |
		awk '/^Private_Dirty/ { sum += $2 } END { printf "%.0f", sum * 1024 }'
}

kernel_memory() {
	memory_field SUnreclaim PageTables KernelStack Percpu
}

measure_idle() {
	KERNEL_BEFORE=$(kernel_memory)
	CACHES_BEFORE=$(memory_field SReclaimable)
	AVAILABLE_BEFORE=$(memory_field MemAvailable)
}

measure_held() {
	AVAILABLE=$((AVAILABLE_BEFORE - $(memory_field MemAvailable)))
	KERNEL=$(($(kernel_memory) - KERNEL_BEFORE))
	CACHES=$(($(memory_field SReclaimable) - CACHES_BEFORE))
	CLIENT_PRIVATE=$(private "$CLIENT")
	SERVER_PRIVATE=$(private "$SERVER")
	STARTED=$(processes "$CLIENT" && processes "$SERVER")
}

ms() {
	value ".response_ns.$1 / 1000 | round / 1000"
}

value() {
	jq -r "$1" "$TMP/client.json"
}

print_result() {
	local opened
	opened=$(value .connections.opened)
	((opened > 0)) || return
	cat <<END

opened       $opened of $N in $(value '.connections.open_s * 100 | round / 100') s, $(value '.connections | .opened / .open_s | round')/s
verified     $(value .connections.verified), each by an answer of its own
closed       in $(value '.connections.close_s * 100 | round / 100') s, with a RST from the client: no port stays in TIME_WAIT
memory       bytes a connection, when all were open:
  client     $((CLIENT_PRIVATE / opened)) in user space, and half of the kernel's
  server     $((SERVER_PRIVATE / opened)) in user space, and half of the kernel's
  kernel     $((KERNEL / opened)) for both ends: $((KERNEL / opened / 2)) each; and $((CACHES / opened)) in caches that count as reclaimable, the sockets' inodes among them
  in all     $((AVAILABLE / opened)) less are available (MemAvailable)
queries      asked $RATE/s, sent $(value '.rate.sent_qps | round')/s, answered $(value '.rate.answered_qps | round')/s, for $(value '.rate.duration_s * 10 | round / 10') s
             sent $(value .queries.sent), answered $(value .queries.answered), timed out $(value .queries.timed_out), lost $(value .queries.lost), skipped $(value .queries.skipped)
response     p50 $(ms p50) ms, p99 $(ms p99) ms, p99.9 $(ms p99_9) ms, max $(ms max) ms
server       $(jq -r '.counts | "accepted \(.accepted), reset by peer \(.reset_by_peer), closed otherwise \(.closed_by_peer + .closed_by_error + .closed_locally + .closed_worker_died)"' "$TMP/server.json")
verdict      $(value '.verdict | if .valid then "ran as asked" else "not as asked: " + (.reasons | join("; ")) end')
END
}

RATE=20000
SECONDS_ASKED=60
while getopts r:t: option; do
	case $option in
	r) RATE=$OPTARG ;;
	t) SECONDS_ASKED=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
(($# == 1)) || usage
is_number "$1" || usage
N=$1
if [[ -z ${SCALE_NAMESPACE:-} && -w $HASH_SYSCTL ]]; then
	run_in_namespace
fi
[[ -n ${SCALE_NAMESPACE:-} ]] && ip link set lo up
count_workers
command -v jq >/dev/null || die "jq is missing: apt-get install jq"
check_memory
check_limits
choose_sources
say_table

TMP=$(mktemp -d)
trap cleanup EXIT
measure_idle
start_server
start_client
measure_held
tail -n +1 -f --pid="$CLIENT" "$TMP/client.err" >&2 &
wait "$CLIENT"
STATUS=$?
CLIENT=
kill "$SERVER"
wait "$SERVER"
SERVER_STATUS=$?
SERVER=
print_result
for pid in $STARTED; do
	kill -0 "$pid" 2>/dev/null && die "process $pid is left"
done
((STATUS != 0 || SERVER_STATUS == 0)) || STATUS=$SERVER_STATUS
exit "$STATUS"
