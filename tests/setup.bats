#!/usr/bin/env bats
#
# setup-server.sh and setup-client.sh, on real kernel values.  Each test has a
# network namespace of its own, for most of net.* belongs to a namespace.  What
# belongs to the whole host (fs.*, net.core.netdev_max_backlog) is covered, in a
# mount namespace, by ordinary files with the defaults of a small host.  Both
# namespaces live as long as one process that waits for the test to end.

bats_require_minimum_version 1.5.0

values="fs.nr_open fs.file-max net.core.netdev_max_backlog net.core.somaxconn
	net.ipv4.tcp_max_syn_backlog net.ipv4.tcp_syncookies
	net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports
	net.ipv4.tcp_tw_reuse net.ipv4.tcp_timestamps fs.epoll.max_user_watches kernel.pid_max
	net.ipv4.tcp_max_tw_buckets"

setup_file() {
	local tool
	print_values >"$BATS_FILE_TMPDIR/host"

	# Directories to use as PATH: all tools but those for firewall rules, and
	# the same with nft.
	mkdir "$BATS_FILE_TMPDIR/bare" "$BATS_FILE_TMPDIR/only-nft"
	ln -sf /sbin/* /bin/* /usr/sbin/* /usr/bin/* "$BATS_FILE_TMPDIR/bare"
	rm -f "$BATS_FILE_TMPDIR"/bare/{iptables*,ip6tables*,xtables*,nft}
	if tool=$(command -v nft); then
		ln -s "$tool" "$BATS_FILE_TMPDIR/only-nft/nft"
	fi
}

# The tests cannot reach the host's values.  If one does all the same, say which
# and put it back.
teardown_file() {
	local name value
	diff "$BATS_FILE_TMPDIR/host" <(print_values) && return
	while read -r name value; do
		[ "$value" = missing ] || echo "$value" >"$(in_place "$name")"
	done <"$BATS_FILE_TMPDIR/host"
	echo "# the values of the host were changed, and have been put back" >&3
	return 1
}

# The scripts, beside the programs that are tested, wherever those were built.
make_tree() {
	local from=$BATS_TEST_DIRNAME/..
	root=$BATS_TEST_TMPDIR/tree
	mkdir -p "$root/lib"
	cp "$from/setup-server.sh" "$from/setup-client.sh" "$root"
	cp "$from/lib/setup.sh" "$root/lib"
	ln -s "$TCPCLIENT" "$TCPSERVER" "$root"
}

setup() {
	local answer=
	[ "$(id -u)" -eq 0 ] || skip "only root can make namespaces"

	make_tree
	server=$root/setup-server.sh
	client=$root/setup-client.sh
	bare=$BATS_FILE_TMPDIR/bare
	only_nft=$BATS_FILE_TMPDIR/only-nft:$bare
	public=
	export TCPSCALER_STATE_DIR=$BATS_TEST_TMPDIR/state

	make_namespaces
	# The process holds no descriptor of bats, and ends when bats does.
	coproc HOLDER { exec unshare -n -m --propagation private \
		sh "$BATS_TEST_TMPDIR/cover" 2>"$BATS_TEST_TMPDIR/errors" 3>&-; }
	holder=$HOLDER_PID
	read -r -t 60 -u "${HOLDER[0]}" answer || true
	[ "$answer" = ready ] ||
		skip "no namespaces here: $(cat "$BATS_TEST_TMPDIR/errors")"
	# nsenter leaves a chroot, and finds nothing of this tree outside
	inside test -x "$server" || skip "no namespaces here: this is a chroot"
	before=$(snapshot)
}

teardown() {
	# The process that holds the namespaces ends at the end of its input.
	if [ -n "${HOLDER_PID:-}" ]; then
		exec {HOLDER[1]}>&-
		wait "$holder" || true
	fi
	[ -z "${public:-}" ] || rm -rf "$public"
}

# What the process that holds the namespaces does in them.
make_namespaces() {
	mkdir "$BATS_TEST_TMPDIR/core"
	echo 1048576 >"$BATS_TEST_TMPDIR/nr_open"
	echo 200000 >"$BATS_TEST_TMPDIR/file-max"
	echo 1000 >"$BATS_TEST_TMPDIR/core/netdev_max_backlog"
	touch "$BATS_TEST_TMPDIR/core/somaxconn"
	cat >"$BATS_TEST_TMPDIR/cover" <<-EOF
		set -e
		cd "$BATS_TEST_TMPDIR"
		mount --bind nr_open /proc/sys/fs/nr_open
		mount --bind file-max /proc/sys/fs/file-max
		mount --bind /proc/sys/net/core/somaxconn core/somaxconn
		mount --rbind core /proc/sys/net/core
		echo 4096 >/proc/sys/net/core/somaxconn
		echo 512 >/proc/sys/net/ipv4/tcp_max_syn_backlog
		echo 1 >/proc/sys/net/ipv4/tcp_syncookies
		echo 32768 60999 >/proc/sys/net/ipv4/ip_local_port_range
		echo 2 >/proc/sys/net/ipv4/tcp_tw_reuse
		echo 0 >/proc/sys/net/ipv4/tcp_timestamps
		echo ready
		exec cat
	EOF
}

inside() {
	nsenter -t "$holder" -n -m -- "$@"
}

# in_place NAME: where the value NAME is.
in_place() {
	echo "/proc/sys/${1//./\/}"
}

print_values() {
	local name words
	for name in $values; do
		read -r -a words 2>/dev/null <"/proc/sys/${name//./\/}" || words=missing
		echo "$name ${words[*]}"
	done
}

get() {
	inside cat "$(in_place "$1")" | xargs
}

put() {
	echo "$2" | inside tee "$(in_place "$1")" >/dev/null
}

rules() {
	"$1" -t raw -S 2>/dev/null | grep -v ^-P || true
}

print_rules() {
	rules iptables
	rules ip6tables
	nft list tables 2>/dev/null | grep tcpscaler || true
}

inside_rules() {
	export -f rules
	inside bash -c "rules $1"
}

# All that the scripts may change, as it is inside.
snapshot() {
	export -f print_values print_rules rules
	values=$values inside bash -c 'print_values; print_rules'
}

unchanged() {
	diff <(echo "$before") <(snapshot)
}

# all_kept TEXT: every line says that nothing was to be done.
all_kept() {
	[ -n "$1" ]
	! grep -v '(kept)$' <<<"$1"
}

# has_line LINE: the command printed exactly this line.
has_line() {
	grep -qxF -e "$1" <<<"$output" || {
		echo "no line '$1' in:"
		echo "$output"
		return 1
	}
}

# Make this a kernel without connection tracking: values alone are of interest.
hide_tracking() {
	mkdir -p "$BATS_TEST_TMPDIR/empty"
	[ ! -d /proc/sys/net/netfilter ] ||
		inside mount --bind "$BATS_TEST_TMPDIR/empty" /proc/sys/net/netfilter
}

make_read_only() {
	inside mount --bind -o ro "$(in_place "$1")" "$(in_place "$1")"
}

make_writable() {
	inside umount "$(in_place "$1")"
}

need_tracking() {
	inside test -e /proc/sys/net/netfilter/nf_conntrack_count ||
		skip "this kernel does not track connections"
}

need_iptables() {
	local tool why
	need_tracking
	for tool in iptables ip6tables; do
		why=$(inside "$tool" -t raw -I OUTPUT -p tcp --dport 9 -j CT --notrack 2>&1) ||
			skip "$tool does not work here: ${why//$'\n'/ }"
		inside "$tool" -t raw -D OUTPUT -p tcp --dport 9 -j CT --notrack
	done
}

# add_to_output TABLE PRIORITY RULE: a table with one rule for what is sent.
add_to_output() {
	inside nft add table inet "$1"
	inside nft add chain inet "$1" output "{ type filter hook output priority $2; }"
	inside nft add rule inet "$1" output "$3"
}

need_nft() {
	local why
	need_tracking
	why=$(add_to_output probe raw "tcp dport 9 notrack" 2>&1) ||
		skip "nft does not work here: ${why//$'\n'/ }"
	inside nft delete table inet probe
}

server_rules="-A PREROUTING -p tcp -m tcp --dport 4242 -j CT --notrack
-A OUTPUT -p tcp -m tcp --sport 4242 -j CT --notrack"
client_rules="-A PREROUTING -p tcp -m tcp --sport 4242 -j CT --notrack
-A OUTPUT -p tcp -m tcp --dport 4242 -j CT --notrack"

# ---- Usage ----

@test "setup: --help explains the options" {
	local script
	for script in "$server" "$client"; do
		run --separate-stderr "$script" --help
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
		[[ "$output" == "usage: ${script##*/} [-p PORT]"* ]]
		[[ "$output" == *--dry-run*--restore*COMMAND* ]]
	done
}

