#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/control.h"
#include "lib/json.h"
#include "lib/timer.h"

#define OUTPUT_MOST 65536 /* with more than that unsent no command is run */
#define INPUT_SIZE  (CONTROL_LINE + 2) /* a line with CR LF */
#define ERROR_SIZE  512

/* Those that were refused stay until they have been told; when there are as many
 * as that with them, the next ones wait in the kernel's queue. */
#define PEERS_MOST (2 * CONTROL_CLIENTS)

#define LINGER	     (5 * CLOCK_NS_PER_SEC)
#define ACCEPT_RETRY (100 * CLOCK_NS_PER_MS)

struct peer {
	TAILQ_ENTRY(peer) entry;
	struct control *control;
	struct control_request *pending; /* NULL: the next line may run */
	struct event *readable;
	struct event *writable;
	struct event *linger; /* set once it is refused */
	struct evbuffer *output;
	int fd;
	bool in_turn; /* peer_turn() is on its way, and will go on */
	bool ended; /* it sends nothing more */
	bool refused; /* told so; what it still sends is thrown away */
	bool told; /* and the end of the stream behind that */
	size_t length;
	char input[INPUT_SIZE];
};

struct control_request {
	struct peer *peer; /* NULL: it is gone */
};

struct control {
	struct control_socket socket;
	struct event_base *base;
	struct event *acceptable;
	struct event *retry; /* accepting, when the system could not */
	TAILQ_HEAD(, peer) peers;
	void (*run)(struct control_request *, const char *, void *);
	void *arg;
};

static void peer_turn(struct peer *);

/*
 * Accepting goes on and off.
 */

static unsigned int
count_peers(const struct control *c, bool with_refused)
{
	const struct peer *p;
	unsigned int n = 0;

	TAILQ_FOREACH(p, &c->peers, entry)
		n += with_refused || !p->refused;
	return n;
}

/* False, with errno: the kernel does not watch the descriptor. */
static bool
event_want(struct event *event, bool wanted)
{
	return (wanted ? event_add(event, NULL) : event_del(event)) == 0;
}

static void
accept_or_not(struct control *c)
{
	if (!event_want(c->acceptable,
		count_peers(c, true) < PEERS_MOST &&
		    !event_pending(c->retry, EV_TIMEOUT, NULL)))
		timer_set(c->retry, ACCEPT_RETRY);
}

/*
 * Output.
 */

/* Puts the value's line behind what waits, and lets go of it. */
static void
peer_say(struct peer *p, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(12));

	if (text == NULL || evbuffer_add_printf(p->output, "%s\n", text) == -1)
		errx(1, "no memory for an answer");
	free(text);
	json_decref(value);
}

static json_t *
error_json(const char *text)
{
	json_t *o = json_object();

	json_put(o, "ok", json_false());
	json_put(o, "error", json_string(text));
	return o;
}

/* Sends what the socket takes. False if the peer is gone. */
static bool
peer_send(struct peer *p)
{
	size_t length;
	ssize_t n;

	while ((length = evbuffer_get_contiguous_space(p->output)) > 0) {
		n = send(p->fd, evbuffer_pullup(p->output, (ssize_t)length),
		    length, MSG_NOSIGNAL);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		evbuffer_drain(p->output, (size_t)n);
	}
	return true;
}

/*
 * One client.
 */

static void
peer_free(struct peer *p)
{
	struct control *c = p->control;

	if (p->pending != NULL)
		p->pending->peer = NULL;
	TAILQ_REMOVE(&c->peers, p, entry);
	event_free(p->readable);
	event_free(p->writable);
	event_free(p->linger);
	evbuffer_free(p->output);
	close(p->fd);
	free(p);
	accept_or_not(c);
}

/*
 * The last word. The client may still be writing: were the socket closed with
 * that unread, it would get a reset in place of the error.
 */
static void
peer_refuse(struct peer *p, const char *text)
{
	peer_say(p, error_json(text));
	p->refused = true;
	p->length = 0;
	timer_set(p->linger, LINGER);
}

static bool
is_printable(const char *line, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if ((line[i] < ' ' || line[i] > '~') && line[i] != '\t')
			return false;
	return true;
}

static void
run_line(struct peer *p, char *line, size_t length)
{
	struct control *c = p->control;

	if (!is_printable(line, length)) {
		peer_say(
		    p, error_json("a command is a line of printable ASCII"));
		return;
	}
	p->pending = calloc(1, sizeof(*p->pending));
	if (p->pending == NULL)
		errx(1, "no memory for a command");
	p->pending->peer = p;
	line[length] = '\0';
	c->run(p->pending, line, c->arg);
}

