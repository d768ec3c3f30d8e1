#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/limits.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/echo.h"
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

struct echo {
	const struct echo_config *config;
	struct worker *worker;
	struct counts *counts;
	struct event_base *base;
	struct intake *intake;
	struct sessions *sessions;
	struct event *closing; /* set while some are to be closed */
	uint64_t to_close;
	uint64_t closed; /* of them */
};

/* Of the connections that it was told to close; some are left if it ends. */
static void
closing_end(struct echo *e)
{
	worker_tell(e->worker, WORKER_DONE, e->closed);
	e->to_close = 0;
}

static void
on_closing(int fd, short what, void *arg)
{
	struct echo *e = arg;
	unsigned int slice;

	(void)fd;
	(void)what;
	for (slice = 0; slice < CLOSE_SLICE && e->closed < e->to_close; slice++)
		if (sessions_close_oldest(
			e->sessions, &e->counts->closed_by_control))
			e->closed++;
		else
			e->to_close = e->closed; /* there are no more */
	if (e->closed < e->to_close)
		timer_set(e->closing, 0);
	else
		closing_end(e);
}

/* The parent waits for the end of one command before the next. */
static void
on_command(struct echo *e, const struct worker_message *message)
{
	switch (message->verb) {
	case WORKER_CLOSE:
		e->to_close = message->value;
		e->closed = 0;
		on_closing(-1, 0, e);
		break;
	case WORKER_PAUSE:
		intake_hold(e->intake);
		worker_tell(e->worker, WORKER_DONE, 0);
		break;
	case WORKER_RESUME:
		intake_release(e->intake);
		worker_tell(e->worker, WORKER_DONE, 0);
		break;
	}
}

static void
on_message(const struct worker_message *message, void *arg)
{
	struct echo *e = arg;

	if (message->verb == WORKER_DRAIN || message->verb == WORKER_STOP)
		event_base_loopbreak(e->base);
	else
		on_command(e, message);
}

/*
 * How many connections it may have; false if not even one. A worker with others
 * must not run out of descriptors, for what came then could not be passed on
 * either; one alone finds out when it does, and waits.
 */
static bool
find_most(const struct echo_config *config, uint64_t *most)
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
echo_end(struct echo *e)
{
	event_free(e->closing);
	if (e->to_close > 0)
		closing_end(e);
	intake_end(e->intake); /* closing must not accept again */
	listener_close(e->config->listener);
	while (sessions_close_oldest(e->sessions, &e->counts->closed_locally))
		;
	intake_free(e->intake);
	sessions_free(e->sessions);
}

/* Its listening sockets, where it has some of its own; 0 or an errno. */
static int
open_shared(struct worker *worker, const struct echo_config *config)
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
	struct echo *e = arg;

	intake_closed(e->intake);
}

static struct echo *
echo_new(struct worker *worker, const struct echo_config *config)
{
	struct echo *e = calloc(1, sizeof(*e));
	struct counts_slot *slot = worker_shared(worker);
	struct sessions_config sessions = {
	    .base = worker_base(worker),
	    .service = config->service,
	    .counts = &slot->counts,
	    .worker = worker_index(worker),
	    .workers = worker_count(worker),
	    .verbose = config->verbose,
	    .closed = on_closed,
	    .arg = e,
	};
	struct intake_config intake = {
	    .listeners = config->listener->fds,
	    .listener_count = config->listener->count,
	    .handover = config->handover,
	    .verbose = config->verbose,
	    .serve = sessions_add,
	};

	if (e == NULL)
		err(1, "no memory");
	e->config = config;
	e->worker = worker;
	e->counts = &slot->counts;
	e->base = worker_base(worker);
	e->closing = timer_new(e->base, 0, on_closing, e);
	e->sessions = sessions_new(&sessions);
	intake.arg = e->sessions;
	e->intake = intake_new(worker, &intake);
	return e;
}

int
echo_run(struct worker *worker, const struct echo_config *config)
{
	int error = open_shared(worker, config);
	struct echo *e;
	uint64_t most;

	if (error != 0) {
		worker_tell(worker, WORKER_FAILED,
		    (uint64_t)listener_port(config->listener) << 32 |
			(uint32_t)error);
		return 1;
	}
	e = echo_new(worker, config);
	worker_listen(worker, on_message, e);
	if (find_most(config, &most)) {
		intake_begin(e->intake, most);
		worker_tell(worker, WORKER_READY, 0);
	} else
		worker_tell(worker, WORKER_FAILED, EMFILE);
	if (event_base_dispatch(e->base) == -1)
		errx(1, "libevent: the event loop failed");
	echo_end(e);
	free(e);
	return 0;
}
