#!/bin/sh
#
# Prepare this Linux host to run tcpclient with very many TCP connections.
# net.ipv4.* also governs TCP over IPv6.

set -u

here=$(dirname -- "$(readlink -f -- "$0")")
for library in "$here/lib/setup.sh" "$here/../share/tcpscaler/setup.sh"; do
	[ ! -r "$library" ] || break
done
if [ ! -r "$library" ]; then
	printf '%s: cannot read lib/setup.sh or %s\n' "${0##*/}" "$library" >&2
	exit 1
fi
# shellcheck source=lib/setup.sh
. "$library"

lowest_port=1024

set_values() {
	if set_computed; then
		return
	fi
	set_shared_values

	# Every connection from one address to one target needs a port of its own.
	# The target's port is reserved first, so that the wider range can neither
	# take it from a server on this host nor connect it to itself.
	reserve_target_port
	change net.ipv4.ip_local_port_range "$lowest_port 65535"

	# Connections closed in the last minute hold their ports in TIME_WAIT.
	# The default, 2, allows their reuse on the loopback interface only.
	change net.ipv4.tcp_tw_reuse 1
	# Without timestamps no port is reused.  tcp_fin_timeout does nothing for
	# TIME_WAIT, which lasts a minute.
	raise net.ipv4.tcp_timestamps 1
	lower net.ipv4.tcp_tw_reuse_delay 1000
}

reserve_target_port() {
	name=net.ipv4.ip_local_reserved_ports
	reserved=$(read_value $name)
	if [ "$port" -ge "$lowest_port" ] && ! port_in_list "$port" "$reserved"; then
		reserved=${reserved:+$reserved,}$port
	fi
	change $name "$reserved"
}

# port_in_list PORT LIST: is PORT in LIST, as in 53,8000-8999?
port_in_list() {
	for range in $(printf '%s' "$2" | tr , ' '); do
		if [ "$1" -ge "${range%-*}" ] && [ "$1" -le "${range#*-}" ]; then
			return 0
		fi
	done
	return 1
}

main client "$@"
