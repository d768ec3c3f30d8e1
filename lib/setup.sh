# shellcheck shell=sh
#
# What setup-server.sh and setup-client.sh have in common.  The script that
# reads this file defines set_values(), which calls change() and raise() for
# each value it wants, and then calls main with its role and its arguments.
#
# Saved state is two files for each script: what belongs to the whole host, and
# what belongs to one network namespace.  The first line says of which boot and
# namespace, and then there is a line for each thing to undo:
#	of BOOT SOCKET
#	sysctl NAME ORIGINAL
#	rule TOOL CHAIN SIDE PORT
#	table NAME
# Both scripts raise some of the same values, and may be undone in either order.
# So the second one copies the original that the first one saved, and the last
# one that has a line for a value is the one that puts it back.

me=${0##*/}
status=0
report_fd=1

main() {
	role=$1
	shift
	port=4242
	connections=
	queries=
	opens=
	dry_run=no
	restore=no
	while [ $# -gt 0 ]; do
		case $1 in
		-p)
			[ $# -gt 1 ] || usage_error "-p needs a port, as in -p 4242"
			port=$2
			shift
			;;
		-p?*) port=${1#-p} ;;
		-c)
			[ $# -gt 1 ] || usage_error "-c needs a number of connections, as in -c 100k"
			connections=$2
			is_count "$2" || usage_error "-c $2: want a number from 1 to 1000M, such as 100k"
			shift
			;;
		-r)
			[ $# -gt 1 ] || usage_error "-r needs a rate of queries, as in -r 20k"
			queries=$2
			is_rate "$2" || usage_error "-r $2: want queries per second, at most 1000M, such as 20k"
			shift
			;;
		-n)
			[ $# -gt 1 ] || usage_error "-n needs a rate of new connections, as in -n 1000"
			opens=$2
			is_rate "$2" || usage_error "-n $2: want new connections per second, at most 1000M, such as 1000"
			shift
			;;
		--dry-run) dry_run=yes ;;
		--restore) restore=yes ;;
		-h | --help)
			usage
			exit 0
			;;
		--)
			shift
			[ $# -gt 0 ] || usage_error "no command after --: add one, or leave out the --"
			break
			;;
		-*) usage_error "unknown option '$1': want -p PORT, -c N, -r RATE, -n RATE, --dry-run, --restore or --help" ;;
		*) usage_error "unexpected argument '$1': a command goes after --, as in $me -- $1" ;;
		esac
		shift
	done
	is_port "$port" || usage_error "'$port' is not a port: want a number from 1 to 65535"
	if [ -z "$connections" ] && [ -n "$queries$opens" ]; then
		usage_error "-r and -n go with -c: how many connections, as in -c 100k"
	fi
	if [ $restore = yes ] && [ $# -gt 0 ]; then
		usage_error "--restore runs no command: leave out '-- $1'"
	fi

	# Standard output belongs to the command, if there is one.
	[ $# -eq 0 ] || report_fd=2

	[ $restore = yes ] || check_size
	open_state
	if [ $restore = yes ]; then
		restore_everything
	else
		set_values
		stop_tracking
	fi
	[ $# -eq 0 ] || run_command "$@"
	exit $status
}

usage() {
	cat <<EOF
usage: $me [-p PORT] [-c N [-r RATE] [-n RATE]] [--dry-run] [--restore]
       [-- COMMAND [ARG...]]

Prepare this host to be the $role of a test with very many TCP connections:
raise kernel limits, and exempt PORT from connection tracking.

  -p PORT     the server's TCP port (default 4242)
  -c N        raise them as far as N connections take it, which
              tcp$role --check=sysctl knows; without -c, or where there is no
              tcp$role, they are raised to fixed values, enough for some millions
  -r RATE     with -c: queries per second (default: enough for any rate)
  -n RATE     with -c: new connections per second (default: all at once)
  --dry-run   print what would be changed, change nothing
  --restore   put back all that was there before the first run, for every port
  -h, --help  print this help
  COMMAND     then run this under the highest descriptor limit there is; what
              is changed is printed on standard error; under sudo it runs as the
              user who called sudo

Exit status: 0 all is set; 1 could not run; 2 bad usage; 3 something could not
be set (it is named on standard error); with COMMAND, that of COMMAND.

What was there before is kept in the directory TCPSCALER_STATE_DIR (default
/run/tcpscaler).  Nobody but root may be able to write that directory.
EOF
}

usage_error() {
	complain "$1"
	complain "try '$me --help'"
	exit 2
}

is_port() {
	case $1 in
	'' | 0* | *[!0-9]* | ??????*) return 1 ;;
	esac
	[ "$1" -le 65535 ]
}

# is_number TEXT: digits, with k or M after them, and at most 1000M.
is_number() {
	case ${1%[kM]} in
	'' | *[!0-9]* | ???????????*) return 1 ;;
	esac
	case $1 in
	*M) [ "${1%M}" -le 1000 ] ;;
	*k) [ "${1%k}" -le 1000000 ] ;;
	*) [ "$1" -le 1000000000 ] ;;
	esac
}

