#!/usr/bin/env bats
# plot.sh: pictures of results of real runs.

load helpers

bats_require_minimum_version 1.5.0

# produce FILE ARGUMENT...: a result that is valid, however busy this host is.
produce() {
	local file=$1
	shift
	client "$@" || [ $? -eq 3 ]
	jq '.verdict = {valid: true, reasons: []}' result.json >"$file"
}

setup_file() {
	# the results that most tests draw: two runs, and one without queries
	cd "$BATS_FILE_TMPDIR" || return 1
	start_server
	echo "$SERVER" >server.pid
	produce one.json -c 5 -r 2000 -t 1200ms ::1
	produce two.json -c 20 -r 5000 -t 1200ms ::1
	produce held.json -c 50 -r 0 -n 200 -t 300ms ::1
	stop_server
	rm server.pid
}

teardown_file() {
	local pid
	cd "$BATS_FILE_TMPDIR" || return 1
	if [ -e server.pid ]; then
		read -r pid <server.pid
		kill "$pid"
	fi
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	cp "$BATS_FILE_TMPDIR"/*.json .
	# nothing may be left there
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
}

plot() {
	PATH=${PLOT_PATH:-$PATH} "$BATS_TEST_DIRNAME/../plot.sh" "$@"
}

# fails STATUS TEXT ARGUMENT...: it does, says TEXT, and leaves no picture.
fails() {
	local status=$1 text=$2
	shift 2
	exits "$status" plot "$@" >out 2>err
	[ ! -s out ]
	grep -qF -e "$text" err || {
		cat err >&2
		return 1
	}
	run ! compgen -G '*.[sp][vn]g'
	nothing_left
}

nothing_left() {
	[ -z "$(ls -A "$TMPDIR")" ]
}

# says FILE.svg TEXT...: each is written in it.
says() {
	local file=$1 text
	shift
	for text; do
		grep -qF -e ">$text</text>" "$file" || {
			echo "$file does not say: $text" >&2
			return 1
		}
	done
}

# longest_path FILE.svg: how many points it has.
longest_path() {
	tr '\n' ' ' <"$1" | grep -o "<path[^>]*d='[^']*'" | tr -cd 'ML,\n' |
		awk '{ n = gsub(",", ","); if (n > m) m = n } END { print m }'
}

# largest_number FILE.svg: of all texts that are a whole number.
largest_number() {
	grep -oE '> *[0-9]+</text>' "$1" | tr -cd '0-9\n' | sort -n | tail -n 1
}

@test "one result: an SVG beside it, with what the run was" {
	plot one.json
	python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' \
		one.svg
	says one.svg offered sent answered p50 p99 p99.9 'lateness p99' \
		'response (since due)' 'service (since sent)' queries/s ms \
		'seconds since querying began' 99.9 \
		"$(jq -r .config.target one.json), 5 connections, 2000 queries/s asked" \
		'one: valid'
	[ "$(longest_path one.svg)" -gt 100 ]
	nothing_left
}

@test "rates are those of the time in which queries were sent" {
	local highest
	highest=$(jq '[.series[] | select(.length_s > 0.1) | .sent / .length_s] |
		max | floor' one.json)
	# ... however little of a row that was; a row of 50 ms is left out
	jq '.series[-2] as $before |
		($before.unix_s * 1e9 + 1.05e9) as $over |
		.series[-1] += {t_s: ($before.t_s + 0.05), length_s: 0.05,
			sent: 9000, answered: 9000} |
		.times_unix_ns += {query_end: $over, close_begin: $over,
			close_end: $over}' one.json >short.json
	for name in one short; do
		plot $name.json
		says $name.svg queries/s
		# the axis ends near the highest rate, of which a busy machine has less
		[ "$(largest_number $name.svg)" -ge $((highest * 3 / 4)) ]
		[ "$(largest_number $name.svg)" -le $((highest * 3 / 2)) ]
	done
}

@test "a PNG of 1400 x 1000" {
	plot one.json picture.png
	python3 - picture.png <<-'END'
		import struct, sys
		head = open(sys.argv[1], "rb").read(24)
		assert head[:8] == b"\x89PNG\r\n\x1a\n"
		assert struct.unpack(">II", head[16:]) == (1400, 1000)
	END
	[ ! -e one.svg ]
	nothing_left
}

@test "three results: each has its name and its colour" {
	jq '.verdict = {valid: false, reasons: ["a reason"]}' one.json \
		>three.json
	plot one.json two.json three.json all.svg
	says all.svg one two 'three (not valid)' offered sent answered p50 p99 \
		p99.9 'lateness p99' 'response (since due)' 'service (since sent)'
	for colour in '  0, 114, 178' '213,  94,   0' '  0, 158, 115'; do
		grep -qF "stroke='rgb($colour)'" all.svg
	done
	plot one.json two.json
	says one.svg one two
	[ ! -e two.svg ]
}

@test "results of one file name have their directories with it" {
	mkdir a b
	mv one.json a/result.json
	mv two.json b/result.json
	plot a/result.json b/result.json both.svg
	says both.svg a/result b/result
}

@test "a run that is not valid says why" {
	jq '.verdict = {valid: false, reasons: ["it'\''s <late>", "more"]}' \
		one.json >bad.json
	plot bad.json
	says bad.svg "bad: not valid: it's &lt;late>"
}

@test "-r 0: the connections" {
	plot held.json
	says held.svg 'Open connections' 'Distribution of connect time' \
		'seconds since opening began' connections
	run ! grep -F 'Response' held.svg
	[ "$(longest_path held.svg)" -gt 10 ]
}

@test "a server that does not answer" {
	start_peer sink
	produce mute.json -c 2 -r 100 -t 500ms --timeout 200ms 127.0.0.1
	plot mute.json
	says mute.svg 'no answers' sent
}

@test "a load program: what it offers, from the warm-up on" {
	start_server
	produce program.json -c 5 --program 300ms@1000,700ms@1000..3000,2100ms@3000 --warmup 700ms ::1
	plot program.json
	says program.svg "$(result .config.target), 5 connections, 1000 to 3000 queries/s asked"
	# Rows are seconds of the wall clock: one of them lies whole in 2.1 s.
	[ "$(largest_number program.svg)" -ge 3000 ]
	[ "$(largest_number program.svg)" -le 3500 ]
}

@test "any file name" {
	local name
	for name in 'with space' "it's" 'a "b" <c> & d' "\$(touch ran)\`touch ran\`" \
		'%s {x} _y ^z \n' '-dash' 'ünïcödé' '*'; do
		cp one.json "./$name.json"
		plot -- "$name.json"
		python3 - "$name" <<-'END'
			import sys, xml.dom.minidom
			name = sys.argv[1]
			texts = xml.dom.minidom.parse(name + ".svg") \
			    .getElementsByTagName("text")
			texts = ["".join(n.data for n in t.childNodes
			    if n.nodeType == n.TEXT_NODE).strip() for t in texts]
			assert name + ": valid" in texts, texts
		END
		plot -- "$name.json" two.json "$name.png"
		[ -s "./$name.png" ]
	done
	cp one.json $'new\nline.json'
	plot $'new\nline.json'
	says $'new\nline.svg' 'new?line: valid'
	[ ! -e ran ]
}

@test "what is no result, or cannot be read or written" {
	fails 1 'none.json: no such file' none.json
	mkdir directory.json
	fails 1 'directory.json: cannot be read' directory.json
	: >empty.json
	fails 1 'empty.json: not a result of tcpclient --json=FILE' empty.json
	echo '{"a": 1}' >other.json
	fails 1 'other.json: not a result' one.json other.json
	head -c 2000 one.json >half.json
	fails 1 'half.json: not a result' half.json
	fails 1 'none/x.svg: cannot be written: No such file' one.json none/x.svg
	fails 1 'some of the results have queries' one.json held.json
	jq '.queries.scheduled = 0 | .connections.opened = 0' one.json \
		>refused.json
	fails 1 'refused.json: nothing to draw' refused.json
}

@test "bad usage, and help" {
	fails 2 'no result'
	fails 2 'no result' out.svg
	fails 2 'out.pdf: no such result, and a picture is .svg or .png' run.json out.pdf
	fails 2 "unknown option '-x'" -x one.json
	fails 2 '8 results: want at most 7' one.json one.json one.json one.json \
		one.json one.json one.json one.json
	plot -h >out
	grep -q '^usage: plot.sh RESULT.json' out
	plot --help | cmp - out
}

@test "what is not installed is named, with its package" {
	local tool
	mkdir bin
	for tool in bash env cat mktemp rm; do
		ln -s "$(command -v $tool)" bin/
	done
	PLOT_PATH=$PWD/bin
	fails 1 'needs jq, which is not installed: apt-get install jq' \
		one.json
	ln -s "$(type -P jq)" bin/
	fails 1 'apt-get install gnuplot-nox' one.json
}
