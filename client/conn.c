#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns_query.h"
#include "lib/clock.h"
#include "client/conn.h"
#include "client/inflight.h"
#include "client/querylog.h"
#include "client/stats.h"
#include "client/wheel.h"

#define SEND_CHUNK 65536 /* bytes a send */

enum conn_state {
	CONN_IDLE,
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_BROKEN,
	CONN_ENDED,
};

/* 104 bytes; with libevent's bufferevent about 1 KB. */
struct conn {
	struct bufferevent *bev;
	const struct conn_env *env;
	struct inflight inflight;
	struct wheel_node expiry;
	uint64_t begun;
	int fd;
	uint32_t id;
	int send_error; /* why it is broken */
	uint8_t state;
	bool verified;
	bool blocked; /* the output buffer may hold something */
};

struct conn *
conn_array_new(const struct conn_env *env, uint32_t count)
{
	struct conn *array = calloc(count, sizeof(*array));
	uint32_t i;

	if (array == NULL)
		err(1, "no memory for %u connections", count);
	for (i = 0; i < count; i++) {
		array[i].env = env;
		array[i].id = i;
	}
	return array;
}

void
conn_array_free(struct conn *array)
{
	free(array);
}

struct conn *
conn_at(struct conn *array, uint32_t index)
{
	return &array[index];
}

struct conn *
conn_of_expiry(void *node)
{
	return (struct conn *)(void *)((char *)node -
	    offsetof(struct conn, expiry));
}

uint32_t
conn_id(const struct conn *c)
{
	return c->id;
}

bool
conn_is_connecting(const struct conn *c)
{
	return c->state == CONN_CONNECTING;
}

uint64_t
conn_begun(const struct conn *c)
{
	return c->begun;
}

static void
log_event(const struct conn *c, enum querylog_type type, uint64_t when,
    uint64_t id, uint64_t rtt)
{
	if (c->env->log != NULL)
		querylog_event(c->env->log, type, when, c->id, id, rtt);
}

/*
 * Ends.
 */

static void
release(struct conn *c)
{
	bufferevent_free(c->bev);
	c->bev = NULL;
	c->state = CONN_ENDED;
}

static void
lose_in_flight(struct conn *c, uint64_t now, uint64_t *counter)
{
	struct inflight_query query;

	while (inflight_clear(&c->inflight, c->env->inflight, &query)) {
		++*counter;
		log_event(c, QUERYLOG_LOST, now, query.id, QUERYLOG_NONE);
	}
}

void
conn_close(struct conn *c, enum conn_end end)
{
	struct stats_counters *n = &c->env->stats->n;
	uint64_t *closed[] = {
	    [CONN_PEER_FIN] = &n->closed_by_peer,
	    [CONN_PEER_RST] = &n->reset_by_peer,
	    [CONN_ERROR] = &n->closed_by_error,
	    [CONN_LOCAL] = &n->closed_locally,
	};
	uint64_t *lost[] = {
	    [CONN_PEER_FIN] = &n->lost_peer_fin,
	    [CONN_PEER_RST] = &n->lost_peer_rst,
	    [CONN_ERROR] = &n->lost_error,
	    [CONN_LOCAL] = &n->lost_stopped,
	};
	bool was_usable = c->state == CONN_OPEN;
	uint64_t now = clock_now();

	if (c->state != CONN_OPEN && c->state != CONN_BROKEN)
		return;
	lose_in_flight(c, now, lost[end]);
	++*closed[end];
	log_event(c, QUERYLOG_CLOSED, now, QUERYLOG_NONE, QUERYLOG_NONE);
	release(c);
	if (was_usable)
		c->env->on_unusable(c, c->env->arg);
}

static void
fail(struct conn *c, int error)
{
	stats_count_failure(c->env->stats, error);
	log_event(
	    c, QUERYLOG_FAILED, clock_now(), QUERYLOG_NONE, QUERYLOG_NONE);
	c->state = CONN_ENDED;
}

