/*
 * What becomes of a worker's connections while the run goes on: they leave, are
 * replaced, are ended and come back, are more and fewer, and take turns.
 */
#include "tests/unit/pool_fixture.h"

#define MS CLOCK_NS_PER_MS

/* Which of the usable ones an arrival falls on. */
static uint32_t
pick_of(uint32_t position, uint32_t usable)
{
	return (uint32_t)((((uint64_t)position * 2 + 1) << 32) / (2 * usable));
}

static struct fixture *
going(struct pool_config config)
{
	struct fixture *f = fixture_with(config);

	open_all(f);
	pool_start_clock(f->pool, 1, 1); /* 0: probes */
	pool_sort(f->pool);
	pool_go(f->pool);
	return f;
}

static struct fixture *
living(struct life life)
{
	return going((struct pool_config){.life = life, .seed = 42});
}

static void
send_to(struct fixture *f, uint32_t position)
{
	const struct arrival a = {.due = clock_now(),
	    .pick = pick_of(position, pool_usable(f->pool))};

	pool_enqueue(f->pool, &a);
	pool_flush(f->pool);
}

/* Exactly that many queries have come to a peer; *last is one of them. */
static void
expect_queries(struct fixture *f, size_t peer, unsigned int count,
    uint8_t last[DNS_QUERY_MAX])
{
	for (; count > 0; count--)
		assert_int_equal(
		    recv(f->peers[peer], last, f->query_length, MSG_WAITALL),
		    f->query_length);
	assert_int_equal(
	    recv(f->peers[peer], last, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
answer(struct fixture *f, size_t peer, const uint8_t *query)
{
	uint64_t replies = f->stats.n.replies;

	assert_int_equal(
	    send(f->peers[peer], query, f->query_length, 0), f->query_length);
	while (f->stats.n.replies == replies)
		event_base_loop(f->base, EVLOOP_ONCE);
}

/* It has been closed here; its peer is gone, too. */
static void
expect_closed(struct fixture *f, size_t peer)
{
	char byte;

	assert_int_equal(recv(f->peers[peer], &byte, 1, 0), 0);
	peer_close(f, peer);
}

/* The one of which that is true. */
static size_t
find_closed(struct fixture *f)
{
	char byte;
	size_t i;

	for (i = 0; i < CONNECTIONS; i++)
		if (f->peers[i] != -1 &&
		    recv(f->peers[i], &byte, 1, MSG_DONTWAIT) == 0)
			return i;
	fail_msg("none of the peers was closed");
	return 0;
}

/* Each with a FIN: what it had not read would make it a reset. */
static void
close_peers(struct fixture *f, size_t first, size_t count)
{
	uint64_t before = f->stats.n.closed_by_peer;
	uint8_t byte;
	size_t i;

	for (i = first; i < first + count; i++) {
		while (recv(f->peers[i], &byte, 1, MSG_DONTWAIT) == 1)
			;
		peer_close(f, i);
	}
	while (f->stats.n.closed_by_peer < before + count)
		event_base_loop(f->base, EVLOOP_ONCE);
}

/* Those that take another's place are begun, and open. */
static void
replace(struct fixture *f, unsigned int count)
{
	pool_replace(f->pool, clock_now());
	assert_int_equal(stats_pending(&f->stats), count);
	await_opened(f, count);
}

static void
expect_coming(
    struct fixture *f, uint32_t coming, uint32_t missing, uint32_t unopened)
{
	assert_int_equal(pool_coming(f->pool), coming);
	assert_int_equal(pool_missing(f->pool), missing);
	assert_int_equal(pool_unopened(f->pool), unopened);
}

/*
 * Churn.
 */

/* One after the other, and those that came last are last. */
static void
the_oldest_leaves(void **state)
{
	struct fixture *f = living((struct life){.churn = 1});
	uint64_t k;

	(void)state;
	for (k = 0; k < 3 * CONNECTIONS; k++) {
		pool_churn(f->pool);
		assert_int_equal(f->stats.n.closed_churned, k + 1);
		assert_int_equal(histogram_count(&f->stats.lifetime), k + 1);
		expect_closed(f, k % CONNECTIONS);
		/* at once, not as fast as is wanted */
		expect_coming(f, 1, 0, 0);
		replace(f, 1);
		expect_coming(f, 0, 0, 0);
		assert_int_equal(pool_usable(f->pool), CONNECTIONS);
		assert_int_equal(f->stats.n.reopened, k + 1);
	}
	fixture_free(f);
}

/* Which ones leave, as the digits of a number. */
static uint64_t
random_leavers(uint64_t seed)
{
	struct fixture *f = going((struct pool_config){
	    .life = {.churn = 1, .churn_random = true}, .seed = seed});
	uint64_t all = 0, chosen;
	int k;

	for (k = 0; k < 20; k++) {
		pool_churn(f->pool);
		chosen = find_closed(f);
		peer_close(f, chosen);
		all = all * CONNECTIONS + chosen;
		replace(f, 1);
	}
	assert_int_equal(f->stats.n.closed_churned, 20);
	fixture_free(f);
	return all;
}

static void
any_of_them_leaves(void **state)
{
	uint64_t once = random_leavers(1), seen = 0;
	int k, kinds = 0;

	(void)state;
	assert_int_equal(once, random_leavers(1));
	assert_int_not_equal(once, random_leavers(2));
	for (k = 0; k < 20; k++, once /= CONNECTIONS)
		seen |= UINT64_C(1) << once % CONNECTIONS;
	for (k = 0; k < CONNECTIONS; k++)
		kinds += seen >> k & 1;
	assert_in_range(kinds, 4, CONNECTIONS);
}

static void
none_is_there_to_leave(void **state)
{
	struct fixture *f = fixture_with(
	    (struct pool_config){.life = {.churn = 1, .churn_random = true}});

	(void)state;
	pool_go(f->pool);
	pool_churn(f->pool);
	assert_int_equal(f->stats.n.churn_skipped, 1);
	assert_int_equal(f->stats.n.closed_churned, 0);
	fixture_free(f);
}

/* With a query in flight on the first, which leaves. */
static struct fixture *
leaving(uint8_t query[DNS_QUERY_MAX])
{
	struct fixture *f = living((struct life){.churn = 1});
	uint8_t none[DNS_QUERY_MAX];
	uint32_t i;

	send_to(f, 0);
	expect_queries(f, 0, 1, query);
	pool_churn(f->pool);
	assert_int_equal(f->stats.n.closed_churned, 0);
	assert_int_equal(stats_open(&f->stats), CONNECTIONS);
	assert_int_equal(pool_usable(f->pool), CONNECTIONS - 1);
	expect_coming(f, 0, 0, 0);
	for (i = 0; i < CONNECTIONS - 1; i++)
		send_to(f, i);
	expect_queries(f, 0, 0, none);
	/* nor is it chosen once more */
	pool_churn(f->pool);
	assert_int_equal(pool_usable(f->pool), CONNECTIONS - 2);
	return f;
}

static void
leaves_once_it_is_answered(void **state)
{
	uint8_t query[DNS_QUERY_MAX];
	struct fixture *f = leaving(query);

	(void)state;
	answer(f, 0, query);
	assert_int_equal(f->stats.n.answered, 1);
	assert_int_equal(f->stats.n.closed_churned, 1);
	assert_int_equal(stats_lost(&f->stats.n), 0);
	expect_closed(f, 0);
	replace(f, 1);
	fixture_free(f);
}

static void
leaves_once_it_is_timed_out(void **state)
{
	uint8_t query[DNS_QUERY_MAX];
	struct fixture *f = leaving(query);
	const uint64_t now = clock_now();

	(void)state;
	(void)pool_expire(f->pool, now + LONG, now + LONG);
	(void)pool_expire(f->pool, now + 2 * LONG, now + 2 * LONG);
	assert_int_equal(f->stats.n.timed_out, CONNECTIONS);
	assert_int_equal(f->stats.n.closed_churned, 2);
	expect_coming(f, 2, 0, 0);
	fixture_free(f);
}

/* Replaced all the same, at once, though nothing is to be connected again. */
static void
is_closed_before_it_has_left(void **state)
{
	uint8_t query[DNS_QUERY_MAX];
	struct fixture *f = leaving(query);

	(void)state;
	close_peers(f, 0, 1);
	assert_int_equal(f->stats.n.lost_peer_fin, 1);
	assert_int_equal(f->stats.n.closed_churned, 0);
	expect_coming(f, 1, 1, 0);
	replace(f, 1);
	expect_coming(f, 0, 0, 0);
	fixture_free(f);
}

static void
leaves_no_more_once_it_is_over(void **state)
{
	uint8_t query[DNS_QUERY_MAX];
	struct fixture *f = leaving(query);

	(void)state;
	pool_abandon(f->pool);
	answer(f, 0, query);
	assert_int_equal(f->stats.n.closed_churned, 1);
	expect_coming(f, 0, 0, 0);
	pool_replace(f->pool, clock_now());
	assert_int_equal(stats_pending(&f->stats), 0);
	fixture_free(f);
}

/*
 * So many queries each.
 */

/* Never more, however many fall on it in one turn. */
static void
carries_so_many(void **state)
{
	struct fixture *f =
	    living((struct life){.limited = true, .most_queries = 3});
	const struct stats_counters *n = &f->stats.n;
	uint8_t query[DNS_QUERY_MAX];
	struct arrival a = {.due = clock_now()};
	size_t i;

	(void)state;
	for (i = 0; i < 100; i++)
		pool_enqueue(f->pool, &a);
	pool_flush(f->pool);
	assert_int_equal(n->sent, 3 * CONNECTIONS);
	assert_int_equal(n->skipped_no_connection, 100 - 3 * CONNECTIONS);
	assert_int_equal(pool_usable(f->pool), 0);
	assert_int_equal(stats_open(&f->stats), CONNECTIONS);
	for (i = 0; i < CONNECTIONS; i++)
		expect_queries(f, i, 3, query);
	/* the third answer is the last; any ID is as good */
	query[2] = query[3] = 0;
	for (i = 0; i < 3; i++) {
		assert_int_equal(n->closed_used_up, 0);
		query[3] = (uint8_t)i;
		answer(f, 5, query);
	}
	assert_int_equal(n->unmatched, 0);
	assert_int_equal(n->closed_used_up, 1);
	expect_closed(f, 5);
	expect_coming(f, 1, 0, 0);
	replace(f, 1);
	for (i = 0; i < 4; i++)
		pool_enqueue(f->pool, &a);
	pool_flush(f->pool);
	expect_queries(f, 5, 3, query);
	assert_int_equal(n->sent, 3 * CONNECTIONS + 3);
	fixture_free(f);
}

/* The same in one turn each, and one that has some left goes on. */
static void
carries_one_at_a_time(void **state)
{
	struct fixture *f =
	    living((struct life){.limited = true, .most_queries = 2});
	uint8_t query[DNS_QUERY_MAX];
	uint32_t i;

	(void)state;
	for (i = 0; i < CONNECTIONS; i++)
		send_to(f, i);
	assert_int_equal(pool_usable(f->pool), CONNECTIONS);
	for (i = CONNECTIONS; i > 0; i--)
		send_to(f, 0);
	assert_int_equal(pool_usable(f->pool), 0);
	for (i = 0; i < CONNECTIONS; i++)
		expect_queries(f, i, 2, query);
	fixture_free(f);
}

/* Held until it goes; then, and again, closed at once and opened in its turn. */
static void
carries_none(void **state)
{
	struct fixture *f =
	    fixture_with((struct pool_config){.life = {.limited = true}});
	uint64_t round;
	size_t i;

	(void)state;
	open_all(f);
	pool_start_clock(f->pool, 1, 1);
	assert_int_equal(stats_open(&f->stats), CONNECTIONS);
	pool_go(f->pool);
	for (round = 1; round <= 3; round++) {
		assert_int_equal(
		    f->stats.n.closed_used_up, round * CONNECTIONS);
		for (i = 0; i < CONNECTIONS; i++)
			expect_closed(f, i);
		pool_replace(f->pool, clock_now());
		expect_coming(f, CONNECTIONS, 0, CONNECTIONS);
		open_all(f);
		assert_int_equal(pool_usable(f->pool), 0);
	}
	fixture_free(f);
}

static void
carries_but_its_probe(void **state)
{
	struct fixture *f = fixture_with(
	    (struct pool_config){.life = {.limited = true}, .probe = true});
	uint8_t query[DNS_QUERY_MAX];

	(void)state;
	open_all(f);
	pool_start_clock(f->pool, 1, 1);
	pool_go(f->pool);
	assert_int_equal(f->stats.n.closed_used_up, 0);
	expect_queries(f, 2, 1, query);
	answer(f, 2, query);
	assert_int_equal(f->stats.n.closed_used_up, 1);
	expect_closed(f, 2);
	/* ended before its answer: it has had its turn, and is not missed */
	close_peers(f, 3, 1);
	expect_coming(f, 2, 0, 2);
	fixture_free(f);
}

/*
 * Ended by the other side.
 */

static void
none_comes_back(void **state)
{
	struct fixture *f = living((struct life){.churn = 0});

	(void)state;
	close_peers(f, 0, CONNECTIONS);
	expect_coming(f, 0, 0, 0);
	assert_int_equal(pool_usable(f->pool), 0);
	fixture_free(f);
}

static void
comes_back_now(void **state)
{
	struct fixture *f =
	    living((struct life){.reconnect = LIFE_RECONNECT_NOW});
	uint32_t round;

	(void)state;
	for (round = 1; round <= 4; round++) {
		send_to(f, 0);
		close_peers(f, 0, 3);
		assert_int_equal(f->stats.n.lost_peer_fin, round);
		expect_coming(f, 3, 3, 3);
		pool_replace(f->pool, clock_now());
		assert_int_equal(stats_pending(&f->stats), 0);
		open_all(f);
		expect_coming(f, 0, 0, 0);
		assert_int_equal(pool_usable(f->pool), CONNECTIONS);
		assert_int_equal(f->stats.n.reopened, 3 * round);
		/* sent on the last: those that came back are behind it */
		pool_sort(f->pool);
	}
	assert_int_equal(f->stats.n.sent, 4);
	fixture_free(f);
}

/*
 * Not before half of a wait is over, and then when it is. *latest: the time that
 * the pool was told last, which does not go back.
 */
static void
expect_wait(struct fixture *f, uint64_t begun, uint64_t whole, uint64_t *latest)
{
	uint64_t over = clock_now() + whole;

	pool_replace(f->pool, begun + whole / 2 - MS);
	expect_coming(f, 1, 1, 0);
	assert_true(pool_expire(f->pool, begun, begun));
	*latest = (over > *latest ? over : *latest) + 20 * MS;
	pool_replace(f->pool, *latest);
	expect_coming(f, 1, 1, 1);
}

static void
comes_back_later_each_time(void **state)
{
	struct fixture *f =
	    living((struct life){.reconnect = LIFE_RECONNECT_BACKOFF});
	uint8_t query[DNS_QUERY_MAX];
	uint64_t begun, whole, latest = 0;

	(void)state;
	for (whole = 100 * MS; whole <= 1600 * MS; whole *= 2) {
		begun = clock_now();
		close_peers(f, 4, 1);
		expect_wait(f, begun, whole, &latest);
		open_all(f);
		expect_coming(f, 0, 0, 0);
	}
	/* until it has been of use */
	pool_sort(f->pool);
	send_to(f, 4);
	expect_queries(f, 4, 1, query);
	answer(f, 4, query);
	begun = clock_now();
	close_peers(f, 4, 1);
	expect_wait(f, begun, 100 * MS, &latest);
	fixture_free(f);
}

/* Whatever is asked for, a failed attempt is not repeated at once. */
static void
is_refused(void **state)
{
	static const enum life_reconnect reconnects[] = {
	    LIFE_RECONNECT_NOW, LIFE_RECONNECT_BACKOFF};
	struct fixture *f;
	uint64_t begun, whole, latest = 0;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(reconnects); i++) {
		f = living((struct life){.reconnect = reconnects[i]});
		close(f->listener);
		f->listener = -1;
		close_peers(f, 1, 1);
		latest = clock_now() + 120 * MS;
		pool_replace(f->pool, latest);
		whole =
		    reconnects[i] == LIFE_RECONNECT_NOW ? 100 * MS : 200 * MS;
		for (; whole <= 800 * MS; whole *= 2) {
			begun = clock_now();
			assert_int_equal(begin_all(f), 1);
			while (stats_pending(&f->stats) > 0)
				event_base_loop(f->base, EVLOOP_ONCE);
			expect_wait(f, begun, whole, &latest);
		}
		f->listener = listen_on(&f->address);
		open_all(f);
		expect_coming(f, 0, 0, 0);
		assert_int_equal(pool_usable(f->pool), CONNECTIONS);
		fixture_free(f);
	}
}

/* A replacement that fails comes as one that was ended does. */
static void
a_replacement_is_refused(void **state)
{
	struct fixture *f = living(
	    (struct life){.churn = 1, .reconnect = LIFE_RECONNECT_BACKOFF});
	uint64_t begun = clock_now(), latest = 0;

	(void)state;
	close(f->listener);
	f->listener = -1;
	pool_churn(f->pool);
	expect_closed(f, 0);
	pool_replace(f->pool, begun);
	while (stats_pending(&f->stats) > 0)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(f->stats.n.failed, 1);
	expect_wait(f, begun, 100 * MS, &latest);
	fixture_free(f);
}

/* What has ended before the clock starts waits for it. */
static void
ended_before_it_goes(void **state)
{
	static const uint32_t coming[] = {[LIFE_RECONNECT_NONE] = 0,
	    [LIFE_RECONNECT_NOW] = 3,
	    [LIFE_RECONNECT_BACKOFF] = 3};
	struct fixture *f;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(coming); i++) {
		f = fixture_with((struct pool_config){
		    .life = {.reconnect = (enum life_reconnect)i}});
		open_all(f);
		close_peers(f, 2, 3);
		expect_coming(f, 0, 0, 0);
		pool_go(f->pool);
		expect_coming(f, coming[i], 0, coming[i]);
		open_all(f);
		assert_int_equal(
		    pool_usable(f->pool), CONNECTIONS - 3 + coming[i]);
		fixture_free(f);
	}
}

/*
 * More and fewer.
 */

static void
fewer_and_more(void **state)
{
	struct fixture *f = living((struct life){.churn = 0});
	size_t i;

	(void)state;
	assert_int_equal(pool_excess(f->pool), 0);
	pool_want(f->pool, 5);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pool_excess(f->pool), 3 - i);
		pool_let_go(f->pool);
		expect_closed(f, i);
	}
	assert_int_equal(f->stats.n.closed_on_request, 3);
	assert_int_equal(pool_excess(f->pool), 0);
	expect_coming(f, 0, 0, 0);
	pool_want(f->pool, CONNECTIONS);
	expect_coming(f, 3, 0, 3);
	/* those that are not there yet go first, and without a trace */
	pool_want(f->pool, 6);
	expect_coming(f, 1, 0, 1);
	assert_int_equal(pool_excess(f->pool), 0);
	pool_want(f->pool, 4);
	expect_coming(f, 0, 0, 0);
	assert_int_equal(pool_excess(f->pool), 1);
	pool_want(f->pool, CONNECTIONS);
	open_all(f);
	assert_int_equal(pool_usable(f->pool), CONNECTIONS);
	assert_int_equal(f->stats.n.closed_on_request, 3);
	fixture_free(f);
}

