#!/usr/bin/env bats
# Command lines: what is wrong is said, with the option and what would be right.

load helpers

bats_require_minimum_version 1.5.0

# refuses PROGRAM MESSAGE ARGUMENT...: exit 2, and the message is on stderr.
refuses() {
	local program=$1 message=$2
	shift 2
	run -2 --separate-stderr "$program" "$@"
	[ -z "$output" ]
	# shellcheck disable=SC2154
	if [[ $stderr != *"$message"* ]]; then
		echo "expected '$message', got: $stderr" >&2
		return 1
	fi
}

@test "client: missing and excess arguments" {
	refuses "$TCPCLIENT" "-c is missing" -r 1 ::1
	refuses "$TCPCLIENT" "-r is missing" -c 1 ::1
	refuses "$TCPCLIENT" "HOST is missing" -c 1 -r 1
	refuses "$TCPCLIENT" "all be IPv4, or all IPv6" -a ::1 -c 1 -r 1 127.0.0.1
	refuses "$TCPCLIENT" "a port belongs to -p, or behind its HOST, as in localhost:4242" \
		-c 1 -r 1 localhost 4242
	refuses "$TCPCLIENT" "HOST :4242: nothing in front of the port" -c 1 -r 1 :4242
	refuses "$TCPCLIENT" "-6: HOST is an IPv4 address" -6 -c 1 -r 1 127.0.0.1
	refuses "$TCPCLIENT" "more workers than connections" -w 2 -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "-h shows the options" -c 1 -r 1 -Q ::1
	refuses "$TCPCLIENT" "-h shows the options" --tls -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "exclude each other" -4 -6 -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "use --json=FILE" -R --json -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "use --json=FILE" --json --histogram - -c 1 -r 1 ::1
}

@test "client: --merge takes files, not the options of a run" {
	local takes="--merge takes only --json, --histogram, --series, --fail, --max-lateness and -v"
	refuses "$TCPCLIENT" "FILE is missing" --merge
	refuses "$TCPCLIENT" "FILE is missing" --merge --json=all.json
	refuses "$TCPCLIENT" "$takes" --merge -c 1 a.json
	refuses "$TCPCLIENT" "$takes" -r 1 --merge a.json
	refuses "$TCPCLIENT" "$takes" --merge -i 1 a.json
	refuses "$TCPCLIENT" "$takes" --merge -R a.json
	refuses "$TCPCLIENT" "$takes" --merge --probe a.json
	refuses "$TCPCLIENT" "only one FILE can be -" --merge - a.json -
	refuses "$TCPCLIENT" "a.json would be read and written" \
		--merge --json=a.json b.json a.json
	refuses "$TCPCLIENT" "use --json=FILE" --merge --json --series - a.json
}

@test "client: values are accepted only whole" {
	local bad
	for bad in "" 0 -5 +5 " 5" "5 " 5x 0x5 1e3 5.5 99999999999999999999; do
		refuses "$TCPCLIENT" "-c $bad: " -c "$bad" -r 1 ::1
	done
	for bad in "" -1 1k5 1e3 5. nan inf 2000M; do
		refuses "$TCPCLIENT" "-r $bad: " -c 1 -r "$bad" ::1
	done
	for bad in "" -1 1d 1ks 10000h; do
		refuses "$TCPCLIENT" "-t $bad: " -c 1 -r 1 -t "$bad" ::1
		refuses "$TCPCLIENT" "--timeout $bad: " -c 1 -r 1 \
			--timeout "$bad" ::1
	done
	for bad in 0 65536 http 53,53 53, 7-5 5-; do
		refuses "$TCPCLIENT" "-p $bad: " -p "$bad" -c 1 -r 1 ::1
	done
	for bad in 0 -1 4097 x autos ""; do
		refuses "$TCPCLIENT" "-w $bad: " -w "$bad" -c 1 -r 1 ::1
	done
	for bad in host 127.0.0.1, 127.0.0.1/8 ::/64 127.0.0.2-127.0.0.1; do
		refuses "$TCPCLIENT" "-a $bad: " -a "$bad" -c 1 -r 1 ::1
	done
	for bad in 127.0.0.1/8 ::/64 127.0.0.2-127.0.0.1 fe80::1%; do
		refuses "$TCPCLIENT" "$bad: " -c 1 -r 1 127.0.0.1 "$bad"
		refuses "$TCPCLIENT" "$bad: " -c 1 -r 1 "127.0.0.1,$bad"
	done
	for bad in "" 127.0.0.1, ,::1 ::1,,::2; do
		refuses "$TCPCLIENT" "HOST $bad: nothing" -c 1 -r 1 "$bad"
	done
	refuses "$TCPCLIENT" "not fin or rst" --close reset -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "-t must be more than 0" -c 1 -r 1 -t 0 ::1
	refuses "$TCPCLIENT" "--timeout must be" -c 1 -r 1 --timeout 0 ::1
	refuses "$TCPCLIENT" "-s -1: " -c 1 -r 1 -s -1 ::1
}

