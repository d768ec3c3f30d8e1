#!/usr/bin/env bats
# Equal distances (--arrival uniform, --every), over all workers. What is looked at
# is when queries were due, not when they were sent: rows of -R have the distance
# from the query before of the same worker.
bats_require_minimum_version 1.5.0

load helpers

# dues: of each query, when it was due (nanoseconds) and its connection, in order.
dues() {
	awk -F, '$1 == "Q" { due[$5] += $6
			printf "%.0f %d\n", due[$5] * 1000, $3 }' client.out |
		sort -n >dues
}

# equal_gaps NS: all gaps are that long, the first query is due half of it after
# the start.
equal_gaps() {
	awk -v gap="$1" '
		# each distance is rounded to a nanosecond
		function off(x) { return x < -100 || x > 100 }
		off($1 - (NR - 0.5) * gap) { print "query", NR, "at", $1; exit 1 }
		END { if (NR == 0) exit 1 }' dues
}

# in_order NS COMMAND...: runs it until no query was so late that another one was due
# meanwhile: queries that are due in one turn are logged by connection.
in_order() {
	local most=$1 tries
	shift
	for ((tries = 0; tries < 50; tries++)); do
		"$@"
		if jq -e ".lateness_ns.max < $most" result.json >/dev/null; then
			return 0
		fi
	done
	echo "always late: $*" >&2
	return 1
}

@test "--arrival uniform: equal gaps over all workers, whatever -c and -w are" {
	local shape workers connections
	start_server
	for shape in "2 5" "3 10" "3 4" "4 7"; do
		read -r workers connections <<<"$shape"
		in_order 10e6 client -R --arrival uniform -w "$workers" \
			-c "$connections" -n 0 -r 100 --warmup 100ms -t 0.3 \
			127.0.0.1
		dues
		[ "$(wc -l <dues)" -eq 40 ]
		equal_gaps 10000000
	done
	stop_server
}

@test "--every: each connection in equal times, all evenly spread over the workers" {
	local shape workers connections
	start_server
	for shape in "2 5" "3 10" "3 4" "4 7"; do
		read -r workers connections <<<"$shape"
		in_order 10e6 client -R --every 100ms -w "$workers" \
			-c "$connections" -n 0 -t 0.4 127.0.0.1
		dues
		[ "$(wc -l <dues)" -eq "$((connections * 4))" ]
		equal_gaps "$(jq -n "1e8 / $connections")"
		awk '$2 in last && ($1 - last[$2] < 1e8 - 100 ||
				$1 - last[$2] > 1e8 + 100) { print; exit 1 }
			{ last[$2] = $1 }' dues
	done
	stop_server
}

change_connections() {
	start_client -R --control control --every 100ms -w 3 -c 10 -n 0 127.0.0.1
	wait_until told count '.phase == "running"'
	told 'connections 4' '.ok'
	wait_until told stats '.queries.scheduled > 40'
	told quit '.ok'
	wait_client || (($? == 3))
	# a worker that hears of it too late has sent what is not its own any more
	if (($(result .end.change_late_ns) > 0)); then
		change_connections
	fi
}

@test "--every: equal gaps before and after the connections change" {
	start_server
	in_order 10e6 change_connections
	dues
	awk '	{ gap = $1 - last; last = $1 }
		NR == 1 { next }
		gap > 1e7 - 100 && gap < 1e7 + 100 && !slow { next }
		gap > 2.5e7 - 100 && gap < 2.5e7 + 100 { slow++; next }
		!slow && !between++ { next }
		{ print "gap", gap; exit 1 }
		END { if (slow < 5) exit 1 }' dues
	stop_server
}
