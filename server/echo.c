#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/echo.h"

#define ACCEPT_BURST 256 /* connections a turn, then the others get theirs */
#define ACCEPT_RETRY (100 * CLOCK_NS_PER_MS)

/* A connection: 184 bytes with malloc's own. */
struct session {
	struct event event;
	LIST_ENTRY(session) entry;
	struct echo *echo;
	uint8_t *held; /* what the peer has not taken; NULL: nothing */
	uint32_t held_from;
	uint32_t held_to;
	uint16_t message_left; /* bytes of the message that is coming in */
	uint8_t length_high; /* first byte of the length, once it is there */
	bool length_begun;
};

struct echo {
	const struct echo_config *config;
	struct counts *counts;
	struct event_base *base;
	struct event *listener;
	struct event *retry;
	LIST_HEAD(, session) sessions;
	bool paused;
	bool said_paused;
	bool
	    idle_since_pause; /* nothing was accepted: the same pause goes on */
	uint8_t buffer[ECHO_READ_SIZE];
};

static void on_session(int, short, void *);

/*
 * Accepting.
 */

static void
accept_pause(struct echo *e, const char *why)
{
	e->counts->accept_pauses += !e->idle_since_pause;
	e->idle_since_pause = true;
	e->paused = true;
	event_del(e->listener);
	/* own connections that close end the pause; if others hold the files or
	 * the memory, nobody tells, so try again */
	timer_set(e->retry, ACCEPT_RETRY);
	if (e->said_paused)
		return;
	e->said_paused = true;
	warnx("%s with %" PRIu64 " connections open: no more are accepted "
	      "until some close (said once)",
	    why, counts_open(e->counts));
}

static void
accept_resume(struct echo *e)
{
	if (!e->paused)
		return;
	e->paused = false;
	event_del(e->retry);
	if (event_add(e->listener, NULL) == -1)
		err(1, "libevent: cannot listen again");
}

static void
on_retry(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	accept_resume(arg);
}

static bool
is_full(const struct echo *e)
{
	return e->config->max_connections > 0 &&
	    counts_open(e->counts) >= e->config->max_connections;
}

static void
say_peer(const struct addr *peer, const char *what)
{
	char text[ADDR_FORMAT] = "a peer that is gone";

	if (peer != NULL)
		addr_format(peer, text);
	warnx("%s: %s", text, what);
}

static void
session_wait(struct session *s, int fd, short what)
{
	if (event_assign(&s->event, s->echo->base, fd, what | EV_PERSIST,
		on_session, s) == -1 ||
	    event_add(&s->event, NULL) == -1)
		err(1, "libevent: cannot wait for a connection");
}

static void
session_new(struct echo *e, int fd)
{
	struct session *s = calloc(1, sizeof(*s));
	struct counts *counts = e->counts;

	if (s == NULL)
		err(1, "no memory for a connection");
	s->echo = e;
	e->idle_since_pause = false;
	LIST_INSERT_HEAD(&e->sessions, s, entry);
	counts->accepted++;
	if (counts_open(counts) > counts->peak)
		counts->peak = counts_open(counts);
	session_wait(s, fd, EV_READ);
}

/* False when there is nothing more to accept now. */
static bool
accept_one(struct echo *e)
{
	struct addr peer = {.length = sizeof(peer.sa)};
	int fd;

	if (is_full(e)) {
		accept_pause(e, "--max-connections reached");
		return false;
	}
	fd = accept4(e->config->listen_fd, (struct sockaddr *)&peer.sa,
	    &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		if (e->config->verbose)
			say_peer(&peer, "accepted");
		session_new(e, fd);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED: /* it was gone before it was accepted */
	case EPROTO:
		return true;
	case EMFILE:
		accept_pause(e, "descriptor limit of this process reached");
		return false;
	case ENFILE:
		accept_pause(
		    e, "file limit of this host (fs.file-max) reached");
		return false;
	default: /* no memory, or the network's own trouble (accept(2)) */
		accept_pause(e, strerror(errno));
		return false;
	}
}

static void
on_listener(int fd, short what, void *arg)
{
	unsigned int burst = 0;

	(void)fd;
	(void)what;
	while (burst < ACCEPT_BURST && accept_one(arg))
		burst++;
}

/*
 * Echoing.
 */

static void
session_close(struct session *s, uint64_t *counter, const char *why)
{
	struct echo *e = s->echo;
	int fd = event_get_fd(&s->event);
	struct addr peer = {.length = sizeof(peer.sa)};

	if (e->config->verbose) {
		bool known = getpeername(fd, (struct sockaddr *)&peer.sa,
				 &peer.length) == 0;

		say_peer(known ? &peer : NULL, why);
	}
	++*counter;
	e->counts->bytes_discarded += s->held_to - s->held_from;
	event_del(&s->event);
	close(fd);
	LIST_REMOVE(s, entry);
	free(s->held);
	free(s);
	accept_resume(e);
}