# is_rate TEXT: the same, with a fraction allowed, such as 1.5k.
is_rate() {
	case $1 in
	*.*)
		case ${1%[kM]} in
		*.*.* | *[!0-9.]* | *.) return 1 ;;
		esac
		is_rate_whole "${1%%.*}" "${1##*[0-9]}"
		;;
	*) is_number "$1" ;;
	esac
}

# is_rate_whole DIGITS SUFFIX: of a number that has a fraction, which is less than 1.
is_rate_whole() {
	[ "$1$2" != 1000M ] && is_number "${1:-0}$2"
}

is_count() {
	is_number "$1" && [ "${1%[kM]}" -gt 0 ]
}

dry() {
	[ "$dry_run" = yes ]
}

is_root() {
	[ "$(id -u)" -eq 0 ]
}

say() {
	printf '%s\n' "$1" >&$report_fd
}

complain() {
	printf '%s: %s\n' "$me" "$1" >&2
}

# cannot NAME REASON: NAME is not as it should be; go on, but say so at the end.
cannot() {
	complain "$1: not set: $2"
	status=3
}

# ---- Saved state ----

open_state() {
	state_dir=${TCPSCALER_STATE_DIR:-/run/tcpscaler}
	case $state_dir in
	/*) ;;
	*) state_dir=$(pwd -P)/$state_dir ;;
	esac
	while [ "$state_dir" != / ] && [ "${state_dir%/}" != "$state_dir" ]; do
		state_dir=${state_dir%/}
	done
	new_state=$state_dir/.rest
	namespace=$(readlink /proc/self/ns/net | tr -cd 0-9)
	identify
	old_files=
	if ! dry && ! is_root; then
		complain "only root can do this; --dry-run shows what would be done"
		exit 1
	fi
	check_parents "$state_dir"
	# The same where the way goes through symbolic links.
	parent=${state_dir%/*}
	parent=$(cd -P -- "${parent:-/}" 2>/dev/null && pwd -P) && check_parents "$parent"
	if dry; then
		[ -e "$state_dir" ] || return 0
	elif ! (umask 077 && mkdir -p -- "$state_dir") || [ ! -w "$state_dir" ]; then
		complain "cannot save state in $state_dir: set TCPSCALER_STATE_DIR to a directory that can be written"
		exit 1
	fi
	check_directory
	if ! dry; then
		# Another script must not take values half changed for the originals.
		exec 9<"$state_dir"
		if command -v flock >/dev/null; then
			flock 9
		fi
	fi
	for part in host "net-$namespace"; do
		for file in "$state_dir/client.$part" "$state_dir/server.$part"; do
			check_file "$file"
			drop_old "$file"
		done
	done
}

# What is saved is restored as root.  So nobody but root and the caller may be able
# to write it, and each line must be one that record() writes.

# distrust PATH REASON: end, because others may have written what is saved.
distrust() {
	complain "$1: $2: saved state is only used where nobody but root can write it"
	exit 1
}

# check_parents PATH: each directory on the way to PATH, as far as it exists.  In a
# directory with the sticky bit others cannot replace what belongs to root.
check_parents() {
	way=/
	names=${1#/}
	while [ -e "$way" ] || [ -L "$way" ]; do
		if ! is_private "$way" && ! is_private_enough; then
			distrust "$way" "$reason"
		fi
		[ -n "$names" ] || break
		way=${way%/}/${names%%/*}
		case $names in
		*/*) names=${names#*/} ;;
		*) names= ;;
		esac
	done
}

