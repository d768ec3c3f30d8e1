#!/usr/bin/env bats
# The source tree itself: arrows of the include graph, style, scripts, manuals,
# installation.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return 1
}

# "from to" for each include of a file of the project, without .c and .h; an
# internal header is part of its module. Read once: the rules ask for it often.
arrows() {
	local list=$BATS_TEST_TMPDIR/arrows
	[ -e "$list" ] || awk '
		/^#include ".*\.h"$/ {
			from = FILENAME
			to = substr($2, 2, length($2) - 4)
			sub(/\.[ch]$/, "", from)
			sub(/_internal$/, "", from)
			sub(/_internal$/, "", to)
			if (from != to)
				print from, to
		}' *.[ch] lib/*.[ch] client/*.[ch] server/*.[ch] wire/*.[ch] |
		sort -u >"$list"
	cat "$list"
}

# only FROM TO: no arrow leads from FROM to anything but TO (patterns).
only() {
	! arrows | awk -v from="^($1)$" -v to="^($2)$" '$1 ~ from && $2 !~ to' |
		grep .
}

@test "includes point one way: lib knows neither programs nor their parts" {
	only 'lib/.*' 'lib/.*'
	only 'client/.*' 'client/.*|lib/.*|wire/.*|dns_query'
	only 'server/.*' 'server/.*|lib/.*|wire/.*|dns_reply'
	only 'wire/.*' 'wire/.*|lib/.*|dns_query'
	only 'server/(frame|delay)' 'lib/clock'
	only 'server/service' 'lib/(clock|parse)'
	only 'server/answer' 'server/(frame|service)|wire/first_bytes|dns_reply'
	only 'server/patience' 'lib/(clock|timer)'
	only 'server/messages' 'server/session|wire/first_bytes|lib/(clock|timer)'
	only 'dns_query' 'nothing'
	only 'dns_reply' 'dns_query'
	only 'tcpserver' 'server/.*|lib/.*'
	only 'lib/(cgroup|histogram|limits|version|clock|nonblock)' 'nothing'
	only 'lib/signals' 'lib/clock'
	only 'lib/lines' 'lib/nonblock'
	only 'lib/output' 'lib/(clock|lines|nonblock|signals)'
	only 'lib/worker' 'lib/(channel|clock|events|lines|signals)'
	only 'lib/events' 'lib/(lines|status)'
	only 'lib/channel' 'lib/(clock|timer)'
	only 'lib/check.*' 'lib/(cgroup|check|limits|lines|output)'
	only 'lib/(netstat|gauges)' 'nothing'
	only 'lib/diagnosis.*' 'lib/(diagnosis|netstat|gauges|limits|sockdiag)'
	only 'lib/findings' 'lib/(diagnosis|json)'
	only 'client/whereabouts' 'client/routes|lib/(addr|diagnosis)'
	only 'lib/parse' 'lib/clock|lib/status'
	only 'lib/control_socket' 'nothing'
	only 'lib/control' 'lib/(control_socket|clock|json|timer)'
	only 'lib/command' 'lib/(control|parse)'
	only 'lib/port_list' 'lib/parse'
	only 'lib/json_read' 'lib/clock|lib/status'
	only 'lib/addr_list' 'lib/parse|lib/addr'
	only 'lib/sockdiag.*' 'lib/(sockdiag|addr|addr_list)'
	only 'server/room' 'server/(counts|handover)|lib/worker'
	only 'server/watch' 'server/(counts|listener|report)|lib/.*'
	only 'server/commands' \
		'server/(counts|report|watch)|lib/(clock|command|control|json|worker)'
	only 'client/(batch|wheel)' 'nothing'
	only 'client/(pace|window)' 'lib/clock'
	only 'client/open_health' 'client/stats|lib/(clock|histogram|number)'
	only 'client/suspect' 'lib/(sockdiag_peer)'
	only 'client/self_connect' 'client/routes|lib/(addr|addr_list|limits|port_list)'
	only 'client/states' \
		'client/routes|lib/(sockdiag|addr|addr_list|port_list|clock|timer)'
	only 'client/options.*' \
		'client/(options|condition|life|program|schedule|search)|lib/.*'
	only 'client/hosts' 'client/(options|routes)|lib/.*'
	only 'client/routes' 'lib/(addr|addr_list|port_list)'
	only 'client/router' 'client/routes|lib/clock'
	only 'client/local_ports' 'lib/limits|client/random'
	only 'client/connector' 'client/(local_ports|routes)|lib/clock'
	only 'client/inflight' 'lib/clock'
	only 'client/querylog' 'lib/(clock|nonblock|signals)'
	only 'client/random' 'nothing'
	only 'client/(slots|outage|life)' 'nothing'
	only 'client/backoff' 'client/(random|wheel)|lib/clock'
	only 'client/schedule' 'client/(program|random|turns)|lib/clock'
	only 'client/turns' 'nothing'
	only 'client/tally' 'nothing'
	only 'client/stats' 'client/tally|wire/first_bytes|lib/histogram|lib/accounts|dns_query'
	only 'client/condition' \
		'client/stats|lib/(histogram|parse|clock)|dns_query'
	only 'client/program.*' 'client/program|lib/(clock|parse)'
	only 'client/plan' 'client/program|lib/clock'
	only 'client/level' 'nothing'
	only 'client/run_jobs' 'lib/(command|worker)'
	only 'client/generator_result' 'client/generator'
	only 'client/pool.*' \
		'client/(backoff|batch|conn|connector|inflight|life|pool|querylog|random|read_delay|router|routes|schedule|slots|stats|wheel|window)|lib/(clock|sockdiag_peer)'
	only 'client/report.*' \
		'client/(querylog|random|report.*|stats|generator|condition|health|life|open_health|program|routes|search|self_connect|tally)|lib/.*'
	only 'client/search' 'client/condition|lib/clock'
	only 'client/health' 'client/(read_delay|stats)|lib/(clock|histogram)'
	only 'client/read_delay' 'lib/clock'
	only 'client/find_max' 'client/(generator|health|open_health|search)|lib/.*'
}

