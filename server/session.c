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
#include "server/counts.h"
#include "server/frame.h"
#include "server/intake.h"
#include "server/session.h"

/* A connection: 184 bytes with malloc's own. */
struct session {
	struct event event;
	TAILQ_ENTRY(session) entry;
	struct sessions *all;
	uint8_t *held; /* what the peer has not taken; NULL: nothing */
	uint32_t held_from;
	uint32_t held_to;
	struct frame in;
};

struct sessions {
	struct sessions_config config;
	TAILQ_HEAD(, session) open; /* the oldest first */
	uint8_t buffer[SESSION_READ_SIZE];
};

static void on_session(int, short, void *);

/*
 * Beginning and end.
 */

static void
session_wait(struct session *s, int fd, short what)
{
	if (event_assign(&s->event, s->all->config.base, fd, what | EV_PERSIST,
		on_session, s) == -1 ||
	    event_add(&s->event, NULL) == -1)
		err(1, "libevent: cannot wait for a connection");
}

void
sessions_add(int fd, void *arg)
{
	struct sessions *all = arg;
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		err(1, "no memory for a connection");
	s->all = all;
	TAILQ_INSERT_TAIL(&all->open, s, entry);
	session_wait(s, fd, EV_READ);
}

static void
session_close(struct session *s, uint64_t *counter, const char *why)
{
	struct sessions *all = s->all;
	int fd = event_get_fd(&s->event);
	struct addr peer = {.length = sizeof(peer.sa)};

	if (all->config.verbose) {
		bool known = getpeername(fd, (struct sockaddr *)&peer.sa,
				 &peer.length) == 0;

		intake_say(known ? &peer : NULL, why);
	}
	++*counter;
	all->config.counts->bytes_discarded += s->held_to - s->held_from;
	event_del(&s->event);
	close(fd);
	TAILQ_REMOVE(&all->open, s, entry);
	free(s->held);
	free(s);
	all->config.closed(all->config.arg);
}

static void
session_fail(struct session *s, int error)
{
	struct counts *counts = s->all->config.counts;

	if (error == ECONNRESET || error == EPIPE)
		session_close(s, &counts->reset_by_peer, "reset by peer");
	else
		session_close(s, &counts->closed_by_error, strerror(error));
}

bool
sessions_close_oldest(struct sessions *all)
{
	struct session *s = TAILQ_FIRST(&all->open);

	if (s == NULL)
		return false;
	session_close(s, &all->config.counts->closed_locally, "closed");
	return true;
}

/*
 * Echoing.
 */

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
		s->all->config.counts->bytes_out += (uint64_t)n;
		return n;
	}
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void
session_read(struct session *s, int fd)
{
	struct sessions *all = s->all;
	struct counts *counts = all->config.counts;
	ssize_t got = recv(fd, all->buffer, sizeof(all->buffer), 0), sent;

	if (got == 0) {
		session_close(s, &counts->closed_by_peer, "closed by peer");
		return;
	}
	if (got == -1) {
		if (errno != EAGAIN && errno != EINTR)
			session_fail(s, errno);
		return;
	}
	counts->bytes_in += (uint64_t)got;
	counts->messages += frame_count(&s->in, all->buffer, (size_t)got);
	sent = send_back(s, fd, all->buffer, (size_t)got);
	if (sent == -1) {
		int error = errno;

		counts->bytes_discarded += (uint64_t)got;
		session_fail(s, error);
	} else if (sent < got)
		hold(s, fd, all->buffer + sent, (size_t)(got - sent));
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
 * All of them.
 */

struct sessions *
sessions_new(const struct sessions_config *config)
{
	struct sessions *all = calloc(1, sizeof(*all));

	if (all == NULL)
		err(1, "no memory");
	all->config = *config;
	TAILQ_INIT(&all->open);
	return all;
}

void
sessions_free(struct sessions *all)
{
	free(all);
}
