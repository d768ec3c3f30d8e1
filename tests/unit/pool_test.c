/*
 * The connections of a worker, over loopback: held, let go, opened again, and
 * what becomes of arrivals.
 */
#include "tests/unit/pool_fixture.h"

#include <poll.h>

/*
 * Holding.
 */

static void
up_and_down_and_up(void **state)
{
	static const uint32_t held[] = {
	    3, 8, 8, 2, 0, 0, 1, 8, 7, 1, 2, 3, 8, 0, 8, 4};
	struct fixture *f = fixture_new(false);
	uint32_t now = 0, closed = 0, opened = 0;
	size_t i;

	(void)state;
	expect_held(f, CONNECTIONS, 0);
	for (i = 0; i < LENGTH(held); i++) {
		pool_hold(f->pool, held[i]);
		if (held[i] > now) {
			expect_held(f, held[i] - now, now);
			opened += held[i] - now;
		} else {
			expect_held(f, 0, held[i]);
			closed += now - held[i];
			expect_closed_from(f, held[i]);
		}
		open_all(f);
		now = held[i];
		expect_held(f, 0, now);
		assert_int_equal(f->stats.n.attempted, opened);
		assert_int_equal(f->stats.n.opened, opened);
		assert_int_equal(f->stats.n.closed_locally, closed);
		assert_int_equal(f->stats.n.peak, i == 0 ? 3 : CONNECTIONS);
	}
	fixture_free(f);
}

/* Holding as many as before opens again what is no longer open. */
static void
those_closed_by_the_peer(void **state)
{
	struct fixture *f = fixture_new(false);

	(void)state;
	open_all(f);
	expect_held(f, 0, CONNECTIONS);
	peer_close(f, 1);
	peer_close(f, 3);
	peer_close(f, 7);
	while (f->stats.n.closed_by_peer < 3)
		event_base_loop(f->base, EVLOOP_ONCE);
	expect_held(f, 0, CONNECTIONS - 3);
	/* 7 is beyond, and closed already */
	pool_hold(f->pool, 6);
	expect_held(f, 2, 4);
	assert_int_equal(f->stats.n.closed_locally, 1);
	/* the gaps are filled in their order */
	open_all(f);
	expect_held(f, 0, 6);
	expect_closed_from(f, 6);
	pool_hold(f->pool, CONNECTIONS);
	expect_held(f, 2, 6);
	open_all(f);
	expect_held(f, 0, CONNECTIONS);
	assert_int_equal(f->stats.n.opened, CONNECTIONS + 2 + 2);
	fixture_free(f);
}

static void
those_that_were_refused(void **state)
{
	struct fixture *f = fixture_new(false);
	uint64_t i;

	(void)state;
	close(f->listener);
	f->listener = -1;
	for (i = 1; i <= 3; i++) {
		assert_int_equal(begin_all(f), CONNECTIONS);
		while (stats_pending(&f->stats) > 0)
			event_base_loop(f->base, EVLOOP_ONCE);
		assert_int_equal(f->stats.n.failed, i * CONNECTIONS);
		assert_int_equal(
		    f->stats.n.failed_errno[ECONNREFUSED], i * CONNECTIONS);
		expect_held(f, 0, 0);
		pool_hold(f->pool, 5);
		expect_held(f, 5, 0);
		pool_hold(f->pool, CONNECTIONS);
		expect_held(f, CONNECTIONS, 0);
	}
	f->listener = listen_on(&f->address);
	open_all(f);
	expect_held(f, 0, CONNECTIONS);
	fixture_free(f);
}

/* The accept queue is full from now on: no SYN is answered. Returns what fills it. */
static int
fill_accept_queue(struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(listen(f->listener, 0), 0);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&f->address.sa, f->address.length),
	    0);
	return fd;
}

