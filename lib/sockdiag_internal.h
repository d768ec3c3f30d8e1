/*
 * What sockdiag.c asks the kernel, sockdiag_wanted.c picks from what there is, and
 * sockdiag_parse.c counts. Nobody else's business.
 */
#ifndef LIB_SOCKDIAG_INTERNAL_H
#define LIB_SOCKDIAG_INTERNAL_H

#include <linux/inet_diag.h>

#include <stdbool.h>

#include "lib/sockdiag.h"

#define PIECE	    32768 /* bytes; the kernel sends no more at once */
#define PORTS	    65536
#define RANGES_MOST 64 /* of ports, in the kernel's filter */

#define STATE_LISTEN 10
#define BIT(number)  (1U << (number))

/* One of the filter's tests: an operation, and the port in the next one. */
#define TEST_SIZE  (2 * sizeof(struct inet_diag_bc_op))
#define RANGE_SIZE (2 * TEST_SIZE + sizeof(struct inet_diag_bc_op))

struct range {
	uint16_t first;
	uint16_t last;
};

struct sockdiag {
	struct addr_ip *hosts; /* sorted */
	size_t host_count;
	uint8_t wanted[PORTS / 8]; /* a bit for each port */
	struct range ranges[RANGES_MOST];
	size_t range_count;
	int fd; /* -1: nothing is on its way */
	int family; /* that is being read */
	bool listening; /* listeners are asked for, not connections */
	struct sockdiag_states states;
	struct sockdiag_queues queues;
	uint8_t piece[PIECE];
};

/* What is wanted from here on. False where there is no memory for the copy. */
bool sockdiag_want_hosts(
    struct sockdiag *, const struct addr_ip *hosts, size_t count);
/* At least one. */
void sockdiag_want_ports(
    struct sockdiag *, const uint16_t *ports, size_t count);

bool sockdiag_wants_port(const struct sockdiag *, unsigned int port);
/* address is 4 or 16 bytes in network order, as the family has it. */
bool sockdiag_wants_address(
    const struct sockdiag *, int family, const uint32_t *address);
/* Whether a socket of that family may be wanted at all. */
bool sockdiag_wants_family(const struct sockdiag *, int family);

/* As many operations as RANGES_MOST ranges take, and returns their bytes. */
#define SOCKDIAG_OPS (RANGES_MOST * RANGE_SIZE / sizeof(struct inet_diag_bc_op))
size_t sockdiag_write_filter(
    const struct sockdiag *, struct inet_diag_bc_op ops[SOCKDIAG_OPS]);

#endif