@test "client: how connections live" {
	local bad
	for bad in "" -1 1k5 x 2000M; do
		refuses "$TCPCLIENT" "--churn $bad: " --churn "$bad" -c 1 -r 1 ::1
	done
	refuses "$TCPCLIENT" "--churn must be more than 0" --churn 0 -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "not oldest or random" \
		--churn 1 --churn-pick youngest -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "--churn-pick belongs to --churn" \
		--churn-pick oldest -c 1 -r 1 ::1
	for bad in "" -1 1.5 x 4294967296; do
		refuses "$TCPCLIENT" "--queries-per-connection $bad: " \
			--queries-per-connection "$bad" -c 1 -r 1 ::1
	done
	refuses "$TCPCLIENT" "0 sends no query: no -r but 0" \
		--queries-per-connection 0 -c 1 -r 1 ::1
	refuses "$TCPCLIENT" "0 sends no query: no -r but 0" \
		--queries-per-connection 0 -c 1 --every 1s ::1
	refuses "$TCPCLIENT" "0 sends no query: no -r but 0" \
		--queries-per-connection 0 -c 1 --program 1s@5 ::1
	refuses "$TCPCLIENT" "--reconnect always: not none, now or backoff" \
		--reconnect always -c 1 -r 1 ::1
	for bad in "" -1 1d x; do
		refuses "$TCPCLIENT" "--every $bad: " --every "$bad" -c 1 ::1
	done
	refuses "$TCPCLIENT" "--every must be at least 1ms" --every 0 -c 1 ::1
	refuses "$TCPCLIENT" "--every must be at least 1ms" \
		--every 999us -c 1 ::1
	refuses "$TCPCLIENT" "--every: more than 1000M queries per second" \
		--every 1ms -c 2000000 ::1
	for bad in "-r 1" "--program 1s@5" --stdin "-r 1 --stdin-rateslope" \
		"--arrival poisson"; do
		# shellcheck disable=SC2086
		refuses "$TCPCLIENT" "--every says how many queries" \
			--every 1s $bad -c 1 ::1 </dev/null
	done
	for bad in "--churn 1" "--queries-per-connection 1" "--reconnect now" \
		"--every 1s" --drop-on-timeout; do
		# shellcheck disable=SC2086
		refuses "$TCPCLIENT" "--find-max goes without --churn" \
			--find-max rate --until "p99>1s" -c 1 $bad ::1
		# shellcheck disable=SC2086
		refuses "$TCPCLIENT" "--merge takes only" --merge $bad a.json
	done
	refuses "$TCPCLIENT" "-h shows the options" --drop-on-timeout=1 -c 1 -r 1 ::1
}

@test "server: values are accepted only whole" {
	local bad
	for bad in "" -1 65536 x 7199-7000 7000-65536 53,,853 53,53 0-1; do
		refuses "$TCPSERVER" "PORT $bad: " -- "$bad"
	done
	refuses "$TCPSERVER" "-B 0: " -B 0
	refuses "$TCPSERVER" "--max-connections x: " --max-connections x
	refuses "$TCPSERVER" "-i must be" -i 1ms
	refuses "$TCPSERVER" "PORT 7000-7010: " 7005 7000-7010
	for bad in "" 0 -1 x 1.5 4097 5000 autos; do
		refuses "$TCPSERVER" "-w $bad: neither auto nor" -w "$bad"
	done
	refuses "$TCPSERVER" "-h shows the options" -Q
}

@test "a host or address that does not exist: exit 1" {
	run -1 "$TCPCLIENT" -c 1 -r 1 nobody.invalid
	[[ $output == *"nobody.invalid: "* ]]
	run -1 "$TCPSERVER" -b nobody.invalid 0
	[[ $output == *"nobody.invalid: "* ]]
	run -1 "$TCPSERVER" -b 192.0.2.1 0
	[[ $output == *"cannot bind"* ]]
}

@test "help and version go to stdout, exit 0, and fail with it" {
	local program
	for program in "$TCPCLIENT" "$TCPSERVER"; do
		run -0 --separate-stderr "$program" -h
		[[ $output == usage:* ]]
		[ -z "$stderr" ]
		run -0 "$program" --version
		[[ $output == tcp*" 2."* ]]
		run -1 bash -c '"$0" -h >/dev/full' "$program"
	done
}

@test "every option of the help is known, and none is missing in it" {
	local option
	for option in -p -c -r -n -t -s -w --workers -a --source -4 -6 --probe \
		--close --churn --churn-pick --queries-per-connection --reconnect \
		--every --drop-on-timeout -R -i --report --timeout --connect-timeout --json --histogram --merge \
		--check --force -v -h -V; do
		"$TCPCLIENT" -h | grep -qe "$option"
	done
	for option in -b --bind -B --backlog -w --workers --max-connections -i --report \
		--json --check -n -r --force -v -h -V; do
		"$TCPSERVER" -h | grep -qe "$option"
	done
}
