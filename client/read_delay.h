/*
 * How long an answer may have waited in its socket before this program read it.
 *
 * The time between two waits of the event loop is a turn. A socket that a wait
 * reports was not ready when the wait before had looked, if that one had room for
 * more sockets than it reported. So an answer read in a turn has waited at most
 * since the last wait that had room and did not report it. Where no wait has room,
 * the kernel reports the ready sockets in turn: as many as there are sockets, and
 * each that was ready before is among them.
 *
 *	wait k-1 looks | turn k-1 runs | wait k looks | turn k runs, and reads
 *	               ^ since here, if wait k found sockets ready at once
 *	                               since its end, if nothing was ready ^
 *
 * Sleeping with nothing ready is no delay. What the kernel says the process waited
 * for a processor after it was woken is. While answers are awaited no sleep is
 * longer than a millisecond, so a process that is stopped in its sleep, or whose
 * virtual machine is, sees that the sleep took longer: all of it counts. Such a
 * stop is missed only if it is shorter than that, 1.2 ms.
 *
 * libevent 2.1 calls no one before or after a wait. So this module defines
 * epoll_wait(), which libevent calls, in front of the C library's.
 */
#ifndef CLIENT_READ_DELAY_H
#define CLIENT_READ_DELAY_H

#include <stdbool.h>
#include <stdint.h>

/* X(name): what turns of more than a millisecond were spent on, nanoseconds. */
#define READ_DELAY_CAUSES(X)                                                \
	X(connecting) /* in connect() and around it */                      \
	X(sending)                                                          \
	X(expiring) /* of queries */                                        \
	X(reading) /* and what no other name has */                         \
	X(writing) /* -R to standard output; may be in one of the others, \
		      too */ \
	X(stopped) /* between turns: asleep, and not woken in time */

#define READ_DELAY_FIELD(name) uint64_t name;

struct read_delay_causes {
	READ_DELAY_CAUSES(READ_DELAY_FIELD)
};

/* Of one worker. Private, but for what is inline below. */
struct read_delay {
	uint64_t since; /* what is read in this turn may have waited since */
	uint64_t looked; /* nothing but what is reported was ready then */
	uint64_t turn; /* when this turn began */
	uint64_t
	    full_since; /* no wait has had room since then; 0: the last had */
	uint64_t reported; /* sockets, in these waits */
	uint64_t sockets; /* the most that there are */
	uint64_t waits; /* that were seen */
	struct read_delay_causes spent; /* in this turn */
	struct read_delay_causes *causes;
	const uint64_t *written; /* NULL, or nanoseconds of writing so far */
	uint64_t written_before;
	uint64_t run_delay; /* as of the last look at schedstat */
	bool (*awaits)(const void *arg);
	const void *arg;
	int schedstat; /* descriptor, or -1 */
};

/*
 * Watches the waits of this process from now on, for at most so many sockets; one
 * at a time can. Adds to causes, and looks at written if it is not NULL; both outlive it. awaits says
 * whether answers are outstanding.
 */
void read_delay_begin(struct read_delay *, uint64_t sockets,
    struct read_delay_causes *causes, const uint64_t *written,
    bool (*awaits)(const void *arg), const void *arg);

/* Ends the program if no wait was seen: with another libevent, perhaps. */
void read_delay_end(struct read_delay *);

/* What is read now has waited in its socket since then, or for less long. */
static inline uint64_t
read_delay_since(const struct read_delay *d)
{
	return d->since;
}

/*
 * What was in a socket by then has been read, once the events of this turn have
 * run. Less than a turn ago, unless the last wait was full.
 */
static inline uint64_t
read_delay_seen(const struct read_delay *d)
{
	return d->looked;
}

/* into += from. */
void read_delay_causes_add(
    struct read_delay_causes *into, const struct read_delay_causes *from);

#endif
