#include <stddef.h>

#include "server/counts.h"
#include "lib/accounts.h"

void
counts_merge(struct counts *into, const struct counts *from)
{
#define COUNTS_ADD(name) into->name += from->name;
	COUNTS_LIST(COUNTS_ADD)
}

static uint64_t
closed(const struct counts *c)
{
	return c->closed_by_peer + c->reset_by_peer + c->closed_by_error +
	    c->closed_unwatched + c->closed_idle + c->closed_after +
	    c->closed_locally + c->closed_by_control + c->closed_worker_died;
}

/* Messages of which it is known what became of them, without those discarded. */
static uint64_t
done(const struct counts *c)
{
	return c->messages_answered + c->messages_dropped +
	    c->messages_unanswerable + c->messages_swallowed;
}

uint64_t
counts_open(const struct counts *c)
{
	return c->accepted + c->taken_over - c->handed_over - closed(c);
}

uint64_t
counts_open_all(const struct counts *c)
{
	return c->accepted > closed(c) ? c->accepted - closed(c) : 0;
}

void
counts_bury(struct counts *c)
{
	c->closed_worker_died += counts_open(c);
	c->messages_discarded = c->messages - done(c);
	c->bytes_discarded =
	    c->bytes_in + c->bytes_made - c->bytes_out - c->bytes_consumed;
}

void
counts_settle(struct counts *c, bool one_died)
{
	uint64_t in_transit = c->handed_over - c->taken_over;

	if (one_died)
		c->closed_worker_died += in_transit;
	else
		c->closed_locally += in_transit;
}

unsigned int
counts_check(const struct counts *c, FILE *out)
{
	unsigned int broken = 0;

	broken += accounts_check(
	    out, "accepted", c->accepted, "closed, in every way", closed(c));
	broken += accounts_check(out, "messages", c->messages,
	    "answered + dropped + unanswerable + swallowed + discarded",
	    done(c) + c->messages_discarded);
	broken += accounts_check(out, "bytes_in + bytes_made",
	    c->bytes_in + c->bytes_made,
	    "bytes_out + bytes_consumed + bytes_discarded",
	    c->bytes_out + c->bytes_consumed + c->bytes_discarded);
	return broken;
}
