#include <string.h>

#include "lib/clock.h"
#include "client/pace.h"

/* A connect that is less late is in time: the pace is kept again. */
#define KEPT CLOCK_NS_PER_MS

#define RATE_LEAST 10 /* connects */

void
pace_hold(struct pace *p, enum pace_cause cause, uint64_t now)
{
	if (p->held_since != 0)
		return;
	p->held_since = now;
	p->cause = cause;
}

void
pace_release(struct pace *p, uint64_t due, uint64_t now)
{
	uint64_t since = due > p->held_since ? due : p->held_since;

	if (p->held_since == 0)
		return;
	if (now > since)
		p->held[p->cause] += now - since;
	p->held_since = 0;
	p->free_since = now;
}

uint64_t
pace_begin(struct pace *p, uint64_t due, uint64_t now)
{
	uint64_t since = due > p->free_since ? due : p->free_since;

	p->lag = now > due ? now - due : 0;
	if (p->lag < KEPT)
		memset(p->held, 0, sizeof(p->held));
	return now > since ? now - since : 0;
}

void
pace_miss(struct pace *p, uint64_t lag)
{
	uint64_t part;
	int i;

	for (i = 0; i < PACE_LATE; i++) {
		part = p->held[i] < lag ? p->held[i] : lag;
		p->missed[i] += (double)part;
		lag -= part;
	}
	p->missed[PACE_LATE] += (double)lag;
	memset(p->held, 0, sizeof(p->held));
	p->lag = 0;
}

void
pace_complete(struct pace *p, uint64_t opened)
{
	pace_miss(p, opened < RATE_LEAST ? 0 : p->lag);
}
