#include "tests/unit/support.h"

#include "client/inflight.h"
#include "lib/clock.h"

#define TIMEOUT UINT64_C(1000)

/* A clock that has been running for a while. */
#define BEGIN UINT64_C(1000000000000)

struct fixture {
	struct inflight_pool *pool;
	struct inflight f;
};

static int
fixture_make(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return -1;
	x->pool = inflight_pool_new(TIMEOUT);
	*state = x;
	return 0;
}

/* Nothing is held any more: then a look at what has expired frees the table. */
static int
fixture_free(void **state)
{
	struct fixture *x = *state;
	struct inflight_query q;
	bool empty =
	    !inflight_expire(&x->f, x->pool, BEGIN, &q) && x->f.table == NULL;

	empty = empty && inflight_pool_expired(x->pool) == 0;
	inflight_pool_free(x->pool);
	free(x);
	return empty ? 0 : -1;
}

/* The table goes back at the next look at what has expired. */
static void
expect_released(struct fixture *x)
{
	struct inflight_query q;

	assert_false(inflight_expire(&x->f, x->pool, 0, &q));
	assert_null(x->f.table);
}

static uint16_t
add(struct fixture *x, uint64_t due, uint64_t sent)
{
	uint16_t id;

	assert_true(inflight_add(&x->f, x->pool, due, sent, &id));
	return id;
}

static void
expect_take(
    struct fixture *x, uint16_t id, uint64_t now, enum inflight_match match)
{
	struct inflight_query q;

	assert_int_equal(inflight_take(&x->f, x->pool, id, now, &q), match);
	if (match != INFLIGHT_UNKNOWN)
		assert_int_equal(q.id, id);
}

static void
expect_expiry(struct fixture *x, uint64_t now, uint16_t id)
{
	struct inflight_query q;

	assert_true(inflight_expire(&x->f, x->pool, now, &q));
	assert_int_equal(q.id, id);
}

static void
expect_no_expiry(struct fixture *x, uint64_t now)
{
	struct inflight_query q;

	assert_false(inflight_expire(&x->f, x->pool, now, &q));
}

static uint64_t
deadline(const struct fixture *x)
{
	return inflight_deadline(&x->f, x->pool);
}

static void
nothing_held(void **state)
{
	struct fixture *x = *state;
	struct inflight_query q;

	assert_int_equal(deadline(x), CLOCK_NEVER);
	expect_no_expiry(x, CLOCK_NEVER - 1);
	expect_take(x, 0, BEGIN, INFLIGHT_UNKNOWN);
	expect_take(x, 65535, BEGIN, INFLIGHT_UNKNOWN);
	assert_false(inflight_clear(&x->f, x->pool, &q));
	expect_released(x);
}

static void
answered(void **state)
{
	struct fixture *x = *state;
	struct inflight_query q;
	uint16_t a = add(x, BEGIN - 5, BEGIN), b = add(x, BEGIN - 3, BEGIN + 1);

	assert_int_not_equal(a, b);
	assert_int_equal(
	    inflight_take(&x->f, x->pool, b, BEGIN + 9, &q), INFLIGHT_ANSWERED);
	assert_int_equal(q.id, b);
	assert_int_equal(q.due, BEGIN - 3);
	assert_int_equal(q.sent, BEGIN + 1);
	/* the same again, and one that never was */
	expect_take(x, b, BEGIN + 9, INFLIGHT_UNKNOWN);
	expect_take(x, (uint16_t)(b + 1), BEGIN + 9, INFLIGHT_UNKNOWN);
	/* its slot in a small table, but another ID */
	expect_take(x, (uint16_t)(a + 8), BEGIN + 9, INFLIGHT_UNKNOWN);
	expect_take(x, (uint16_t)(a + 256), BEGIN + 9, INFLIGHT_UNKNOWN);
	expect_take(x, a, BEGIN + 9, INFLIGHT_ANSWERED);
	assert_int_equal(x->f.waiting.count, 0);
	assert_int_equal(deadline(x), CLOCK_NEVER);
}