/* Also of those opened again, and none that has come in time. */
static void
those_that_took_too_long(void **state)
{
	struct fixture *f = fixture_new(false);
	const uint64_t now = clock_now();
	int filling;

	(void)state;
	assert_false(pool_expire(f->pool, now, now));
	pool_hold(f->pool, 4);
	open_all(f);
	filling = fill_accept_queue(f);
	assert_false(pool_expire(f->pool, now + 3 * LONG, now + 3 * LONG));
	pool_hold(f->pool, CONNECTIONS);
	assert_int_equal(begin_all(f), 4);
	assert_true(pool_expire(f->pool, now, now));
	assert_int_equal(f->stats.n.failed, 0);
	assert_false(pool_expire(f->pool, now + 3 * LONG, now + 3 * LONG));
	assert_int_equal(f->stats.n.failed, 4);
	assert_int_equal(f->stats.n.failed_errno[ETIMEDOUT], 4);
	expect_held(f, 0, 4);
	/* the first ones anew: they lie before those that were looked at */
	pool_hold(f->pool, 0);
	pool_hold(f->pool, 2);
	assert_int_equal(begin_all(f), 2);
	assert_true(pool_expire(f->pool, now, now));
	assert_false(
	    pool_expire(f->pool, clock_now() + LONG, clock_now() + LONG));
	assert_int_equal(f->stats.n.failed_errno[ETIMEDOUT], 6);
	expect_held(f, 0, 0);
	close(filling);
	fixture_free(f);
}

/*
 * Abandoning.
 */

static void
abandoned_while_connecting(void **state)
{
	struct fixture *f = fixture_new(false);
	size_t i;

	(void)state;
	pool_hold(f->pool, 3);
	open_all(f);
	pool_hold(f->pool, CONNECTIONS);
	pool_open_next(f->pool);
	pool_open_next(f->pool);
	assert_int_equal(stats_pending(&f->stats), 2);
	pool_abandon(f->pool);
	/* neither those on their way nor those that had not begun */
	assert_int_equal(f->stats.n.abandoned, 2);
	expect_held(f, 0, 3);
	assert_false(pool_expire(
	    f->pool, clock_now() + 3 * LONG, clock_now() + 3 * LONG));
	assert_int_equal(f->stats.n.failed, 0);
	pool_abandon(f->pool);
	assert_int_equal(f->stats.n.abandoned, 2);
	/* and all of them may be held again; two peers had come in vain */
	for (i = 0; i < 2; i++)
		close(accept(f->listener, NULL, NULL));
	pool_hold(f->pool, CONNECTIONS);
	expect_held(f, 5, 3);
	open_all(f);
	expect_held(f, 0, CONNECTIONS);
	assert_int_equal(f->stats.n.attempted, CONNECTIONS + 2);
	fixture_free(f);
}

static void
abandoned_before_any(void **state)
{
	struct fixture *f = fixture_new(false);

	(void)state;
	pool_abandon(f->pool);
	expect_held(f, 0, 0);
	assert_int_equal(f->stats.n.abandoned, 0);
	pool_hold(f->pool, 1);
	open_all(f);
	expect_held(f, 0, 1);
	fixture_free(f);
}

/*
 * Arrivals.
 */

static struct arrival
arrival_at(uint64_t due)
{
	return (struct arrival){.due = due, .gap = 1000, .pick = UINT32_MAX};
}

/* Of the counters of arrivals that were not sent, these and no other. */
static void
expect_skipped(const struct stats_counters *n, uint64_t warmup,
    uint64_t no_connection, uint64_t overload)
{
	assert_int_equal(n->warmup_skipped, warmup);
	assert_int_equal(n->skipped_no_connection, no_connection);
	assert_int_equal(n->skipped_overload, overload);
	assert_int_equal(stats_skipped(n), no_connection + overload);
}

