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
#include "lib/limits.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/echo.h"
#include "server/handover.h"
#include "server/intake.h"
#include "server/listener.h"

/* Descriptors beside connections and what is open from the beginning: one to
 * accept what goes to another worker, and some for libraries. */
#define SPARE_DESCRIPTORS 3

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
	struct intake *intake;
	LIST_HEAD(, session) sessions;
	uint8_t buffer[ECHO_READ_SIZE];
};

static void on_session(int, short, void *);

/*
 * Beginning.
 */

static void
session_wait(struct session *s, int fd, short what)
{
	if (event_assign(&s->event, s->echo->base, fd, what | EV_PERSIST,
		on_session, s) == -1 ||
	    event_add(&s->event, NULL) == -1)
		err(1, "libevent: cannot wait for a connection");
}

static void
session_new(int fd, void *arg)
{
	struct echo *e = arg;
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		err(1, "no memory for a connection");
	s->echo = e;
	LIST_INSERT_HEAD(&e->sessions, s, entry);
	session_wait(s, fd, EV_READ);
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

		intake_say(known ? &peer : NULL, why);
	}
	++*counter;
	e->counts->bytes_discarded += s->held_to - s->held_from;
	event_del(&s->event);
	close(fd);
	LIST_REMOVE(s, entry);
	free(s->held);
	free(s);
	intake_closed(e->intake);
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
	struct session *s;

	intake_end(e->intake); /* closing must not accept again */
	listener_close(e->config->listener);
	while ((s = LIST_FIRST(&e->sessions)) != NULL)
		session_close(s, &e->counts->closed_locally, "closed");
	intake_free(e->intake);
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

static struct echo *
echo_new(struct worker *worker, const struct echo_config *config)
{
	struct echo *e = calloc(1, sizeof(*e));
	struct counts_slot *slot = worker_shared(worker);
	struct intake_config intake = {
	    .listeners = config->listener->fds,
	    .listener_count = config->listener->count,
	    .handover = config->handover,
	    .verbose = config->verbose,
	    .serve = session_new,
	    .arg = e,
	};

	if (e == NULL)
		err(1, "no memory");
	e->config = config;
	e->counts = &slot->counts;
	e->base = worker_base(worker);
	LIST_INIT(&e->sessions);
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