/* "Longer than the timeout": just as long is in time. */
static void
at_the_timeout(void **state)
{
	struct fixture *x = *state;
	uint16_t a = add(x, BEGIN, BEGIN), b = add(x, BEGIN, BEGIN);
	uint16_t c = add(x, BEGIN, BEGIN);

	expect_no_expiry(x, BEGIN + TIMEOUT);
	expect_take(x, a, BEGIN + TIMEOUT, INFLIGHT_ANSWERED);
	expect_take(x, b, BEGIN + TIMEOUT + 1, INFLIGHT_EXPIRED);
	expect_take(x, b, BEGIN + TIMEOUT + 1, INFLIGHT_UNKNOWN);
	expect_expiry(x, BEGIN + TIMEOUT + 1, c);
	assert_int_equal(inflight_expired(&x->f), 1);
	assert_int_equal(inflight_pool_expired(x->pool), 1);
	expect_take(x, c, BEGIN + TIMEOUT + 1, INFLIGHT_LATE);
	assert_int_equal(inflight_expired(&x->f), 0);
	assert_int_equal(inflight_pool_expired(x->pool), 0);
	assert_null(x->f.table);
}

static void
late_only_once(void **state)
{
	struct fixture *x = *state;
	struct inflight_query q;
	uint16_t id = add(x, BEGIN - 7, BEGIN);

	expect_expiry(x, BEGIN + TIMEOUT + 1, id);
	expect_no_expiry(x, BEGIN + TIMEOUT + 1);
	assert_int_equal(
	    inflight_take(&x->f, x->pool, id, BEGIN + TIMEOUT + 9, &q),
	    INFLIGHT_LATE);
	assert_int_equal(q.due, BEGIN - 7);
	assert_int_equal(q.sent, BEGIN);
	expect_take(x, id, BEGIN + TIMEOUT + 9, INFLIGHT_UNKNOWN);
	expect_no_expiry(x, BEGIN + TIMEOUT + 9);
	expect_released(x);
}

/* However long it takes: only its answer or the connection's end frees an ID. */
static void
an_id_is_held_until_its_answer_comes(void **state)
{
	struct fixture *x = *state;
	const uint64_t much_later = BEGIN + 1000000 * TIMEOUT;
	uint16_t a = add(x, BEGIN, BEGIN), b = add(x, BEGIN, BEGIN + 1), id;
	unsigned int i;

	assert_int_equal(deadline(x), BEGIN + TIMEOUT + 1);
	expect_expiry(x, BEGIN + TIMEOUT + 2, a);
	expect_expiry(x, BEGIN + TIMEOUT + 2, b);
	/* there is nothing to wait for by the clock */
	assert_int_equal(deadline(x), CLOCK_NEVER);
	expect_no_expiry(x, much_later);
	for (i = 0; i < 2 * INFLIGHT_MAX; i++) {
		id = add(x, much_later, much_later);
		assert_int_not_equal(id, a);
		assert_int_not_equal(id, b);
		expect_take(x, id, much_later, INFLIGHT_ANSWERED);
	}
	expect_take(x, a, much_later, INFLIGHT_LATE);
	assert_non_null(x->f.table);
	expect_take(x, b, much_later, INFLIGHT_LATE);
	/* nobody would look again, so that the table goes back at once */
	assert_null(x->f.table);
	expect_take(x, b, much_later, INFLIGHT_UNKNOWN);
}

static void
expires_in_the_order_sent(void **state)
{
	struct fixture *x = *state;
	uint16_t ids[300];
	size_t i;

	for (i = 0; i < LENGTH(ids); i++)
		ids[i] = add(x, BEGIN, BEGIN + i);
	/* some leave from the middle and from both ends */
	for (i = 0; i < LENGTH(ids); i += 3)
		expect_take(x, ids[i], BEGIN + 300, INFLIGHT_ANSWERED);
	expect_take(x, ids[LENGTH(ids) - 1], BEGIN + 300, INFLIGHT_ANSWERED);
	for (i = 0; i < LENGTH(ids) - 1; i++)
		if (i % 3 != 0)
			expect_expiry(x, BEGIN + TIMEOUT + 301, ids[i]);
	expect_no_expiry(x, BEGIN + TIMEOUT + 301);
	for (i = LENGTH(ids) - 1; i-- > 0;)
		if (i % 3 != 0)
			expect_take(
			    x, ids[i], BEGIN + TIMEOUT + 302, INFLIGHT_LATE);
	assert_null(x->f.table);
}

/* IDs go up by one and wrap, as far as none of them is held. */
static void
ids_go_up(void **state)
{
	struct fixture *x = *state;
	uint16_t first = add(x, BEGIN, BEGIN), id;
	unsigned int i;

	expect_take(x, first, BEGIN, INFLIGHT_ANSWERED);
	for (i = 1; i < 70000; i++) {
		id = add(x, BEGIN, BEGIN);
		assert_int_equal(id, (uint16_t)(first + i));
		expect_take(x, id, BEGIN, INFLIGHT_ANSWERED);
	}
}

