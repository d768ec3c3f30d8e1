#include <event2/event.h>

#include <err.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "server/patience.h"

#define BURST 256 /* a turn, then connections that are alive get theirs */

struct patience {
	TAILQ_HEAD(, patience_entry) entries; /* longest silent first */
	struct event *timer;
	void (*over)(void *);
	uint64_t limit;
};

static void
on_timer(int fd, short what, void *arg)
{
	struct patience *p = arg;
	struct patience_entry *first;
	uint64_t now = clock_now();
	unsigned int most = BURST;

	(void)fd;
	(void)what;
	while ((first = TAILQ_FIRST(&p->entries)) != NULL &&
	    first->heard + p->limit <= now && most-- > 0)
		p->over(first->arg);
	if (first != NULL)
		timer_set_at(p->timer, first->heard + p->limit, now);
}

struct patience *
patience_new(struct event_base *base, uint64_t limit, void (*over)(void *))
{
	struct patience *p = calloc(1, sizeof(*p));

	if (p == NULL)
		err(1, "no memory");
	TAILQ_INIT(&p->entries);
	p->timer = timer_new(base, 0, on_timer, p);
	p->over = over;
	p->limit = limit;
	return p;
}

void
patience_free(struct patience *p)
{
	if (p == NULL)
		return;
	event_free(p->timer);
	free(p);
}

void
patience_hear(struct patience *p, struct patience_entry *entry)
{
	patience_remove(entry);
	entry->in = p;
	entry->heard = clock_now();
	TAILQ_INSERT_TAIL(&p->entries, entry, entry);
	timer_start(p->timer, p->limit);
}

void
patience_remove(struct patience_entry *entry)
{
	if (entry->in != NULL)
		TAILQ_REMOVE(&entry->in->entries, entry, entry);
	entry->in = NULL;
}