@test "includes have no cycle" {
	arrows | tsort >/dev/null
}

@test "units need no socket, no event base, no clock of their own" {
	run ! grep -lE 'sys/socket\.h|event2/' dns_*.[ch] lib/parse.[ch] \
		lib/histogram.[ch] client/schedule.[ch] client/inflight.[ch] \
		client/stats.[ch] client/wheel.[ch] client/batch.[ch] \
		client/pace.[ch] client/window.[ch] client/router.[ch] client/condition.[ch] \
		client/slots.[ch] client/backoff.[ch] client/outage.[ch] \
		client/program*.[ch] client/plan.[ch] client/level.[ch] \
		server/frame.[ch] server/delay.[ch] \
		server/answer.[ch] server/service.[ch] \
		lib/netstat.[ch] lib/gauges.[ch] lib/diagnosis*.[ch]
	run ! grep -lE 'clock_(now|wall)\(' dns_*.[ch] lib/parse.[ch] \
		lib/histogram.[ch] client/schedule.[ch] client/inflight.[ch] \
		client/stats.[ch] client/wheel.[ch] client/batch.[ch] \
		client/pace.[ch] client/window.[ch] client/router.[ch] client/condition.[ch] \
		client/slots.[ch] client/backoff.[ch] client/outage.[ch] \
		client/program*.[ch] client/plan.[ch] client/level.[ch] \
		server/frame.[ch] server/delay.[ch] \
		server/answer.[ch] server/service.[ch] \
		lib/netstat.[ch] lib/gauges.[ch] lib/diagnosis*.[ch]
}

@test "the code is formatted" {
	make format-check
}

