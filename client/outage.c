#include <string.h>

#include "client/outage.h"

static void
keep_longest(uint64_t *longest, uint64_t *since, uint64_t now)
{
	if (*since != 0 && now - *since > *longest)
		*longest = now - *since;
	*since = 0;
}

void
outage_watch_init(
    struct outage_watch *w, struct outage *longest, uint64_t ended)
{
	memset(w, 0, sizeof(*w));
	w->longest = longest;
	w->ended = ended;
}

void
outage_watch_look(struct outage_watch *w, uint64_t now, uint64_t ended,
    uint32_t missing, bool all)
{
	if (missing > 0 && ended != w->ended && w->some_since == 0)
		w->some_since = now;
	w->ended = ended;
	if (w->some_since == 0)
		return;
	if (!all)
		keep_longest(&w->longest->none, &w->none_since, now);
	else if (w->none_since == 0)
		w->none_since = now;
	if (missing == 0)
		keep_longest(&w->longest->some, &w->some_since, now);
}

void
outage_watch_end(struct outage_watch *w, uint64_t now)
{
	keep_longest(&w->longest->none, &w->none_since, now);
	keep_longest(&w->longest->some, &w->some_since, now);
}