/* The last of the warm-up, and the first that is measured. */
static void
skipped_at_the_end(void **state)
{
	const uint64_t measure = clock_now();
	const struct arrival warmup = arrival_at(measure - 1);
	const struct arrival measured = arrival_at(measure);
	struct fixture *f = fixture_new(false);
	const struct stats_counters *n = &f->stats.n;

	(void)state;
	pool_start_clock(f->pool, measure - LONG, measure);
	pool_skip(f->pool, &warmup);
	expect_skipped(n, 1, 0, 0);
	pool_skip(f->pool, &measured);
	expect_skipped(n, 1, 1, 0);
	open_all(f);
	pool_skip(f->pool, &warmup);
	expect_skipped(n, 2, 1, 0);
	pool_skip(f->pool, &measured);
	pool_skip(f->pool, &measured);
	expect_skipped(n, 2, 1, 2);
	assert_int_equal(n->warmup_scheduled, 2);
	assert_int_equal(n->scheduled, 3);
	/* none of them is sent */
	pool_flush(f->pool);
	assert_int_equal(stats_waiting(&f->stats), 0);
	fixture_free(f);
}

static void
enqueued_without_a_connection(void **state)
{
	const uint64_t measure = clock_now();
	const struct arrival warmup = arrival_at(measure - 1);
	const struct arrival measured = arrival_at(measure);
	struct fixture *f = fixture_new(false);
	const struct stats_counters *n = &f->stats.n;

	(void)state;
	pool_start_clock(f->pool, measure - LONG, measure);
	pool_enqueue(f->pool, &warmup);
	pool_enqueue(f->pool, &measured);
	pool_enqueue(f->pool, &measured);
	pool_flush(f->pool);
	expect_skipped(n, 1, 2, 0);
	assert_int_equal(n->warmup_scheduled, 1);
	assert_int_equal(n->scheduled, 2);
	assert_int_equal(stats_waiting(&f->stats), 0);
	fixture_free(f);
}

/* Sends queries of both kinds, one to each peer; they are in flight then. */
static struct fixture *
with_both_in_flight(void)
{
	struct fixture *f = fixture_new(false);
	const uint64_t measure = clock_now();
	struct arrival a;
	uint8_t got[DNS_QUERY_MAX];
	uint64_t i;

	open_all(f);
	pool_start_clock(f->pool, measure - LONG, measure);
	pool_sort(f->pool);
	for (i = 0; i < CONNECTIONS; i++) {
		a = arrival_at(measure - 1 + i % 2);
		a.pick = (uint32_t)((i << 32) / CONNECTIONS);
		pool_enqueue(f->pool, &a);
	}
	assert_int_equal(f->stats.n.warmup_scheduled, CONNECTIONS / 2);
	assert_int_equal(f->stats.n.scheduled, CONNECTIONS / 2);
	assert_int_equal(f->stats.n.sent, 0);
	pool_flush(f->pool);
	for (i = 0; i < CONNECTIONS; i++)
		assert_int_equal(
		    recv(f->peers[i], got, f->query_length, MSG_WAITALL),
		    f->query_length);
	assert_int_equal(f->stats.n.warmup_sent, CONNECTIONS / 2);
	assert_int_equal(f->stats.n.sent, CONNECTIONS / 2);
	return f;
}

static void
in_flight_when_it_is_closed(void **state)
{
	struct fixture *f;
	struct stats_counters *n;
	int drain_over;

	(void)state;
	for (drain_over = 0; drain_over <= 1; drain_over++) {
		f = with_both_in_flight();
		n = &f->stats.n;
		pool_close(f->pool, drain_over);
		assert_int_equal(n->warmup_lost, CONNECTIONS / 2);
		assert_int_equal(
		    n->lost_drain_over, drain_over ? CONNECTIONS / 2 : 0);
		assert_int_equal(
		    n->lost_stopped, drain_over ? 0 : CONNECTIONS / 2);
		assert_int_equal(n->closed_locally, CONNECTIONS);
		expect_held(f, 0, 0);
		fixture_free(f);
	}
}

