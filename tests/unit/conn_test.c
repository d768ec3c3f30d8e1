/*
 * One connection against a peer of the test's own: the bound on what waits
 * unsent, with a peer that never reads and an output_max far below what the
 * program itself would choose; what becomes of a probe and of the warm-up; and
 * how it ends and is made anew.
 */
#include "tests/unit/support.h"

#include <sys/socket.h>

#include <netinet/in.h>

#include <event2/event.h>

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "client/conn.h"
#include "client/connector.h"
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

static const struct connector any_port = {.ports = NULL};

static void
ignore_usable(struct conn *c, void *arg)
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

/* Answers are waited for as long as that. */
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
	env->ask_peer_by = -1;
	env->stats = &f->stats;
	env->inflight = inflight_pool_new(timeout);
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
	env->on_ended = ignore_end;
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
	assert_int_equal(conn_open(the(f), &f->route, &any_port), 0);
	while (f->stats.n.opened + f->stats.n.failed == 0)
		event_base_loop(f->env.base, EVLOOP_ONCE);
	assert_int_equal(f->stats.n.opened, 1);
}

/*
 * What waits unsent.
 */

/* So that all IDs together are more than a socket takes by itself. */
static void
use_long_query(struct fixture *f)
{
	char name[240];
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 60 == 59 ? '.' : 'a';
	name[i] = '\0';
	f->env.query_length = (size_t)dns_query_build(
	    f->query, sizeof(f->query), name, DNS_TYPE_A, &why);
	assert_in_range(f->env.query_length, sizeof(name), DNS_QUERY_MAX);
}

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
	struct fixture *f = fixture_new(CLOCK_NS_PER_SEC);
	struct stats_counters *n = &f->stats.n;
	struct batch batch;
	int round;

	(void)state;
	batch_init(&batch, 1);
	f->env.clock_from = f->env.measure_from = 0;
	use_long_query(f);
	open_it(f);
	for (round = 0; round < ROUNDS; round++) {
		send_round(the(f), &batch);
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
	conn_expire(the(f), clock_now(), clock_now());
	assert_int_equal(f->stats.n.probe_timed_out, 0);
	conn_expire(the(f), clock_now() + LONG, clock_now() + LONG);
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

static const enum conn_end ends[] = {
    CONN_PEER_FIN, CONN_PEER_RST, CONN_ERROR, CONN_LOCAL, CONN_DRAINED};

static void
probe_is_lost(void **state)
{
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

/*
 * The warm-up: due since the clock starts, but before the measurement.
 */

/* Half a minute of warm-up, and the measurement begins in as long. */
#define HALF (30 * CLOCK_NS_PER_SEC)

static void
start_warmup(struct fixture *f)
{
	f->env.clock_from = clock_now() - HALF;
	f->env.measure_from = clock_now() + HALF;
}

/* Opens it with the warm-up going on. Returns the peer. */
static int
open_in_warmup(struct fixture *f)
{
	int peer;

	start_warmup(f);
	open_it(f);
	peer = accept(f->listener, NULL, NULL);
	assert_int_not_equal(peer, -1);
	return peer;
}

/* One chain of arrivals, in the books as those who schedule them do it. */
static void
send_due(struct fixture *f, const uint64_t *due, uint32_t count)
{
	struct stats_counters *n = &f->stats.n;
	struct batch batch;
	uint32_t id, first, i;

	batch_init(&batch, 1);
	for (i = 0; i < count; i++) {
		if (due[i] < f->env.measure_from)
			n->warmup_scheduled++;
		else
			n->scheduled++;
		batch_add(&batch, 0, due[i], 0);
	}
	assert_true(batch_take(&batch, &id, &first));
	conn_send(the(f), &batch, first);
	assert_false(batch_take(&batch, &id, &first));
	batch_clear(&batch);
}

/* Sends one query that is due at the moment; the peer has it whole. */
static void
send_now(struct fixture *f, int peer, uint8_t got[DNS_QUERY_MAX])
{
	const uint64_t due = clock_now();

	send_due(f, &due, 1);
	assert_int_equal(recv(peer, got, f->env.query_length, MSG_WAITALL),
	    f->env.query_length);
}

static void
expect_warmup(
    const struct stats *s, uint64_t answered, uint64_t timed_out, uint64_t lost)
{
	assert_int_equal(s->n.warmup_sent, 1);
	assert_int_equal(s->n.warmup_answered, answered);
	assert_int_equal(s->n.warmup_timed_out, timed_out);
	assert_int_equal(s->n.warmup_lost, lost);
	assert_int_equal(s->n.warmup_skipped, 0);
	assert_int_equal(stats_waiting(s), 0);
	assert_int_equal(s->n.probe_sent, 0);
	assert_int_equal(stats_skipped(&s->n), 0);
	expect_no_query(s);
}

static void
warmup_is_answered(void **state)
{
	static const uint8_t flags[] = {0, 0x80}; /* an echo, an answer */
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f;
	size_t i;
	int peer;

	(void)state;
	for (i = 0; i < LENGTH(flags); i++) {
		f = fixture_new(LONG);
		peer = open_in_warmup(f);
		send_now(f, peer, got);
		assert_int_equal(stats_warmup_in_flight(&f->stats), 1);
		assert_int_equal(f->stats.n.bytes_sent, f->env.query_length);
		/* only opening tells how many more can be taken */
		assert_int_equal(window_size(&f->window), 2);
		peer_answers(f, peer, got, flags[i]);
		expect_warmup(&f->stats, 1, 0, 0);
		assert_int_equal(f->stats.n.verified, 1);
		assert_int_equal(window_size(&f->window), 2);
		/* the same once more is nobody's */
		peer_answers(f, peer, got, flags[i]);
		expect_warmup(&f->stats, 1, 0, 0);
		assert_int_equal(f->stats.n.unmatched, 1);
		conn_close(the(f), CONN_LOCAL);
		close(peer);
		fixture_free(f);
	}
}

static void
warmup_times_out(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = open_in_warmup(f);

	(void)state;
	send_now(f, peer, got);
	conn_expire(the(f), clock_now(), clock_now());
	assert_int_equal(f->stats.n.warmup_timed_out, 0);
	conn_expire(the(f), clock_now() + LONG, clock_now() + LONG);
	expect_warmup(&f->stats, 0, 1, 0);
	assert_int_equal(window_size(&f->window), 2);
	assert_int_equal(f->stats.n.verified, 0);
	peer_answers(f, peer, got, 0);
	expect_warmup(&f->stats, 0, 1, 0);
	assert_int_equal(f->stats.n.late, 1);
	assert_int_equal(f->stats.n.verified, 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

static void
warmup_is_answered_after_its_time(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(1);
	int peer = open_in_warmup(f);

	(void)state;
	send_now(f, peer, got);
	peer_answers(f, peer, got, 0);
	expect_warmup(&f->stats, 0, 1, 0);
	assert_int_equal(f->stats.n.late, 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

/* It stays of the warm-up when the measurement has begun in the meantime. */
static void
warmup_reaches_into_the_measurement(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = open_in_warmup(f);

	(void)state;
	send_now(f, peer, got);
	f->env.measure_from = clock_now();
	peer_answers(f, peer, got, 0);
	expect_warmup(&f->stats, 1, 0, 0);
	send_now(f, peer, got);
	peer_answers(f, peer, got, 0);
	assert_int_equal(f->stats.n.warmup_answered, 1);
	assert_int_equal(f->stats.n.answered, 1);
	assert_int_equal(histogram_count(&f->stats.response), 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

static void
warmup_is_lost(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f;
	size_t i;
	int peer;

	(void)state;
	for (i = 0; i < LENGTH(ends); i++) {
		f = fixture_new(LONG);
		peer = open_in_warmup(f);
		send_now(f, peer, got);
		conn_close(the(f), ends[i]);
		expect_warmup(&f->stats, 0, 0, 1);
		close(peer);
		fixture_free(f);
	}
}

static void
expect_skipped_in_warmup(const struct stats *s, uint64_t skipped)
{
	assert_int_equal(s->n.warmup_skipped, skipped);
	assert_int_equal(s->n.scheduled, 0);
	assert_int_equal(s->n.sent, 0);
	assert_int_equal(stats_skipped(&s->n), 0);
	assert_int_equal(histogram_count(&s->lateness), 0);
}

/* For every reason that there is: the measured ones are counted by it. */
static void
warmup_is_skipped(void **state)
{
	struct fixture *f = fixture_new(LONG);
	const uint64_t now = clock_now(), some[] = {now, now, now};
	uint64_t *many = calloc(PER_ROUND, sizeof(*many));
	int peer = open_in_warmup(f);
	size_t i;

	(void)state;
	assert_non_null(many);
	use_long_query(f);
	for (i = 0; i < PER_ROUND; i++)
		many[i] = now;
	/* two rounds are more than all the IDs */
	f->env.output_max = SIZE_MAX;
	send_due(f, many, PER_ROUND);
	send_due(f, many, PER_ROUND);
	assert_int_equal(f->stats.n.warmup_sent, 65536);
	assert_true(f->stats.n.send_blocked > 0);
	expect_skipped_in_warmup(&f->stats, 2 * PER_ROUND - 65536);
	/* the peer does not read */
	f->env.output_max = OUTPUT_MAX;
	send_due(f, some, LENGTH(some));
	expect_skipped_in_warmup(&f->stats, 2 * PER_ROUND - 65536 + 3);
	conn_close(the(f), CONN_DRAINED);
	assert_int_equal(f->stats.n.warmup_lost, 65536);
	assert_int_equal(stats_lost(&f->stats.n), 0);
	/* there is no connection */
	send_due(f, some, LENGTH(some));
	expect_skipped_in_warmup(&f->stats, 2 * PER_ROUND - 65536 + 6);
	close(peer);
	free(many);
	fixture_free(f);
}

/* Opens it with the measurement just begun, two of six queries before it. */
static int
send_both_kinds(struct fixture *f, uint8_t got[6][DNS_QUERY_MAX])
{
	int peer = open_in_warmup(f), i;
	const uint64_t now = clock_now();
	/* at the borders; and in an order that no schedule has */
	const uint64_t due[] = {now - HALF, now, now - 1, now, now - 1000, now};

	f->env.clock_from = now - HALF;
	f->env.measure_from = now;
	send_due(f, due, LENGTH(due));
	for (i = 0; i < 6; i++)
		assert_int_equal(
		    recv(peer, got[i], f->env.query_length, MSG_WAITALL),
		    f->env.query_length);
	assert_int_equal(f->stats.n.warmup_sent, 3);
	assert_int_equal(f->stats.n.sent, 3);
	assert_int_equal(histogram_count(&f->stats.lateness), 3);
	/* not those of the warm-up, which were due long ago */
	assert_true(f->stats.lateness.max < HALF);
	assert_int_equal(stats_waiting(&f->stats), 6);
	assert_int_equal(
	    f->stats.n.bytes_sent, 6 * (uint64_t)f->env.query_length);
	return peer;
}

static void
both_kinds_are_answered(void **state)
{
	uint8_t got[6][DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = send_both_kinds(f, got), i;

	(void)state;
	for (i = 0; i < 6; i++)
		peer_answers(f, peer, got[i], i < 2 ? 0x80 : 0);
	assert_int_equal(f->stats.n.warmup_answered, 3);
	assert_int_equal(f->stats.n.answered, 3);
	assert_int_equal(f->stats.n.rcode[0], 1);
	assert_int_equal(f->stats.n.echoed, 2);
	assert_int_equal(f->stats.n.probe_answered, 0);
	assert_int_equal(f->stats.n.verified, 1);
	assert_int_equal(histogram_count(&f->stats.response), 3);
	assert_int_equal(histogram_count(&f->stats.service), 3);
	assert_true(f->stats.response.max < HALF);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

static void
both_kinds_time_out(void **state)
{
	uint8_t got[6][DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = send_both_kinds(f, got);

	(void)state;
	conn_expire(the(f), clock_now() + LONG, clock_now() + LONG);
	assert_int_equal(f->stats.n.warmup_timed_out, 3);
	assert_int_equal(f->stats.n.timed_out, 3);
	assert_int_equal(f->stats.n.probe_timed_out, 0);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

static void
both_kinds_are_skipped(void **state)
{
	struct fixture *f = fixture_new(LONG);
	uint64_t now, due[3];
	int peer = open_in_warmup(f);

	(void)state;
	conn_close(the(f), CONN_LOCAL);
	now = clock_now();
	f->env.measure_from = now;
	due[0] = now;
	due[1] = now - 1;
	due[2] = now + 1;
	send_due(f, due, LENGTH(due));
	assert_int_equal(f->stats.n.warmup_skipped, 1);
	assert_int_equal(f->stats.n.skipped_no_connection, 2);
	close(peer);
	fixture_free(f);
}

/* A probe that has not been answered when the warm-up begins remains one. */
static void
probe_before_the_warmup(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = open_with_probe(f, got);

	(void)state;
	f->env.clock_from = clock_now();
	f->env.measure_from = clock_now() + HALF;
	peer_answers(f, peer, got, 0);
	expect_probes(&f->stats, 1, 0, 0);
	assert_int_equal(f->stats.n.warmup_answered, 0);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

/*
 * Ends.
 */

/* Each end has one counter for the connection and one for what was in flight. */
static void
each_end_has_its_counters(void **state)
{
#define AT(field) offsetof(struct stats_counters, field)
	static const struct {
		enum conn_end end;
		size_t closed;
		size_t lost;
	} cases[] = {
	    {CONN_PEER_FIN, AT(closed_by_peer), AT(lost_peer_fin)},
	    {CONN_PEER_RST, AT(reset_by_peer), AT(lost_peer_rst)},
	    {CONN_ERROR, AT(closed_by_error), AT(lost_error)},
	    {CONN_LOCAL, AT(closed_locally), AT(lost_stopped)},
	    {CONN_DRAINED, AT(closed_locally), AT(lost_drain_over)},
	    {CONN_CHURNED, AT(closed_churned), AT(lost_stopped)},
	    {CONN_USED_UP, AT(closed_used_up), AT(lost_stopped)},
	    {CONN_ON_TIMEOUT, AT(closed_on_timeout), AT(lost_on_timeout)},
	    {CONN_ON_REQUEST, AT(closed_on_request), AT(lost_stopped)},
	};
#undef AT
	uint8_t got[6][DNS_QUERY_MAX];
	struct fixture *f;
	size_t i;
	int peer;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		f = fixture_new(LONG);
		peer = send_both_kinds(f, got);
		conn_close(the(f), cases[i].end);
		assert_int_equal(*(uint64_t *)(void *)((char *)&f->stats.n +
				     cases[i].closed),
		    1);
		assert_int_equal(
		    *(uint64_t *)(void *)((char *)&f->stats.n + cases[i].lost),
		    3);
		assert_int_equal(stats_lost(&f->stats.n), 3);
		assert_int_equal(f->stats.n.warmup_lost, 3);
		assert_int_equal(stats_waiting(&f->stats), 0);
		assert_int_equal(stats_open(&f->stats), 0);
		/* once is enough */
		conn_close(the(f), CONN_ERROR);
		close(peer);
		fixture_free(f);
	}
}

/* What the peer reads after this end: 0 for a FIN, -1 for a RST. */
static ssize_t
peer_sees(bool reset, enum conn_end end)
{
	struct fixture *f = fixture_new(LONG);
	int peer = open_in_warmup(f);
	char byte;
	ssize_t n;

	f->env.reset = reset;
	conn_close(the(f), end);
	n = recv(peer, &byte, 1, 0);
	close(peer);
	fixture_free(f);
	return n;
}

static void
reset_of_local_ends(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(ends); i++)
		assert_int_equal(peer_sees(false, ends[i]), 0);
	assert_int_equal(peer_sees(true, CONN_LOCAL), -1);
	assert_int_equal(peer_sees(true, CONN_DRAINED), -1);
	assert_int_equal(peer_sees(true, CONN_PEER_FIN), 0);
}

/*
 * Anew.
 */

/* Opens it once more. Returns the peer. */
static int
open_again(struct fixture *f)
{
	const uint64_t before = f->stats.n.opened;
	int peer;

	conn_reset(the(f));
	assert_true(conn_is_idle(the(f)));
	assert_int_equal(conn_open(the(f), &f->route, &any_port), 0);
	assert_false(conn_is_idle(the(f)));
	while (f->stats.n.opened == before)
		event_base_loop(f->env.base, EVLOOP_ONCE);
	peer = accept(f->listener, NULL, NULL);
	assert_int_not_equal(peer, -1);
	return peer;
}

static void
anew_only_when_it_has_ended(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer;

	(void)state;
	conn_reset(the(f));
	assert_true(conn_is_idle(the(f)));
	assert_int_equal(conn_open(the(f), &f->route, &any_port), 0);
	conn_reset(the(f));
	assert_int_equal(stats_pending(&f->stats), 1);
	conn_abandon(the(f));
	assert_false(conn_is_idle(the(f)));
	start_warmup(f);
	/* the one that was abandoned is accepted, too */
	close(accept(f->listener, NULL, NULL));
	peer = open_again(f);
	conn_reset(the(f));
	assert_false(conn_is_idle(the(f)));
	send_now(f, peer, got);
	peer_answers(f, peer, got, 0);
	expect_warmup(&f->stats, 1, 0, 0);
	conn_close(the(f), CONN_LOCAL);
	assert_false(conn_is_idle(the(f)));
	close(peer);
	fixture_free(f);
}

/* Twice verified: each time it was another connection. */
static void
anew_it_is_verified_again(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = open_in_warmup(f);
	uint64_t i;

	(void)state;
	f->env.measure_from = clock_now();
	for (i = 1; i <= 3; i++) {
		send_now(f, peer, got);
		peer_answers(f, peer, got, 0);
		send_now(f, peer, got);
		peer_answers(f, peer, got, 0);
		assert_int_equal(f->stats.n.verified, i);
		assert_int_equal(f->stats.n.answered, 2 * i);
		/* one that is late for the connection that comes next */
		send_now(f, peer, got);
		conn_expire(the(f), clock_now() + LONG, clock_now() + LONG);
		conn_close(the(f), CONN_LOCAL);
		close(peer);
		peer = open_again(f);
		peer_answers(f, peer, got, 0);
		assert_int_equal(f->stats.n.unmatched, i);
		assert_int_equal(f->stats.n.late, 0);
		assert_int_equal(f->stats.n.peak, 1);
	}
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

/* Neither half a message that was read nor what could not be sent remains. */
static void
anew_its_buffers_are_empty(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(0);
	const uint64_t received = 7;
	struct batch batch;
	uint64_t blocked;
	int peer;

	(void)state;
	batch_init(&batch, 1);
	use_long_query(f);
	f->env.output_max = SIZE_MAX;
	peer = open_in_warmup(f);
	send_now(f, peer, got);
	assert_int_equal(send(peer, got, received, 0), received);
	while (f->stats.n.bytes_received < received)
		event_base_loop(f->env.base, EVLOOP_ONCE);
	f->stats.n.warmup_scheduled += PER_ROUND;
	send_round(the(f), &batch);
	blocked = f->stats.n.send_blocked;
	assert_true(blocked > 0);
	conn_close(the(f), CONN_LOCAL);
	close(peer);

	peer = open_again(f);
	send_now(f, peer, got);
	assert_int_equal(f->stats.n.send_blocked, blocked);
	peer_answers(f, peer, got, 0);
	assert_int_equal(f->stats.n.malformed, 0);
	assert_int_equal(f->stats.n.unmatched, 0);
	assert_int_equal(f->stats.n.late, 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
	batch_clear(&batch);
}

/* Why a send had failed is not why the next connection ends. */
static void
anew_it_has_not_failed(void **state)
{
	struct fixture *f = fixture_new(LONG);
	const uint64_t now = clock_now();
	int peer = open_in_warmup(f), i;

	(void)state;
	/* the peer leaves a query unread: a RST, which a send comes upon */
	send_due(f, &now, 1);
	close(peer);
	for (i = 0; i < 3; i++)
		send_due(f, &now, 1);
	assert_true(f->stats.n.warmup_skipped > 0);
	assert_int_equal(stats_open(&f->stats), 1);
	while (stats_open(&f->stats) > 0)
		event_base_loop(f->env.base, EVLOOP_ONCE);
	assert_int_equal(f->stats.n.reset_by_peer, 1);

	peer = open_again(f);
	close(peer);
	while (stats_open(&f->stats) > 0)
		event_base_loop(f->env.base, EVLOOP_ONCE);
	assert_int_equal(f->stats.n.reset_by_peer, 1);
	assert_int_equal(f->stats.n.closed_by_peer, 1);
	fixture_free(f);
}

/* What times out is seen as before, also where it is in the wheel already. */
static void
anew_it_expires(void **state)
{
	uint8_t got[DNS_QUERY_MAX];
	struct fixture *f = fixture_new(LONG);
	int peer = open_in_warmup(f);
	struct wheel_node *node;
	uint64_t now;

	(void)state;
	send_now(f, peer, got);
	assert_int_equal(f->wheel.queued, 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	peer = open_again(f);
	send_now(f, peer, got);
	assert_int_equal(f->wheel.queued, 1);
	now = clock_now() + 2 * LONG;
	while ((node = wheel_take(&f->wheel, now)) != NULL)
		conn_expire(conn_of_expiry(node), now, now);
	assert_int_equal(f->stats.n.warmup_timed_out, 1);
	assert_int_equal(f->stats.n.warmup_lost, 1);
	conn_close(the(f), CONN_LOCAL);
	close(peer);
	fixture_free(f);
}

/*
 * This program stood still while the handshake was done: it is open, and its time
 * is that of the handshake.
 */
static void
a_late_look_is_no_timeout(void **state)
{
	struct fixture *f = fixture_new(LONG);
	uint64_t before = clock_now(), took;

	(void)state;
	assert_int_equal(conn_open(the(f), &f->route, &any_port), 0);
	usleep(200000);
	conn_time_out(the(f));
	took = clock_now() - before;
	assert_int_equal(f->stats.n.opened, 1);
	assert_int_equal(f->stats.n.failed, 0);
	assert_int_equal(f->stats.n.opened_late, 1);
	/* the kernel counts in ticks of 10 ms at most */
	assert_true(f->stats.connect.max + 180 * CLOCK_NS_PER_MS < took);
	/* a handshake takes a round trip, however coarse the kernel's clock is */
	assert_true(histogram_min(&f->stats.connect) > 0);
	assert_true(conn_is_open(the(f)));
	conn_close(the(f), CONN_LOCAL);
	fixture_free(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_late_look_is_no_timeout),
	    cmocka_unit_test(output_is_bounded),
	    cmocka_unit_test(no_probe_unless_asked),
	    cmocka_unit_test(probe_is_answered),
	    cmocka_unit_test(probe_times_out),
	    cmocka_unit_test(probe_is_answered_after_its_time),
	    cmocka_unit_test(probe_is_lost),
	    cmocka_unit_test(queries_begin_with_the_clock),
	    cmocka_unit_test(warmup_is_answered),
	    cmocka_unit_test(warmup_times_out),
	    cmocka_unit_test(warmup_is_answered_after_its_time),
	    cmocka_unit_test(warmup_reaches_into_the_measurement),
	    cmocka_unit_test(warmup_is_lost),
	    cmocka_unit_test(warmup_is_skipped),
	    cmocka_unit_test(both_kinds_are_answered),
	    cmocka_unit_test(both_kinds_time_out),
	    cmocka_unit_test(both_kinds_are_skipped),
	    cmocka_unit_test(probe_before_the_warmup),
	    cmocka_unit_test(each_end_has_its_counters),
	    cmocka_unit_test(reset_of_local_ends),
	    cmocka_unit_test(anew_only_when_it_has_ended),
	    cmocka_unit_test(anew_it_is_verified_again),
	    cmocka_unit_test(anew_its_buffers_are_empty),
	    cmocka_unit_test(anew_it_has_not_failed),
	    cmocka_unit_test(anew_it_expires),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
