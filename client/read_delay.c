#include <sys/epoll.h>

#include <bsd/err.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "client/read_delay.h"

#define SLOW_TURN  CLOCK_NS_PER_MS
#define SLEEP_MS   1 /* while answers are awaited */
#define OVERSLEPT  (1200 * CLOCK_NS_PER_US) /* such a sleep was not woken */
#define SHORT_WAIT (100 * CLOCK_NS_PER_US) /* not worth a look at schedstat */

#define SCHEDSTAT_SIZE 96 /* three numbers */

/* The one mutable global: epoll_wait() has no argument to find it by. */
static struct read_delay *watched;

/* Nanoseconds in which this process was ready to run and did not; see usage.c. */
static uint64_t
run_delay(const struct read_delay *d)
{
	char text[SCHEDSTAT_SIZE], *second;
	ssize_t n = -1;

	if (d->schedstat != -1)
		n = pread(d->schedstat, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	second = strchr(text, ' ');
	return second == NULL ? 0 : strtoull(second, NULL, 10);
}

void
read_delay_begin(struct read_delay *d, uint64_t sockets,
    struct read_delay_causes *causes, const uint64_t *written,
    bool (*awaits)(const void *arg), const void *arg)
{
	memset(d, 0, sizeof(*d));
	d->sockets = sockets;
	d->causes = causes;
	d->written = written;
	d->awaits = awaits;
	d->arg = arg;
	d->schedstat = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	d->run_delay = run_delay(d);
	d->since = d->looked = d->turn = clock_now();
	watched = d;
}

void
read_delay_end(struct read_delay *d)
{
	watched = NULL;
	if (d->written !=
	    NULL) /* in the last turn, in which the worker gave up */
		d->causes->writing += *d->written - d->written_before;
	if (d->schedstat != -1)
		close(d->schedstat);
	if (d->waits == 0)
		errx(1,
		    "libevent does not call epoll_wait(): the delay of "
		    "reading cannot be measured");
}

void
read_delay_causes_add(
    struct read_delay_causes *into, const struct read_delay_causes *from)
{
#define ADD(name) into->name += from->name;
	READ_DELAY_CAUSES(ADD)
#undef ADD
}

static void
end_turn(struct read_delay *d, uint64_t now)
{
	struct read_delay_causes *spent = &d->spent;
	uint64_t length = now - d->turn, named;

	if (d->written != NULL) {
		spent->writing = *d->written - d->written_before;
		d->written_before = *d->written;
	}
	if (length > SLOW_TURN) {
		named = spent->connecting + spent->sending + spent->expiring;
		spent->reading = length > named ? length - named : 0;
		read_delay_causes_add(d->causes, spent);
	}
	memset(spent, 0, sizeof(*spent));
}

/* For how much of a sleep something may have been ready already. */
static uint64_t
kept_from_running(struct read_delay *d, uint64_t slept, bool in_pieces)
{
	uint64_t total, waited;

	if (slept <= SHORT_WAIT)
		return slept;
	total = run_delay(d);
	waited = total - d->run_delay;
	d->run_delay = total;
	if (in_pieces && slept > OVERSLEPT)
		return slept;
	return waited < slept ? waited : slept;
}

/* Nothing was ready at empty. Sleeps, for timeout ms at most, -1: for ever. */
static int
sleep_until_ready(struct read_delay *d, int epoll, struct epoll_event *events,
    int room, int timeout, uint64_t empty)
{
	bool in_pieces = d->awaits(d->arg);
	uint64_t now, kept;
	int piece, n;

	for (;;) {
		piece = timeout;
		if (in_pieces && (timeout == -1 || timeout > SLEEP_MS))
			piece = SLEEP_MS;
		n = epoll_pwait(epoll, events, room, piece, NULL);
		now = clock_now();
		if (n != 0 || piece == timeout)
			break;
		if (timeout != -1)
			timeout -= piece;
		if (now - empty > OVERSLEPT) {
			/* it may have been stopped after the kernel had looked */
			n = epoll_pwait(epoll, events, room, 0, NULL);
			if (n != 0)
				break;
		}
		empty = now;
	}
	kept = kept_from_running(d, now - empty, in_pieces);
	if (in_pieces && kept > SLOW_TURN)
		d->causes->stopped += kept;
	d->since = now - kept;
	d->turn = now;
	/* interrupted, or without room for more: known only of the beginning */
	d->looked = n < 0 || n == room ? empty : d->since;
	return n;
}

/* A wait that began at now had no room for more than the n that it reported. */
static void
note_full(struct read_delay *d, uint64_t n, uint64_t now)
{
	if (d->full_since == 0) {
		d->full_since = now;
		d->reported = 0;
	}
	d->reported += n;
	if (d->reported >= d->sockets) {
		d->looked = d->full_since;
		d->full_since = 0;
	}
}

static int
watched_wait(struct read_delay *d, int epoll, struct epoll_event *events,
    int room, int timeout)
{
	uint64_t now = clock_now();
	int n;

	d->waits++;
	end_turn(d, now);
	n = epoll_pwait(epoll, events, room, 0, NULL);
	if (n == 0 && timeout != 0) {
		d->full_since = 0;
		return sleep_until_ready(d, epoll, events, room, timeout, now);
	}
	d->since = d->looked;
	d->turn = now;
	if (n == room)
		note_full(d, (uint64_t)n, now);
	else if (n >= 0) {
		d->looked = now;
		d->full_since = 0;
	}
	return n;
}

/* In place of the C library's. */
int
epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
	return watched == NULL ?
	    epoll_pwait(epoll, events, room, timeout, NULL) :
	    watched_wait(watched, epoll, events, room, timeout);
}