# refuses WORDS ARG...: ARG... is bad usage, and the message has WORDS in it.
refuses() {
	local words=$1
	shift
	run --separate-stderr inside "$server" "$@"
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[[ "$stderr" == "setup-server.sh: "*"$words"* ]]
}

@test "setup: bad usage is refused with the reason, and changes nothing" {
	refuses "-p needs a port, as in -p 4242" -p
	refuses "'' is not a port: want a number from 1 to 65535" -p ""
	refuses "'0' is not a port" -p 0
	refuses "'65536' is not a port" -p 65536
	refuses "'99999999999999999999' is not a port" -p 99999999999999999999
	refuses "'080' is not a port" -p 080
	refuses "'-1' is not a port" -p -1
	refuses "'1-5' is not a port" -p1-5
	refuses "'4 2' is not a port" -p "4 2"
	refuses "-c needs a number of connections" -c
	refuses "-c 1e6: want a number" -c 1e6
	refuses "-c 0: want a number" -c 0
	refuses "-c 0k: want a number from 1 to 1000M" -c 0k
	refuses "-c 00M: want a number from 1 to 1000M" -c 00M
	refuses "-c 999999999M: want a number from 1 to 1000M" -c 999999999M
	refuses "-c 18446744073709551617: want a number" -c 18446744073709551617
	refuses "-r 1001M: want queries per second, at most 1000M" -c 10 -r 1001M
	refuses "-n 1000001k: want new connections per second, at most 1000M" -c 10 -n 1000001k
	refuses "-r x: want queries per second" -c 10 -r x
	refuses "-r 1.: want queries per second" -c 10 -r 1.
	refuses "-r 1.5.5: want queries per second" -c 10 -r 1.5.5
	refuses "-n .: want new connections per second" -c 10 -n .
	refuses "-n 1000.5M: want new connections per second" -c 10 -n 1000.5M
	refuses "-r and -n go with -c" -r 1000
	refuses "-r and -n go with -c" -n 1000
	refuses "unknown option '--dryrun': want" --dryrun
	refuses "unknown option '-x': want" -x
	refuses "unexpected argument 'true': a command goes after --, as in setup-server.sh -- true" true
	refuses "no command after --" --
	refuses "--restore runs no command: leave out '-- true'" --restore -- true
	unchanged
	[ ! -e "$TCPSCALER_STATE_DIR" ]
}

# A copy of the scripts where everyone can read it.
publish() {
	public=$(mktemp -d)
	mkdir "$public/lib"
	cp "$server" "$client" "$public"
	cp "$root/lib/setup.sh" "$public/lib"
	chmod -R a+rX "$public"
}

@test "setup: only root may change anything, anyone may look" {
	local nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
	local script
	hide_tracking
	publish
	for script in "$public"/setup-*.sh; do
		run --separate-stderr inside $nobody "$script"
		[ "$status" -eq 1 ]
		[ -z "$output" ]
		[[ "$stderr" == *"only root can do this; --dry-run shows"* ]]

		run --separate-stderr inside $nobody "$script" --dry-run
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
		has_line "fs.file-max: 200000 -> 10000000"
	done
	unchanged
}

@test "setup: the library is found from an installed layout and through links" {
	local bin=$BATS_TEST_TMPDIR/prefix/sbin
	local share=$BATS_TEST_TMPDIR/prefix/share/tcpscaler
	mkdir -p "$bin" "$share"
	cp "$server" "$bin"
	cp "$root/lib/setup.sh" "$share"
	"$bin/setup-server.sh" --help
	ln -s prefix/sbin/setup-server.sh "$BATS_TEST_TMPDIR/prepare"
	"$BATS_TEST_TMPDIR/prepare" --help

	rm "$share/setup.sh"
	run --separate-stderr "$bin/setup-server.sh" --help
	[ "$status" -eq 1 ]
	[[ "$stderr" == "setup-server.sh: cannot read lib/setup.sh"* ]]
}