# is_private PATH: may root or the caller write PATH, and nobody else?  If others
# may, $reason says who.  Sets $owner and $mode.
is_private() {
	reason="its owner cannot be read"
	owner=-1
	entry=$(stat -c '%u %A' -- "$1" 2>/dev/null) || return
	owner=${entry% *}
	mode=${entry#* }
	reason="it belongs to user $owner"
	[ "$owner" -eq 0 ] || [ "$owner" -eq "$(id -u)" ] || return
	case $mode in
	l*) return 0 ;; # a symbolic link has no mode of its own
	????????w*) reason="everyone may write it" ;;
	?????w*) reason="its group may write it" ;;
	*) return 0 ;;
	esac
	return 1
}

# is_private_enough: the same for the parent that is_private() looked at.  The owner
# of / can do all; in a user namespace that is not root.
is_private_enough() {
	[ "$owner" -eq 0 ] || [ "$owner" -eq "$(id -u)" ] ||
		[ "$owner" -eq "$(stat -c %u /)" ] || return
	case $mode in
	d????????[tT]) return 0 ;;
	?????w* | ????????w*) return 1 ;;
	esac
}

check_directory() {
	[ ! -L "$state_dir" ] || distrust "$state_dir" "it is a symbolic link"
	is_private "$state_dir" || distrust "$state_dir" "$reason"
	if [ ! -r "$state_dir" ] || [ ! -x "$state_dir" ]; then
		complain "cannot read $state_dir: it is not known what is set already"
		return
	fi
	# Again, now that all of it exists.
	check_parents "$(cd -P -- "$state_dir" && pwd -P)"
}

check_file() {
	if [ -L "$1" ]; then
		distrust "$1" "it is a symbolic link"
	elif [ ! -e "$1" ]; then
		return
	elif [ ! -f "$1" ]; then
		distrust "$1" "it is no regular file"
	fi
	is_private "$1" || distrust "$1" "$reason"
	[ ! -r "$1" ] || check_lines "$1"
}

check_lines() {
	checked=$1
	number=1
	while IFS= read -r line; do
		if [ "$number" -eq 1 ]; then
			is_identity "$line" || distrust_line
		elif ! is_record "$line" || [ "${checked##*.}" != "$(scope "$line")" ]; then
			distrust_line
		fi
		number=$((number + 1))
	done <"$1"
	[ -z "$line" ] || distrust_line # it has no end
}

distrust_line() {
	complain "$checked: line $number is none that these scripts write: nothing is changed or restored while it is there"
	exit 1
}

is_identity() {
	case $1 in
	"of "*" "*) ;;
	*) return 1 ;;
	esac
	case ${1#of } in
	*[!a-z0-9\ -]*) return 1 ;;
	esac
}

# is_record LINE: is LINE, as a whole, one that these scripts write?
is_record() {
	case $1 in
	"sysctl "*" "*)
		name_and_value=${1#sysctl }
		is_our_value "${name_and_value%% *}" || return
		case ${name_and_value#* } in
		*[!0-9\ ,-]*) return 1 ;;
		esac
		;;
	"rule iptables PREROUTING "[ds]"port "* | "rule iptables OUTPUT "[ds]"port "* | \
		"rule ip6tables PREROUTING "[ds]"port "* | "rule ip6tables OUTPUT "[ds]"port "*)
		is_port "${1#rule * * * }"
		;;
	"table tcpscaler_client_"*) is_port "${1#table tcpscaler_client_}" ;;
	"table tcpscaler_server_"*) is_port "${1#table tcpscaler_server_}" ;;
	*) return 1 ;;
	esac
}