void
conn_fail(struct conn *c, int error)
{
	release(c);
	fail(c, error);
}

void
conn_abandon(struct conn *c)
{
	release(c);
	c->env->stats->n.abandoned++;
}

/* For an error that the socket reported once it was open. */
static void
close_for_errno(struct conn *c, int error)
{
	conn_close(c,
	    error == ECONNRESET || error == EPIPE ? CONN_PEER_RST : CONN_ERROR);
}

/*
 * Answers.
 */

static void
book_answer(struct conn *c, const struct dns_message *m,
    const struct inflight_query *query, uint64_t now)
{
	struct stats *stats = c->env->stats;

	histogram_add(&stats->response, now - query->due);
	histogram_add(&stats->service, now - query->sent);
	stats->n.answered++;
	if (dns_message_is_response(m))
		stats->n.rcode[dns_message_rcode(m)]++;
	else
		stats->n.echoed++;
	log_event(c, QUERYLOG_ANSWERED, now, m->id, now - query->sent);
}

/* By ID and, where it is repeated, by question (RFC 7766, 7). */
static void
handle_message(
    struct conn *c, const struct dns_message *m, bool answers, uint64_t now)
{
	struct stats_counters *n = &c->env->stats->n;
	struct inflight_query query;
	enum inflight_match found = INFLIGHT_UNKNOWN;

	if (answers)
		found = inflight_take(
		    &c->inflight, c->env->inflight, m->id, now, &query);

	if (!c->verified && found != INFLIGHT_UNKNOWN) {
		c->verified = true;
		n->verified++;
	}
	switch (found) {
	case INFLIGHT_ANSWERED:
		book_answer(c, m, &query, now);
		break;
	case INFLIGHT_EXPIRED:
		n->timed_out++;
		log_event(c, QUERYLOG_TIMED_OUT, now, m->id, QUERYLOG_NONE);
		/* FALLTHROUGH */
	case INFLIGHT_LATE:
		n->late++;
		log_event(c, QUERYLOG_LATE, now, m->id, now - query.sent);
		break;
	case INFLIGHT_UNKNOWN:
		n->unmatched++;
		log_event(c, QUERYLOG_UNMATCHED, now, m->id, QUERYLOG_NONE);
		break;
	}
}

/*
 * Handles the whole messages among these bytes; returns how many bytes they
 * were. *wanted is the length of the message that is not whole, 0 if unknown.
 */
static size_t
handle_messages(struct conn *c, const uint8_t *data, size_t length,
    uint64_t now, size_t *wanted)
{
	const struct conn_env *env = c->env;
	struct stats_counters *n = &env->stats->n;
	struct dns_message message;
	enum dns_result result;
	size_t used = 0;
	bool answers;

	while ((result = dns_answer_read(data + used, length - used, env->query,
		    env->query_length, &message, &answers)) != DNS_INCOMPLETE) {
		n->replies++;
		if (result == DNS_COMPLETE)
			handle_message(c, &message, answers, now);
		else {
			n->malformed++;
			log_event(c, QUERYLOG_MALFORMED, now, QUERYLOG_NONE,
			    QUERYLOG_NONE);
		}
		used += message.framed_length;
	}
	*wanted = message.framed_length;
	return used;
}

/*
 * Messages are read where they lie; only one that straddles two of the buffer's
 * chains is moved together. What stays behind is less than one message, so the
 * input never holds more than that and one read.
 */
static void
handle_input(struct conn *c, struct evbuffer *input, uint64_t now)
{
	size_t length, piece, used, wanted;
	unsigned char *data;

	while ((length = evbuffer_get_length(input)) > 0) {
		piece = evbuffer_get_contiguous_space(input);
		data = evbuffer_pullup(input, (ev_ssize_t)piece);
		used = handle_messages(c, data, piece, now, &wanted);
		c->env->stats->n.bytes_received += used;
		if (used > 0) {
			evbuffer_drain(input, used);
			continue;
		}
		if (wanted == 0)
			wanted = DNS_PREFIX_LENGTH;
		if (piece >= wanted || length < wanted)
			break;
		if (evbuffer_pullup(input, (ev_ssize_t)wanted) == NULL)
			err(1, "no memory for a message of %zu bytes", wanted);
	}
}