/* Takes one line out of the input and runs it; false if there is none. */
static bool
take_line(struct peer *p)
{
	char *end = memchr(p->input, '\n', p->length);
	size_t length, taken;

	if (end == NULL && p->length < INPUT_SIZE) {
		if (p->ended && p->length > 0)
			peer_refuse(p,
			    "the end of the line is missing: "
			    "what stands in it was not done");
		return false;
	}
	taken = length = end == NULL ? INPUT_SIZE : (size_t)(end - p->input);
	if (end != NULL) {
		taken++;
		length -= length > 0 && p->input[length - 1] == '\r';
	}
	if (length > CONTROL_LINE) {
		peer_refuse(p, "a line has 4096 bytes at most");
		return false;
	}
	run_line(p, p->input, length);
	p->length -= taken;
	memmove(p->input, p->input + taken, p->length);
	return true;
}

static bool
may_run(const struct peer *p)
{
	return p->pending == NULL && !p->refused &&
	    evbuffer_get_length(p->output) <= OUTPUT_MOST;
}

/* Runs and sends what it can, then waits for what it needs; may free. */
static void
peer_turn(struct peer *p)
{
	bool unsent, alive;

	p->in_turn = true;
	do {
		while (may_run(p) && take_line(p))
			;
		alive = peer_send(p);
	} while (
	    alive && may_run(p) && memchr(p->input, '\n', p->length) != NULL);
	p->in_turn = false;
	unsent = evbuffer_get_length(p->output) > 0;
	if (!alive || (p->ended && p->pending == NULL && !unsent)) {
		peer_free(p);
		return;
	}
	if (p->refused && !unsent && !p->told) {
		shutdown(p->fd, SHUT_WR);
		p->told = true;
	}
	if (!event_want(p->readable, !p->ended && (p->refused || may_run(p))) ||
	    !event_want(p->writable, unsent))
		peer_free(p);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct peer *p = arg;
	ssize_t n = recv(fd, p->input + p->length, INPUT_SIZE - p->length, 0);

	(void)what;
	if (n > 0 && !p->refused)
		p->length += (size_t)n;
	else if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		p->ended = true;
	peer_turn(p);
}

static void
on_writable(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	peer_turn(arg);
}

static void
on_linger(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	peer_free(arg);
}

static struct peer *
peer_new(struct control *c, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		errx(1, "no memory for a control client");
	p->control = c;
	p->fd = fd;
	p->output = evbuffer_new();
	p->readable =
	    event_new(c->base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable =
	    event_new(c->base, fd, EV_WRITE | EV_PERSIST, on_writable, p);
	p->linger = timer_new(c->base, 0, on_linger, p);
	if (p->output == NULL || p->readable == NULL || p->writable == NULL)
		errx(1, "no memory for a control client");
	TAILQ_INSERT_TAIL(&c->peers, p, entry);
	return p;
}

static void
on_acceptable(int fd, short what, void *arg)
{
	struct control *c = arg;
	int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct peer *p;

	(void)what;
	if (got == -1) {
		timer_set(c->retry, ACCEPT_RETRY);
		accept_or_not(c);
		return;
	}
	p = peer_new(c, got);
	if (count_peers(c, false) > CONTROL_CLIENTS)
		peer_refuse(p,
		    "16 clients are connected, which is the most: "
		    "try again when one is gone");
	accept_or_not(c);
	peer_turn(p);
}

static void
on_retry(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	accept_or_not(arg);
}

/*
 * All of it.
 */

struct control *
control_new(struct event_base *base, const char *path,
    void (*run)(struct control_request *, const char *, void *), void *arg,
    char why[CONTROL_WHY])
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		errx(1, "no memory for control");
	if (control_socket_open(&c->socket, path, why) == -1) {
		free(c);
		return NULL;
	}
	c->base = base;
	c->run = run;
	c->arg = arg;
	TAILQ_INIT(&c->peers);
	c->retry = timer_new(base, 0, on_retry, c);
	c->acceptable = event_new(
	    base, c->socket.fd, EV_READ | EV_PERSIST, on_acceptable, c);
	if (c->acceptable == NULL)
		errx(1, "no memory for control");
	if (event_add(c->acceptable, NULL) == -1) {
		snprintf(why, CONTROL_WHY, "it cannot be watched: %s",
		    strerror(errno));
		control_free(c);
		return NULL;
	}
	return c;
}

/* The answer goes out, and what waited behind its command comes next. */
static void
request_end(struct control_request *request, json_t *value)
{
	struct peer *p = request->peer;

	free(request);
	if (p == NULL) {
		json_decref(value);
		return;
	}
	p->pending = NULL;
	peer_say(p, value);
	if (!p->in_turn)
		peer_turn(p);
}

void
control_answer(struct control_request *request, json_t *fields)
{
	json_t *o = json_object();

	json_put(o, "ok", json_true());
	if (fields != NULL && json_object_update(o, fields) == -1)
		errx(1, "no memory for an answer");
	json_decref(fields);
	request_end(request, o);
}

void
control_refuse(struct control_request *request, const char *format, ...)
{
	char text[ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	request_end(request, error_json(text));
}

void
control_free(struct control *c)
{
	struct peer *p;

	while ((p = TAILQ_FIRST(&c->peers)) != NULL)
		peer_free(p);
	event_free(c->acceptable);
	event_free(c->retry);
	control_socket_close(&c->socket);
	free(c);
}