# is_our_value NAME: one that these scripts or --check=sysctl set.
is_our_value() {
	case $1 in
	fs.nr_open | fs.file-max | fs.epoll.max_user_watches | kernel.pid_max) ;;
	net.core.netdev_max_backlog | net.core.somaxconn) ;;
	net.ipv4.ip_local_port_range | net.ipv4.ip_local_reserved_ports) ;;
	net.ipv4.tcp_tw_reuse | net.ipv4.tcp_tw_reuse_delay) ;;
	net.ipv4.tcp_timestamps | net.ipv4.tcp_max_tw_buckets) ;;
	net.ipv4.tcp_max_orphans | net.ipv4.tcp_mem) ;;
	net.ipv4.tcp_max_syn_backlog | net.ipv4.tcp_syncookies) ;;
	net.ipv4.tcp_abort_on_overflow | net.netfilter.nf_conntrack_max) ;;
	net.ipv4.neigh.default.gc_thresh3 | net.ipv6.neigh.default.gc_thresh3) ;;
	net.ipv6.conf.all.disable_ipv6 | net.ipv6.bindv6only) ;;
	*) return 1 ;;
	esac
}

# identify: the number of a namespace is used again once the namespace is gone, and
# after a boot.  In each network namespace the kernel has a socket of its own for
# routes, whose inode is numbered anew for each socket of the host.
identify() {
	boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
	socket=$(awk '$2 == 0 && $3 == 0 { print $NF }' /proc/self/net/netlink 2>/dev/null)
	boot=${boot:-unknown}
	socket=${socket:-unknown}
}

# identity FILE: the first line that FILE has, if it is of this boot and namespace.
identity() {
	case $1 in
	*.host) printf 'of %s host' "$boot" ;;
	*) printf 'of %s %s' "$boot" "$socket" ;;
	esac
}

# drop_old FILE: nothing in FILE is of use any more, if it is of an earlier boot or
# of a namespace that is gone.
drop_old() {
	[ -r "$1" ] && [ "$(head -n 1 -- "$1")" != "$(identity "$1")" ] || return 0
	complain "$1: it tells of an earlier boot or of a network namespace that is gone: nothing of it is restored"
	old_files="$old_files
$1"
	dry || rm -f -- "$1"
}

# is_old FILE: a dry run leaves the file where it is.
is_old() {
	printf '%s\n' "$old_files" | grep -qxF -e "$1"
}

# scope LINE: whether what it tells of belongs to the host or to a namespace.
scope() {
	case $1 in
	"sysctl fs."* | "sysctl kernel."* | "sysctl net.netfilter."*) printf host ;;
	"sysctl net.core.netdev_max_backlog "*) printf host ;;
	"sysctl net.ipv4.tcp_mem "* | "sysctl net.ipv4.tcp_max_orphans "*) printf host ;;
	*) printf 'net-%s' "$namespace" ;;
	esac
}

file_for() {
	printf '%s/%s.%s' "$state_dir" "$role" "$(scope "$1")"
}

recorded() {
	! is_old "$(file_for "$1")" && grep -qsxF -e "$1" -- "$(file_for "$1")"
}

# record LINE: before the change that it tells of, so that nothing is lost when
# this script is killed in between.  If that fails, $reason says why.
record() {
	if dry || recorded "$1"; then
		return 0
	fi
	if ! is_record "$1"; then
		reason="--restore could not read what it was: $1"
		return 1
	fi
	if ! append "$1" "$(file_for "$1")" 2>/dev/null; then
		reason="what it was cannot be saved in $state_dir"
		return 1
	fi
}

# append LINE FILE: all of it or nothing, where the disk is full.
append() (
	umask 077
	rm -f -- "$new_state" || return
	{
		if [ -e "$2" ]; then
			cat -- "$2"
		else
			printf '%s\n' "$(identity "$2")"
		fi && printf '%s\n' "$1"
	} >"$new_state" && mv -f -- "$new_state" "$2"
)

forget() {
	if dry || ! recorded "$1"; then
		return 0
	fi
	saved=$(file_for "$1")
	rm -f -- "$new_state"
	if ! (umask 077 && grep -vxF -e "$1" -- "$saved" >"$new_state"); then
		return
	elif grep -qv "^of " -- "$new_state"; then
		mv -f -- "$new_state" "$saved"
	else
		rm -f -- "$new_state" "$saved" # that was the last line
	fi
}