/* Those that have ended for good come back where more are wanted. */
static void
more_than_are_left(void **state)
{
	struct fixture *f = living((struct life){.churn = 0});

	(void)state;
	close_peers(f, 0, 4);
	pool_want(f->pool, 6);
	expect_coming(f, 2, 0, 2);
	open_all(f);
	assert_int_equal(pool_usable(f->pool), 6);
	pool_want(f->pool, 0);
	assert_int_equal(pool_excess(f->pool), 6);
	while (pool_excess(f->pool) > 0)
		pool_let_go(f->pool);
	assert_int_equal(stats_open(&f->stats), 0);
	pool_let_go(f->pool);
	assert_int_equal(f->stats.n.closed_on_request, 6);
	fixture_free(f);
}

/* Only what is open can be let go: the others are waited for. */
static void
fewer_while_they_connect(void **state)
{
	struct fixture *f = fixture_new(false);

	(void)state;
	pool_go(f->pool);
	assert_int_equal(begin_all(f), CONNECTIONS);
	pool_want(f->pool, 3);
	assert_int_equal(pool_excess(f->pool), 0);
	await_opened(f, CONNECTIONS);
	assert_int_equal(pool_excess(f->pool), CONNECTIONS - 3);
	while (pool_excess(f->pool) > 0)
		pool_let_go(f->pool);
	assert_int_equal(stats_open(&f->stats), 3);
	fixture_free(f);
}