@test "setup: the state directory must be usable" {
	touch "$BATS_TEST_TMPDIR/file"
	TCPSCALER_STATE_DIR=$BATS_TEST_TMPDIR/file/state
	run --separate-stderr inside "$server"
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"set TCPSCALER_STATE_DIR"* ]]
	unchanged
}

# ---- Values ----

@test "setup: --dry-run prints every change and makes none" {
	local ruleset
	ruleset=$(inside nft list ruleset 2>/dev/null || true)
	hide_tracking

	run --separate-stderr inside "$server" --dry-run
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	diff - <(echo "$output") <<-EOF
		fs.nr_open: 1048576 -> 4194304
		fs.file-max: 200000 -> 10000000
		net.core.netdev_max_backlog: 1000 -> 100000
		net.ipv4.tcp_max_syn_backlog: 512 -> 65535
		net.core.somaxconn: 4096 -> 65535
		net.ipv4.tcp_syncookies: 1 -> 0
		net.ipv4.tcp_timestamps: 0 -> 1
		connection tracking: absent (kept)
	EOF

	run --separate-stderr inside "$client" --dry-run -- ls -l
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	diff - <(echo "$stderr") <<-EOF
		fs.nr_open: 1048576 -> 4194304
		fs.file-max: 200000 -> 10000000
		net.core.netdev_max_backlog: 1000 -> 100000
		net.ipv4.ip_local_reserved_ports: (empty) -> 4242
		net.ipv4.ip_local_port_range: 32768 60999 -> 1024 65535
		net.ipv4.tcp_tw_reuse: 2 -> 1
		net.ipv4.tcp_timestamps: 0 -> 1
		connection tracking: absent (kept)
		would run: ls -l
	EOF

	unchanged
	[ "$(inside nft list ruleset 2>/dev/null || true)" = "$ruleset" ]
	[ ! -e "$TCPSCALER_STATE_DIR" ]
}

@test "setup: the scripts say and set what --dry-run says" {
	local script said
	hide_tracking
	for script in "$server" "$client"; do
		said=$(inside "$script" --dry-run)
		run --separate-stderr inside "$script"
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
		[ "$output" = "$said" ]
	done
	[ "$(get fs.nr_open)" -eq 4194304 ]
	[ "$(get fs.file-max)" -eq 10000000 ]
	[ "$(get net.core.netdev_max_backlog)" -eq 100000 ]
	[ "$(get net.ipv4.tcp_max_syn_backlog)" -eq 65535 ]
	[ "$(get net.core.somaxconn)" -eq 65535 ]
	[ "$(get net.ipv4.tcp_syncookies)" -eq 0 ]
	[ "$(get net.ipv4.ip_local_reserved_ports)" = 4242 ]
	[ "$(get net.ipv4.ip_local_port_range)" = "1024 65535" ]
	[ "$(get net.ipv4.tcp_tw_reuse)" -eq 1 ]
	[ "$(get net.ipv4.tcp_timestamps)" -eq 1 ]
}

@test "setup: other shells do the same" {
	local shell said
	hide_tracking
	said=$(inside "$client" --dry-run)
	for shell in dash bash "bash --posix" "busybox sh" ksh mksh yash; do
		command -v "${shell% *}" >/dev/null || continue
		[ "$(inside $shell "$client" --dry-run)" = "$said" ]
		inside $shell "$client"
		inside $shell "$client" --restore
		unchanged
	done
}

@test "setup: higher limits are never lowered" {
	hide_tracking
	put fs.nr_open 1073741816
	put fs.file-max 18446744073709551615
	put net.core.netdev_max_backlog 250000
	put net.core.somaxconn 100000
	put net.ipv4.tcp_max_syn_backlog 1000000
	put net.ipv4.tcp_syncookies 0
	put net.ipv4.tcp_timestamps 2
	before=$(snapshot)
	run --separate-stderr inside "$server"
	[ "$status" -eq 0 ]
	all_kept "$output"
	has_line "fs.file-max: 18446744073709551615 (kept)"
	unchanged
	inside "$server" --restore
	unchanged
}

@test "setup: -c, -r and -n: the values that --check finds for such a run" {
	hide_tracking
	put fs.nr_open 15000
	put fs.file-max 30000
	before=$(snapshot)
	run --separate-stderr inside "$server" -c 20k -r 200k -n 40k
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	has_line "fs.nr_open: 15000 -> 20065"
	has_line "net.core.netdev_max_backlog: 1000 -> 6001"
	has_line "net.core.somaxconn: 4096 -> 10000"
	has_line "net.ipv4.tcp_max_syn_backlog: 512 -> 13334"
	has_line "net.ipv4.tcp_syncookies: 1 -> 0"
	[ "$(get fs.file-max)" -ge 50000 ]
	[ "$(get fs.file-max)" -lt 10000000 ]
	inside "$root/tcpserver" --check=sysctl --max-connections 20k -r 200k \
		-n 40k 4242 | while read -r name value; do
		[ "$(get "$name")" = "$value" ]
	done

	run --separate-stderr inside "$client" -c 20k
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	has_line "fs.nr_open: 20065 (kept)"
	has_line "net.ipv4.ip_local_reserved_ports: 4242 (kept)"
	has_line "net.ipv4.ip_local_port_range: 32768 60999 -> 1024 65535"
	has_line "net.ipv4.tcp_tw_reuse: 2 -> 1"
	# without -r, enough for any rate
	has_line "net.core.netdev_max_backlog: 6001 -> 100000"

	# a second time nothing is left to do, unless others have opened files
	run --separate-stderr inside "$client" -c 20k
	[ "$status" -eq 0 ]
	all_kept "$(grep -Ev '^(connection|fs[.]file-max)' <<<"$output")"
	inside "$server" --restore
	[ "$(get fs.nr_open)" -eq 20065 ]
	inside "$client" --restore
	unchanged
}

@test "setup: -c with --dry-run changes nothing" {
	hide_tracking
	run --separate-stderr inside "$client" --dry-run -c 20k -p 5000
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	has_line "net.ipv4.ip_local_reserved_ports: (empty) -> 5000"
	has_line "net.ipv4.ip_local_port_range: 32768 60999 -> 1024 65535"
	unchanged
}