# originals NAME: the lines, one for each script, that tell what NAME was.
originals() {
	of=$(scope "sysctl $1 ")
	for saved in "$state_dir/client.$of" "$state_dir/server.$of"; do
		is_old "$saved" || grep -hs -e "^sysctl $1 " -- "$saved"
	done
}

newline='
'

# record_original NAME VALUE: VALUE is the original unless one is saved already,
# here or by the other script.
record_original() {
	original=$(originals "$1")
	# Not by head: where the launcher ignores SIGPIPE, grep would complain.
	original=${original%%"$newline"*}
	record "${original:-sysctl $1 $2}"
}

# ---- Kernel values ----

# check_size: PROGRAM takes numbers that this script takes, or its refusal ends this
# script before anything is changed.
check_size() {
	[ -n "$connections" ] || return 0
	if find_program; then
		compute >/dev/null
	else
		complain "tcp$role is neither beside $me nor in PATH: fixed values, for any number of connections"
	fi
}

find_program() {
	program=${here:-.}/tcp$role
	[ -x "$program" ] || program=$(command -v "tcp$role")
}

# compute: print what the program says that the run takes, the same as its --check
# looks for.  It writes the reason itself where it refuses.
compute() {
	case $role in
	# The address is one of none; it matters only that it is not this host's.
	client) set -- -c "$connections" -p "$port" 192.0.2.1 ;;
	server) set -- --max-connections "$connections" "$port" ;;
	esac
	"$program" --check=sysctl -r "${queries:-0}" -n "${opens:-0}" "$@" && return
	case $? in
	2) usage_error "$program does not take this -c, -r or -n" ;;
	*) complain "$program does not say what $connections connections take; without -c the values are fixed" ;;
	esac
	exit 1
}

# set_computed: false where -c was not given or there is no program to ask.
set_computed() {
	[ -n "$connections" ] && find_program || return
	computed=$(compute) || exit
	while read -r name value; do
		case $queries$name in
		net.core.netdev_max_backlog) raise "$name" $any_backlog ;;
		*) change "$name" "$value" ;;
		esac
	done <<EOF
$computed
EOF
}

# Packets that wait for a processor; on the loopback interface and between
# namespaces everything passes here, and the default of 1000 drops bursts.
any_backlog=100000

set_shared_values() {
	# The most descriptors that one process may be allowed: four million
	# connections.  A larger limit costs nothing until they are used.
	raise fs.nr_open 4194304

	# The most open files on the host: two such processes, one for each end of
	# every connection, and room for all else.
	raise fs.file-max 10000000

	raise net.core.netdev_max_backlog $any_backlog
}

path_of() {
	printf '/proc/sys/%s' "$1" | tr . /
}

# read_value NAME: print it with single spaces (the kernel separates by tabs).
read_value() {
	awk '{ $1 = $1; print }' "$(path_of "$1")" 2>/dev/null
}

# write_value NAME VALUE: if that fails, print why.  tee, because it gives the
# reason, which the shell's own commands keep to themselves.
write_value() {
	if dry; then
		could_write "$1"
	elif ! why=$(printf '%s\n' "$2" | tee -- "$(path_of "$1")" 2>&1 >/dev/null); then
		printf '%s' "${why##*: }"
		return 1
	fi
}

# Without privileges a dry run shows what root would get.
could_write() {
	if is_root && [ ! -w "$(path_of "$1")" ]; then
		printf 'it cannot be written'
		return 1
	fi
}

# raise NAME LEAST: like change, but never lower it.
raise() {
	if value=$(read_value "$1") && at_least "$value" "$2"; then
		change "$1" "$value"
	else
		change "$1" "$2"
	fi
}

# lower NAME MOST: like change, but only where it is more; older kernels lack some.
lower() {
	if value=$(read_value "$1") && [ -n "$value" ] && ! at_least "$2" "$value"; then
		change "$1" "$2"
	fi
}

