#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
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
#include "client/routes.h"
#include "client/self_connect.h"
#include "client/stats.h"
#include "client/suspect.h"
#include "client/wheel.h"
#include "client/window.h"

#define SEND_CHUNK 65536 /* bytes a send */

enum conn_state {
	CONN_IDLE,
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_BROKEN,
	CONN_ENDED,
};

/* 112 bytes; with libevent's bufferevent about 1 KB. */
struct conn {
	struct bufferevent *bev;
	const struct conn_env *env;
	struct inflight inflight;
	struct wheel_node expiry;
	uint64_t begun;
	int fd;
	uint32_t id;
	int send_error; /* why it is broken */
	uint32_t queries_left; /* where they are limited */
	uint8_t state;
	uint8_t leaves; /* enum conn_end, see conn_leaves() */
	uint8_t proof; /* enum suspect */
	bool blocked; /* the output buffer may hold something */
	bool partial; /* the input buffer holds the beginning of a message */
	bool overdue; /* a query timed out as its answer came, env->drop */
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
conn_is_idle(const struct conn *c)
{
	return c->state == CONN_IDLE;
}

bool
conn_is_open(const struct conn *c)
{
	return c->state == CONN_OPEN;
}

bool
conn_is_verified(const struct conn *c)
{
	return c->proof == SUSPECT_VERIFIED;
}

void
conn_reset(struct conn *c)
{
	if (c->state != CONN_ENDED)
		return;
	c->state = CONN_IDLE;
	c->send_error = 0;
	c->proof = SUSPECT_UNVERIFIED;
	c->leaves = CONN_NOT_ENDED;
	c->blocked = c->partial = c->overdue = false;
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
		querylog_event(
		    c->env->log, type, when, c->env->first_id + c->id, id, rtt);
}

/*
 * Whether there is somebody at the other end.
 */

/* Down before up: a worker that dies in between has one unverified too many. */
static void
set_proof(struct conn *c, enum suspect proof)
{
	struct stats_counters *n = &c->env->stats->n;
	uint64_t *counter[] = {
	    [SUSPECT_UNVERIFIED] = &n->unverified,
	    [SUSPECT_UNACKED] = &n->suspect_unacked,
	    [SUSPECT_QUEUED] = &n->suspect_queued,
	    [SUSPECT_VERIFIED] = &n->verified,
	};

	if (c->proof == proof)
		return;
	--*counter[c->proof];
	++*counter[proof];
	c->proof = (uint8_t)proof;
}

/* It has been asked, and there was no answer in time. */
static void
suspect(struct conn *c)
{
	if (c->proof != SUSPECT_VERIFIED)
		set_proof(c, suspect_ask(c->fd, (enum suspect)c->proof));
}

/*
 * Ends.
 */

static void
release(struct conn *c)
{
	/* this also gives its read event back to it */
	bufferevent_setfd(c->bev, -1);
	bufferevent_free(c->bev);
	close(c->fd);
	c->bev = NULL;
	c->state = CONN_ENDED;
}

static bool
is_probe(const struct conn *c, const struct inflight_query *query)
{
	return query->due < c->env->clock_from;
}

/* Probes are, too. */
static bool
is_before_measurement(const struct conn *c, uint64_t due)
{
	return due < c->env->measure_from;
}

static void
lose_in_flight(struct conn *c, uint64_t now, uint64_t *counter)
{
	struct inflight_query query;

	while (inflight_clear(&c->inflight, c->env->inflight, &query)) {
		if (is_probe(c, &query))
			c->env->stats->n.probe_lost++;
		else if (is_before_measurement(c, query.due))
			c->env->stats->n.warmup_lost++;
		else
			++*counter;
		log_event(c, QUERYLOG_LOST, now, query.id, QUERYLOG_NONE);
	}
}

/* Nothing to be done where it fails: it is closed all the same. */
static void
reset_on_close(int fd)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

/* What is counted when it ends that way: the connection, and what it loses. */
static void
counters_of(struct stats_counters *n, enum conn_end end, uint64_t **closed,
    uint64_t **lost)
{
	*lost = &n->lost_stopped;
	switch (end) {
	case CONN_PEER_FIN:
		*closed = &n->closed_by_peer;
		*lost = &n->lost_peer_fin;
		break;
	case CONN_PEER_RST:
		*closed = &n->reset_by_peer;
		*lost = &n->lost_peer_rst;
		break;
	case CONN_ON_TIMEOUT:
		*closed = &n->closed_on_timeout;
		*lost = &n->lost_on_timeout;
		break;
	case CONN_DRAINED:
		*closed = &n->closed_locally;
		*lost = &n->lost_drain_over;
		break;
	case CONN_LOCAL:
		*closed = &n->closed_locally;
		break;
	case CONN_CHURNED:
		*closed = &n->closed_churned;
		break;
	case CONN_USED_UP:
		*closed = &n->closed_used_up;
		break;
	case CONN_ON_REQUEST:
		*closed = &n->closed_on_request;
		break;
	default:
		*closed = &n->closed_by_error;
		*lost = &n->lost_error;
		break;
	}
}

static bool
is_from_here(enum conn_end end)
{
	return end >= CONN_LOCAL;
}

void
conn_close(struct conn *c, enum conn_end end)
{
	struct stats *stats = c->env->stats;
	uint64_t now = clock_now(), *closed, *lost;

	if (c->state != CONN_OPEN && c->state != CONN_BROKEN)
		return;
	counters_of(&stats->n, end, &closed, &lost);
	if (is_from_here(end) && c->env->reset)
		reset_on_close(c->fd);
	if (c->proof != SUSPECT_UNVERIFIED)
		suspect(c); /* it may have got further since */
	lose_in_flight(c, now, lost);
	if (end == CONN_CHURNED || end == CONN_USED_UP)
		histogram_add(&stats->lifetime, now - c->begun);
	++*closed;
	log_event(c, QUERYLOG_CLOSED, now, QUERYLOG_NONE, QUERYLOG_NONE);
	release(c);
	c->env->on_ended(c, end, c->env->arg);
}

static void
leave_if_done(struct conn *c)
{
	if (c->leaves != CONN_NOT_ENDED && inflight_waiting(&c->inflight) == 0)
		conn_close(c, (enum conn_end)c->leaves);
}

void
conn_leave(struct conn *c, enum conn_end end)
{
	if (c->state != CONN_OPEN || c->leaves != CONN_NOT_ENDED)
		return;
	c->leaves = (uint8_t)end;
	leave_if_done(c);
}

enum conn_end
conn_leaves(const struct conn *c)
{
	return (enum conn_end)c->leaves;
}

uint32_t
conn_reserve(struct conn *c)
{
	return --c->queries_left;
}

static void
fail(struct conn *c, int error)
{
	stats_count_failure(c->env->stats, error);
	log_event(
	    c, QUERYLOG_FAILED, clock_now(), QUERYLOG_NONE, QUERYLOG_NONE);
	c->state = CONN_ENDED;
	c->env->on_ended(c, CONN_FAILED, c->env->arg);
}

void
conn_fail(struct conn *c, int error)
{
	if (error == ETIMEDOUT)
		window_note(c->env->window, c->begun, clock_now(), true);
	release(c);
	fail(c, error);
}

void
conn_abandon(struct conn *c)
{
	release(c);
	c->env->stats->n.abandoned++;
	c->env->on_ended(c, CONN_ABANDONED, c->env->arg);
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
book_answer_before(struct conn *c, const struct dns_message *m,
    const struct inflight_query *query, uint64_t now)
{
	struct stats_counters *n = &c->env->stats->n;
	enum querylog_type type = QUERYLOG_ANSWERED;

	if (is_probe(c, query)) {
		n->probe_answered++;
		window_note(c->env->window, c->begun, now, false);
		type = QUERYLOG_PROBE_ANSWERED;
	} else
		n->warmup_answered++;
	log_event(c, type, now, m->id, now - query->sent);
}

static void
book_answer(struct conn *c, const struct dns_message *m,
    const struct inflight_query *query, uint64_t now)
{
	struct stats *stats = c->env->stats;

	if (is_before_measurement(c, query->due)) {
		book_answer_before(c, m, query, now);
		return;
	}
	histogram_add(&stats->response, now - query->due);
	histogram_add(&stats->service, now - query->sent);
	stats->n.answered++;
	if (dns_message_is_response(m))
		stats->n.rcode[dns_message_rcode(m)]++;
	else
		stats->n.echoed++;
	log_event(c, QUERYLOG_ANSWERED, now, m->id, now - query->sent);
}

static void
book_timeout(struct conn *c, const struct inflight_query *query, uint64_t now)
{
	struct stats_counters *n = &c->env->stats->n;

	if (is_probe(c, query)) {
		n->probe_timed_out++;
		window_note(c->env->window, c->begun, now, true);
	} else if (is_before_measurement(c, query->due))
		n->warmup_timed_out++;
	else
		n->timed_out++;
	log_event(c, QUERYLOG_TIMED_OUT, now, query->id, QUERYLOG_NONE);
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

	if (found != INFLIGHT_UNKNOWN)
		set_proof(c, SUSPECT_VERIFIED);
	switch (found) {
	case INFLIGHT_ANSWERED:
		book_answer(c, m, &query, now);
		break;
	case INFLIGHT_EXPIRED:
		book_timeout(c, &query, now);
		c->overdue = c->env->drop;
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
 * What the input buffer holds is the beginning of one message. Its bytes are
 * moved together as more of them come, and what follows it is handled there too,
 * so that it is empty again but for the beginning of the next.
 */
static void
handle_buffered(struct conn *c, struct evbuffer *input, uint64_t now)
{
	size_t length, piece, used, wanted;
	unsigned char *data;

	while ((length = evbuffer_get_length(input)) > 0) {
		piece = evbuffer_get_contiguous_space(input);
		data = evbuffer_pullup(input, (ev_ssize_t)piece);
		used = handle_messages(c, data, piece, now, &wanted);
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
 * Messages are read where they lie. Only the beginning of one that is not whole
 * is copied, into the bufferevent's input: less than one message and one read.
 */
static void
handle_input(struct conn *c, const uint8_t *data, size_t length, uint64_t now)
{
	struct evbuffer *input;
	size_t used = 0, wanted;

	c->env->stats->n.bytes_received += length;
	if (!c->partial)
		used = handle_messages(c, data, length, now, &wanted);
	if (used == length)
		return;
	input = bufferevent_get_input(c->bev);
	evbuffer_unfreeze(input, 0);
	if (evbuffer_add(input, data + used, length - used) == -1)
		err(1, "no memory for a message");
	if (c->partial)
		handle_buffered(c, input, now);
	c->partial = evbuffer_get_length(input) > 0;
}

/*
 * Events.
 */

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
end_of_stream(struct conn *c, int error)
{
	if (error != 0)
		close_for_errno(c, error);
	else if (c->send_error != 0)
		close_for_errno(c, c->send_error);
	else
		conn_close(c, CONN_PEER_FIN);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	ssize_t n = recv(fd, env->input, CONN_INPUT_SIZE, MSG_DONTWAIT);
	int error = errno;
	uint64_t now = clock_now();

	(void)what;
	if (n > 0) {
		handle_input(c, env->input, (size_t)n, now);
		if (c->overdue)
			conn_close(c, CONN_ON_TIMEOUT);
		leave_if_done(c);
	} else if (n == 0)
		end_of_stream(c, 0);
	else if (error != EAGAIN && error != EINTR)
		end_of_stream(c, error);
	env->on_progress(now, env->arg);
}

/*
 * The bufferevent's read event, but our callback: its own reads through an ioctl
 * and an allocation, 4 KB at most, and asks for an error where there is none.
 */
static bool
wait_for(struct conn *c, short what, event_callback_fn callback)
{
	struct event *event = &c->bev->ev_read;

	event_del(event);
	return event_assign(event, c->env->base, c->fd, what, callback, c) ==
	    0 &&
	    event_add(event, NULL) == 0;
}

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

/*
 * One query, to see that someone answers; no part of the measurement: due before
 * any clock starts, also where the connection takes another's place in mid-run.
 */
static void
send_probe(struct conn *c, uint64_t now)
{
	const struct conn_env *env = c->env;
	uint8_t query[DNS_QUERY_MAX];
	uint16_t id;

	if (!inflight_add(&c->inflight, env->inflight, 0, now, &id))
		return;
	memcpy(query, env->query, env->query_length);
	dns_query_set_id(query, id);
	env->stats->n.probe_sent++;
	env->stats->n.bytes_sent += env->query_length;
	log_event(c, QUERYLOG_PROBE, now, id, QUERYLOG_NONE);
	wheel_add(env->expiry, &c->expiry, now + env->timeout);
	(void)write_out(c, query, env->query_length);
}

static void
opened(struct conn *c, uint64_t now)
{
	const struct conn_env *env = c->env;
	struct stats *stats = env->stats;

	c->state = CONN_OPEN;
	c->queries_left = env->most_queries;
	histogram_add(&stats->connect, now - c->begun);
	stats->n.opened++;
	stats->n.unverified++;
	if (stats_open(stats) > stats->n.peak)
		stats->n.peak = stats_open(stats);
	log_event(c, QUERYLOG_OPENED, now, QUERYLOG_NONE, now - c->begun);
	if (!wait_for(c, EV_READ | EV_PERSIST, on_readable)) {
		conn_close(c, CONN_ERROR);
		return;
	}
	env->on_usable(c, env->arg);
	if (env->probe)
		send_probe(c, now);
	else
		window_note(env->window, c->begun, now, false);
	if (env->leave_at_once) {
		env->on_unusable(c, env->arg);
		conn_leave(c, CONN_USED_UP);
	}
}

static int
socket_error(int fd)
{
	socklen_t length = sizeof(int);
	int error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1 ?
	    errno :
	    error;
}

/* A failure makes a socket readable too: then it is asked, and only then. */
static void
on_connected(int fd, short what, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	uint64_t now = clock_now();
	int error = what & EV_READ ? socket_error(fd) : 0;

	if (error == 0 && env->self_possible && self_connect_is(fd)) {
		/* or its port would be in TIME_WAIT when a server is started */
		reset_on_close(fd);
		error = SELF_CONNECT_ERRNO;
	}
	if (error != 0)
		conn_fail(c, error);
	else
		opened(c, now);
	env->on_progress(now, env->arg);
}

/* The output buffer could not be written. */
static void
on_write_error(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	int error = EVUTIL_SOCKET_ERROR();

	(void)bev;
	(void)what;
	if (is_end_of_stream(error))
		broken(c, error);
	else
		end_of_stream(c, error);
	env->on_progress(clock_now(), env->arg);
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

/* TCP_NODELAY: a query must not wait for the answer to the one before. */
static void
socket_prepare(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/*
 * The port is left to connect(), which may take any that is free for this one
 * target (ip(7), IP_BIND_ADDRESS_NO_PORT; for IPv6 too); bind() would want one
 * that is free for all.
 */
static int
bind_source(int fd, const struct addr *source)
{
	int on = 1;

	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)&source->sa, source->length);
}

static int
socket_open(const struct route *route)
{
	const struct addr *target = &route->target;
	int fd = socket(target->sa.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int error;

	if (fd == -1)
		return -1;
	socket_prepare(fd);
	if ((route->source.length == 0 ||
		bind_source(fd, &route->source) == 0) &&
	    (connect(fd, (const struct sockaddr *)&target->sa,
		 target->length) == 0 ||
		errno == EINPROGRESS))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
conn_open(struct conn *c, const struct route *route)
{
	const struct conn_env *env = c->env;

	c->begun = clock_now();
	c->fd = socket_open(route);
	if (c->fd == -1)
		return errno;
	env->stats->n.attempted++;
	c->state = CONN_CONNECTING;
	c->bev = bufferevent_socket_new(env->base, c->fd, 0);
	if (c->bev == NULL)
		err(1, "no memory for connection %u", c->id);
	bufferevent_setcb(c->bev, NULL, on_drained, on_write_error, c);
	if (!wait_for(c, EV_READ | EV_WRITE, on_connected))
		conn_fail(c, ENOMEM);
	return 0;
}

void
conn_refuse(struct conn *c, int error)
{
	c->env->stats->n.attempted++;
	fail(c, error);
}

/*
 * Sending.
 */

static void
skip(const struct conn *c, uint64_t due, uint64_t *counter)
{
	if (is_before_measurement(c, due))
		c->env->stats->n.warmup_skipped++;
	else
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
		skip(c, a->due, &stats->n.skipped_ids_exhausted);
		return false;
	}
	if (is_before_measurement(c, a->due))
		stats->n.warmup_sent++;
	else {
		histogram_add(&stats->lateness, now - a->due);
		stats->n.sent++;
	}
	if (env->log != NULL)
		querylog_sent(
		    env->log, now, env->first_id + c->id, *id, (double)a->gap);
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
	uint64_t due;

	while (next != BATCH_END) {
		due = batch->arrivals[next].due;
		if (c->state != CONN_OPEN)
			skip(c, due, &n->skipped_no_connection);
		else if (output_is_full(c))
			skip(c, due, &n->skipped_output_full);
		else {
			send_chunk(c, batch, &next);
			continue;
		}
		next = batch->arrivals[next].next;
	}
	if (env->limited && c->queries_left == 0)
		conn_leave(c, CONN_USED_UP);
}

void
conn_expire(struct conn *c, uint64_t now)
{
	const struct conn_env *env = c->env;
	struct inflight_query query;
	uint64_t deadline;
	bool any = false;

	while (inflight_expire(&c->inflight, env->inflight, now, &query)) {
		book_timeout(c, &query, now);
		any = true;
	}
	if (any) {
		suspect(c);
		if (env->drop)
			conn_close(c, CONN_ON_TIMEOUT);
		leave_if_done(c);
	}
	deadline = inflight_deadline(&c->inflight, env->inflight);
	if (deadline != CLOCK_NEVER)
		wheel_add(env->expiry, &c->expiry, deadline);
}
