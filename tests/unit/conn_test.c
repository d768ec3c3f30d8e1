/*
 * One connection against a peer of the test's own: the bound on what waits
 * unsent, with a peer that never reads and an output_max far below what the
 * program itself would choose; and what becomes of a probe.
 */
#include "tests/unit/support.h"

#include <sys/socket.h>

#include <netinet/in.h>

#include <event2/event.h>

#include <stdio.h>
#include <unistd.h>

#include "client/conn.h"
#include "client/inflight.h"
#include "client/routes.h"
#include "client/stats.h"
#include "client/wheel.h"
#include "client/window.h"
#include "dns_query.h"
#include "lib/clock.h"

#define OUTPUT_MAX 4096
#define ROUNDS	   20
#define PER_ROUND  60000

static void
ignore_usable(struct conn *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
ignore_progress(uint64_t now, void *arg)
{
	(void)now;
	(void)arg;
}

/* One connection, all that it needs, and who listens at its other end. */
struct fixture {
	struct stats stats;
	uint8_t query[DNS_QUERY_MAX];
	uint8_t input[CONN_INPUT_SIZE];
	struct wheel wheel;
	struct window window;
	struct conn_env env;
	struct route route;
	struct conn *conns;
	int listener;
};

/* A listener with small buffers that nobody accepts from, let alone reads. */
static int
listen_deaf(struct addr *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 8), 0);
	address->length = sizeof(address->sa);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address->sa, &address->length),
	    0);
	return fd;
}

/* Answers are waited for as long as that; quarantine is as short as can be. */
static struct fixture *
fixture_new(uint64_t timeout)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct conn_env *env;
	const char *why;

	assert_non_null(f);
	env = &f->env;
	f->listener = listen_deaf(&f->route.target);
	window_init(&f->window, 1, 10);
	wheel_init(&f->wheel, CLOCK_NS_PER_SEC, clock_now());
	env->base = event_base_new();
	env->stats = &f->stats;
	env->inflight = inflight_pool_new(timeout, timeout);
	env->expiry = &f->wheel;
	env->window = &f->window;
	env->timeout = timeout;
	env->clock_from = env->measure_from = CLOCK_NEVER;
	env->query = f->query;
	env->query_length = (size_t)dns_query_build(
	    f->query, sizeof(f->query), "example.com", DNS_TYPE_A, &why);
	env->input = f->input;
	env->output_max = OUTPUT_MAX;
	env->on_usable = env->on_unusable = ignore_usable;
	env->on_progress = ignore_progress;
	f->conns = conn_array_new(env, 1);
	return f;
}

/* The books must be closed by then. */
static void
fixture_free(struct fixture *f)
{
	assert_int_equal(stats_check(&f->stats, stderr), 0);
	conn_array_free(f->conns);
	inflight_pool_free(f->env.inflight);
	event_base_free(f->env.base);
	close(f->listener);
	free(f);
}

static struct conn *
the(struct fixture *f)
{
	return conn_at(f->conns, 0);
}

static void
open_it(struct fixture *f)
{
	assert_int_equal(conn_open(the(f), &f->route), 0);
	while (f->stats.n.opened + f->stats.n.failed == 0)
		event_base_loop(f->env.base, EVLOOP_ONCE);
	assert_int_equal(f->stats.n.opened, 1);
}

/*
 * What waits unsent.
 */

static void
send_round(struct conn *c, struct batch *batch)
{
	uint64_t now = clock_now();
	uint32_t id, first, i;

	for (i = 0; i < PER_ROUND; i++)
		batch_add(batch, 0, now, 0);
	while (batch_take(batch, &id, &first))
		conn_send(c, batch, first);
}