# Some limits default to numbers too large for the shell to compare.
at_least() {
	[ ${#1} -gt 18 ] || [ "$1" -ge "$2" ]
}

# change NAME VALUE: make it so, and print what it was.
change() {
	if ! old=$(read_value "$1"); then
		cannot "$1" "$(why_unreadable "$1")"
	elif [ "$old" = "$2" ]; then
		say "$1: ${old:-(empty)} (kept)"
		# If the other script made it so, this one depends on it too.
		[ -z "$(originals "$1")" ] || record_original "$1" "$old"
	elif ! record_original "$1" "$old"; then
		cannot "$1" "$reason"
	elif ! replace_value "$1" "$old" "$2"; then
		# If it still is the original, there is nothing to put back.
		forget "sysctl $1 $old"
	fi
}

restore_value() {
	if ! old=$(read_value "$1"); then
		cannot "$1" "$(why_unreadable "$1")"
	elif [ "$(originals "$1" | grep -c .)" -gt 1 ]; then
		say "$1: $old (kept, the other setup needs it)"
		forget "sysctl $1 $2"
	elif [ "$old" = "$2" ]; then
		say "$1: ${old:-(empty)} (kept)"
		forget "sysctl $1 $2"
	elif replace_value "$1" "$old" "$2"; then
		forget "sysctl $1 $2"
	fi
}

# replace_value NAME OLD NEW: write NEW, and print both.
replace_value() {
	if ! reason=$(write_value "$1" "$3"); then
		cannot "$1" "$reason"
		return 1
	fi
	say "$1: ${2:-(empty)} -> ${3:-(empty)}"
}

why_unreadable() {
	if [ -e "$(path_of "$1")" ]; then
		printf 'it cannot be read'
	else
		printf 'there is no such value in this kernel or network namespace'
	fi
}

restore_everything() {
	nothing=yes
	for file in "$state_dir/$role.host" "$state_dir/$role.net-$namespace"; do
		[ ! -s "$file" ] || is_old "$file" || restore_from "$file"
	done
	[ $nothing = no ] || say "nothing to restore: there is no saved state in $state_dir"
}

# What cannot be put back now stays recorded, for another try.
restore_from() {
	nothing=no
	while read -r kind name rest; do
		# shellcheck disable=SC2086 # the words of a rule are arguments
		case $kind in
		sysctl) restore_value "$name" "$rest" ;;
		rule) remove_rule "$name" $rest ;;
		table) remove_table "$name" ;;
		esac
	done <"$1"
}

# ---- Connection tracking ----
#
# A full connection table drops SYNs silently, so the packets of PORT are kept
# out of it, both ways.

stop_tracking() {
	case $role in
	server) incoming=dport outgoing=sport ;;
	client) incoming=sport outgoing=dport ;;
	esac
	table=tcpscaler_${role}_$port

	if [ ! -e /proc/sys/net/netfilter/nf_conntrack_count ]; then
		say "connection tracking: absent (kept)"
	elif table_exists "$table"; then
		say "nft table inet $table: present (kept)"
	elif ! { add_rules iptables && add_rules ip6tables; }; then
		because=$reason
		if add_table; then
			complain "$because: nft instead"
		else
			cannot "rule against connection tracking of port $port" "$because; $reason"
		fi
	fi
}

# The functions that add return 1 and leave the reason in $reason if they cannot.
# A dry run trusts the records, for even a look by iptables can create a table.

found() {
	reason="$1 is not in PATH"
	command -v "$1" >/dev/null
}

add_rules() {
	add_rule "$1" PREROUTING "$incoming" "$port" &&
		add_rule "$1" OUTPUT "$outgoing" "$port"
}

add_rule() {
	found "$1" || return
	if rule_exists "$@"; then
		say "$(rule_name "$@"): present (kept)"
		return
	fi
	record "rule $*" || return
	if ! dry && ! reason=$(do_rule -I "$@" 2>&1); then
		reason="$1 failed: $(one_line "$reason")"
		forget "rule $*"
		return 1
	fi
	say "$(rule_name "$@"): absent -> present"
}

