#include <sys/epoll.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/events.h"
#include "lib/lines.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/handover.h"
#include "server/intake.h"
#include "server/room.h"

#define BURST	   256 /* connections a turn, then the others get theirs */
#define READY_MOST 64 /* sources a turn */
#define QUEUE_SURE 8 /* a burst as long as that is worth a system call */
#define RETRY_MOST (100 * CLOCK_NS_PER_MS)
#define RETRY_SOON CLOCK_NS_PER_MS

struct intake {
	struct intake_config config;
	struct worker *worker;
	struct counts_slot *slot;
	/* listeners and inbox in one descriptor: to pause and to resume costs
	 * the same with any number of ports */
	int sources;
	struct event *readable;
	struct event *retry;
	uint64_t retry_after;
	uint64_t most;
	uint64_t served;
	struct room *room; /* NULL: there is no other worker */
	int stranded; /* taken in, found no place yet; -1: none */
	bool refused; /* the system had no descriptor or no memory for it */
	bool paused;
	bool held; /* as asked; apart from pauses, which end by themselves */
	bool ended;
	bool said_paused;
	bool idle_since_pause; /* nothing came in: the same pause goes on */
};

void
intake_say(struct counts *counts, const struct addr *peer, const char *what)
{
	char text[ADDR_FORMAT] = "a peer that is gone";

	if (peer != NULL)
		addr_format(peer, text);
	counts->lines_left_out += !lines_say("%s: %s", text, what);
}

static uint64_t
own_room(const struct intake *i)
{
	return i->most > i->served ? i->most - i->served : 0;
}

/* What waits in the inbox has its place already: without that, all others
 * would send something for each place, and the inbox of a busy worker fill. */
static void
publish_room(struct intake *i)
{
	uint64_t room = own_room(i), waiting = 0;

	if (i->room == NULL)
		return; /* nobody to read it */
	if (room > 0)
		waiting = handover_waiting(i->config.handover);
	if (i->ended || i->refused || i->held || waiting > room)
		waiting = room;
	room_publish(i->room, room - waiting);
}

/*
 * Pausing.
 */

/*
 * When to try again. Own connections that close end the pause; if others hold
 * the files or the memory, or have room again, nobody tells. As long as others
 * take what they are given they are asked soon, or a queue would pass through
 * the last places of all in steps of RETRY_MOST; a host that is full is asked
 * less and less.
 */
static uint64_t
next_retry(struct intake *i, int why)
{
	if (why != 0 || i->room == NULL)
		i->retry_after = RETRY_MOST;
	else if (!i->idle_since_pause)
		i->retry_after = RETRY_SOON;
	else if (i->retry_after < RETRY_MOST / 2)
		i->retry_after *= 2;
	else
		i->retry_after = RETRY_MOST;
	return i->retry_after;
}

/* why: an errno, or 0: nobody has room. */
static void
pause_intake(struct intake *i, int why)
{
	uint64_t retry = next_retry(i, why);

	if (!i->paused) {
		i->slot->counts.accept_pauses += !i->idle_since_pause;
		event_del(i->readable);
	}
	i->idle_since_pause = true;
	i->paused = true;
	i->refused = why != 0;
	publish_room(i);
	timer_set(i->retry, retry);
	if (i->said_paused || retry < RETRY_MOST)
		return;
	i->said_paused = true;
	worker_tell(i->worker, WORKER_FULL, (uint64_t)why);
}

static void
listen_again(struct intake *i)
{
	if (!i->held && !i->paused && event_add(i->readable, NULL) == -1)
		pause_intake(i, errno); /* and tries again */
}

static void
resume(struct intake *i)
{
	if (!i->paused)
		return;
	i->paused = false;
	i->refused = false;
	publish_room(i);
	event_del(i->retry);
	listen_again(i);
}

/*
 * One connection.
 */

static void
serve(struct intake *i, int fd)
{
	i->served++;
	i->idle_since_pause = false;
	publish_room(i);
	i->config.serve(fd, i->config.arg);
	if (i->served > i->slot->counts.peak)
		i->slot->counts.peak = i->served;
}

/* Serves it or hands it over. False if neither could be: it is kept then, in
 * the descriptor that was free, and nothing more comes in until it has gone. */
static bool
place(struct intake *i, int fd)
{
	i->stranded = -1;
	if (own_room(i) > 0) {
		serve(i, fd);
		return true;
	}
	if (i->room != NULL && room_hand_over(i->room, fd)) {
		i->idle_since_pause = false;
		return true;
	}
	i->stranded = fd;
	return false;
}

static void
place_or_pause(struct intake *i, int fd)
{
	if (!place(i, fd))
		pause_intake(i, 0);
}

static void
count_lost(struct counts *counts)
{
	counts->taken_over++;
	counts->closed_by_error++;
}

/* Out of the own inbox; -1 with errno set as by accept(). */
static int
receive(struct intake *i)
{
	int fd = handover_receive(i->config.handover);

	if (fd != -1) {
		i->slot->counts.taken_over++;
		return fd;
	}
	switch (errno) {
	case EBADMSG:
		count_lost(&i->slot->counts);
		errno = EMFILE;
		break;
	case EPIPE: /* it would be readable for ever */
		epoll_ctl(i->sources, EPOLL_CTL_DEL,
		    handover_inbox(i->config.handover), NULL);
		errno = EAGAIN;
		break;
	}
	return -1;
}