static void
output_is_bounded(void **state)
{
	/* so short that IDs never run out first */
	struct fixture *f = fixture_new(0);
	struct stats_counters *n = &f->stats.n;
	struct batch batch;
	int round;

	(void)state;
	batch_init(&batch, 1);
	f->env.clock_from = f->env.measure_from = 0;
	open_it(f);
	for (round = 0; round < ROUNDS; round++) {
		send_round(the(f), &batch);
		conn_expire(the(f), clock_now() + 1);
		conn_expire(the(f), clock_now() + 1);
		n->scheduled += PER_ROUND;
	}
	/* the socket took some, the buffer a bit more, the rest was skipped */
	assert_true(n->send_blocked > 0);
	assert_true(n->skipped_output_full > 0);
	assert_int_equal(n->skipped_ids_exhausted, 0);
	/* one chunk of 64 KB may lie on top of the bound */
	assert_true(n->send_blocked * f->env.query_length <=
	    OUTPUT_MAX + 65536 + 2 * f->env.query_length);
	conn_close(the(f), CONN_LOCAL);
	fixture_free(f);
	batch_clear(&batch);
}

/*
 * Probes.
 */

#define LONG (100 * CLOCK_NS_PER_SEC)

/* Opens it with a probe, which the peer has received whole. Returns the peer. */
static int
open_with_probe(struct fixture *f, uint8_t got[DNS_QUERY_MAX])
{
	int peer;

	f->env.probe = true;
	open_it(f);
	peer = accept(f->listener, NULL, NULL);
	assert_int_not_equal(peer, -1);
	assert_int_equal(recv(peer, got, f->env.query_length, MSG_WAITALL),
	    f->env.query_length);
	/* the question, with an ID of its own */
	assert_memory_equal(got + 4, f->query + 4, f->env.query_length - 4);
	assert_int_equal(f->stats.n.probe_sent, 1);
	assert_int_equal(f->stats.n.bytes_sent, f->env.query_length);
	assert_int_equal(stats_probes_in_flight(&f->stats), 1);
	return peer;
}

/* The rest of the books knows nothing of a probe. */
static void
expect_no_query(const struct stats *s)
{
	assert_int_equal(s->n.scheduled, 0);
	assert_int_equal(s->n.sent, 0);
	assert_int_equal(s->n.answered, 0);
	assert_int_equal(s->n.timed_out, 0);
	assert_int_equal(stats_lost(&s->n), 0);
	assert_int_equal(s->n.echoed, 0);
	assert_int_equal(s->n.rcode[0], 0);
	assert_int_equal(histogram_count(&s->response), 0);
	assert_int_equal(histogram_count(&s->service), 0);
	assert_int_equal(histogram_count(&s->lateness), 0);
	assert_int_equal(histogram_count(&s->connect), 1);
}

static void
expect_probes(
    const struct stats *s, uint64_t answered, uint64_t timed_out, uint64_t lost)
{
	assert_int_equal(s->n.probe_sent, 1);
	assert_int_equal(s->n.probe_answered, answered);
	assert_int_equal(s->n.probe_timed_out, timed_out);
	assert_int_equal(s->n.probe_lost, lost);
	assert_int_equal(stats_probes_in_flight(s), 0);
	expect_no_query(s);
}

/* Sends what the peer has got back, with these flags. */
static void
peer_answers(struct fixture *f, int peer, uint8_t *got, uint8_t flags)
{
	const uint64_t before = f->stats.n.replies;

	got[4] |= flags;
	assert_int_equal(
	    send(peer, got, f->env.query_length, 0), f->env.query_length);
	while (f->stats.n.replies == before)
		event_base_loop(f->env.base, EVLOOP_ONCE);
}

static void
no_probe_unless_asked(void **state)
{
	struct fixture *f = fixture_new(LONG);

	(void)state;
	open_it(f);
	assert_int_equal(f->stats.n.probe_sent, 0);
	assert_int_equal(f->stats.n.bytes_sent, 0);
	assert_int_equal(window_size(&f->window), 2);
	conn_close(the(f), CONN_LOCAL);
	fixture_free(f);
}