remove_rule() {
	if ! found "$1"; then
		cannot "$(rule_name "$@")" "$reason"
	elif dry || reason=$(do_rule -D "$@" 2>&1); then
		say "$(rule_name "$@"): present -> absent"
		forget "rule $*"
	elif ! rule_exists "$@"; then
		say "$(rule_name "$@"): absent (kept)"
		forget "rule $*"
	else
		cannot "$(rule_name "$@")" "$(one_line "$reason")"
	fi
}

rule_name() {
	printf '%s raw %s tcp %s %s notrack' "$@"
}

# Not by -C, for there ip6tables-legacy 1.8.9 ignores the port.
rule_exists() {
	if dry; then
		recorded "rule $*"
	else
		"$1" -w -t raw -S "$2" 2>/dev/null |
			grep -qx -e "-A $2 -p tcp -m tcp --$3 $4 -j CT --notrack"
	fi
}

# do_rule ACTION TOOL CHAIN SIDE PORT
do_rule() {
	"$2" -w -t raw "$1" "$3" -p tcp "--$4" "$5" -j CT --notrack
}

add_table() {
	found nft || return
	record "table $table" || return
	if ! dry && ! reason=$(create_table 2>&1); then
		reason="nft failed: $(one_line "$reason")"
		forget "table $table"
		return 1
	fi
	say "nft table inet $table: absent -> present"
}

create_table() {
	nft -f - <<EOF
table inet $table {
	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		tcp $incoming $port notrack
	}
	chain output {
		type filter hook output priority raw; policy accept;
		tcp $outgoing $port notrack
	}
}
EOF
}

remove_table() {
	if ! found nft; then
		cannot "nft table inet $1" "$reason"
	elif ! table_exists "$1"; then
		say "nft table inet $1: absent (kept)"
		forget "table $1"
	elif dry || reason=$(nft delete table inet "$1" 2>&1); then
		say "nft table inet $1: present -> absent"
		forget "table $1"
	else
		cannot "nft table inet $1" "$(one_line "$reason")"
	fi
}

table_exists() {
	if dry; then
		recorded "table $1"
	else
		nft list table inet "$1" >/dev/null 2>&1
	fi
}

one_line() {
	printf '%s' "$1" | tr '\n' ' '
}

# ---- The command ----

run_command() {
	if dry; then
		say "would run: $*"
		exit $status
	fi
	raise_descriptor_limit
	if [ -n "${SUDO_UID:-}" ] && [ "$SUDO_UID" != 0 ] && is_root; then
		run_as_caller "$@"
	fi
	exec "$@" 9<&-
}

# sudo is there to set values; the command gets the rights of who called sudo, and
# may open the server's port where only root may.
run_as_caller() {
	if ! command -v setpriv >/dev/null; then
		complain "setpriv is not in PATH: running $1 as root, not as ${SUDO_USER:-user $SUDO_UID}"
		return
	fi
	low_port=
	if [ "$port" -lt 1024 ]; then
		low_port="--inh-caps=+net_bind_service --ambient-caps=+net_bind_service"
	fi
	HOME=$(getent passwd "$SUDO_UID" | cut -d: -f6)
	USER=${SUDO_USER:-$SUDO_UID}
	LOGNAME=$USER
	export HOME USER LOGNAME
	say "running $1 as $USER, who called sudo"
	# shellcheck disable=SC2086 # no option, or two
	exec setpriv --reuid "$SUDO_UID" --regid "${SUDO_GID:-$SUDO_UID}" \
		--init-groups $low_port -- "$@" 9<&-
}

# The hard limit needs CAP_SYS_RESOURCE, which root in a container may lack.
# shellcheck disable=SC3045 # every sh on Linux knows ulimit -n, -S and -H
raise_descriptor_limit() {
	limits="soft $(ulimit -S -n), hard $(ulimit -H -n)"
	ulimit -n "$(read_value fs.nr_open)" 2>/dev/null ||
		ulimit -S -n "$(ulimit -H -n)" 2>/dev/null
	say "descriptors for each process: $limits -> soft $(ulimit -S -n), hard $(ulimit -H -n)"
}