/* Told to go, and wanted again before they have. */
static void
more_while_they_part(void **state)
{
	struct fixture *f = living((struct life){.churn = 0});
	uint8_t query[DNS_QUERY_MAX];
	uint32_t i;

	(void)state;
	for (i = 0; i < CONNECTIONS; i++)
		send_to(f, i);
	pool_want(f->pool, 2);
	for (i = 0; pool_excess(f->pool) > 0; i++)
		pool_let_go(f->pool);
	assert_int_equal(i, CONNECTIONS - 2);
	assert_int_equal(stats_open(&f->stats), CONNECTIONS);
	pool_want(f->pool, 7);
	expect_coming(f, 0, 0, 0);
	assert_int_equal(pool_excess(f->pool), 0);
	for (i = 0; i < CONNECTIONS - 2; i++) {
		expect_queries(f, i, 1, query);
		answer(f, i, query);
		expect_closed(f, i);
		/* the last of them is one too many */
		expect_coming(f, i < 5 ? i + 1 : 5, 0, i < 5 ? i + 1 : 5);
	}
	open_all(f);
	assert_int_equal(pool_usable(f->pool), 7);
	fixture_free(f);
}

/*
 * Turns.
 */

static void
in_turns(void **state)
{
	struct fixture *f = living((struct life){.every = CLOCK_NS_PER_SEC});
	uint8_t query[DNS_QUERY_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < 3 * CONNECTIONS; i++) {
		send_to(f, 0); /* wherever the pick is */
		expect_queries(f, i % CONNECTIONS, 1, query);
	}
	/* one that is not there misses its turns, and takes nobody else's */
	close_peers(f, 3, 1);
	for (i = 0; i < 2 * CONNECTIONS; i++) {
		send_to(f, 0);
		if (i % CONNECTIONS != 3)
			expect_queries(f, i % CONNECTIONS, 1, query);
	}
	assert_int_equal(f->stats.n.skipped_no_connection, 2);
	fixture_free(f);
}