static int
take(struct intake *i, int source)
{
	struct addr peer = {.length = sizeof(peer.sa)};
	int fd;

	if (i->config.handover != NULL &&
	    source == handover_inbox(i->config.handover))
		return receive(i);
	fd = accept4(source, (struct sockaddr *)&peer.sa, &peer.length,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		return -1;
	i->slot->counts.accepted++;
	if (i->config.verbose)
		intake_say(&i->slot->counts, &peer, "accepted");
	return fd;
}

/* False when there is nothing more to take from this source now. */
static bool
take_one(struct intake *i, int source)
{
	int fd;

	if (own_room(i) == 0 && (i->room == NULL || !room_elsewhere(i->room))) {
		pause_intake(i, 0);
		return false;
	}
	fd = take(i, source);
	if (fd != -1) {
		place_or_pause(i, fd);
		return !i->paused;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED: /* it was gone before it was accepted */
	case EPROTO:
		return true;
	default: /* descriptors, memory, the network's trouble: accept(2) */
		pause_intake(i, errno);
		return false;
	}
}

/*
 * The accept queue as it was found: what has been taken out of it in this turn,
 * and what is still in it. A short burst has emptied it without being asked.
 */
static void
note_queue(struct intake *i, int source, uint64_t taken)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (taken == QUEUE_SURE &&
	    getsockopt(source, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
	    info.tcpi_state == TCP_LISTEN)
		taken += info.tcpi_unacked;
	if (taken > i->slot->queue_peak)
		__atomic_store_n(&i->slot->queue_peak, taken, __ATOMIC_RELAXED);
}

static void
take_burst(struct intake *i, int source, int most)
{
	int taken;

	for (taken = 0; taken < most && take_one(i, source); taken++)
		if (taken < QUEUE_SURE &&
		    (i->config.handover == NULL ||
			source != handover_inbox(i->config.handover)))
			note_queue(i, source, (uint64_t)taken + 1);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct intake *i = arg;
	struct epoll_event ready[READY_MOST];
	int n = epoll_wait(fd, ready, READY_MOST, 0), k;

	(void)what;
	for (k = 0; k < n && !i->paused; k++)
		take_burst(i, ready[k].data.fd, BURST / n);
}

static void
on_retry(int fd, short what, void *arg)
{
	struct intake *i = arg;

	(void)fd;
	(void)what;
	resume(i);
	if (i->stranded != -1)
		place_or_pause(i, i->stranded);
}

/*
 * Beginning and end.
 */

static void
add_source(struct intake *i, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(i->sources, EPOLL_CTL_ADD, fd, &event) == -1)
		err(EVENTS_WORKER_STATUS, "cannot watch a listening socket%s",
		    events_limit(errno));
}

struct intake *
intake_new(struct worker *worker, const struct intake_config *config)
{
	struct intake *i = calloc(1, sizeof(*i));
	size_t k;

	if (i == NULL)
		err(1, "no memory");
	i->config = *config;
	i->worker = worker;
	i->slot = worker_shared(worker);
	i->stranded = -1;
	i->sources = epoll_create1(EPOLL_CLOEXEC);
	if (i->sources == -1)
		err(1, "cannot wait for connections");
	for (k = 0; k < config->listener_count; k++)
		add_source(i, config->listeners[k]);
	if (config->handover != NULL) {
		add_source(i, handover_inbox(config->handover));
		i->room = room_new(worker, config->handover);
	}
	i->readable = event_new(worker_base(worker), i->sources,
	    EV_READ | EV_PERSIST, on_readable, i);
	if (i->readable == NULL)
		err(1, "libevent: cannot wait for connections");
	i->retry = timer_new(worker_base(worker), 0, on_retry, i);
	return i;
}

void
intake_begin(struct intake *i, uint64_t most)
{
	i->most = most;
	publish_room(i);
	if (event_add(i->readable, NULL) == -1)
		err(EVENTS_WORKER_STATUS,
		    "cannot watch the listening sockets%s",
		    events_limit(errno));
}

void
intake_closed(struct intake *i)
{
	i->served--;
	publish_room(i);
	if (i->ended)
		return;
	resume(i);
	if (i->stranded != -1)
		place_or_pause(i, i->stranded);
}

void
intake_hold(struct intake *i)
{
	i->held = true;
	publish_room(i);
	event_del(i->readable);
}

void
intake_release(struct intake *i)
{
	i->held = false;
	publish_room(i);
	listen_again(i);
}

void
intake_end(struct intake *i)
{
	i->ended = true;
	publish_room(i);
	event_del(i->readable);
	event_del(i->retry);
	if (i->stranded != -1) {
		close(i->stranded);
		i->stranded = -1;
		i->slot->counts.closed_locally++;
	}
}

void
intake_free(struct intake *i)
{
	event_free(i->readable);
	event_free(i->retry);
	close(i->sources);
	if (i->room != NULL)
		room_free(i->room);
	free(i);
}
