#include <err.h>

#include "lib/clock.h"
#include "lib/timer.h"

struct event *
timer_new(
    struct event_base *base, short what, event_callback_fn callback, void *arg)
{
	struct event *timer = event_new(base, -1, what, callback, arg);

	if (timer == NULL)
		err(1, "libevent: cannot make a timer");
	return timer;
}

void
timer_set(struct event *timer, uint64_t delay)
{
	struct timeval tv = clock_to_timeval(delay);

	if (event_add(timer, &tv) == -1)
		err(1, "libevent: cannot set a timer");
}

void
timer_set_at(struct event *timer, uint64_t when, uint64_t now)
{
	timer_set(timer, when > now ? when - now : 0);
}

void
timer_start(struct event *timer, uint64_t delay)
{
	if (!event_pending(timer, EV_TIMEOUT, NULL))
		timer_set(timer, delay);
}