@test "setup: -c where the program is missing: fixed values, which is said" {
	hide_tracking
	publish
	server=$public/setup-server.sh
	run --separate-stderr inside "$server" --dry-run -c 1000
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"tcpserver is neither beside setup-server.sh nor in PATH: fixed values"* ]]
	has_line "net.core.somaxconn: 4096 -> 65535"
	refuses "-c 0k: want a number from 1 to 1000M" -c 0k
	# no fixed values where there is a program to ask and it does not answer
	printf '#!/bin/sh\nexit 1\n' >"$public/tcpserver"
	chmod +x "$public/tcpserver"
	run --separate-stderr inside "$server" -c 1000
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ "$stderr" == *"does not say what 1000 connections take"* ]]
	unchanged
	[ ! -e "$TCPSCALER_STATE_DIR" ]
}

@test "setup: rates with a fraction, as the programs take them" {
	local script
	for script in "$client" "$server"; do
		run --separate-stderr inside "$script" --dry-run -c 1000 \
			-r 1.5k -n .5
		[ "$status" -eq 0 ]
	done
}

@test "setup: a number that the program refuses is refused with its reason" {
	run --separate-stderr inside "$client" -c 20M
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[[ "$stderr" == "tcpclient: -c 20M: too large"* ]]
	[[ "$stderr" == *"tcpclient does not take this -c, -r or -n"* ]]
	unchanged
	[ ! -e "$TCPSCALER_STATE_DIR" ]
}

# reserves OLD PORT NEW: with OLD reserved, -p PORT leaves NEW reserved.
reserves() {
	put net.ipv4.ip_local_reserved_ports "$1"
	before=$(snapshot)
	run inside "$client" -p "$2"
	[ "$1" != "$3" ] || has_line "net.ipv4.ip_local_reserved_ports: ${1:-(empty)} (kept)"
	[ "$(get net.ipv4.ip_local_reserved_ports)" = "$3" ]
	inside "$client" --restore
	unchanged
}

@test "setup: the client reserves the target port beside those reserved already" {
	hide_tracking
	reserves "" 4242 4242
	reserves "" 1023 ""
	reserves "" 1024 1024
	reserves "" 65535 65535
	reserves "53,8000-8999" 4242 "53,4242,8000-8999"
	reserves "53,8000-8999" 8000 "53,8000-8999"
	reserves "53,8000-8999" 8500 "53,8000-8999"
	reserves "53,8000-8999" 8999 "53,8000-8999"
	reserves "53,8000-8999" 9000 "53,8000-9000"
	reserves "4242" 4242 4242
}

@test "setup: a value that is read-only is said, and the others are set" {
	hide_tracking
	make_read_only net.ipv4.tcp_syncookies
	run --separate-stderr inside "$server"
	[ "$status" -eq 3 ]
	[[ "$stderr" == "setup-server.sh: net.ipv4.tcp_syncookies: not set: Read-only file system" ]]
	has_line "net.core.somaxconn: 4096 -> 65535"
	[ "$(get net.core.somaxconn)" -eq 65535 ]
	[ "$(get net.ipv4.tcp_syncookies)" -eq 1 ]

	run --separate-stderr inside "$server" --dry-run
	[ "$status" -eq 3 ]
	[[ "$stderr" == *"net.ipv4.tcp_syncookies: not set: "* ]]

	run --separate-stderr inside "$server" --restore
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	[[ "$output" != *syncookies* ]]
	unchanged
}

@test "setup: a value that the kernel refuses is said with the kernel's reason" {
	hide_tracking
	put net.ipv4.ip_unprivileged_port_start 2000
	run --separate-stderr inside "$client"
	[ "$status" -eq 3 ]
	[[ "$stderr" == *"net.ipv4.ip_local_port_range: not set: Invalid argument" ]]
	inside "$client" --restore
	unchanged
}

@test "setup: a value that does not exist is said" {
	hide_tracking
	inside umount -R /proc/sys/net/core
	inside mount --bind "$BATS_TEST_TMPDIR/empty" /proc/sys/net/core
	run --separate-stderr inside "$client"
	[ "$status" -eq 3 ]
	[[ "$stderr" == *"net.core.netdev_max_backlog: not set: there is no such value"* ]]
	[ "$(get net.ipv4.tcp_tw_reuse)" -eq 1 ]
	run --separate-stderr inside "$client" --restore
	[ "$status" -eq 0 ]
	[ "$(get net.ipv4.tcp_tw_reuse)" -eq 2 ]
}

# ---- Restore ----

@test "setup: --restore without saved state says so" {
	run --separate-stderr inside "$client" --restore
	[ "$status" -eq 0 ]
	[[ "$output" == "nothing to restore: there is no saved state in $TCPSCALER_STATE_DIR" ]]
	unchanged
}

@test "setup: a second run changes nothing, and --restore still finds the original" {
	local script after
	hide_tracking
	for script in "$server" "$client"; do
		inside "$script"
		after=$(snapshot)
		run --separate-stderr inside "$script"
		[ "$status" -eq 0 ]
		all_kept "$output"
		[ "$(snapshot)" = "$after" ]

		run --separate-stderr inside "$script" --restore
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
		has_line "fs.nr_open: 4194304 -> 1048576"
		unchanged
		[ -z "$(ls -A "$TCPSCALER_STATE_DIR")" ]
	done
}

@test "setup: --restore --dry-run prints what would be put back" {
	local said after
	hide_tracking
	inside "$client"
	after=$(snapshot)
	said=$(inside "$client" --restore --dry-run)
	[ "$(snapshot)" = "$after" ]
	run inside "$client" --restore
	[ "$output" = "$said" ]
	has_line "net.ipv4.ip_local_port_range: 1024 65535 -> 32768 60999"
	has_line "net.ipv4.ip_local_reserved_ports: 4242 -> (empty)"
	unchanged
}

@test "setup: what was changed by hand between runs is restored to the original" {
	hide_tracking
	inside "$server"
	put net.core.somaxconn 128
	inside "$server"
	[ "$(get net.core.somaxconn)" -eq 65535 ]
	put fs.nr_open 2000000
	inside "$server" --restore
	unchanged
}

@test "setup: server and client together are undone in either order" {
	local first second
	for first in "$server" "$client"; do
		for second in "$server" "$client"; do
			inside "$server"
			inside "$client"
			inside "$first"
			run inside "$first" --restore
			if [ "$first" != "$second" ]; then
				# What the other one needs is still there.
				[[ "$output" == *"fs.nr_open: 4194304 (kept, the other setup needs it)"* ]]
				[ "$(get fs.nr_open)" -eq 4194304 ]
				[ "$(get net.core.netdev_max_backlog)" -eq 100000 ]
			fi
			inside "$second" --restore
			inside "$server" --restore
			inside "$client" --restore
			unchanged
			[ -z "$(ls -A "$TCPSCALER_STATE_DIR")" ]
		done
	done
}

