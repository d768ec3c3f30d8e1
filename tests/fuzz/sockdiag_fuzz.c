/*
 * lib/sockdiag: messages of the kernel's about sockets.
 *
 * Input: a byte for what is asked, then the messages.
 */
#include <linux/netlink.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sockdiag_internal.h"
#include "lib/sockdiag_peer.h"
#include "tests/fuzz/fuzz.h"

static struct sockdiag *
diag_new(unsigned int options)
{
	static const struct addr_ip hosts[] = {
	    {.family = 2, .bytes = {127, 0, 0, 1}},
	    {.family = 10, .bytes = {[15] = 1}},
	};
	static const uint16_t ports[] = {53, 4242};
	struct sockdiag *d = sockdiag_new(hosts, options & 1 ? 2 : 0, ports, 2);

	FUZZ_CHECK(d != NULL);
	d->listening = options & 2;
	return d;
}

static uint64_t
sum_of(const struct sockdiag *d)
{
	const struct sockdiag_states *s = sockdiag_states(d);
	uint64_t sum = d->queues.listeners;

#define ADD(name, number) sum += s->name;
	SOCKDIAG_STATES(ADD)
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct sockdiag *d = diag_new(fuzz_byte(&in));
	uint8_t *copy = fuzz_copy(in.at, in.left);
	enum sockdiag_progress progress;
	struct sockdiag_peer peer;

	errno = 0;
	progress = sockdiag_parse(d, copy, in.left);
	/* no more sockets than there is room for */
	FUZZ_CHECK(sum_of(d) <=
	    in.left / (NLMSG_HDRLEN + sizeof(struct inet_diag_msg)));
	FUZZ_CHECK(progress != SOCKDIAG_FAILED || errno > 0);
	FUZZ_CHECK(d->queues.fullest <= d->queues.queued);
	(void)sockdiag_peer_parse(copy, in.left, &peer);
	free(copy);
	sockdiag_free(d);
	return 0;
}
