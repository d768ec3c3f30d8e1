#!/usr/bin/env bash
#
# Draws results of tcpclient (--json=FILE) as one picture, with gnuplot.
#
# Each result is reduced to the points that are drawn; together they become one
# gnuplot script, which holds its data and goes to gnuplot through a pipe.
set -u -o pipefail

me=${0##*/}
# There are no more colours that everyone can tell apart on white.
MOST_RESULTS=7

usage() {
	cat <<EOF
usage: $me RESULT.json... [OUT.svg|OUT.png]

Draw what tcpclient --json=RESULT.json has written: rates and response times
over time, the distribution of response times, and response beside service
time. Several results are laid over one another, one colour for each. Results
without queries (-r 0) show their connections: open over time, and how long
each took to open. The result of a search (--find-max), alone, shows the
response times of its steps over their load.

  RESULT.json  up to $MOST_RESULTS of them
  OUT          the picture, SVG or PNG (default: the first RESULT, with .svg
               in place of .json)
  -h, --help   print this help

Exit status: 0 drawn; 1 could not draw it; 2 bad usage.
EOF
}

complain() {
	printf '%s: %s\n' "$me" "$1" >&2
}

die() {
	complain "$1"
	exit 1
}

usage_error() {
	complain "$1"
	complain "try '$me --help'"
	exit 2
}

# Sets RESULTS and OUT.
read_arguments() {
	RESULTS=()
	while (($# > 0)); do
		case $1 in
		-h | --help)
			usage
			exit 0
			;;
		--)
			shift
			RESULTS+=("$@")
			break
			;;
		-*) usage_error "unknown option '$1': a file of this name goes after --" ;;
		*) RESULTS+=("$1") ;;
		esac
		shift
	done
	OUT=
	if ((${#RESULTS[@]} > 0)); then
		case ${RESULTS[-1]} in
		*.svg | *.png)
			OUT=${RESULTS[-1]}
			unset 'RESULTS[-1]'
			;;
		*.json) ;;
		*)
			((${#RESULTS[@]} == 1)) || [[ -e ${RESULTS[-1]} ]] ||
				usage_error "${RESULTS[-1]}: no such result, and a picture is .svg or .png"
			;;
		esac
	fi
	((${#RESULTS[@]} > 0)) ||
		usage_error "no result: want the file that tcpclient --json=FILE has written"
	((${#RESULTS[@]} <= MOST_RESULTS)) ||
		usage_error "${#RESULTS[@]} results: want at most $MOST_RESULTS, for which there are colours"
	: "${OUT:=${RESULTS[0]%.json}.svg}"
}

# needs COMMAND PACKAGE
needs() {
	command -v "$1" >/dev/null ||
		die "needs $1, which is not installed: apt-get install $2"
}

# Sets NAMES: file names without .json; with their directories where two would be
# the same.
name_results() {
	local result
	NAMES=()
	for result in "${RESULTS[@]}"; do
		result=${result%.json}
		NAMES+=("${result##*/}")
	done
	if [[ -n $(printf '%s\0' "${NAMES[@]}" | sort -z | uniq -zd | tr '\0' .) ]]; then
		NAMES=("${RESULTS[@]%.json}")
	fi
}

#
# One result: what is drawn of it, as JSON.
#

# reduce_result NAME <RESULT: fails where it is none.
reduce_result() {
	jq -cs --arg name "$1" '
	# Points closer than that are not told apart.
	def thin: reduce .[] as $p ([];
		if length == 0 or $p[0] - .[-1][0] >= 0.003 or
			$p[1] >= 1.01 * .[-1][1]
		then . + [$p] else . end);

	# A histogram as the steps of its quantile function, [-log10(1 - q), ms]
	# each: a value holds from the share of all that are smaller.
	def curve:
		.count as $n | ((.max // 0) / 1e6) as $max |
		if $n == 0 then [] else
			[foreach .buckets[] as [$lo, $hi, $count] ([0, 0];
				[.[1], .[1] + $count];
				[($n / ($n - .[0]) | log10),
					([($lo + $hi) / 2e6, $max] | min)])] |
			thin + [[($n | log10), $max]]
		end;

	# By which clock rows and phases are told, in seconds since the epoch.
	def begun: (.times_unix_ns.begun | if . then . / 1e9 else null end) //
		.begun_unix;

	def positive: if . != null and . > 0 then . else null end;
	def milliseconds: positive | if . then . / 1e6 else null end;

	# A row that is cut by the beginning or the end is longer than what is
	# counted in it. What is left of it may be too short to say anything.
	# Only what is offered counts from the warm-up on.
	def rows:
		begun as $begun |
		(.times_unix_ns | map_values(if . then . / 1e9 - $begun else null end)) as $times |
		(.config.warmup_s // 0) as $warmup |
		[.series[] |
			([.t_s - .length_s, $times.query_begin] | max) as $from |
			([.t_s - .length_s, $times.query_begin - $warmup] | max)
				as $offered_from |
			([.t_s, $times.query_end] | min - $from) as $sending |
			([.t_s, $times.close_begin] | min - $from) as $answering |
			select($answering > 0) |
			{row: ., $sending, $answering,
				offering: ($sending + $from - $offered_from),
				to: ($from + $answering - $times.query_begin)}] |
		(if any(.sending >= 0.2) then 0.2 else 1e-6 end) as $least |
		[.[] | select(.answering >= $least) |
			(.sending >= $least) as $is_sending |
			{to, t: (.to - .answering / 2),
			offered: (if $is_sending | not then null
				elif .row.offered then .row.offered / .offering
				else .row.scheduled / .sending end),
			sent: (if $is_sending
				then .row.sent / .sending else null end),
			answered: (.row.answered / .answering)} +
			(.row | {
			p50: .response_p50_ns | milliseconds,
			p99: .response_p99_ns | milliseconds,
			p99_9: .response_p99_9_ns | milliseconds,
			lateness: (if $is_sending
				then .lateness_p99_ns | milliseconds
				else null end)})];

	# What is open between the rows is known at the ends of the phases. When
	# opening ends: all that were opened less those that have ended, if none was
	# opened later in place of another. After the last phase: those that this
	# side had to close.
	def opening:
		(.times_unix_ns.open_begin / 1e9) as $begin |
		begun as $begun |
		(.times_unix_ns | map_values(if . then . / 1e9 - $begin else null end)) as $times |
		[.series[:-1][] | {t: (.t_s + $begun - $begin), open,
			closed: (.closed_by_peer + .reset_by_peer +
				.closed_by_error)}] as $rows |
		([$rows[] | select(.t < $times.close_begin)] +
			[{t: 0, open: 0},
			(if .connections.reopened > 0 then empty else
				{t: $times.open_end, open: ([.connections.peak,
					.connections.opened -
					([$rows[] | select(.t <= $times.open_end) |
						.closed] | add // 0)] | min)} end),
			{t: $times.close_begin, open: .connections.closed_locally},
			{t: $times.close_end, open: 0}]) |
		map(select(.t >= 0)) | sort_by(.t);

	if length == 1 and (.[0] | type == "object" and
		(.config | type) == "object" and
		(.series | type) == "array" and
		(.verdict | type) == "object" and
		([.response_ns?, .service_ns?, .connect_ns?] |
			all(type == "object" and (.buckets | type) == "array")))
	then .[0] | . as $result | {$name, config, verdict, search: .find_max,
		asked: ([.config.program[]? | .begin_qps, .end_qps] |
			if length > 0 then . else [$result.config.rate_qps] end |
			unique | [.[0], .[-1]] | unique |
			map(. * 1e3 | round / 1e3 | tostring) | join(" to ")),
		scheduled: .queries.scheduled,
		opened: .connections.opened,
		rows: (if .queries.scheduled > 0 then rows else [] end),
		opening: (if .connections.opened > 0 then opening else [] end),
		response: .response_ns | curve,
		service: .service_ns | curve,
		connect: .connect_ns | curve,
		marks: (.response_ns | [.p50, .p90, .p99, .p99_9, .p99_99, .max]),
		count: .response_ns.count}
	else "no result" | halt_error(4) end' 2>/dev/null
}

# Sets REDUCED: all of them, one a line.
reduce_results() {
	local i result reduced
	REDUCED=
	for i in "${!RESULTS[@]}"; do
		result=${RESULTS[i]}
		[[ -e $result ]] || die "$result: no such file"
		[[ -r $result && ! -d $result ]] || die "$result: cannot be read"
		reduced=$(reduce_result "${NAMES[i]}" <"$result") ||
			die "$result: not a result of tcpclient --json=FILE"
		REDUCED+=$reduced$'\n'
	done
}

#
# All results: the gnuplot script.
#

# print_data <REDUCED: the part that depends on them: data, ranges, texts.
print_data() {
	jq -rs '
	def text: gsub("[\u0001-\u001f\u007f]"; "?") | gsub("\u0027"; "\u0027\u0027") |
		"\u0027" + . + "\u0027";
	def shortened($most): if length > $most
		then .[:($most * 2 / 3 | floor)] + "…" + .[-($most / 3 | floor) + 1:]
		else . end;
	def number: if . == null then "NaN" else
		(. * 1e6 | round / 1e6 | tostring) end;
	def three_digits: if . == 0 then "0"
		elif . >= 1000 then round | tostring else
		(pow(10; 2 - (log10 | floor))) as $scale |
		(. * $scale | round / $scale | tostring) end;

	# A data block with an index for each result, of rows of numbers.
	def blocks($name; rows): "$\($name) << END",
		(to_entries[] | (if .key > 0 then "", "" else empty end),
		(.value | [rows] | (if length == 0 then [range(5) | null] | [.]
			else . end)[] | map(number) | join(" "))),
		"END";

	# "set yrange ..." for a logarithmic axis of milliseconds: from a 1, 2 or 5
	# to a 1, 2 or 5.
	def steps: [range(-7; 10) as $e | (1, 2, 5) * pow(10; $e)];
	def log_axis: map(values) |
		(if length == 0 then [0.1, 10] else . end) |
		(min * 0.95) as $low | (max * 1.15) as $high |
		([steps[] | select(. <= $low)] | max) as $from |
		([steps[] | select(. >= $high)] | min) as $to |
		($to / $from <= 300) as $short |
		([range(-7; 10) as $e | range(1; 10) |
			. as $digit | ($digit * pow(10; $e)) |
			select(. >= $from * 0.999 and . <= $to * 1.001) |
			if $digit == 1 or ($short and ($digit == 2 or $digit == 5))
			then "\"\(three_digits)\" \(.)"
			else "\"\" \(.) 1" end] | join(", ")) as $tics |
		"set logscale y; set yrange [\($from):\($to)]; set ytics nomirror (\($tics))";

	# The same for x, -log10(1 - q). Where decades are narrow, some have no
	# text.
	def share_axis: ([.[], 1] | max * 1.03) as $to |
		($to <= 6.2) as $wide |
		([[0, "0"], (if $wide then [(2 | log10), "50"] else empty end),
			[1, "90"], [2, "99"],
			(range(3; 14) | [., if $wide or . < 5 or . == 6
				then "99.\("9" * (. - 2))" else "" end])] |
			map(select(.[0] <= $to) | "\"\(.[1])\" \(.[0])") |
			join(", ")) as $tics |
		"set xrange [0:\($to)]; set xtics nomirror (\($tics))";

	def linear($axis; $least): ([.[] | values] + [$least] | max) as $high |
		"set \($axis)range [0:\($high)]";

	def verdict_text: if .verdict.valid then "valid"
		else "not valid: \(.verdict.reasons[0] // "no reason")" end;

	# [UNIT, ITS NAME], with which labels are short.
	def unit($what): (max // 1) as $most |
		if $most >= 1e7 then [1e6, "million " + $what]
		elif $most >= 1e4 then [1e3, "thousand " + $what]
		else [1, $what] end;

	([.[].rows[] | .offered, .sent, .answered | values] |
		unit("queries/s")) as [$unit, $unit_name] |
	([.[].opening[].open] | unit("connections")) as [$open_unit, $open_name] |
	length as $n |
	[.[] | (.name | shortened(48)) +
		(if .verdict.valid then "" else " (not valid)" end)] as $names |
	"N = \($n)",
	"array NAME[N] = [\($names | map(text) | join(", "))]",
	"COLUMNS = \([95 / (($names | map(length) | max) + 8) | floor, 1] | max)",
	"TITLE = \(.[0] | "\(.config.target | shortened(50)), " +
		"\(.config.connections) connections, " +
		if .scheduled == 0 then "no queries"
		else "\(.asked) queries/s asked" end | text)",
	"SUBTITLE = \(.[0] | "\(.name | shortened(60)): \(verdict_text)" |
		if length > 120 then .[:119] + "…" else . end | text)",
	"SINCE = \(if any((.config.warmup_s // 0) > 0) then "measuring"
		else "querying" end | text)",
	"VALID = \(if .[0].verdict.valid then 1 else 0 end)",
	"RATE_LABEL = \($unit_name | text)",
	"RATE_AXIS = \([.[].rows[] | .offered, .sent, .answered | values | . * 1.08 / $unit] |
		linear("y"; 1e-3) | text)",
	"TIME_AXIS = \([.[].rows[].to] | linear("x"; 0.1) | text)",
	"PERCENTILE_AXIS = \([.[].rows[] | .p50, .p99, .p99_9, .lateness] | log_axis | text)",
	"RESPONSE_AXIS = \([.[] | .response[], .service[] | .[1]] | log_axis | text)",
	"SHARE_AXIS = \([.[] | .response[], .service[] | .[0]] | share_axis | text)",
	"OPENING_AXIS = \([.[].opening[].t] | linear("x"; 0.1) | text)",
	"OPEN_LABEL = \($open_name | text)",
	"OPEN_AXIS = \([.[].opening[].open * 1.08 / $open_unit] | linear("y"; 1e-3) | text)",
	"CONNECT_AXIS = \([.[].connect[][1]] | log_axis | text)",
	"CONNECT_SHARE_AXIS = \([.[].connect[][0]] | share_axis | text)",
	"ANSWERS = \(map(.count) | add)",
	"POINTS = \(if map(.rows | length) | max <= 100 then 1 else 0 end)",
	blocks("rates"; .rows[] | [.t, (.offered, .sent, .answered |
		if . then . / $unit else . end)]),
	blocks("times"; .rows[] | [.t, .p50, .p99, .p99_9, .lateness]),
	blocks("response"; .response[]),
	blocks("service"; .service[]),
	blocks("opening"; .opening[] | [.t, .open / $open_unit]),
	blocks("connect"; .connect[]),
	"$marks << END",
	(.[0] | . as $result |
		[.marks, [0.5, 0.9, 0.99, 0.999, 0.9999]] | transpose[] |
		select(.[1] and $result.count * (1 - .[1]) >= 1) |
		[(0 - (1 - .[1] | log10)), (.[0] / 1e6)] |
		"\(.[0]) \(.[1]) \(.[1] | three_digits)"),
	"END",
	"$longest << END",
	(.[0] | select(.count > 0) | [(.count | log10), .marks[5] / 1e6] |
		"\(.[0]) \(.[1]) \"max \(.[1] | three_digits)\""),
	"END"'
}

# The part that is the same for all of them.
print_style() {
	cat <<'EOF'
# Of Okabe and Ito: told apart by nearly everyone, and in grey.
COLOURS = '#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #000000'
colour(i) = word(COLOURS, i)
faint(i) = '#A0' . colour(i)[2:]
BLUE = '#0072B2'; RED = '#D55E00'; ORANGE = '#E69F00'; SKY = '#56B4E9'
GREY = '#C0C0C0'; DARK = '#444444'

set border 3 lc rgb DARK
set tics nomirror out scale 0.6, 0.3
set grid xtics ytics lt 1 lc rgb '#DDDDDD' lw 0.8
set style data lines
set samples 2

# Legends are above the panels, where no data is.
LEGEND_ROWS = ceil(1.0 * N / COLUMNS)
HEAD = N == 1 ? 72 : 20 + 28 * LEGEND_ROWS
ROW = (TALL - HEAD) / ROWS
LEFT = 0.072
WIDE = 0.415
left(column) = column == 1 ? LEFT : 1 - 0.013 - WIDE
floor_of(row) = (ROWS - row) * ROW + 75
ceiling_of(row) = (ROWS - row + 1) * ROW - 62
place(column, row) = sprintf("set lmargin at screen %f; \
	set rmargin at screen %f; set bmargin at screen %f; \
	set tmargin at screen %f", left(column), left(column) + WIDE, \
	floor_of(row) / TALL, ceiling_of(row) / TALL)
heading(column, row, text) = sprintf("set label 1 '%s' at screen %f, %f \
	left font ',17'; set key at screen %f, %f right center vertical Left reverse \
	samplen 2.5 width -2 font ',14' maxrows 2 maxcols auto", text, \
	left(column), (ceiling_of(row) + 30) / TALL, left(column) + WIDE, \
	(ceiling_of(row) + 30) / TALL)
# Always as far from the axis, however long what is written at its tics.
unit(column, row, text) = sprintf("set label 3 '%s' at screen %f, %f center \
	rotate", text, left(column) - 0.061, \
	(floor_of(row) + ceiling_of(row)) / 2 / TALL)
panel(column, row, text, unit_text) = place(column, row) . '; ' . \
	heading(column, row, text) . '; ' . unit(column, row, unit_text)
over_time(since) = sprintf("set xlabel 'seconds since %s began'; \
	unset logscale; set xtics nomirror autofreq; \
	set ytics nomirror autofreq", since)

NOTHING = "set label 2 'no answers' at graph 0.5, 0.5 center"

set multiplot

# The head: what it was, or which colour is which result.
set lmargin at screen 0.01; set rmargin at screen 0.99
set bmargin at screen 0.5; set tmargin at screen 0.99
unset border; unset tics; unset grid
set xrange [0:1]; set yrange [0:1]
if (N == 1) {
	set label 1 TITLE at screen 0.5, 1 - 24.0 / TALL center font ',20'
	set label 2 SUBTITLE at screen 0.5, 1 - 54.0 / TALL center font ',16' \
		tc rgb VALID ? DARK : '#B00000'
	plot NaN notitle
	unset label 2
} else {
	set key at screen 0.5, 1 - 12.0 / TALL center top horizontal Left \
		reverse samplen 3 width 2 maxcols COLUMNS maxrows LEGEND_ROWS
	plot for [i = 1:N] NaN with lines lw 5 lc rgb colour(i) title NAME[i]
}
set border 3 lc rgb DARK
set grid xtics ytics lt 1 lc rgb '#DDDDDD' lw 0.8
set tics nomirror out scale 0.6, 0.3
EOF
}

print_query_panels() {
	cat <<'EOF'
#
# Rates.
#
eval panel(1, 1, 'Rate', RATE_LABEL)
eval over_time(SINCE)
eval TIME_AXIS
eval RATE_AXIS
if (N == 1) {
	plot $rates using 1:2 lw 9 lc rgb GREY title 'offered', \
		'' using 1:3 lw 4 lc rgb ORANGE title 'sent', \
		'' using 1:4 with linespoints lw 1.5 pt 7 \
			ps POINTS ? 0.5 : 0 lc rgb BLUE title 'answered'
} else {
	plot for [i = 1:N] $rates index i - 1 using 1:2 lw 9 \
			lc rgb faint(i) notitle, \
		for [i = 1:N] '' index i - 1 using 1:3 lw 2.5 dt (6, 4) \
			lc rgb colour(i) notitle, \
		for [i = 1:N] '' index i - 1 using 1:4 with linespoints \
			lw 1.5 pt 7 ps POINTS ? 0.5 : 0 lc rgb colour(i) \
			notitle, \
		NaN lw 9 lc rgb GREY title 'offered', \
		NaN lw 2.5 dt (6, 4) lc rgb DARK title 'sent', \
		NaN with linespoints lw 1.5 pt 7 ps 0.5 lc rgb DARK \
			title 'answered'
}

#
# Percentiles over time.
#
eval panel(2, 1, 'Response time', 'ms')
eval over_time(SINCE)
eval TIME_AXIS
eval PERCENTILE_AXIS
if (N == 1) {
	plot $times using 1:4 with linespoints lw 2 pt 7 \
			ps POINTS ? 0.5 : 0 lc rgb RED title 'p99.9', \
		'' using 1:3 with linespoints lw 2 pt 7 \
			ps POINTS ? 0.5 : 0 lc rgb ORANGE title 'p99', \
		'' using 1:2 with linespoints lw 2 pt 7 \
			ps POINTS ? 0.5 : 0 lc rgb BLUE title 'p50', \
		'' using 1:5 lw 1 dt (6, 4) lc rgb DARK title 'lateness p99'
} else {
	plot for [i = 1:N] $times index i - 1 using 1:4 with linespoints \
			lw 1.5 dt (10, 4) pt 7 ps POINTS ? 0.4 : 0 \
			lc rgb colour(i) notitle, \
		for [i = 1:N] '' index i - 1 using 1:3 with linespoints \
			lw 2.5 pt 7 ps POINTS ? 0.4 : 0 lc rgb colour(i) \
			notitle, \
		for [i = 1:N] '' index i - 1 using 1:2 with linespoints \
			lw 2 dt (2, 3) pt 7 ps POINTS ? 0.4 : 0 \
			lc rgb colour(i) notitle, \
		for [i = 1:N] '' index i - 1 using 1:5 lw 0.8 \
			lc rgb faint(i) notitle, \
		NaN lw 1.5 dt (10, 4) lc rgb DARK title 'p99.9', \
		NaN lw 2.5 lc rgb DARK title 'p99', \
		NaN lw 2 dt (2, 3) lc rgb DARK title 'p50', \
		NaN lw 0.8 lc rgb '#909090' title 'lateness p99'
}

#
# The distributions.
#
eval panel(1, 2, 'Distribution of response time', 'ms')
eval RESPONSE_AXIS
eval SHARE_AXIS
set xlabel 'percentile (answers that took no longer, %)'
if (ANSWERS == 0) { eval NOTHING }
if (N == 1) {
	plot $response with steps lw 2 lc rgb BLUE notitle, \
		$marks using 1:2 with points pt 7 ps 0.7 lc rgb BLUE notitle, \
		'' using 1:2:3 with labels left offset 0.6, -0.6 \
			font ',14' notitle, \
		$longest using 1:2 with points pt 7 ps 0.7 lc rgb BLUE \
			notitle, \
		'' using 1:2:3 with labels right offset 0, 0.7 font ',14' \
			notitle
} else {
	plot for [i = 1:N] $response index i - 1 with steps lw 2 \
		lc rgb colour(i) notitle
}

eval panel(2, 2, 'Response and service time', 'ms')
if (N == 1) {
	plot $service with steps lw 2 dt (10, 4) lc rgb RED \
			title 'service (since sent)', \
		$response with steps lw 2 lc rgb BLUE \
			title 'response (since due)'
} else {
	plot for [i = 1:N] $service index i - 1 with steps lw 2 dt (10, 4) \
			lc rgb colour(i) notitle, \
		for [i = 1:N] $response index i - 1 with steps lw 2 \
			lc rgb colour(i) notitle, \
		NaN lw 2 dt (10, 4) lc rgb DARK \
			title 'service (since sent)', \
		NaN lw 2 lc rgb DARK title 'response (since due)'
}
EOF
}

print_opening_panels() {
	cat <<'EOF'
eval panel(1, 1, 'Open connections', OPEN_LABEL)
eval over_time('opening')
eval OPENING_AXIS
eval OPEN_AXIS
plot for [i = 1:N] $opening index i - 1 with linespoints lw 2 pt 7 \
	ps POINTS ? 0.5 : 0 lc rgb colour(i) notitle

eval panel(2, 1, 'Distribution of connect time', 'ms')
eval CONNECT_AXIS
eval CONNECT_SHARE_AXIS
set xlabel 'percentile (connections that took no longer, %)'
plot for [i = 1:N] $connect index i - 1 with steps lw 2 lc rgb colour(i) \
	notitle
EOF
}

# A search: the times of each step over its load. Steps that held and steps that
# did not have different marks, for they may have the same load.
print_search() {
	jq -r '
	def text: gsub("[\u0001-\u001f\u007f]"; "?") | gsub("\u0027"; "\u0027\u0027") |
		"\u0027" + . + "\u0027";
	def milliseconds: if . != null and . > 0 then . / 1e6 else "NaN" end;
	def points($name; $steps; key): "$\($name) << END",
		([$steps[] | "\(.load) \(key | milliseconds)"] |
			if length == 0 then "NaN NaN" else .[] end),
		"END";
	(.search.steps | sort_by(.load)) as $steps |
	($steps | map(select(.held))) as $held |
	($steps | map(select(.held | not))) as $failed |
	"TITLE = \("\(.config.target): most \(.search.what) until \(.search.until | join(", "))" |
		if length > 110 then .[:109] + "…" else . end | text)",
	"SUBTITLE = \(if .search.best == null then "no step held"
		else "holds \(.search.best.load) \(.search.what)" end +
		(if .search.limit == null then "" else
		", stopped at \(.search.limit.load) (\(.search.limit.stopped_by))"
		end) | text)",
	"WHAT = \(.search.what | text)",
	points("held_p50"; $held; .response_p50_ns),
	points("held_p99"; $held; .response_p99_ns),
	points("failed_p50"; $failed; .response_p50_ns),
	points("failed_p99"; $failed; .response_p99_ns)'
	cat <<'EOF'
set title sprintf("%s\n%s", TITLE, SUBTITLE) font ',17'
set border 3
set grid
set tics nomirror
set logscale y
set xrange [0:*]
set format y '%g'
set xlabel WHAT
set ylabel 'response time, ms'
set key outside right center reverse Left samplen 2
plot $held_p50 with linespoints lw 2 pt 6 ps 1 lc rgb '#56B4E9' title 'p50, held', \
	$held_p99 with linespoints lw 2 pt 7 ps 1 lc rgb '#0072B2' title 'p99, held', \
	$failed_p50 with points pt 1 ps 1.4 lw 2 lc rgb '#E69F00' title 'p50, not held', \
	$failed_p99 with points pt 2 ps 1.4 lw 2 lc rgb '#D55E00' title 'p99, not held'
EOF
}

# print_script <REDUCED
print_script() {
	local rows=2 height=1000
	((QUERIES && !SEARCH)) || {
		rows=1
		height=560
	}
	case $OUT in
	*.png) echo "set terminal pngcairo size 1400,$height noenhanced font 'sans,15'" ;;
	*) echo "set terminal svg size 1400,$height noenhanced font 'sans-serif,15' background 'white'" ;;
	esac
	echo 'set encoding utf8'
	if ((SEARCH)); then
		print_search
		return
	fi
	echo "ROWS = $rows; TALL = $height.0"
	print_data || return
	print_style
	if ((QUERIES)); then
		print_query_panels
	else
		print_opening_panels
	fi
	echo 'unset multiplot'
}

# Sets SEARCH: whether it is the result of --find-max, whose steps have one axis.
look_for_search() {
	SEARCH=$(jq -s 'map(select(.search)) | length' <<<"$REDUCED")
	((SEARCH == 0 || ${#RESULTS[@]} == 1)) ||
		die "the result of a search (--find-max) is drawn alone"
	((SEARCH == 0)) || jq -e 'any(.search.steps; . != [])' <<<"$REDUCED" >/dev/null ||
		die "${RESULTS[0]}: nothing to draw: no step of the search came to its end"
}

# Sets QUERIES: whether there are any. Some with and some without have no panel
# in common.
look_for_queries() {
	local i scheduled opened with=0
	i=0
	while read -r scheduled opened; do
		((scheduled > 0 || opened > 0)) ||
			die "${RESULTS[i]}: nothing to draw: no connection was opened"
		((scheduled == 0)) || ((with++))
		((i++))
	done < <(jq -r '"\(.scheduled) \(.opened)"' <<<"$REDUCED")
	((with == 0 || with == i)) ||
		die "some of the results have queries and some have none (-r 0): nothing to compare"
	QUERIES=$((with > 0))
}

# The picture is written whole or not at all: it waits in a file without a name.
draw() {
	local picture messages reason
	picture=$(mktemp) || exit 1
	exec 3>"$picture"
	exec 4<"$picture"
	rm -f -- "$picture"
	messages=$(printf '%s' "$REDUCED" | print_script |
		gnuplot -d - 2>&1 >&3 3>&- 4<&-) ||
		die "gnuplot failed: $messages"
	reason=$({ cat <&4 >"$OUT"; } 2>&1) ||
		die "$OUT: cannot be written: ${reason##*: }"
}

read_arguments "$@"
needs jq jq
needs gnuplot gnuplot-nox
name_results
reduce_results
look_for_search
look_for_queries
draw