@test "setup: what belongs to the host is restored from any network namespace" {
	hide_tracking
	# In the second namespace net.core.netdev_max_backlog may be missing.
	run inside unshare -n "$server"
	[ "$(get fs.nr_open)" -eq 4194304 ]
	[ "$(get net.core.somaxconn)" -eq 4096 ]
	inside "$server"
	run inside unshare -n "$client"
	inside "$server" --restore
	[ "$(get fs.nr_open)" -eq 4194304 ]
	[ "$(get net.core.somaxconn)" -eq 4096 ]
	inside "$client" --restore
	unchanged
}

@test "setup: what cannot be restored is said, and can be restored later" {
	hide_tracking
	inside "$server"
	make_read_only net.core.somaxconn
	run --separate-stderr inside "$server" --restore
	[ "$status" -eq 3 ]
	[[ "$stderr" == "setup-server.sh: net.core.somaxconn: not set: Read-only file system" ]]
	[ "$(get net.ipv4.tcp_syncookies)" -eq 1 ]

	make_writable net.core.somaxconn
	run --separate-stderr inside "$server" --restore
	[ "$status" -eq 0 ]
	[ "$output" = "net.core.somaxconn: 65535 -> 4096" ]
	unchanged
}

# distrusts FILE WORDS: both ways, with the reason, and nothing is changed.
distrusts() {
	local option
	for option in --restore --dry-run -p4242; do
		run --separate-stderr inside "$client" "$option"
		[ "$status" -eq 1 ]
		[ -z "$output" ]
		[[ "$stderr" == "setup-client.sh: $1: $2"* ]] || {
			echo "$option: $stderr"
			return 1
		}
	done
	unchanged
}

# A state file of this namespace, as if somebody else had written it.
make_state() {
	mkdir -p -m 700 "$TCPSCALER_STATE_DIR"
	state_file=$TCPSCALER_STATE_DIR/client.net-$(inside readlink /proc/self/ns/net | tr -cd 0-9)
}

