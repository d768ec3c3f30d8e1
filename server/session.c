#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/events.h"
#include "lib/timer.h"
#include "server/intake.h"
#include "server/session_internal.h"

#define LINGER (5 * CLOCK_NS_PER_SEC) /* for the peer's FIN, at most */

/*
 * Beginning and end.
 */

/* The kernel does not watch its socket: nothing would ever be heard of it. */
static void
close_unwatched(struct session *s, int error)
{
	struct sessions *all = s->all;

	session_close(s, &all->counts->closed_unwatched, strerror(error));
	all->config.unwatched(error, all->config.arg);
}

static void
session_wait(struct session *s, int fd, short what)
{
	if (event_assign(&s->event, s->all->config.base, fd, what | EV_PERSIST,
		s->all->callback, s) == -1 ||
	    event_add(&s->event, NULL) == -1)
		close_unwatched(s, errno);
}

void
sessions_add(int fd, void *arg)
{
	struct sessions *all = arg;
	struct session *s = calloc(
	    1, sizeof(*s) + (all->has_more ? sizeof(struct session_more) : 0));

	if (s == NULL)
		err(1, "no memory for a connection");
	s->all = all;
	TAILQ_INSERT_TAIL(&all->open, s, entry);
	if (all->has_more) {
		delay_owner_init(&s->more->waiting, s);
		s->more->patience.arg = s;
		if (all->idle != NULL)
			patience_hear(all->idle, &s->more->patience);
	}
	session_wait(s, fd, EV_READ);
}

/* Books and frees what it has beyond a plain echo's. */
static void
drop_more(struct session *s)
{
	patience_remove(&s->more->patience);
	if (s->more->is_parked)
		LIST_REMOVE(s, more->parked);
	messages_discard(s);
}

/* Books the answers that the peer has not taken. */
static void
discard_held(struct session *s)
{
	struct counts *counts = s->all->counts;
	size_t left = s->held_to - s->held_from;

	counts->messages_discarded += answer_count(
	    s->all->service->mode, &s->out, s->held + s->held_from, left);
	counts->bytes_discarded += left;
}

void
session_close(struct session *s, uint64_t *counter, const char *why)
{
	struct sessions *all = s->all;
	int fd = event_get_fd(&s->event);
	struct addr peer = {.length = sizeof(peer.sa)};

	if (all->config.verbose) {
		bool known = getpeername(fd, (struct sockaddr *)&peer.sa,
				 &peer.length) == 0;

		intake_say(all->counts, known ? &peer : NULL, why);
	}
	++*counter;
	if (s->held != NULL)
		discard_held(s);
	if (all->has_more)
		drop_more(s);
	event_del(&s->event);
	close(fd);
	TAILQ_REMOVE(&all->open, s, entry);
	free(s->held);
	free(s);
	all->config.closed(all->config.arg);
}

void
session_fail(struct session *s, int error)
{
	struct counts *counts = s->all->counts;

	if (error == ECONNRESET || error == EPIPE)
		session_close(s, &counts->reset_by_peer, "reset by peer");
	else
		session_close(s, &counts->closed_by_error, strerror(error));
}

static void
close_after(struct session *s)
{
	session_close(
	    s, &s->all->counts->closed_after, "closed after its last answer");
}

void
session_end(struct session *s)
{
	if (s->all->has_more && s->more->lingering)
		close_after(s);
	else if (s->all->has_more && s->more->waiting.count > 0) {
		s->more->ended = true;
		session_await(s);
	} else
		session_close(
		    s, &s->all->counts->closed_by_peer, "closed by peer");
}

bool
sessions_close_oldest(struct sessions *all, uint64_t *counter)
{
	struct session *s = TAILQ_FIRST(&all->open);

	if (s == NULL)
		return false;
	if (all->has_more && s->more->lingering)
		close_after(s);
	else
		session_close(s, counter, "closed");
	return true;
}

/* With unread bytes in the socket the kernel would send a RST instead of a FIN,
 * or after it, and there would be no TIME_WAIT. */
void
session_linger(struct session *s)
{
	s->more->lingering = true;
	(void)shutdown(
	    event_get_fd(&s->event), SHUT_WR); /* reading will tell */
	patience_hear(s->all->linger, &s->more->patience);
}

static void
on_lingered(void *arg)
{
	close_after(arg);
}

/* What is in the socket has not been read only because its turn has not come. */
static void
on_idle(void *arg)
{
	struct session *s = arg;
	ssize_t n = -1;
	char byte;

	errno = EAGAIN;
	if (!s->more->ended)
		n = recv(event_get_fd(&s->event), &byte, 1, MSG_PEEK);
	if (n >= 0 || s->more->is_parked)
		patience_hear(s->all->idle, &s->more->patience);
	else if (errno == EAGAIN || errno == EINTR)
		session_close(s, &s->all->counts->closed_idle, "closed, idle");
	else
		session_fail(s, errno);
}