/* What is not held has no turn. */
static void
in_turns_of_a_few(void **state)
{
	struct fixture *f = fixture_with(
	    (struct pool_config){.life = {.every = CLOCK_NS_PER_SEC}});
	const struct arrival a = {.due = clock_now()};
	uint8_t query[DNS_QUERY_MAX];
	size_t i;

	(void)state;
	pool_hold(f->pool, 3);
	open_all(f);
	pool_start_clock(f->pool, 1, 1);
	for (i = 0; i < 9; i++)
		pool_enqueue(f->pool, &a);
	pool_flush(f->pool);
	for (i = 0; i < 3; i++)
		expect_queries(f, i, 3, query);
	pool_hold(f->pool, 0);
	pool_enqueue(f->pool, &a);
	assert_int_equal(f->stats.n.skipped_no_connection, 1);
	fixture_free(f);
}

/*
 * Dropped.
 */

#define SHORT (200 * MS)

/* A query, another one 10 ms after, and the first has timed out. */
static struct fixture *
with_a_timeout(struct life life)
{
	struct fixture *f = going(
	    (struct pool_config){.life = life, .timeout = SHORT, .seed = 42});
	uint64_t sent;

	send_to(f, 2);
	sent = clock_now();
	while (clock_now() < sent + 10 * MS)
		;
	send_to(f, 2);
	(void)pool_expire(
	    f->pool, sent + SHORT + 5 * MS, sent + SHORT + 5 * MS);
	assert_int_equal(f->stats.n.timed_out, 1);
	return f;
}

