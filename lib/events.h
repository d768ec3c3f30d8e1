/*
 * libevent's events on descriptors, so that a failure of epoll_ctl() reaches the
 * caller: ENOSPC (fs.epoll.max_user_watches) and ENOMEM are limits that a run can
 * meet.
 */
#ifndef LIB_EVENTS_H
#define LIB_EVENTS_H

#include <stdbool.h>

#include <event2/event.h>

/*
 * The exit status of a worker process that cannot watch its own descriptors, or
 * cannot set up anything else that it needs before it begins. It has said why.
 */
#define EVENTS_WORKER_STATUS 71 /* EX_OSERR */

/* " (NAME)" of the limit behind an errno of epoll_ctl(); "" where there is none. */
const char *events_limit(int error);

/*
 * An event base of this process. in_worker: it ends with EVENTS_WORKER_STATUS
 * instead of STATUS_COULD_NOT_RUN where the base, its timer, or later an event of
 * events_start() cannot be made.
 */
struct event_base *events_base_new(bool in_worker);

/* A new event, added; on failure it ends the process as above. */
struct event *events_start(struct event_base *, int fd, short what,
    event_callback_fn callback, void *arg, bool in_worker);

/*
 * Has an event wait for something else, what (EV_READ, EV_WRITE or both) again and
 * again, with this callback. It is one that is added and persistent, or false is
 * returned. The kernel keeps its entry for the descriptor all the while, so no limit
 * of entries can be met. False, with errno: nothing has changed.
 */
bool events_change(struct event *, short what, event_callback_fn callback);

#endif