static void
session_fail(struct session *s, int error)
{
	struct counts *counts = s->echo->counts;

	if (error == ECONNRESET || error == EPIPE)
		session_close(s, &counts->reset_by_peer, "reset by peer");
	else
		session_close(s, &counts->closed_by_error, strerror(error));
}

/* Counts the messages that end in these bytes: two bytes of length, then that
 * many. Any bytes will do; what is no such stream gives some number. */
static void
count_messages(struct session *s, const uint8_t *data, size_t length)
{
	uint64_t messages = 0;
	size_t step;

	while (length > 0) {
		if (s->message_left > 0) {
			step =
			    s->message_left < length ? s->message_left : length;
			s->message_left = (uint16_t)(s->message_left - step);
			messages += s->message_left == 0;
		} else {
			step = 1;
			if (s->length_begun) {
				s->message_left =
				    (uint16_t)(s->length_high << 8 | *data);
				messages += s->message_left == 0;
			} else
				s->length_high = *data;
			s->length_begun = !s->length_begun;
		}
		data += step;
		length -= step;
	}
	s->echo->counts->messages += messages;
}

/* Keeps what the peer did not take, and waits until it does. */
static void
hold(struct session *s, int fd, const uint8_t *data, size_t length)
{
	s->held = malloc(length);
	if (s->held == NULL)
		err(1, "no memory for %zu bytes that wait", length);
	memcpy(s->held, data, length);
	s->held_from = 0;
	s->held_to = (uint32_t)length;
	event_del(&s->event);
	session_wait(s, fd, EV_WRITE);
}

/* Bytes sent, or -1 when the connection is closed. */
static ssize_t
send_back(struct session *s, int fd, const uint8_t *data, size_t length)
{
	ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

	if (n >= 0) {
		s->echo->counts->bytes_out += (uint64_t)n;
		return n;
	}
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void
session_read(struct session *s, int fd)
{
	struct echo *e = s->echo;
	ssize_t got = recv(fd, e->buffer, sizeof(e->buffer), 0), sent;

	if (got == 0) {
		session_close(s, &e->counts->closed_by_peer, "closed by peer");
		return;
	}
	if (got == -1) {
		if (errno != EAGAIN && errno != EINTR)
			session_fail(s, errno);
		return;
	}
	e->counts->bytes_in += (uint64_t)got;
	count_messages(s, e->buffer, (size_t)got);
	sent = send_back(s, fd, e->buffer, (size_t)got);
	if (sent == -1) {
		int error = errno;

		e->counts->bytes_discarded += (uint64_t)got;
		session_fail(s, error);
	} else if (sent < got)
		hold(s, fd, e->buffer + sent, (size_t)(got - sent));
}

static void
session_write(struct session *s, int fd)
{
	ssize_t sent =
	    send_back(s, fd, s->held + s->held_from, s->held_to - s->held_from);

	if (sent == -1) {
		session_fail(s, errno);
		return;
	}
	s->held_from += (uint32_t)sent;
	if (s->held_from < s->held_to)
		return;
	free(s->held);
	s->held = NULL;
	s->held_from = s->held_to = 0;
	event_del(&s->event);
	session_wait(s, fd, EV_READ);
}

static void
on_session(int fd, short what, void *arg)
{
	struct session *s = arg;

	(void)what;
	if (s->held != NULL)
		session_write(s, fd);
	else
		session_read(s, fd);
}

/*
 * The worker.
 */

static void
on_message(const struct worker_message *message, void *arg)
{
	struct echo *e = arg;

	if (message->verb == WORKER_DRAIN || message->verb == WORKER_STOP)
		event_base_loopbreak(e->base);
}

static void
echo_end(struct echo *e)
{
	struct session *s;

	event_free(e->listener);
	event_free(e->retry);
	close(e->config->listen_fd);
	e->paused = false; /* closing must not listen again */
	while ((s = LIST_FIRST(&e->sessions)) != NULL)
		session_close(s, &e->counts->closed_locally, "closed");
}

int
echo_run(struct worker *worker, const struct echo_config *config)
{
	struct echo *e = calloc(1, sizeof(*e));

	if (e == NULL)
		err(1, "no memory");
	e->config = config;
	e->counts = worker_shared(worker);
	e->base = worker_base(worker);
	LIST_INIT(&e->sessions);
	e->listener = event_new(
	    e->base, config->listen_fd, EV_READ | EV_PERSIST, on_listener, e);
	e->retry = timer_new(e->base, 0, on_retry, e);
	if (e->listener == NULL || event_add(e->listener, NULL) == -1)
		err(1, "libevent: cannot wait for connections");
	worker_listen(worker, on_message, e);
	worker_tell(worker, WORKER_READY, 0);
	if (event_base_dispatch(e->base) == -1)
		errx(1, "libevent: the event loop failed");
	echo_end(e);
	free(e);
	return 0;
}