@test "setup: a program that is named in saved state is not run" {
	hide_tracking
	make_state
	printf '#!/bin/sh\ntouch "%s/ran"\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/program"
	chmod +x "$BATS_TEST_TMPDIR/program"
	echo "rule $BATS_TEST_TMPDIR/program PREROUTING sport 4242" >"$state_file"
	chmod 600 "$state_file"
	distrusts "$state_file" "line 1 is none that these scripts write"
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "setup: saved state with a line that the scripts do not write is refused whole" {
	local line good="of f5262758-369c-4736-ab14-337b14219d86 4204192"
	hide_tracking
	make_state
	while IFS= read -r line; do
		printf '%s\n' "$good" "$line" >"$state_file"
		chmod 600 "$state_file"
		run --separate-stderr inside "$client" --restore
		[ "$status" -eq 1 ]
		[[ "$stderr" == "setup-client.sh: $state_file: line 2 is none"* ]] || {
			echo "$line: $stderr"
			return 1
		}
		diff - "$state_file" <<<"$good"$'\n'"$line"
	done <<-'EOF'

		sysctl kernel.core_pattern 1
		sysctl kernel.pid_max 1000
		sysctl net.ipv4.tcp_tw_reuse
		sysctl net.ipv4.tcp_tw_reuse x
		sysctl net.ipv4.tcp_tw_reuse 1;2
		sysctl net.ipv4.tcp_tw_reuse/../tcp_sack 0
		sysctl net.ipv4.* 1
		sysctl  net.ipv4.tcp_tw_reuse 1
		rule iptables PREROUTING dport 0
		rule iptables PREROUTING dport 4242 -j ACCEPT
		rule iptables INPUT dport 4242
		rule iptables OUTPUT xport 4242
		rule iptables-save OUTPUT sport 4242
		rule iptables OUTPUT sport
		table filter
		table tcpscaler_client_4242 x
		table tcpscaler_client_65536
		table tcpscaler_other_4242
		command true
	EOF

	printf '%s' "$good" >"$state_file" # cut off
	distrusts "$state_file" "line 1 is none that these scripts write"
	unchanged
}

@test "setup: saved state that others may write is refused" {
	hide_tracking
	make_state
	inside "$client"
	inside sed -i 's/tcp_tw_reuse 2/tcp_tw_reuse 0/' "$state_file"
	before=$(snapshot)
	chmod 620 "$state_file"
	distrusts "$state_file" "its group may write it"
	chmod 602 "$state_file"
	distrusts "$state_file" "everyone may write it"
	chmod 600 "$state_file"
	chown 65534 "$state_file"
	distrusts "$state_file" "it belongs to user 65534"
	chown 0 "$state_file"
	inside "$client" --restore
	[ "$(get net.ipv4.tcp_tw_reuse)" -eq 0 ]
}

@test "setup: saved state behind a symbolic link is refused" {
	local target=$BATS_TEST_TMPDIR/elsewhere
	hide_tracking
	make_state
	echo "sysctl net.ipv4.tcp_tw_reuse 0" >"$target"
	chmod 600 "$target"
	ln -s "$target" "$state_file"
	distrusts "$state_file" "it is a symbolic link"
	ln -sfn "$BATS_TEST_TMPDIR/absent" "$state_file"
	distrusts "$state_file" "it is a symbolic link"
	[ ! -e "$BATS_TEST_TMPDIR/absent" ]
	[ "$(cat "$target")" = "sysctl net.ipv4.tcp_tw_reuse 0" ]
	rm "$state_file"
	mkdir "$state_file"
	distrusts "$state_file" "it is no regular file"
}

@test "setup: a state directory that others can write or replace is refused" {
	local parent=$BATS_TEST_TMPDIR/parent
	hide_tracking
	mkdir "$parent"
	TCPSCALER_STATE_DIR=$parent/state
	mkdir -m 777 "$TCPSCALER_STATE_DIR"
	chmod 777 "$TCPSCALER_STATE_DIR"
	distrusts "$TCPSCALER_STATE_DIR" "everyone may write it"
	chmod 1777 "$TCPSCALER_STATE_DIR"
	distrusts "$TCPSCALER_STATE_DIR" "everyone may write it"
	chmod 700 "$TCPSCALER_STATE_DIR"
	chown 65534 "$TCPSCALER_STATE_DIR"
	distrusts "$TCPSCALER_STATE_DIR" "it belongs to user 65534"
	rmdir "$TCPSCALER_STATE_DIR"

	mkdir "$BATS_TEST_TMPDIR/private"
	ln -s "$BATS_TEST_TMPDIR/private" "$TCPSCALER_STATE_DIR"
	distrusts "$TCPSCALER_STATE_DIR" "it is a symbolic link"
	TCPSCALER_STATE_DIR=$parent/state/
	distrusts "$parent/state" "it is a symbolic link"
	rm "$parent/state"
	TCPSCALER_STATE_DIR=$parent/state

	# who can write the parent can replace the directory
	chmod 777 "$parent"
	distrusts "$parent" "everyone may write it"
	chmod 770 "$parent"
	distrusts "$parent" "its group may write it"
	chmod 700 "$parent"
	chown 65534 "$parent"
	distrusts "$parent" "it belongs to user 65534"
	chown 0 "$parent"
	chmod 777 "$parent"
	ln -s "$parent" "$BATS_TEST_TMPDIR/link"
	TCPSCALER_STATE_DIR=$BATS_TEST_TMPDIR/link/state
	run inside "$client"
	[ "$status" -eq 1 ]
	unchanged
	[ ! -e "$parent/state" ]

	# but not where it has the sticky bit, as /tmp has
	chmod 1777 "$parent"
	inside "$client"
	inside "$client" --restore
	unchanged
}

@test "setup: nobody else may read or write what is saved, whatever the umask" {
	hide_tracking
	run inside sh -c 'umask 0; exec "$@"' sh "$client" -- sh -c umask
	[ "$(stat -c %a "$TCPSCALER_STATE_DIR")" = 700 ]
	[ "$(stat -c %a "$TCPSCALER_STATE_DIR"/* | sort -u)" = 600 ]
	# the command has the umask of the caller
	has_line 0000
	inside sh -c 'umask 0; exec "$@"' sh "$server"
	inside sh -c 'umask 0; exec "$@"' sh "$client" --restore
	[ "$(stat -c %a "$TCPSCALER_STATE_DIR"/* | sort -u)" = 600 ]
	inside "$server" --restore
	unchanged
}

@test "setup: a network namespace gets nothing of one that had its number before" {
	local old script
	hide_tracking
	make_state
	put net.ipv4.tcp_tw_reuse 0
	inside "$client"
	# The same file, as the other namespace has left it.
	old=$(sed '1s/ [0-9]*$/ 1/; /tw_reuse/!{2,$d;}' "$state_file")
	[ "$(wc -l <<<"$old")" -eq 2 ]
	inside "$client" --restore
	put net.ipv4.tcp_tw_reuse 2
	unchanged

	install -m 600 /dev/stdin "$state_file" <<<"$old"
	run --separate-stderr inside "$client" --restore --dry-run
	[ "$status" -eq 0 ]
	[ "$output" = "nothing to restore: there is no saved state in $TCPSCALER_STATE_DIR" ]
	[ "$(cat "$state_file")" = "$old" ]
	run --separate-stderr inside "$client" --restore
	[ "$status" -eq 0 ]
	[[ "$stderr" == "setup-client.sh: $state_file: it tells of an earlier boot or of a network namespace that is gone"* ]]
	[ "$output" = "nothing to restore: there is no saved state in $TCPSCALER_STATE_DIR" ]
	unchanged
	[ ! -e "$state_file" ]

	# A new run takes its own values for the originals.
	install -m 600 /dev/stdin "$state_file" <<<"$old"
	inside "$client"
	inside "$client" --restore
	unchanged
}

@test "setup: nothing is restored of an earlier boot" {
	hide_tracking
	inside "$server"
	before=$(snapshot)
	sed -i '1s/^of [^ ]*/of 00000000-0000-0000-0000-000000000000/' "$TCPSCALER_STATE_DIR"/*
	run --separate-stderr inside "$server" --restore
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"server.host: it tells of an earlier boot"* ]]
	unchanged
	[ -z "$(ls -A "$TCPSCALER_STATE_DIR")" ]
}

@test "setup: every value that --check=sysctl may print can be restored" {
	local name names
	names=$(sed -n 's/^    {"\([a-z0-9_]*\.[a-z0-9_.]*\)",.*/\1/p' "$BATS_TEST_DIRNAME/../lib/check.c")
	[ "$(wc -l <<<"$names")" -gt 15 ]
	for name in $names; do
		grep -q "^	.*$name.*) ;;$" "$BATS_TEST_DIRNAME/../lib/setup.sh" || {
			echo "$name is not in is_our_value()"
			return 1
		}
	done
}

# ---- Connection tracking ----

@test "setup: iptables rules exempt the port in both directions, and no other" {
	need_iptables
	inside "$server"
	[ "$(inside_rules iptables)" = "$server_rules" ]
	[ "$(inside_rules ip6tables)" = "$server_rules" ]
	inside "$server" --restore
	unchanged
	inside "$client"
	[ "$(inside_rules iptables)" = "$client_rules" ]
	[ "$(inside_rules ip6tables)" = "$client_rules" ]
	inside "$client" --restore
	unchanged
}

@test "setup: a dry run adds no rule and no table" {
	local ruleset
	need_tracking
	command -v iptables ip6tables >/dev/null || skip "iptables is not installed"
	inside nft flush ruleset 2>/dev/null || true
	ruleset=$(inside nft list ruleset 2>/dev/null || true)
	run --separate-stderr inside "$server" --dry-run -p 53
	[ "$status" -eq 0 ]
	has_line "iptables raw PREROUTING tcp dport 53 notrack: absent -> present"
	has_line "ip6tables raw OUTPUT tcp sport 53 notrack: absent -> present"
	[ "$(inside nft list ruleset 2>/dev/null || true)" = "$ruleset" ]
	unchanged
}

rules_are_exact() {
	local other="OUTPUT -p tcp -m tcp --sport 77 -j CT --notrack"
	inside iptables -t raw -A $other
	inside ip6tables -t raw -A $other
	before=$(snapshot)
	inside "$server"
	run inside "$server"
	all_kept "$output"
	run inside "$server" --dry-run
	all_kept "$output"
	# Ours come first, where no other rule can accept the packets before.
	[ "$(inside_rules iptables)" = "$server_rules"$'\n'"-A $other" ]
	[ "$(inside_rules ip6tables)" = "$server_rules"$'\n'"-A $other" ]

	inside "$server" -p 53
	[ "$(inside_rules iptables | wc -l)" -eq 5 ]
	[ "$(inside_rules ip6tables | wc -l)" -eq 5 ]
	[ "$(inside_rules ip6tables | grep -c -- '--[ds]port 53 ')" -eq 2 ]

	inside "$server" --restore
	unchanged
}

@test "setup: rules are added once, and each port has its own" {
	need_iptables
	rules_are_exact
}

@test "setup: rules are added once, and each port has its own (iptables-legacy)" {
	local tool
	mkdir "$BATS_TEST_TMPDIR/legacy"
	for tool in iptables ip6tables; do
		command -v "$tool-legacy" >/dev/null || skip "$tool-legacy is not installed"
		ln -s "$(command -v "$tool-legacy")" "$BATS_TEST_TMPDIR/legacy/$tool"
	done
	PATH=$BATS_TEST_TMPDIR/legacy:$PATH
	need_iptables
	rules_are_exact
}

@test "setup: other rules survive, even one that is the same" {
	need_iptables
	inside iptables -t raw -A PREROUTING -p tcp --dport 4242 -j CT --notrack
	inside iptables -t raw -A OUTPUT -p udp --dport 53 -j CT --notrack
	before=$(snapshot)
	run inside "$server"
	has_line "iptables raw PREROUTING tcp dport 4242 notrack: present (kept)"
	has_line "iptables raw OUTPUT tcp sport 4242 notrack: absent -> present"
	inside "$server" --restore
	unchanged
}

@test "setup: rules that are gone already do not disturb --restore" {
	need_iptables
	inside "$server"
	inside iptables -t raw -F
	run --separate-stderr inside "$server" --restore
	[ "$status" -eq 0 ]
	has_line "iptables raw OUTPUT tcp sport 4242 notrack: absent (kept)"
	[ -z "$(ls -A "$TCPSCALER_STATE_DIR")" ]
	unchanged
}

@test "setup: rules that cannot be removed are said, and stay recorded" {
	need_iptables
	inside "$server"
	PATH=$bare run --separate-stderr inside "$server" --restore
	[ "$status" -eq 3 ]
	[[ "$stderr" == *"iptables raw PREROUTING tcp dport 4242 notrack: not set: iptables is not in PATH"* ]]
	inside "$server" --restore
	unchanged
}

# nft_rules TABLE: its rules, each after its hook.
nft_rules() {
	inside nft list table inet "$1" |
		awk '/hook/ { hook = $4 } /notrack/ { print hook, $1, $2, $3, $4 }'
}

@test "setup: without iptables nft does the same, in a table of its own" {
	local said
	need_nft
	said=$(PATH=$only_nft inside "$server" --dry-run 2>&1)
	unchanged
	PATH=$only_nft run inside "$server"
	[ "$status" -eq 0 ]
	[ "$output" = "$said" ]
	has_line "setup-server.sh: iptables is not in PATH: nft instead"
	has_line "nft table inet tcpscaler_server_4242: absent -> present"
	diff - <(nft_rules tcpscaler_server_4242) <<-EOF
		prerouting tcp dport 4242 notrack
		output tcp sport 4242 notrack
	EOF

	PATH=$only_nft run inside "$client"
	[ "$status" -eq 0 ]
	diff - <(nft_rules tcpscaler_client_4242) <<-EOF
		prerouting tcp sport 4242 notrack
		output tcp dport 4242 notrack
	EOF

	# A second run, whatever it has in PATH, adds nothing.
	PATH=$only_nft run inside "$server"
	all_kept "$output"
	run inside "$server"
	all_kept "$output"

	PATH=$only_nft inside "$server" --restore
	PATH=$only_nft inside "$client" --restore
	unchanged
}

# fake NAME TEXT: a command NAME, first in PATH, that fails and says TEXT.
fake() {
	mkdir -p "$BATS_TEST_TMPDIR/fakes"
	printf '#!/bin/sh\necho "%s" >&2\nexit 1\n' "$2" >"$BATS_TEST_TMPDIR/fakes/$1"
	chmod +x "$BATS_TEST_TMPDIR/fakes/$1"
}

@test "setup: a launcher that ignores SIGPIPE makes it say nothing more" {
	local role
	# both have saved what there was: of each value there are two lines
	inside "$server"
	inside "$client"
	for role in "$server" "$client" "$server" "$client"; do
		run inside python3 "$BATS_TEST_DIRNAME/launch.py" ignore PIPE "$role"
		[ "$status" -eq 0 ]
		all_kept "$output"
	done
	inside "$client" --restore
	inside "$server" --restore
	unchanged
}

@test "setup: where iptables fails nft is used" {
	need_nft
	fake iptables "unknown target CT"
	PATH=$BATS_TEST_TMPDIR/fakes:$only_nft run --separate-stderr inside "$server"
	[ "$status" -eq 0 ]
	[ "$stderr" = "setup-server.sh: iptables failed: unknown target CT: nft instead" ]
	[ "$(nft_rules tcpscaler_server_4242 | wc -l)" -eq 2 ]
	PATH=$BATS_TEST_TMPDIR/fakes:$only_nft inside "$server" --restore
	unchanged
}

@test "setup: where only ip6tables fails nft is used beside iptables" {
	need_iptables
	need_nft
	fake ip6tables "no IPv6 here"
	PATH=$BATS_TEST_TMPDIR/fakes:$PATH run --separate-stderr inside "$server"
	[ "$status" -eq 0 ]
	[ "$stderr" = "setup-server.sh: ip6tables failed: no IPv6 here: nft instead" ]
	[ "$(inside_rules iptables)" = "$server_rules" ]
	[ "$(nft_rules tcpscaler_server_4242 | wc -l)" -eq 2 ]
	inside "$server" --restore
	unchanged
}

@test "setup: without iptables and nft the values are set, and the rest is said" {
	need_tracking
	PATH=$bare run --separate-stderr inside "$server"
	[ "$status" -eq 3 ]
	[[ "$stderr" == *"connection tracking of port 4242: not set: iptables is not in PATH; nft is not in PATH" ]]
	[ "$(get net.core.somaxconn)" -eq 65535 ]
	PATH=$bare inside "$server" --restore
	unchanged
}

@test "setup: where iptables and nft fail both reasons are said" {
	need_tracking
	fake iptables "unknown target CT"
	fake nft "Operation not supported"
	PATH=$BATS_TEST_TMPDIR/fakes:$bare run --separate-stderr inside "$client"
	[ "$status" -eq 3 ]
	[[ "$stderr" == *": iptables failed: unknown target CT; nft failed: Operation not supported" ]]
	PATH=$BATS_TEST_TMPDIR/fakes:$bare run inside "$client" --restore
	[ "$status" -eq 0 ]
	[[ "$output" != *notrack* ]]
	unchanged
}

@test "setup: a kernel without connection tracking needs no rule" {
	hide_tracking
	run inside "$server"
	has_line "connection tracking: absent (kept)"
	[ -z "$(inside_rules iptables)" ]
}

# connect PORT: open a connection to PORT inside, both ends.
connect() {
	inside perl -MIO::Socket::INET -e '
		my $port = shift;
		my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1",
		    LocalPort => $port, ReuseAddr => 1) or die "listen: $!";
		my $client = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!";
		$listener->accept or die "accept: $!";
	' "$1"
}