static void
in_flight_when_the_time_is_out(void **state)
{
	struct fixture *f = with_both_in_flight();
	struct stats_counters *n = &f->stats.n;
	const uint64_t now = clock_now();

	(void)state;
	assert_true(pool_expire(f->pool, now, now));
	assert_int_equal(stats_waiting(&f->stats), CONNECTIONS);
	/* some are looked at too early, and put back */
	(void)pool_expire(f->pool, now + LONG, now + LONG);
	(void)pool_expire(f->pool, now + 2 * LONG, now + 2 * LONG);
	assert_int_equal(n->warmup_timed_out, CONNECTIONS / 2);
	assert_int_equal(n->timed_out, CONNECTIONS / 2);
	assert_int_equal(stats_waiting(&f->stats), 0);
	fixture_free(f);
}

/* One query each, to the connection of this number among those usable. */
static void
expect_choice(struct fixture *f, uint32_t usable)
{
	struct arrival a = arrival_at(clock_now());
	struct pollfd in = {.events = POLLIN};
	uint8_t got[DNS_QUERY_MAX];
	uint32_t i;

	for (i = 0; i < usable; i++) {
		a.pick =
		    (uint32_t)((((uint64_t)i * 2 + 1) << 32) / (2 * usable));
		pool_enqueue(f->pool, &a);
		pool_flush(f->pool);
		in.fd = f->peers[i];
		assert_int_equal(poll(&in, 1, 10000), 1);
		assert_int_equal(
		    recv(f->peers[i], got, f->query_length, MSG_DONTWAIT),
		    f->query_length);
	}
}

/* Whatever order they came in, a pick falls on the same one. */
static void
sorted_they_are_chosen_alike(void **state)
{
	struct fixture *f = fixture_new(false);

	(void)state;
	pool_start_clock(f->pool, 0, 0);
	open_all(f);
	pool_sort(f->pool);
	expect_choice(f, CONNECTIONS);
	/* 1, 4 and 5 come back behind the others */
	peer_close(f, 1);
	peer_close(f, 5);
	peer_close(f, 4);
	while (pool_usable(f->pool) > CONNECTIONS - 3)
		event_base_loop(f->base, EVLOOP_ONCE);
	pool_hold(f->pool, 7);
	expect_closed_from(f, 7);
	open_all(f);
	pool_sort(f->pool);
	assert_int_equal(pool_usable(f->pool), 7);
	expect_choice(f, 7);
	fixture_free(f);
}

/*
 * Probes.
 */

/* Each of those that are opened again is asked, and only those. */
static void
probed_when_opened_again(void **state)
{
	struct fixture *f = fixture_new(true);
	uint8_t got[DNS_QUERY_MAX];
	size_t i;

	(void)state;
	pool_hold(f->pool, 4);
	open_all(f);
	assert_int_equal(f->stats.n.probe_sent, 4);
	assert_int_equal(stats_probes_in_flight(&f->stats), 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(
		    recv(f->peers[i], got, f->query_length, MSG_WAITALL),
		    f->query_length);
		assert_int_equal(send(f->peers[i], got, f->query_length, 0),
		    f->query_length);
	}
	while (stats_probes_in_flight(&f->stats) > 0)
		event_base_loop(f->base, EVLOOP_ONCE);
	pool_hold(f->pool, 2);
	expect_closed_from(f, 2);
	pool_hold(f->pool, 5);
	open_all(f);
	assert_int_equal(f->stats.n.probe_sent, 4 + 3);
	assert_int_equal(stats_probes_in_flight(&f->stats), 3);
	assert_int_equal(f->stats.n.verified, 4);
	fixture_free(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(up_and_down_and_up),
	    cmocka_unit_test(those_closed_by_the_peer),
	    cmocka_unit_test(those_that_were_refused),
	    cmocka_unit_test(those_that_took_too_long),
	    cmocka_unit_test(abandoned_while_connecting),
	    cmocka_unit_test(abandoned_before_any),
	    cmocka_unit_test(skipped_at_the_end),
	    cmocka_unit_test(enqueued_without_a_connection),
	    cmocka_unit_test(in_flight_when_it_is_closed),
	    cmocka_unit_test(in_flight_when_the_time_is_out),
	    cmocka_unit_test(sorted_they_are_chosen_alike),
	    cmocka_unit_test(probed_when_opened_again),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