static void
dropped_on_timeout(void **state)
{
	struct fixture *f = with_a_timeout((struct life){.drop = true});

	(void)state;
	assert_int_equal(f->stats.n.closed_on_timeout, 1);
	assert_int_equal(f->stats.n.lost_on_timeout, 1);
	assert_int_equal(pool_usable(f->pool), CONNECTIONS - 1);
	expect_coming(f, 0, 0, 0);
	fixture_free(f);
	f = with_a_timeout(
	    (struct life){.drop = true, .reconnect = LIFE_RECONNECT_NOW});
	/* on its way, but nobody else has ended it */
	expect_coming(f, 1, 0, 1);
	fixture_free(f);
	f = with_a_timeout((struct life){.drop = false});
	assert_int_equal(f->stats.n.closed_on_timeout, 0);
	assert_int_equal(pool_usable(f->pool), CONNECTIONS);
	fixture_free(f);
}

/* An answer that comes before anybody has looked: it is a timeout all the same. */
static void
dropped_on_a_late_answer(void **state)
{
	struct fixture *f;
	uint8_t query[DNS_QUERY_MAX];
	uint64_t sent;
	int drop;

	(void)state;
	for (drop = 0; drop <= 1; drop++) {
		f = going((struct pool_config){
		    .life = {.drop = drop}, .timeout = 20 * MS});
		send_to(f, 6);
		expect_queries(f, 6, 1, query);
		sent = clock_now();
		while (clock_now() < sent + 25 * MS)
			;
		answer(f, 6, query);
		assert_int_equal(f->stats.n.timed_out, 1);
		assert_int_equal(f->stats.n.late, 1);
		assert_int_equal(f->stats.n.closed_on_timeout, drop);
		assert_int_equal(
		    pool_usable(f->pool), CONNECTIONS - (unsigned int)drop);
		fixture_free(f);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_oldest_leaves),
	    cmocka_unit_test(any_of_them_leaves),
	    cmocka_unit_test(none_is_there_to_leave),
	    cmocka_unit_test(leaves_once_it_is_answered),
	    cmocka_unit_test(leaves_once_it_is_timed_out),
	    cmocka_unit_test(is_closed_before_it_has_left),
	    cmocka_unit_test(leaves_no_more_once_it_is_over),
	    cmocka_unit_test(carries_so_many),
	    cmocka_unit_test(carries_one_at_a_time),
	    cmocka_unit_test(carries_none),
	    cmocka_unit_test(carries_but_its_probe),
	    cmocka_unit_test(none_comes_back),
	    cmocka_unit_test(comes_back_now),
	    cmocka_unit_test(comes_back_later_each_time),
	    cmocka_unit_test(is_refused),
	    cmocka_unit_test(a_replacement_is_refused),
	    cmocka_unit_test(ended_before_it_goes),
	    cmocka_unit_test(fewer_and_more),
	    cmocka_unit_test(more_than_are_left),
	    cmocka_unit_test(fewer_while_they_connect),
	    cmocka_unit_test(more_while_they_part),
	    cmocka_unit_test(in_turns),
	    cmocka_unit_test(in_turns_of_a_few),
	    cmocka_unit_test(dropped_on_timeout),
	    cmocka_unit_test(dropped_on_a_late_answer),
	};

	return cmocka_run_group_tests_name("pool_going", tests, NULL, NULL);
}
