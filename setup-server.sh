#!/bin/sh
#
# Prepare this Linux host to run tcpserver, or any other server under test,
# with very many TCP connections.  net.ipv4.* also governs TCP over IPv6.

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

set_values() {
	if set_computed; then
		return
	fi
	set_shared_values

	# A connection waits in the first queue until its handshake is done, and
	# in the second until it is accepted.  Both overflow silently.
	raise net.ipv4.tcp_max_syn_backlog 65535
	raise net.core.somaxconn 65535

	# With cookies a client can believe in a connection that the server never
	# kept, and the test would measure that.  Without them a full SYN queue
	# drops, and the client tries again: so the queues come first.
	change net.ipv4.tcp_syncookies 0

	# Clients reuse ports in TIME_WAIT only if this end has timestamps, too.
	raise net.ipv4.tcp_timestamps 1
}

main server "$@"
