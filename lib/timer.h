/*
 * libevent timers in nanoseconds. Lack of memory ends the program.
 */
#ifndef LIB_TIMER_H
#define LIB_TIMER_H

#include <event2/event.h>

#include <stdint.h>

/* Not set yet. what: 0, or EV_PERSIST to be set again each time. Owned by the
 * caller (event_free()). */
struct event *timer_new(
    struct event_base *, short what, event_callback_fn, void *arg);

/* In delay nanoseconds from now; replaces what was set before. */
void timer_set(struct event *, uint64_t delay);

/* At when, monotonic nanoseconds, seen from now; at once if that is past. */
void timer_set_at(struct event *, uint64_t when, uint64_t now);

/* As above, but leaves a timer alone that is set already. */
void timer_start(struct event *, uint64_t delay);

#endif