@test "scripts are shellcheck clean" {
	shellcheck -x setup-client.sh setup-server.sh lib/setup.sh plot.sh \
		.ci/run .ci/deps tests/run tests/demo tests/healthy tests/fuzz/run bench/half \
		bench/instructions bench/scale.sh bench/exchange
	shellcheck -x tests/helpers.bash tests/namespaces.bash tests/resolvers.bash
}

@test "manuals are mandoc clean and name every long option" {
	mandoc -Tlint -W warning man/tcpclient.1 man/tcpserver.1
	local source program option
	for source in client/options.c server/options.c; do
		program=tcp${source%/options.c}
		for option in $(sed -n 's/^\t*    {"\([a-z-]*\)", .*_argument.*/\1/p' \
			"$source"); do
			mandoc -Tascii "man/$program.1" | sed 's/.\x08//g' |
				grep -qe "--$option" || {
				echo "$program: --$option is missing" >&2
				return 1
			}
		done
	done
}

@test "make builds with gcc and with clang, without a warning" {
	local compiler
	for compiler in gcc clang; do
		make -j2 CC="$compiler" BUILD="$BATS_TEST_TMPDIR/$compiler" \
			BIN="$BATS_TEST_TMPDIR/$compiler" 2>&1 |
			tee "$BATS_TEST_TMPDIR/log"
		run ! grep -i 'warning:' "$BATS_TEST_TMPDIR/log"
		"$BATS_TEST_TMPDIR/$compiler/tcpclient" -V
	done
}

@test "make sanitize runs the tests with gcc's sanitizers and with clang's" {
	local compiler
	make -n sanitize >"$BATS_TEST_TMPDIR/plan"
	for compiler in gcc clang; do
		grep -q "sanitized-tests CC=$compiler" "$BATS_TEST_TMPDIR/plan"
		grep -q "tests/run build/sanitize-$compiler" "$BATS_TEST_TMPDIR/plan"
		make -n sanitized-tests CC="$compiler" BUILD="$BATS_TEST_TMPDIR" |
			grep -q -e "^$compiler .*-fsanitize=address,undefined,"
	done
}

@test "header dependencies are tracked" {
	local args=(BUILD="$BATS_TEST_TMPDIR/b" BIN="$BATS_TEST_TMPDIR/b")
	make -j2 "${args[@]}" >/dev/null
	make -q "${args[@]}"
	# -W: as if it had just been changed
	make -n -W lib/histogram.h "${args[@]}" >"$BATS_TEST_TMPDIR/plan"
	grep -q -e '-c -o .*client/stats.o' "$BATS_TEST_TMPDIR/plan"
	run ! grep -e '-c -o .*lib/parse.o' "$BATS_TEST_TMPDIR/plan"
}

@test "make install puts everything below DESTDIR and PREFIX, spaces and all" {
	local root="$BATS_TEST_TMPDIR/a root"
	make -j2 install DESTDIR="$root" PREFIX="/opt/t s" \
		BUILD="$BATS_TEST_TMPDIR/b" BIN="$BATS_TEST_TMPDIR/b"
	(cd "$root" && find . -type f | sort) >"$BATS_TEST_TMPDIR/installed"
	diff "$BATS_TEST_TMPDIR/installed" - <<-'END'
		./opt/t s/bin/tcpclient
		./opt/t s/bin/tcpscaler-plot
		./opt/t s/bin/tcpscaler-setup-client
		./opt/t s/bin/tcpscaler-setup-server
		./opt/t s/bin/tcpserver
		./opt/t s/share/man/man1/tcpclient.1
		./opt/t s/share/man/man1/tcpserver.1
		./opt/t s/share/tcpscaler/setup.sh
	END
	"$root/opt/t s/bin/tcpserver" -V
	"$root/opt/t s/bin/tcpscaler-setup-server" --dry-run
	"$root/opt/t s/bin/tcpscaler-plot" --help
}