# is_tracked PORT: a connection to PORT, of the last two minutes, is in the table.
is_tracked() {
	inside grep -q "dport=$1 " /proc/net/nf_conntrack
}

# exempt_in_the_kernel: with tracking in use, only the port escapes it.
exempt_in_the_kernel() {
	inside ip link set lo up
	add_to_output user filter "ct state new counter"
	connect 4242
	connect 4243
	inside test -e /proc/net/nf_conntrack || skip "this kernel shows no connection table"
	is_tracked 4242
	is_tracked 4243

	inside "$server" -p 5353
	inside "$client" -p 5353
	connect 5353
	connect 5354
	run ! is_tracked 5353
	is_tracked 5354
}

@test "setup: the kernel tracks no connection to the port (iptables)" {
	need_iptables
	need_nft
	command -v perl >/dev/null || skip "perl is not installed"
	exempt_in_the_kernel
}

@test "setup: the kernel tracks no connection to the port (nft)" {
	need_nft
	command -v perl >/dev/null || skip "perl is not installed"
	PATH=$only_nft
	exempt_in_the_kernel
}

# ---- The command ----

# limited SOFT HARD COMMAND...: run COMMAND inside under these descriptor limits.
limited() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	inside bash -c 'ulimit -Sn "$1" && ulimit -Hn "$2" && shift 2 && exec "$@"' bash "$@"
}

