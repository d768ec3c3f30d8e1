/*
 * client/conn: what a server sends on a connection, cut anywhere. A connection
 * that gets the bytes in pieces counts what one counts that gets them at once,
 * and the accounts of both close.
 *
 * Input: how many queries wait for an answer, how many cuts there are, a byte for
 * the length of each piece, then the stream; what is left behind the last cut
 * comes in one piece.
 */
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/event.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/conn_internal.h"
#include "client/window.h"
#include "lib/clock.h"
#include "tests/fuzz/fuzz.h"

#define TIMEOUT	  (3600 * CLOCK_NS_PER_SEC)
#define CUTS_MOST 32

/* One connection and what it needs; its peer takes what is sent. */
struct side {
	struct stats stats;
	struct wheel wheel;
	struct window window;
	struct conn_env env;
	uint8_t query[DNS_QUERY_MAX];
	uint8_t input[CONN_INPUT_SIZE];
	struct conn *conns;
	int peer;
};

static void
ignore_conn(struct conn *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
ignore_end(struct conn *c, enum conn_end end, void *arg)
{
	(void)c;
	(void)end;
	(void)arg;
}

static void
ignore_progress(uint64_t now, void *arg)
{
	(void)now;
	(void)arg;
}

static void
fill_env(struct side *s, struct event_base *base)
{
	struct conn_env *env = &s->env;
	const char *why;

	window_init(&s->window, 1, 10);
	wheel_init(&s->wheel, CLOCK_NS_PER_SEC, clock_now());
	env->base = base;
	env->ask_peer_by = -1;
	env->stats = &s->stats;
	env->inflight = inflight_pool_new(TIMEOUT);
	env->expiry = &s->wheel;
	env->window = &s->window;
	env->timeout = TIMEOUT;
	env->query = s->query;
	env->query_length = (size_t)dns_query_build(
	    s->query, sizeof(s->query), "example.com", DNS_TYPE_A, &why);
	env->input = s->input;
	env->output_max = SIZE_MAX;
	env->on_usable = env->on_unusable = ignore_conn;
	env->on_ended = ignore_end;
	env->on_progress = ignore_progress;
}

/* As conn_open.c leaves a connection whose handshake is over. */
static void
side_begin(struct side *s, struct event_base *base)
{
	struct conn *c;
	int ends[2];

	memset(s, 0, sizeof(*s));
	fill_env(s, base);
	FUZZ_CHECK(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	s->peer = ends[1];
	s->conns = conn_array_new(&s->env, 1);
	c = conn_at(s->conns, 0);
	c->fd = ends[0];
	c->bev = bufferevent_socket_new(base, c->fd, 0);
	FUZZ_CHECK(c->bev != NULL);
	c->state = CONN_OPEN;
	s->stats.n.attempted = s->stats.n.opened = s->stats.n.unverified = 1;
	s->stats.n.peak = 1;
	histogram_add(&s->stats.connect, 0);
}

static void
side_send(struct side *s, unsigned int queries)
{
	static struct batch batch; /* its memory is large, and stays */
	uint64_t now = clock_now();
	uint32_t id, first;
	unsigned int i;

	if (batch.arrivals == NULL)
		batch_init(&batch, 1);
	for (i = 0; i < queries; i++)
		batch_add(&batch, 0, now, 0);
	while (batch_take(&batch, &id, &first))
		conn_send(conn_at(s->conns, 0), &batch, first);
	s->stats.n.scheduled += queries;
}

/* In a copy of its own each, so that ASan sees what is read beyond. */
static void
side_hear(struct side *s, const uint8_t *data, size_t size)
{
	struct conn *c = conn_at(s->conns, 0);
	uint8_t *copy = fuzz_copy(data, size);
	uint64_t now = clock_now();
	struct conn_reading reading = {.now = now, .since = now, .from = now};

	if (size > 0 && c->state == CONN_OPEN)
		conn_handle_input(c, copy, size, &reading);
	free(copy);
}

static void
side_end(struct side *s)
{
	conn_close(conn_at(s->conns, 0), CONN_LOCAL);
	FUZZ_CHECK(stats_check(&s->stats, stderr) == 0);
	conn_array_free(s->conns);
	inflight_pool_free(s->env.inflight);
	close(s->peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	static struct side whole, pieces;
	struct fuzz_input in = {data, size};
	unsigned int queries = fuzz_byte(&in), cuts = fuzz_byte(&in), i;
	uint8_t lengths[CUTS_MOST];
	size_t step;

	if (base == NULL)
		base = event_base_new();
	cuts %= CUTS_MOST + 1;
	for (i = 0; i < cuts; i++)
		lengths[i] = fuzz_byte(&in);
	if (in.left > CONN_INPUT_SIZE)
		return 0; /* more than is ever read at once */
	side_begin(&whole, base);
	side_begin(&pieces, base);
	side_send(&whole, queries);
	side_send(&pieces, queries);
	side_hear(&whole, in.at, in.left);
	for (i = 0; i < cuts && in.left > 0; i++) {
		step = 1 + (size_t)lengths[i];
		if (step > in.left)
			step = in.left;
		side_hear(&pieces, in.at, step);
		in.at += step;
		in.left -= step;
	}
	side_hear(&pieces, in.at, in.left);
	FUZZ_CHECK(memcmp(&whole.stats.n, &pieces.stats.n,
		       sizeof(whole.stats.n)) == 0);
	side_end(&whole);
	side_end(&pieces);
	/* libevent frees a bufferevent in the next turn of its loop */
	FUZZ_CHECK(event_base_loop(base, EVLOOP_NONBLOCK) != -1);
	return 0;
}