/*
 * Waiting.
 */

static short
wanted(const struct session *s)
{
	const struct sessions *all = s->all;

	if (all->has_more && s->more->is_parked)
		return 0;
	if (s->held != NULL)
		return EV_WRITE;
	if (all->has_more && s->more->ended)
		return 0;
	if (all->delay != NULL &&
	    delay_owner_full(all->delay, &s->more->waiting))
		return 0;
	return EV_READ;
}

void
session_await(struct session *s)
{
	short want = wanted(s);
	int is = event_pending(&s->event, EV_READ | EV_WRITE, NULL);
	int fd = event_get_fd(&s->event);

	if (want == is)
		return;
	if (want != 0 && is != 0) {
		if (!events_change(&s->event, want, s->all->callback))
			close_unwatched(s, errno);
		return;
	}
	event_del(&s->event);
	if (want != 0)
		session_wait(s, fd, want);
}

void
session_park(struct session *s)
{
	s->more->is_parked = true;
	LIST_INSERT_HEAD(&s->all->parked, s, more->parked);
	session_await(s);
}

void
sessions_unpark(struct sessions *all)
{
	struct session *s;

	if (all->unparking)
		return; /* one that cannot be watched is closed: see below */
	all->unparking = true;
	while ((s = LIST_FIRST(&all->parked)) != NULL) {
		s->more->is_parked = false;
		LIST_REMOVE(s, more->parked);
		session_await(s);
	}
	all->unparking = false;
}

/*
 * Events.
 */

/* Of a plain echo: nothing is looked at that it does not need. */
static void
on_echo(int fd, short what, void *arg)
{
	struct session *s = arg;

	(void)what;
	if (s->held != NULL)
		session_write(s);
	else
		session_echo(s, fd);
}

/* Of all others. */
static void
on_session(int fd, short what, void *arg)
{
	struct session *s = arg;
	struct sessions *all = s->all;

	(void)what;
	if (all->frozen) {
		session_park(s);
		return;
	}
	if (s->held != NULL)
		session_write(s);
	else {
		if (all->idle != NULL && !s->more->lingering)
			patience_hear(all->idle, &s->more->patience);
		all->read(s, fd);
	}
	if (all->delay != NULL)
		messages_release(all);
}

static void
on_release(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	messages_release(arg);
}

/* Connections that have something to do meanwhile are parked as they find out:
 * the others cost nothing. */
static void
on_stall(int fd, short what, void *arg)
{
	struct sessions *all = arg;
	uint64_t next;

	(void)fd;
	(void)what;
	all->frozen = service_stalled(all->service, clock_wall(), &next);
	timer_set(all->stall, next);
	if (all->frozen)
		return;
	sessions_unpark(all);
	if (all->delay != NULL)
		messages_release(all);
}

/*
 * All of them.
 */

static void *
allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		err(1, "no memory");
	return memory;
}

/* What the service takes beyond a plain echo. */
static void
begin_service(struct sessions *all)
{
	const struct service *service = all->service;
	struct event_base *base = all->config.base;

	answer_lot_begin(
	    &all->lot, service->drop, service->seed, all->config.worker);
	if (service->delay > 0) {
		all->delay = delay_new(service->delay,
		    SESSIONS_WAITING / all->config.workers, SESSION_WAITING);
		all->release = timer_new(base, 0, on_release, all);
	}
	if (service->idle_timeout > 0)
		all->idle = patience_new(base, service->idle_timeout, on_idle);
	if (service->close_after > 0)
		all->linger = patience_new(base, LINGER, on_lingered);
	if (service->stall > 0) {
		all->stall = timer_new(base, 0, on_stall, all);
		on_stall(-1, 0, all);
	}
}

struct sessions *
sessions_new(const struct sessions_config *config)
{
	const struct service *service = config->service;
	struct sessions *all = allocate(sizeof(*all));

	all->config = *config;
	all->service = service;
	all->counts = config->counts;
	all->by_message = service_by_message(service);
	all->has_more = !service_is_plain(service);
	all->callback = all->has_more ? on_session : on_echo;
	all->read = all->by_message	  ? messages_read :
	    service->mode == SERVICE_SINK ? messages_swallow :
					    session_echo;
	TAILQ_INIT(&all->open);
	LIST_INIT(&all->parked);
	all->input = allocate(SESSION_INPUT_SIZE);
	if (all->by_message)
		all->output = allocate(SESSION_OUTPUT_SIZE);
	begin_service(all);
	return all;
}

void
sessions_free(struct sessions *all)
{
	if (all->release != NULL)
		event_free(all->release);
	if (all->stall != NULL)
		event_free(all->stall);
	patience_free(all->idle);
	patience_free(all->linger);
	delay_free(all->delay);
	free(all->input);
	free(all->output);
	free(all);
}