/* One query without an answer does not hold up the others. */
static void
held_id_is_passed_over(void **state)
{
	struct fixture *x = *state;
	uint16_t stuck = add(x, BEGIN, BEGIN), id;
	unsigned int i;

	for (i = 0; i < 140000; i++) {
		id = add(x, BEGIN, BEGIN);
		assert_int_not_equal(id, stuck);
		expect_take(x, id, BEGIN, INFLIGHT_ANSWERED);
	}
	expect_take(x, stuck, BEGIN, INFLIGHT_ANSWERED);
}

static void
all_ids_held(void **state)
{
	struct fixture *x = *state;
	unsigned char *given = calloc(INFLIGHT_MAX, 1);
	const uint64_t late = BEGIN + TIMEOUT + 1;
	struct inflight_query q;
	unsigned int i;
	uint16_t id;

	assert_non_null(given);
	for (i = 0; i < INFLIGHT_MAX; i++) {
		id = add(x, BEGIN - i, BEGIN);
		assert_int_equal(given[id], 0);
		given[id] = 1;
	}
	assert_false(inflight_add(&x->f, x->pool, BEGIN, BEGIN, &id));
	/* the one that comes free is the one that is given out next */
	expect_take(x, 12345, BEGIN, INFLIGHT_ANSWERED);
	assert_int_equal(add(x, BEGIN, BEGIN), 12345);
	assert_false(inflight_add(&x->f, x->pool, BEGIN, BEGIN, &id));
	/* those that have timed out are held as well */
	for (i = 0; inflight_expire(&x->f, x->pool, late, &q); i++)
		;
	assert_int_equal(i, INFLIGHT_MAX);
	assert_int_equal(q.id, 12345);
	assert_false(inflight_add(&x->f, x->pool, late, late, &id));
	expect_take(x, 54321, late, INFLIGHT_LATE);
	assert_int_equal(add(x, late, late), 54321);
	expect_take(x, 54321, late, INFLIGHT_ANSWERED);
	expect_no_expiry(x, BEGIN + 1000 * TIMEOUT);
	assert_int_equal(inflight_expired(&x->f), INFLIGHT_MAX - 1);
	assert_int_equal(inflight_pool_expired(x->pool), INFLIGHT_MAX - 1);
	/* the end of the connection frees them all */
	assert_false(inflight_clear(&x->f, x->pool, &q));
	assert_null(x->f.table);
	assert_int_equal(inflight_expired(&x->f), 0);
	assert_int_equal(inflight_pool_expired(x->pool), 0);
	free(given);
}

static void
clear(void **state)
{
	struct fixture *x = *state;
	struct inflight_query q;
	uint16_t ids[100];
	size_t i;

	for (i = 0; i < LENGTH(ids); i++)
		ids[i] = add(x, BEGIN + i, BEGIN + 2 * i);
	for (i = 0; i < 10; i++)
		expect_expiry(x, BEGIN + TIMEOUT + 19, ids[i]);
	expect_no_expiry(x, BEGIN + TIMEOUT + 18);
	for (i = 10; i < LENGTH(ids); i++) {
		assert_true(inflight_clear(&x->f, x->pool, &q));
		assert_int_equal(q.id, ids[i]);
		assert_int_equal(q.due, BEGIN + i);
		assert_int_equal(q.sent, BEGIN + 2 * i);
	}
	assert_false(inflight_clear(&x->f, x->pool, &q));
	expect_released(x);
	assert_int_equal(deadline(x), CLOCK_NEVER);
	for (i = 0; i < LENGTH(ids); i++)
		expect_take(x, ids[i], BEGIN + TIMEOUT + 19, INFLIGHT_UNKNOWN);
	/* and it can be used again */
	expect_take(
	    x, add(x, BEGIN, BEGIN + 5000), BEGIN + 5001, INFLIGHT_ANSWERED);
}

/*
 * One pool, many connections: what one gives back does not show in another,
 * whether it was answered, waiting or timed out when that one ended.
 */
