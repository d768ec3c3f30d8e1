#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/limits.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/work.h"
#include "server/handover.h"
#include "server/intake.h"
#include "server/listener.h"
#include "server/session.h"

/* Descriptors beside connections and what is open from the beginning: one to
 * accept what goes to another worker, and some for libraries. */
#define SPARE_DESCRIPTORS 3

/* Connections closed in one turn of what is to be closed: about a millisecond,
 * and then the others are served. */
#define CLOSE_SLICE 256

struct work {
	const struct work_config *config;
	struct worker *worker;
	struct counts *counts;
	struct event_base *base;
	struct intake *intake;
	struct sessions *sessions;
	struct event *closing; /* set while some are to be closed */
	uint64_t to_close;
	uint64_t closed; /* of them */
	bool said_unwatched;
};

/* Of the connections that it was told to close; some are left if it ends. */
static void
closing_end(struct work *w)
{
	worker_tell(w->worker, WORKER_DONE, w->closed);
	w->to_close = 0;
}

static void
on_closing(int fd, short what, void *arg)
{
	struct work *w = arg;
	unsigned int slice;

	(void)fd;
	(void)what;
	for (slice = 0; slice < CLOSE_SLICE && w->closed < w->to_close; slice++)
		if (sessions_close_oldest(
			w->sessions, &w->counts->closed_by_control))
			w->closed++;
		else
			w->to_close = w->closed; /* there are no more */
	if (w->closed < w->to_close)
		timer_set(w->closing, 0);
	else
		closing_end(w);
}

/* The parent waits for the end of one command before the next. */
static void
on_command(struct work *w, const struct worker_message *message)
{
	switch (message->verb) {
	case WORKER_CLOSE:
		w->to_close = message->value;
		w->closed = 0;
		on_closing(-1, 0, w);
		break;
	case WORKER_PAUSE:
		intake_hold(w->intake);
		worker_tell(w->worker, WORKER_DONE, 0);
		break;
	case WORKER_RESUME:
		intake_release(w->intake);
		worker_tell(w->worker, WORKER_DONE, 0);
		break;
	}
}

static void
on_message(const struct worker_message *message, void *arg)
{
	struct work *w = arg;

	if (message->verb == WORKER_DRAIN || message->verb == WORKER_STOP)
		event_base_loopbreak(w->base);
	else
		on_command(w, message);
}

/*
 * How many connections it may have; false if not even one. A worker with others
 * must not run out of descriptors, for what came then could not be passed on
 * either; one alone finds out when it does, and waits.
 */
static bool
find_most(const struct work_config *config, uint64_t *most)
{
	uint64_t limit = limits_raise_descriptors();
	uint64_t used = limits_descriptors_open() + SPARE_DESCRIPTORS;

	*most = config->max_connections;
	if (config->handover == NULL)
		return true;
	if (limit <= used)
		return false;
	if (limit - used < *most)
		*most = limit - used;
	return true;
}

static void
work_end(struct work *w)
{
	event_free(w->closing);
	if (w->to_close > 0)
		closing_end(w);
	intake_end(w->intake); /* closing must not accept again */
	listener_close(w->config->listener);
	while (sessions_close_oldest(w->sessions, &w->counts->closed_locally))
		;
	intake_free(w->intake);
	sessions_free(w->sessions);
}

/* Its listening sockets, where it has some of its own; 0 or an errno. */
static int
open_shared(struct worker *worker, const struct work_config *config)
{
	if (config->handover == NULL)
		return 0;
	listener_close(config->listener); /* the parent's */
	handover_join(config->handover, worker_index(worker));
	return listener_open(config->listener, LISTENER_SHARED) == NULL ? 0 :
									  errno;
}

static void
on_closed(void *arg)
{
	struct work *w = arg;

	intake_closed(w->intake);
}

static void
on_unwatched(int error, void *arg)
{
	struct work *w = arg;

	if (!w->said_unwatched)
		worker_tell(w->worker, WORKER_UNWATCHED, (uint64_t)error);
	w->said_unwatched = true;
}

static struct work *
work_new(struct worker *worker, const struct work_config *config)
{
	struct work *w = calloc(1, sizeof(*w));
	struct counts_slot *slot = worker_shared(worker);
	struct sessions_config sessions = {
	    .base = worker_base(worker),
	    .service = config->service,
	    .first_bytes = &slot->first_bytes,
	    .counts = &slot->counts,
	    .worker = worker_index(worker),
	    .workers = worker_count(worker),
	    .verbose = config->verbose,
	    .closed = on_closed,
	    .unwatched = on_unwatched,
	    .arg = w,
	};
	struct intake_config intake = {
	    .listeners = config->listener->fds,
	    .listener_count = config->listener->count,
	    .handover = config->handover,
	    .verbose = config->verbose,
	    .serve = sessions_add,
	};

	if (w == NULL)
		err(1, "no memory");
	w->config = config;
	w->worker = worker;
	w->counts = &slot->counts;
	w->base = worker_base(worker);
	w->closing = timer_new(w->base, 0, on_closing, w);
	w->sessions = sessions_new(&sessions);
	intake.arg = w->sessions;
	w->intake = intake_new(worker, &intake);
	return w;
}

int
work_run(struct worker *worker, const struct work_config *config)
{
	int error = open_shared(worker, config);
	struct work *w;
	uint64_t most;

	if (error != 0) {
		worker_tell(worker, WORKER_FAILED,
		    (uint64_t)listener_port(config->listener) << 32 |
			(uint32_t)error);
		return 1;
	}
	w = work_new(worker, config);
	worker_listen(worker, on_message, w);
	if (find_most(config, &most)) {
		intake_begin(w->intake, most);
		worker_tell(worker, WORKER_READY, 0);
	} else
		worker_tell(worker, WORKER_FAILED, EMFILE);
	if (event_base_dispatch(w->base) == -1)
		errx(1, "libevent: the event loop failed");
	work_end(w);
	free(w);
	return 0;
}