/*
 * Events.
 */

static void
opened(struct conn *c, uint64_t now)
{
	struct stats *stats = c->env->stats;

	c->state = CONN_OPEN;
	histogram_add(&stats->connect, now - c->begun);
	stats->n.opened++;
	if (stats_open(stats) > stats->n.peak)
		stats->n.peak = stats_open(stats);
	log_event(c, QUERYLOG_OPENED, now, QUERYLOG_NONE, now - c->begun);
	/* not before: the read side could consume the connect's error */
	if (bufferevent_enable(c->bev, EV_READ) == -1) {
		conn_close(c, CONN_ERROR);
		return;
	}
	c->env->on_usable(c, c->env->arg);
}

static void
broken(struct conn *c, int error)
{
	c->send_error = error;
	if (c->state == CONN_OPEN) {
		c->state = CONN_BROKEN;
		c->env->on_unusable(c, c->env->arg);
	}
}

static bool
is_end_of_stream(int error)
{
	return error == EPIPE || error == ECONNRESET || error == ETIMEDOUT;
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	int error = EVUTIL_SOCKET_ERROR();
	uint64_t now = clock_now();

	(void)bev;
	if (what & BEV_EVENT_CONNECTED)
		opened(c, now);
	else if (c->state == CONN_CONNECTING)
		conn_fail(c, error);
	else if ((what & BEV_EVENT_WRITING) && is_end_of_stream(error))
		broken(c, error);
	else if (what & BEV_EVENT_ERROR)
		close_for_errno(c, error);
	else if (c->send_error != 0)
		close_for_errno(c, c->send_error);
	else
		conn_close(c, CONN_PEER_FIN);
	env->on_progress(now, env->arg);
}

static void
on_readable(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	uint64_t now = clock_now();

	handle_input(c, bufferevent_get_input(bev), now);
	env->on_progress(now, env->arg);
}

/* The output buffer is empty again. */
static void
on_drained(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	c->blocked = false;
}

/*
 * Opening.
 */