static void
many_connections(void **state)
{
	enum { CONNECTIONS = 200 };
	struct fixture *x = *state;
	struct inflight f[CONNECTIONS];
	struct inflight_query q;
	struct rng rng = {18};
	uint64_t now = BEGIN;
	unsigned int round, again = 0;
	size_t k;
	uint16_t id;

	memset(f, 0, sizeof(f));
	for (round = 0; round < 40000; round++) {
		now += rng_below(&rng, 20);
		k = rng_below(&rng, CONNECTIONS);
		if (f[k].waiting.count < 12 && rng_below(&rng, 16) > 0) {
			assert_true(inflight_add(&f[k], x->pool,
			    (uint64_t)k << 32 | round, now, &id));
			again += f[k].waiting.count == 1;
		} else if (rng_below(&rng, 2) == 0) {
			while (inflight_expire(&f[k], x->pool, now, &q))
				assert_int_equal(q.due >> 32, k);
		} else {
			while (inflight_clear(&f[k], x->pool, &q))
				assert_int_equal(q.due >> 32, k);
			assert_null(f[k].table);
		}
	}
	assert_true(again > 1000);
	for (k = 0; k < CONNECTIONS; k++) {
		while (inflight_clear(&f[k], x->pool, &q))
			assert_int_equal(q.due >> 32, k);
		assert_null(f[k].table);
	}
}

/*
 * Against a model: an array with an entry for each ID, and the order in which
 * they were sent, in which those that are gone are passed over.
 */

#define STEPS 400000

enum model_state { FREE, WAITING, EXPIRED };

struct model {
	struct {
		enum model_state state;
		uint64_t due;
		uint64_t sent;
		uint64_t serial; /* which query holds the ID */
	} id[INFLIGHT_MAX];
	uint64_t serial;
	uint16_t sent_order[STEPS]; /* IDs by serial */
	uint64_t oldest; /* serial before which none waits */
	unsigned int held;
	unsigned int matched[INFLIGHT_UNKNOWN + 1];
};

static struct model *
model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	return m;
}

/* The oldest that waits; false if there is none. */
static bool
model_oldest(struct model *m, uint16_t *id)
{
	for (; m->oldest < m->serial; m->oldest++) {
		*id = m->sent_order[m->oldest];
		if (m->id[*id].serial == m->oldest &&
		    m->id[*id].state == WAITING)
			return true;
	}
	return false;
}

static void
model_free(struct model *m, uint16_t id)
{
	m->id[id].state = FREE;
	m->held--;
}

static uint64_t
model_deadline(struct model *m)
{
	uint16_t id;

	return model_oldest(m, &id) ? m->id[id].sent + TIMEOUT + 1 :
				      CLOCK_NEVER;
}

static void
step_add(struct fixture *x, struct model *m, uint64_t now, struct rng *rng)
{
	uint64_t due = now - rng_below(rng, 50);
	uint16_t id;

	if (m->held == INFLIGHT_MAX) {
		assert_false(inflight_add(&x->f, x->pool, due, now, &id));
		return;
	}
	assert_true(inflight_add(&x->f, x->pool, due, now, &id));
	assert_int_equal(m->id[id].state, FREE);
	m->id[id].state = WAITING;
	m->id[id].due = due;
	m->id[id].sent = now;
	m->id[id].serial = m->serial;
	m->sent_order[m->serial++] = id;
	m->held++;
}

static enum inflight_match
model_match(const struct model *m, uint16_t id, uint64_t now)
{
	switch (m->id[id].state) {
	case EXPIRED:
		return INFLIGHT_LATE;
	case WAITING:
		return now > m->id[id].sent + TIMEOUT ? INFLIGHT_EXPIRED :
							INFLIGHT_ANSWERED;
	case FREE:
		break;
	}
	return INFLIGHT_UNKNOWN;
}

static void
expect_query(const struct model *m, const struct inflight_query *q, uint16_t id)
{
	assert_int_equal(q->id, id);
	assert_int_equal(q->due, m->id[id].due);
	assert_int_equal(q->sent, m->id[id].sent);
}

static void
step_take(struct fixture *x, struct model *m, uint64_t now, struct rng *rng)
{
	uint16_t id = (uint16_t)rng_next(rng);
	enum inflight_match match;
	struct inflight_query q;

	/* mostly one of the last that were sent: those may be held */
	if (m->serial > 0 && rng_below(rng, 16) > 0)
		id = m->sent_order[m->serial - 1 -
		    rng_below(rng, m->serial < 4000 ? m->serial : 4000) /
			(1 + rng_below(rng, 40))];
	match = model_match(m, id, now);
	assert_int_equal(inflight_take(&x->f, x->pool, id, now, &q), match);
	m->matched[match]++;
	if (match == INFLIGHT_UNKNOWN)
		return;
	expect_query(m, &q, id);
	model_free(m, id);
}

