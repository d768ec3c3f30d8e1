#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/limits.h"
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

struct echo {
	const struct echo_config *config;
	struct event_base *base;
	struct intake *intake;
	struct sessions *sessions;
};

static void
on_message(const struct worker_message *message, void *arg)
{
	struct echo *e = arg;

	if (message->verb == WORKER_DRAIN || message->verb == WORKER_STOP)
		event_base_loopbreak(e->base);
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
	intake_end(e->intake); /* closing must not accept again */
	listener_close(e->config->listener);
	while (sessions_close_oldest(e->sessions))
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
	e->base = worker_base(worker);
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
