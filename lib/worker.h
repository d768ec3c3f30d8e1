/*
 * Worker processes: the parent forks them, talks to each over a socket pair,
 * reaps them, and is the only one that hears signals and prints.
 *
 * - Fork first, then make the event bases: nothing of libevent is shared.
 * - Each worker has a slot of shared memory that only it writes, so that what
 *   it counted survives it, however it ends. The parent and the other workers
 *   may read it.
 * - Workers ignore the signals that the parent hears (lib/signals): a terminal
 *   sends those to the whole process group, and the parent tells its workers by
 *   messages. The parent hears none that is ignored when the workers start.
 * - A worker whose parent is gone, even by SIGKILL, exits at once.
 */
#ifndef LIB_WORKER_H
#define LIB_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct worker; /* a worker, seen from within */
struct workers; /* all of them, seen from the parent */

enum worker_verb {
	WORKER_READY, /* to the parent: set up; value is the worker's own */
	WORKER_FAILED, /* to the parent: gave up; value is an errno */
	WORKER_FULL, /* to the parent: takes on no more; the worker's own */
	WORKER_UNWATCHED, /* to the parent: closed a socket that it could not
			     watch; value is an errno */
	WORKER_RATE, /* for what begins next: the bits of a double */
	WORKER_LAST, /* how long it is to last, nanoseconds */
	WORKER_HOLD, /* hold that many connections, all workers together */
	WORKER_REOPEN, /* open in place of those that were closed after a step */
	WORKER_GO, /* begin at value, monotonic nanoseconds */
	WORKER_DRAIN, /* from value on (monotonic nanoseconds, a client's) take on
			 nothing new, finish, exit */
	WORKER_STOP, /* exit at once, with the accounts in order */
	WORKER_CLOSE, /* close that many connections, the oldest first */
	WORKER_PAUSE, /* accept, or at value query, no more, until WORKER_RESUME */
	WORKER_RESUME,
	WORKER_CHANGE, /* WORKER_RATE holds from value on, monotonic nanoseconds */
	WORKER_TOTAL, /* that many connections, all workers together */
	WORKER_RANGE, /* of these, yours: the first << 32 | how many */
	WORKER_SHARE, /* they are your share of the rate, from value on */
	WORKER_WANT, /* hold that many connections, this worker alone */
	WORKER_TALLY, /* say how many connections you hold */
	WORKER_DONE, /* to the parent: what was told is; how many */
};

struct worker_message {
	uint32_t verb;
	uint64_t value;
};

struct workers_config {
	unsigned int count;
	size_t shared_size; /* bytes of each worker's slot, zeroed */

	/* In the worker; its return value is the exit status. */
	int (*run)(struct worker *, void *arg);

	/* In the parent, from workers_loop(). */
	void (*on_message)(struct workers *, unsigned int index,
	    const struct worker_message *, void *arg);
	void (*on_exit)(
	    struct workers *, unsigned int index, int wait_status, void *arg);
	void (*on_signal)(struct workers *, int signal_number, void *arg);
	void *arg;
};

/*
 * Forks the workers. Returns in the parent only, NULL with errno set if not
 * all could be forked (those that were have been ended). Owned by the caller.
 */
struct workers *workers_start(const struct workers_config *);

/* The parent's event base, for timers of its own. */
struct event_base *workers_base(struct workers *);

/* A worker's slot; valid until workers_free(), also after the worker's end. */
const void *workers_shared(const struct workers *, unsigned int index);

unsigned int workers_count(const struct workers *);

/* Says it to every worker that is alive. */
void workers_tell(struct workers *, enum worker_verb, uint64_t value);

/* Says it to this one, if it is alive. */
void workers_tell_one(
    struct workers *, unsigned int index, enum worker_verb, uint64_t value);

/* Not reaped yet. */
bool workers_alive(const struct workers *, unsigned int index);

/* Has every worker that waits in signals_poll() for a reader give up. */
void workers_break(struct workers *);

/* Ends every worker that is alive with SIGKILL. */
void workers_kill(struct workers *);

/*
 * Says on standard error that a worker was ended by this signal; or, where killed_after
 * is not 0 and the signal is SIGKILL, that the parent did it, so many nanoseconds after
 * the second signal. False: the line was left out.
 */
bool worker_say_death(unsigned int index, int number, uint64_t killed_after);

/* Runs the parent's event loop until the last worker has been reaped. */
void workers_loop(struct workers *);

void workers_free(struct workers *);

/* The share of one of count workers in a total: the first ones get what is over,
 * so that all shares add up to it. */
uint64_t worker_share(uint64_t total, unsigned int index, unsigned int count);

/*
 * In the worker.
 */
struct event_base *worker_base(struct worker *);
void *worker_shared(struct worker *);
unsigned int worker_index(const struct worker *);
unsigned int worker_count(const struct worker *);

/*
 * The slot of the worker with this index, < worker_count(). That one may be
 * writing to it: read single words, with __atomic_load_n(), which it stores
 * with __atomic_store_n(). When it has died the slot stays as it left it.
 */
const void *worker_peer_shared(const struct worker *, unsigned int index);

/* Whom to call with the parent's messages. */
void worker_listen(struct worker *,
    void (*callback)(const struct worker_message *, void *arg), void *arg);

/* Says it to the parent. */
void worker_tell(struct worker *, enum worker_verb, uint64_t value);

#endif