@test "setup: a command runs under the hard limit where that cannot be raised" {
	hide_tracking
	# More than the kernel's own fs.nr_open, which the test leaves alone.
	put fs.nr_open 2147483584
	run --separate-stderr limited 256 1000 "$server" -- sh -c 'ulimit -Sn; ulimit -Hn'
	[ "$status" -eq 0 ]
	[ "$output" = $'1000\n1000' ]
	[[ "$stderr" == *"descriptors for each process: soft 256, hard 1000 -> soft 1000, hard 1000" ]]
}

@test "setup: a command runs under fs.nr_open where the hard limit can be raised" {
	local most=1000
	hide_tracking
	inside umount /proc/sys/fs/nr_open
	make_read_only fs.nr_open
	if limited 256 1000 sh -c "ulimit -n $(get fs.nr_open)" 2>/dev/null; then
		most=$(get fs.nr_open)
	fi
	run --separate-stderr limited 256 1000 "$client" -- sh -c 'ulimit -Sn; ulimit -Hn'
	[ "$output" = "$most"$'\n'"$most" ]
	[[ "$stderr" == *"soft 256, hard 1000 -> soft $most, hard $most" ]]
}

@test "setup: a command gets its arguments, its standard output and its exit status" {
	hide_tracking
	run --separate-stderr inside "$client" -p 53 -- sh -c 'printf "<%s>" "$@"; exit 9' -- \
		"two words" "" "-p" "*" $'a\nb'
	[ "$status" -eq 9 ]
	[ "$output" = $'<two words><><-p><*><a\nb>' ]
	[[ "$stderr" == *"net.ipv4.tcp_tw_reuse: 2 -> 1"* ]]
	[ "$(get net.ipv4.tcp_tw_reuse)" -eq 1 ]

	run -127 inside "$client" -- no-such-command
}

# as_sudo USER COMMAND...: with the variables that sudo sets for what it runs.
as_sudo() {
	local user=$1
	shift
	inside env SUDO_USER="$user" SUDO_UID="$(id -u "$user")" \
		SUDO_GID="$(id -g "$user")" "$@"
}

@test "setup: under sudo a command runs as the user who called sudo" {
	hide_tracking
	run --separate-stderr as_sudo nobody "$server" -- \
		sh -c 'id -un; id -Gn; echo "$USER $HOME"; grep CapAmb /proc/self/status'
	[ "$output" = "nobody
$(id -Gn nobody)
nobody $(getent passwd nobody | cut -d: -f6)
CapAmb:	0000000000000000" ]
	[[ "$stderr" == *"running sh as nobody, who called sudo"* ]]
	[ "$(get net.core.somaxconn)" -eq 65535 ]

	# CAP_NET_BIND_SERVICE, and no other
	run --separate-stderr as_sudo nobody "$server" -p 53 -- grep CapAmb /proc/self/status
	[ "$output" = "CapAmb:	0000000000000400" ]

	run --separate-stderr as_sudo root "$server" -- id -un
	[ "$output" = root ]
}

@test "setup: under sudo and without setpriv it says that a command runs as root" {
	hide_tracking
	mkdir "$BATS_TEST_TMPDIR/no-setpriv"
	ln -s "$bare"/* "$BATS_TEST_TMPDIR/no-setpriv"
	rm "$BATS_TEST_TMPDIR/no-setpriv/setpriv"
	run --separate-stderr as_sudo nobody env PATH="$BATS_TEST_TMPDIR/no-setpriv" \
		"$server" -- id -un
	[ "$output" = root ]
	[[ "$stderr" == *"setpriv is not in PATH: running id as root, not as nobody"* ]]
}

@test "setup: a command does not hold up another setup" {
	hide_tracking
	command -v flock >/dev/null || skip "flock is not installed"
	inside "$server" -- flock -n "$TCPSCALER_STATE_DIR" true
	inside "$server" -- "$client"
}