static void
step_expire(struct fixture *x, struct model *m, uint64_t now)
{
	struct inflight_query q;
	uint16_t id;

	while (model_oldest(m, &id) && m->id[id].sent + TIMEOUT < now) {
		assert_true(inflight_expire(&x->f, x->pool, now, &q));
		expect_query(m, &q, id);
		m->id[id].state = EXPIRED;
	}
	assert_false(inflight_expire(&x->f, x->pool, now, &q));
	assert_true(x->f.table != NULL || m->held == 0);
	/* all done: what comes next comes later */
	assert_true(deadline(x) > now);
}

static void
step_clear(struct fixture *x, struct model *m)
{
	struct inflight_query q;
	uint16_t id;
	size_t i;

	while (model_oldest(m, &id)) {
		assert_true(inflight_clear(&x->f, x->pool, &q));
		expect_query(m, &q, id);
		model_free(m, id);
	}
	assert_false(inflight_clear(&x->f, x->pool, &q));
	/* the end of the connection frees what had timed out, too */
	for (i = 0; i < INFLIGHT_MAX; i++)
		m->id[i].state = FREE;
	m->held = 0;
	expect_released(x);
}

/* Before its deadline expire() does nothing, as far as anybody can see. */
static void
expect_nothing_before(struct fixture *x, uint64_t now)
{
	struct inflight before;
	uint64_t when = deadline(x);

	if (when == CLOCK_NEVER || when - 1 < now)
		return;
	memcpy(&before, &x->f, sizeof(before));
	expect_no_expiry(x, when - 1);
	assert_memory_equal(&before, &x->f, sizeof(before));
}

static void
step_any(struct fixture *x, struct model *m, uint64_t now, uint64_t adds,
    uint64_t takes, struct rng *rng)
{
	uint64_t what = rng_below(rng, 64);

	if (what < adds)
		step_add(x, m, now, rng);
	else if (what < adds + takes)
		step_take(x, m, now, rng);
	else
		step_expire(x, m, now);
	if (takes > 1 && rng_below(rng, 1000) == 0)
		step_clear(x, m);
	assert_int_equal(
	    inflight_waiting(&x->f) + inflight_expired(&x->f), m->held);
	assert_true(x->f.table != NULL || m->held == 0);
	assert_int_equal(deadline(x), model_deadline(m));
	if (what == 0)
		expect_nothing_before(x, now);
}

static void
against_model(void **state)
{
	/* adds and takes: of 64 steps, the rest expire; pause: at most */
	static const struct {
		unsigned int steps;
		uint64_t adds;
		uint64_t takes;
		uint64_t pause;
	} phases[] = {
	    {20000, 30, 30, 20},
	    {20000, 60, 2, 1},
	    {20000, 10, 50, 100},
	    {90000, 63, 1, 0}, /* until none is left */
	    {20000, 20, 20, 700},
	    {20000, 40, 10, 3},
	};
	struct fixture *x = *state;
	struct model *m = model_new();
	struct rng rng = {19};
	uint64_t now = BEGIN;
	unsigned int step, most = 0, emptied = 0;
	size_t i;

	for (i = 0; i < 2 * LENGTH(phases); i++)
		for (step = 0; step < phases[i % LENGTH(phases)].steps;
		     step++) {
			now += rng_below(
			    &rng, phases[i % LENGTH(phases)].pause + 1);
			step_any(x, m, now, phases[i % LENGTH(phases)].adds,
			    phases[i % LENGTH(phases)].takes, &rng);
			most = m->held > most ? m->held : most;
			emptied += m->held == 0;
		}
	/* or else it was not all that was tried */
	assert_int_equal(most, INFLIGHT_MAX);
	assert_true(emptied > 100);
	for (i = 0; i < LENGTH(m->matched); i++)
		assert_true(m->matched[i] > 100);
	step_clear(x, m);
	free(m);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)
	static const struct CMUnitTest tests[] = {
	    TEST(nothing_held),
	    TEST(answered),
	    TEST(at_the_timeout),
	    TEST(late_only_once),
	    TEST(an_id_is_held_until_its_answer_comes),
	    TEST(expires_in_the_order_sent),
	    TEST(ids_go_up),
	    TEST(held_id_is_passed_over),
	    TEST(all_ids_held),
	    TEST(clear),
	    TEST(many_connections),
	    TEST(against_model),
	};
#undef TEST

	return cmocka_run_group_tests_name("inflight", tests, NULL, NULL);
}
