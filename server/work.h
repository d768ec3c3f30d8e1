/*
 * One worker of the server: takes connections in (server/intake) and serves
 * them (server/session) until it is told to end.
 */
#ifndef SERVER_WORK_H
#define SERVER_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct handover;
struct listener;
struct service;
struct worker;

struct work_config {
	/* Open and the worker's alone, or the parent's placeholders where there
	 * are several workers. Closed at the end, not freed. */
	struct listener *listener;
	struct handover *handover; /* NULL: the only worker */
	const struct service *service; /* the caller's */
	uint64_t max_connections; /* of this worker; UINT64_MAX: no limit */
	bool verbose; /* a line for each connection on stderr */
};

/*
 * The worker's main function; its slot of shared memory is a struct
 * counts_slot. To the parent it says WORKER_READY when it takes connections,
 * WORKER_FULL with an errno (0: there is no room) the first time that it takes
 * no more, or WORKER_FAILED with an errno and, 32 bits higher, the port that it
 * could not listen on (0 with EMFILE: no descriptor is left for a connection).
 * WORKER_CLOSE, WORKER_PAUSE and WORKER_RESUME it answers with WORKER_DONE; the
 * next of them must not come before that.
 */
int work_run(struct worker *, const struct work_config *);

#endif