static void
probe_is_answered(void **state)
{
	static const uint8_t flags[] = {0, 0x80}; /* an echo, an answer */
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f;
	size_t i;
	int peer;

	(void)state;
	for (i = 0; i < LENGTH(flags); i++) {
		f = fixture_new(LONG);
		peer = open_with_probe(f, got);
		/* only the answer tells that one more can be taken */
		assert_int_equal(window_size(&f->window), 1);
		peer_answers(f, peer, got, flags[i]);
		expect_probes(&f->stats, 1, 0, 0);
		assert_int_equal(f->stats.n.verified, 1);
		assert_int_equal(f->stats.n.replies, 1);
		assert_int_equal(window_size(&f->window), 2);
		/* the same once more is nobody's */
		peer_answers(f, peer, got, flags[i]);
		expect_probes(&f->stats, 1, 0, 0);
		assert_int_equal(f->stats.n.unmatched, 1);
		conn_close(the(f), CONN_LOCAL);
		close(peer);
		fixture_free(f);
	}
}

static void
probe_times_out(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = open_with_probe(f, got);

	(void)state;
	f->window.size = 8;
	conn_expire(the(f), clock_now());
	assert_int_equal(f->stats.n.probe_timed_out, 0);
	conn_expire(the(f), clock_now() + LONG);
	expect_probes(&f->stats, 0, 1, 0);
	assert_int_equal(window_size(&f->window), 4);
	assert_int_equal(f->stats.n.verified, 0);
	/* late: it is a proof all the same */
	peer_answers(f, peer, got, 0);
	expect_probes(&f->stats, 0, 1, 0);
	assert_int_equal(f->stats.n.late, 1);
	assert_int_equal(f->stats.n.verified, 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

/* The answer comes before anyone has seen that the time is out. */
static void
probe_is_answered_after_its_time(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(1);
	int peer = open_with_probe(f, got);

	(void)state;
	peer_answers(f, peer, got, 0);
	expect_probes(&f->stats, 0, 1, 0);
	assert_int_equal(f->stats.n.late, 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

static void
probe_is_lost(void **state)
{
	static const enum conn_end ends[] = {
	    CONN_PEER_FIN, CONN_PEER_RST, CONN_ERROR, CONN_LOCAL};
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f;
	size_t i;
	int peer;

	(void)state;
	for (i = 0; i < LENGTH(ends); i++) {
		f = fixture_new(LONG);
		peer = open_with_probe(f, got);
		conn_close(the(f), ends[i]);
		expect_probes(&f->stats, 0, 0, 1);
		close(peer);
		fixture_free(f);
	}
	/* the peer closes by itself */
	f = fixture_new(LONG);
	peer = open_with_probe(f, got);
	close(peer);
	while (stats_open(&f->stats) > 0)
		event_base_loop(f->env.base, EVLOOP_ONCE);
	assert_int_equal(f->stats.n.closed_by_peer, 1);
	expect_probes(&f->stats, 0, 0, 1);
	fixture_free(f);
}

/* From then on what was due is a query; what was sent before stays a probe. */
static void
queries_begin_with_the_clock(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	struct stats_counters *n = &f->stats.n;
	int peer = open_with_probe(f, got);
	struct batch batch;
	uint32_t id, first;

	(void)state;
	batch_init(&batch, 1);
	f->env.clock_from = f->env.measure_from = clock_now();
	batch_add(&batch, 0, f->env.measure_from, 0);
	assert_true(batch_take(&batch, &id, &first));
	n->scheduled++;
	conn_send(the(f), &batch, first);
	assert_int_equal(n->sent, 1);
	peer_answers(f, peer, got, 0);
	assert_int_equal(n->probe_answered, 1);
	assert_int_equal(n->answered, 0);
	assert_int_equal(recv(peer, got, f->env.query_length, MSG_WAITALL),
	    f->env.query_length);
	peer_answers(f, peer, got, 0);
	assert_int_equal(n->probe_answered, 1);
	assert_int_equal(n->answered, 1);
	assert_int_equal(histogram_count(&f->stats.response), 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
	batch_clear(&batch);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(output_is_bounded),
	    cmocka_unit_test(no_probe_unless_asked),
	    cmocka_unit_test(probe_is_answered),
	    cmocka_unit_test(probe_times_out),
	    cmocka_unit_test(probe_is_answered_after_its_time),
	    cmocka_unit_test(probe_is_lost),
	    cmocka_unit_test(queries_begin_with_the_clock),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