static int
socket_open(const struct conn_env *env)
{
	int fd = socket(env->target.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int on = 1;

	if (fd == -1)
		return -1;
	/* a query must not wait for the answer to the one before */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&env->target,
		env->target_length) == -1 &&
	    errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

void
conn_open(struct conn *c)
{
	const struct conn_env *env = c->env;

	env->stats->n.attempted++;
	c->begun = clock_now();
	c->state = CONN_CONNECTING;
	c->fd = socket_open(env);
	if (c->fd == -1) {
		fail(c, errno);
		return;
	}
	c->bev =
	    bufferevent_socket_new(env->base, c->fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL)
		err(1, "no memory for connection %u", c->id);
	bufferevent_setcb(c->bev, on_readable, on_drained, on_event, c);
	/* no address: the connect is under way, wait for its end */
	if (bufferevent_socket_connect(c->bev, NULL, 0) == -1)
		conn_fail(c, ENOMEM);
}

/*
 * Sending.
 */

/*
 * Straight to the socket while nothing waits in the output buffer: through the
 * buffer a query costs two epoll_ctl and an allocation. Returns the bytes that
 * had to go into the buffer, or -1 if the connection is of no more use.
 */
static ssize_t
write_out(struct conn *c, const uint8_t *data, size_t length)
{
	ssize_t n = 0;

	if (!c->blocked) {
		n = send(c->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == (ssize_t)length)
			return 0;
		if (n == -1 && is_end_of_stream(errno)) {
			broken(c, errno);
			return -1;
		}
		if (n == -1 && errno != EAGAIN && errno != EINTR) {
			close_for_errno(c, errno);
			return -1;
		}
		if (n == -1)
			n = 0;
	}
	c->blocked = true;
	if (bufferevent_write(c->bev, data + n, length - (size_t)n) == -1) {
		conn_close(c, CONN_ERROR);
		return -1;
	}
	return (ssize_t)length - n;
}

static void
skip(const struct conn *c, uint64_t *counter)
{
	++*counter;
	if (c->env->log != NULL)
		log_event(c, QUERYLOG_SKIPPED, clock_now(), QUERYLOG_NONE,
		    QUERYLOG_NONE);
}

/* Takes the query into the books; false if there is no ID left for it. */
static bool
book_query(
    struct conn *c, const struct batch_arrival *a, uint64_t now, uint16_t *id)
{
	const struct conn_env *env = c->env;
	struct stats *stats = env->stats;

	if (!inflight_add(&c->inflight, env->inflight, a->due, now, id)) {
		skip(c, &stats->n.skipped_ids_exhausted);
		return false;
	}
	histogram_add(&stats->lateness, now - a->due);
	stats->n.sent++;
	if (env->log != NULL)
		querylog_sent(env->log, now, c->id, *id, (double)a->gap);
	return true;
}

/*
 * Fills one buffer from the chain at *next, moves *next on, and writes it out.
 */
static void
send_chunk(struct conn *c, const struct batch *batch, uint32_t *next)
{
	const struct conn_env *env = c->env;
	struct stats_counters *n = &env->stats->n;
	uint8_t chunk[SEND_CHUNK];
	const struct batch_arrival *a;
	uint64_t now = clock_now();
	size_t used = 0;
	ssize_t blocked;
	uint16_t id;

	for (; *next != BATCH_END && used + env->query_length <= SEND_CHUNK;
	     *next = a->next) {
		a = &batch->arrivals[*next];
		/* a chain jumps about in what can be megabytes */
		if (a->next != BATCH_END)
			__builtin_prefetch(&batch->arrivals[a->next]);
		if (!book_query(c, a, now, &id))
			continue;
		memcpy(chunk + used, env->query, env->query_length);
		dns_query_set_id(chunk + used, id);
		used += env->query_length;
	}
	if (used == 0)
		return;
	wheel_add(env->expiry, &c->expiry, now + env->timeout);
	n->bytes_sent += used;
	blocked = write_out(c, chunk, used);
	if (blocked > 0)
		n->send_blocked += ((size_t)blocked + env->query_length - 1) /
		    env->query_length;
}

/* Without a look at libevent's structures, two cache misses, unless it must. */
static bool
output_is_full(const struct conn *c)
{
	return c->blocked &&
	    evbuffer_get_length(bufferevent_get_output(c->bev)) >
	    c->env->output_max;
}

void
conn_send(struct conn *c, const struct batch *batch, uint32_t first)
{
	const struct conn_env *env = c->env;
	struct stats_counters *n = &env->stats->n;
	uint32_t next = first;

	while (next != BATCH_END) {
		if (c->state != CONN_OPEN)
			skip(c, &n->skipped_no_connection);
		else if (output_is_full(c))
			skip(c, &n->skipped_output_full);
		else {
			send_chunk(c, batch, &next);
			continue;
		}
		next = batch->arrivals[next].next;
	}
}

void
conn_expire(struct conn *c, uint64_t now)
{
	const struct conn_env *env = c->env;
	struct inflight_query query;
	uint64_t deadline;

	while (inflight_expire(&c->inflight, env->inflight, now, &query)) {
		env->stats->n.timed_out++;
		log_event(c, QUERYLOG_TIMED_OUT, now, query.id, QUERYLOG_NONE);
	}
	deadline = inflight_deadline(&c->inflight, env->inflight);
	if (deadline != CLOCK_NEVER)
		wheel_add(env->expiry, &c->expiry, deadline);
}
