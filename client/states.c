#include <event2/event.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "client/routes.h"
#include "client/states.h"
#include "lib/clock.h"
#include "lib/timer.h"

/* A turn of counting, and how much longer than it the pause behind it is. */
#define TURN_MOST    (2 * CLOCK_NS_PER_MS)
#define PAUSE_FACTOR 9

struct states {
	struct sockdiag *diag;
	struct event *timer;
	bool counting;
	bool counted; /* and not taken yet */
	bool failed; /* for good: not asked again */
};

/* Reads until it is over, or until then. */
static enum sockdiag_progress
read_until(struct states *s, uint64_t when)
{
	enum sockdiag_progress progress;

	do
		progress = sockdiag_read(s->diag);
	while (progress == SOCKDIAG_MORE && clock_now() < when);
	return progress;
}

static void
turn(struct states *s, uint64_t begun)
{
	switch (read_until(s, begun + TURN_MOST)) {
	case SOCKDIAG_MORE:
		timer_set(s->timer, PAUSE_FACTOR * (clock_now() - begun));
		return;
	case SOCKDIAG_DONE:
		s->counted = true;
		break;
	case SOCKDIAG_FAILED:
		s->failed = true;
		break;
	}
	s->counting = false;
}

static void
on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg, clock_now());
}

static struct sockdiag *
diag_new(const struct routes *routes)
{
	struct sockdiag *diag =
	    sockdiag_new(routes->hosts.at, routes->hosts.count,
		routes_ports(routes)->at, routes_ports(routes)->count);

	if (diag == NULL)
		err(1, "no memory for the states of connections");
	return diag;
}

struct states *
states_new(struct event_base *base, const struct routes *routes)
{
	struct states *s = calloc(1, sizeof(*s));

	if (s == NULL)
		err(1, "no memory for the states of connections");
	s->diag = diag_new(routes);
	s->timer = timer_new(base, 0, on_timer, s);
	return s;
}

void
states_free(struct states *s)
{
	if (s == NULL)
		return;
	event_free(s->timer);
	sockdiag_free(s->diag);
	free(s);
}

void
states_begin(struct states *s)
{
	uint64_t now = clock_now();

	if (s->counting || s->failed)
		return;
	s->counted = false;
	s->failed = sockdiag_begin(s->diag) != 0;
	s->counting = !s->failed;
	if (s->counting)
		turn(s, now);
}

bool
states_take(struct states *s, struct sockdiag_states *out)
{
	bool counted = s->counted;

	if (counted)
		memcpy(out, sockdiag_states(s->diag), sizeof(*out));
	s->counted = false;
	return counted;
}

bool
states_count(struct states *s, uint64_t most, struct sockdiag_states *out)
{
	event_del(s->timer);
	sockdiag_stop(s->diag);
	s->counting = false;
	if (s->failed || sockdiag_begin(s->diag) != 0)
		return false;
	s->counted = read_until(s, clock_now() + most) == SOCKDIAG_DONE;
	if (!s->counted)
		sockdiag_stop(s->diag);
	return states_take(s, out);
}

bool
states_queues(const struct states *s, struct sockdiag_queues *out)
{
	return sockdiag_queues(s->diag, out) == 0;
}

bool
states_first_queues(const struct routes *routes, struct sockdiag_queues *out)
{
	struct sockdiag *diag = diag_new(routes);
	bool known = sockdiag_queues(diag, out) == 0;

	sockdiag_free(diag);
	return known;
}

bool
states_first_count(
    const struct routes *routes, uint64_t most, struct sockdiag_states *out)
{
	struct states s = {.diag = diag_new(routes)};
	bool known = sockdiag_begin(s.diag) == 0 &&
	    read_until(&s, clock_now() + most) == SOCKDIAG_DONE;

	if (known)
		memcpy(out, sockdiag_states(s.diag), sizeof(*out));
	sockdiag_free(s.diag);
	return known;
}
