#include <event2/event.h>
#include <event2/event_struct.h>

#include <err.h>
#include <errno.h>
#include <string.h>

#include "lib/events.h"
#include "lib/lines.h"
#include "lib/status.h"

const char *
events_limit(int error)
{
	return error == ENOSPC ? " (fs.epoll.max_user_watches)" : "";
}

/*
 * libevent's messages. It says too little where it goes on with a coarse timer, and
 * too much where epoll_ctl() fails: the caller has the errno and counts it.
 */
static void
hear_log(int severity, const char *text, int status)
{
	int error = errno;

	if (strncmp(text, "epoll_ctl(timerfd)", 18) == 0 ||
	    strncmp(text, "timerfd_create", 14) == 0)
		errx(status, "cannot watch the timer of this process%s: %s",
		    events_limit(error), text);
	if (severity >= EVENT_LOG_WARN && strncmp(text, "Epoll ", 6) != 0)
		(void)lines_say("libevent: %s", text);
	errno = error;
}

static void
hear_log_in_parent(int severity, const char *text)
{
	hear_log(severity, text, STATUS_COULD_NOT_RUN);
}

static void
hear_log_in_worker(int severity, const char *text)
{
	hear_log(severity, text, EVENTS_WORKER_STATUS);
}

static int
status_of(bool in_worker)
{
	return in_worker ? EVENTS_WORKER_STATUS : STATUS_COULD_NOT_RUN;
}

/*
 * precise timer: the coarse clock's 1-4 ms would be all of the lateness;
 * no changelist: with it event_add() always succeeds, and nobody hears that
 * epoll_ctl() failed later;
 * no environment: EVENT_NOEPOLL and the like must not change what is measured.
 */
struct event_base *
events_base_new(bool in_worker)
{
	struct event_config *config = event_config_new();
	struct event_base *base;
	int status = status_of(in_worker);

	if (config == NULL)
		errx(status, "libevent: no memory for an event configuration");
	event_set_log_callback(
	    in_worker ? hear_log_in_worker : hear_log_in_parent);
	event_config_set_flag(config,
	    EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
		EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL)
		err(status, "libevent: cannot make an event base");
#ifdef __linux__
	if (strcmp(event_base_get_method(base), "epoll") != 0)
		errx(status, "libevent: method is %s, not epoll",
		    event_base_get_method(base));
#endif
	return base;
}

struct event *
events_start(struct event_base *base, int fd, short what,
    event_callback_fn callback, void *arg, bool in_worker)
{
	struct event *event = event_new(base, fd, what, callback, arg);

	if (event == NULL || event_add(event, NULL) == -1)
		err(status_of(in_worker),
		    "cannot watch a descriptor of this program%s",
		    events_limit(errno));
	return event;
}

/*
 * A second event on the descriptor keeps the kernel's entry: one EPOLL_CTL_MOD,
 * or two, where a deleted event and a new one would be an EPOLL_CTL_DEL and an
 * EPOLL_CTL_ADD, which can fail.
 */
bool
events_change(struct event *event, short what, event_callback_fn callback)
{
	struct event_base *base = event_get_base(event);
	int fd = event_get_fd(event), error;
	void *arg = event_get_callback_arg(event);
	struct event keeps;
	bool changed;

	what |= EV_PERSIST;
	if (event_assign(&keeps, base, fd, what, callback, arg) == -1 ||
	    event_add(&keeps, NULL) == -1)
		return false;
	changed = event_del(event) == 0 &&
	    event_assign(event, base, fd, what, callback, arg) == 0 &&
	    event_add(event, NULL) == 0;
	error = errno;
	(void)event_del(&keeps);
	errno = error;
	return changed;
}
