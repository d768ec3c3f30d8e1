/*
 * Which sockets are wanted: by address here, by port in the kernel as well.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "lib/sockdiag_internal.h"

static int
by_address(const void *a, const void *b)
{
	const struct addr_ip *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static bool
is_any(const struct addr_ip *host)
{
	static const uint8_t zeros[sizeof(host->bytes)];

	return memcmp(host->bytes, zeros, sizeof(zeros)) == 0;
}

static void
set_loopback(struct addr_ip *host)
{
	const uint32_t v4 = htonl(INADDR_LOOPBACK);

	if (host->family == AF_INET)
		memcpy(host->bytes, &v4, sizeof(v4));
	else
		memcpy(host->bytes, &in6addr_loopback, sizeof(host->bytes));
}

bool
sockdiag_want_hosts(
    struct sockdiag *d, const struct addr_ip *hosts, size_t count)
{
	size_t i;

	d->host_count = count;
	if (count == 0)
		return true;
	d->hosts = malloc(count * sizeof(*hosts));
	if (d->hosts == NULL)
		return false;
	memcpy(d->hosts, hosts, count * sizeof(*hosts));
	for (i = 0; i < count; i++)
		if (is_any(&d->hosts[i]))
			set_loopback(&d->hosts[i]);
	qsort(d->hosts, count, sizeof(*hosts), by_address);
	return true;
}

bool
sockdiag_wants_port(const struct sockdiag *d, unsigned int port)
{
	return d->wanted[port / 8] & BIT(port % 8);
}

/* What does not fit into the last range makes it wider: the ports are looked at
 * again here. */
void
sockdiag_want_ports(struct sockdiag *d, const uint16_t *ports, size_t count)
{
	unsigned int port;
	size_t i;

	for (i = 0; i < count; i++)
		d->wanted[ports[i] / 8] |= (uint8_t)BIT(ports[i] % 8);
	for (port = 0; port < PORTS; port++) {
		if (!sockdiag_wants_port(d, port))
			continue;
		if (d->range_count == 0 ||
		    (!sockdiag_wants_port(d, port - 1) &&
			d->range_count < RANGES_MOST))
			d->ranges[d->range_count++].first = (uint16_t)port;
		d->ranges[d->range_count - 1].last = (uint16_t)port;
	}
}

bool
sockdiag_wants_address(
    const struct sockdiag *d, int family, const uint32_t *address)
{
	struct addr_ip ip = {.family = family};

	if (d->host_count == 0)
		return true;
	memcpy(ip.bytes, address, family == AF_INET ? 4 : 16);
	if (d->listening && is_any(&ip))
		return true;
	return bsearch(&ip, d->hosts, d->host_count, sizeof(ip), by_address) !=
	    NULL;
}

bool
sockdiag_wants_family(const struct sockdiag *d, int family)
{
	size_t i;

	/* a socket on :: takes IPv4 too */
	if (d->host_count == 0 || d->listening)
		return true;
	for (i = 0; i < d->host_count; i++)
		if (d->hosts[i].family == family)
			return true;
	return false;
}

/*
 * A program for the kernel. Each operation says how many bytes to go on by if it
 * is true, and if not; what ends exactly behind the last one is wanted, what
 * goes four bytes beyond is not. A range: not below first, not above last, then
 * a jump to the end, while a test that fails goes to the next range.
 */
size_t
sockdiag_write_filter(
    const struct sockdiag *d, struct inet_diag_bc_op ops[SOCKDIAG_OPS])
{
	struct inet_diag_bc_op *op = ops;
	const uint8_t not_below = INET_DIAG_BC_D_GE,
		      not_above = INET_DIAG_BC_D_LE;
	size_t i, left;

	for (i = 0; i < d->range_count; i++) {
		left = (d->range_count - i) * RANGE_SIZE;
		*op++ =
		    (struct inet_diag_bc_op){not_below, TEST_SIZE, RANGE_SIZE};
		*op++ = (struct inet_diag_bc_op){.no = d->ranges[i].first};
		*op++ = (struct inet_diag_bc_op){
		    not_above, TEST_SIZE, RANGE_SIZE - TEST_SIZE};
		*op++ = (struct inet_diag_bc_op){.no = d->ranges[i].last};
		left -= 2 * TEST_SIZE;
		*op++ = (struct inet_diag_bc_op){
		    INET_DIAG_BC_JMP, sizeof(*op), (unsigned short)left};
	}
	/* to the end, not to a range that is not there */
	op[-5].no = RANGE_SIZE + sizeof(*op);
	op[-3].no = RANGE_SIZE - TEST_SIZE + sizeof(*op);
	return (size_t)(op - ops) * sizeof(*op);
}
