/*
 * Sending.
 */
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <errno.h>
#include <string.h>

#include "dns_query.h"
#include "lib/clock.h"
#include "client/conn_internal.h"

#define SEND_CHUNK 65536 /* bytes a send */

ssize_t
conn_write_out(struct conn *c, const uint8_t *data, size_t length)
{
	ssize_t n = 0;

	if (!c->blocked) {
		n = send(c->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == (ssize_t)length)
			return 0;
		if (n == -1 && conn_is_end_of_stream(errno)) {
			conn_broken(c, errno);
			return -1;
		}
		if (n == -1 && errno != EAGAIN && errno != EINTR) {
			conn_close_for_errno(c, errno);
			return -1;
		}
		if (n == -1)
			n = 0;
	}
	c->blocked = true;
	if (bufferevent_write(c->bev, data + n, length - (size_t)n) == -1) {
		conn_close_for_errno(c, ENOMEM);
		return -1;
	}
	return (ssize_t)length - n;
}

/* Due before any clock starts, also where it takes another's place in mid-run. */
void
conn_send_probe(struct conn *c, uint64_t now)
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
	conn_log(c, QUERYLOG_PROBE, now, id, QUERYLOG_NONE);
	wheel_add(env->expiry, &c->expiry, now + env->timeout);
	(void)conn_write_out(c, query, env->query_length);
}

static void
skip(const struct conn *c, uint64_t due, uint64_t *counter)
{
	if (conn_is_unmeasured(c, due))
		c->env->stats->n.warmup_skipped++;
	else
		++*counter;
	if (c->env->log != NULL)
		conn_log(c, QUERYLOG_SKIPPED, clock_now(), QUERYLOG_NONE,
		    QUERYLOG_NONE);
}

/*
 * No ID is left. The peer is the cause where most IDs are held by queries that have
 * timed out. Not where this query itself is as late: then this program was too
 * slow to read, and their answers may wait in the socket.
 */
static void
book_no_id(struct conn *c, uint64_t due, uint64_t now)
{
	struct stats_counters *n = &c->env->stats->n;

	skip(c, due, &n->skipped_ids_exhausted);
	if (c->out_of_ids || now - due >= c->env->timeout ||
	    inflight_expired(&c->inflight) < inflight_waiting(&c->inflight))
		return;
	c->out_of_ids = true;
	n->out_of_ids++;
	tally_add(&c->env->stats->tally, TALLY_OUT_OF_IDS, &c->way);
}

/* Takes the query into the books; false if there is no ID left for it. */
static bool
book_query(
    struct conn *c, const struct batch_arrival *a, uint64_t now, uint16_t *id)
{
	const struct conn_env *env = c->env;
	struct stats *stats = env->stats;

	if (!inflight_add(&c->inflight, env->inflight, a->due, now, id)) {
		book_no_id(c, a->due, now);
		return false;
	}
	if (conn_is_unmeasured(c, a->due))
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
	blocked = conn_write_out(c, chunk, used);
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
