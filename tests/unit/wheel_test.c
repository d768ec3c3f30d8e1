#include "tests/unit/support.h"

#include "client/wheel.h"
#include "lib/clock.h"

#define ITEMS 300
#define HOUR  (3600 * CLOCK_NS_PER_SEC)

/* A clock that has been running for a while, and not for whole ticks. */
#define BEGIN UINT64_C(1234567890123456)

struct item {
	struct wheel_node node; /* first: a node is its item */
	uint64_t deadline;
	uint64_t added;
	bool beyond; /* the horizon, when it was added */
	bool queued;
};

struct model {
	struct wheel wheel;
	struct item items[ITEMS];
	struct rng rng;
	uint64_t tick;
	uint64_t now;
	uint64_t polled;
	uint64_t queued;
	unsigned int early;
	unsigned int late;
};

static struct model *
model_new(uint64_t tick)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->rng.state = 20;
	m->tick = tick;
	m->now = m->polled = BEGIN;
	wheel_init(&m->wheel, tick, BEGIN);
	return m;
}

static void
model_add(struct model *m, struct item *item, uint64_t deadline)
{
	item->deadline = deadline;
	item->added = m->now;
	item->beyond = deadline / m->tick > m->polled / m->tick + 255;
	item->queued = true;
	m->queued++;
	wheel_add(&m->wheel, &item->node, deadline);
	assert_int_equal(m->wheel.queued, m->queued);
}

static struct item *
model_take(struct model *m)
{
	struct item *item =
	    (struct item *)(void *)wheel_take(&m->wheel, m->now);

	if (item == NULL)
		return NULL;
	assert_true(item >= m->items && item < m->items + ITEMS);
	assert_true(item->queued);
	assert_false(item->node.queued);
	item->queued = false;
	m->queued--;
	assert_int_equal(m->wheel.queued, m->queued);
	return item;
}

/* Since when the node should be looked at. */
static uint64_t
since(const struct item *item)
{
	return item->added > item->deadline ? item->added : item->deadline;
}

/* Takes all whose time has come; those that were too early are put back. */
static void
poll_all(struct model *m, uint64_t most_late)
{
	struct item *item;

	while ((item = model_take(m)) != NULL) {
		if (m->now <= item->deadline) {
			assert_true(item->beyond);
			m->early++;
			model_add(m, item, item->deadline);
			continue;
		}
		assert_true(m->now - since(item) <= most_late);
		m->late++;
	}
	m->polled = m->now;
}

static void
expect_none_left_behind(const struct model *m)
{
	size_t i;

	for (i = 0; i < ITEMS; i++)
		if (m->items[i].queued)
			assert_true(since(&m->items[i]) + m->tick >= m->now);
}

static uint64_t
any_deadline(struct model *m)
{
	uint64_t horizon = WHEEL_BUCKETS * m->tick;

	switch (rng_below(&m->rng, 8)) {
	case 0:
		return m->now - rng_below(&m->rng, 10 * m->tick); /* over */
	case 1:
		return m->now + rng_below(&m->rng, 3 * m->tick);
	case 2:
		return m->now + horizon - 2 * m->tick +
		    rng_below(&m->rng, 4 * m->tick);
	case 3:
		return m->now + rng_below(&m->rng, 5 * horizon);
	default:
		return m->now + rng_below(&m->rng, horizon);
	}
}

static void
add_some(struct model *m)
{
	struct item *item;
	uint64_t count = rng_below(&m->rng, 5);

	while (count-- > 0) {
		item = &m->items[rng_below(&m->rng, ITEMS)];
		if (!item->queued)
			model_add(m, item, any_deadline(m));
		else
			/* has no effect: the model does not hear of it */
			wheel_add(&m->wheel, &item->node, any_deadline(m));
		assert_int_equal(m->wheel.queued, m->queued);
	}
}

static void
polled_each_tick(void **state)
{
	static const uint64_t ticks[] = {1, 7, 1000, CLOCK_NS_PER_MS};
	struct model *m;
	uint64_t next;
	size_t i;
	int step;

	(void)state;
	for (i = 0; i < LENGTH(ticks); i++) {
		m = model_new(ticks[i]);
		for (step = 0; step < 10000; step++) {
			/* nodes are added between two polls, too */
			next =
			    m->polled + m->tick - rng_below(&m->rng, m->tick);
			m->now += rng_below(&m->rng, next - m->now + 1);
			add_some(m);
			m->now = next;
			poll_all(m, 2 * m->tick);
			expect_none_left_behind(m);
			add_some(m);
		}
		assert_true(m->early > 100);
		assert_true(m->late > 1000);
		free(m);
	}
}

/* Whatever was missed in between, each node comes, and once only. */
static void
polled_now_and_then(void **state)
{
	struct model *m = model_new(CLOCK_NS_PER_MS);
	int step;

	(void)state;
	for (step = 0; step < 3000; step++) {
		add_some(m);
		m->now += rng_below(&m->rng, CLOCK_NS_PER_SEC);
		if (step % 500 == 0)
			m->now += 5 * HOUR;
		poll_all(m, 6 * HOUR);
		expect_none_left_behind(m);
	}
	assert_true(m->late > 1000);
	free(m);
}

/* An empty wheel is not turned: it catches up with what is added. */
static void
idle_for_hours(void **state)
{
	struct model *m = model_new(CLOCK_NS_PER_MS);
	int round;

	(void)state;
	for (round = 0; round < 50; round++) {
		m->now += HOUR + rng_below(&m->rng, HOUR);
		if (round % 2 == 0)
			poll_all(m, 0);
		model_add(m, &m->items[0],
		    m->now + 5 * m->tick + rng_below(&m->rng, m->tick));
		while (m->queued > 0) {
			m->now += m->tick;
			poll_all(m, 2 * m->tick);
		}
		assert_true(m->now - m->items[0].added < 8 * m->tick);
	}
	assert_int_equal(m->late, 50);
	free(m);
}

static void
all_at_once(void **state)
{
	struct model *m = model_new(1000);
	size_t i;

	(void)state;
	for (i = 0; i < ITEMS; i++)
		model_add(m, &m->items[i], BEGIN + 50 * 1000);
	m->now = BEGIN + 50 * 1000;
	poll_all(m, 0);
	assert_int_equal(m->queued, ITEMS);
	m->now += 1000;
	poll_all(m, 1000);
	assert_int_equal(m->queued, 0);
	assert_int_equal(m->late, ITEMS);
	free(m);
}

static void
added_twice(void **state)
{
	struct model *m = model_new(1000);

	(void)state;
	model_add(m, &m->items[0], BEGIN + 10000);
	model_add(m, &m->items[1], BEGIN + 10000);
	wheel_add(&m->wheel, &m->items[0].node, BEGIN + 2000);
	wheel_add(&m->wheel, &m->items[0].node, BEGIN + 90000);
	wheel_add(&m->wheel, &m->items[0].node, BEGIN + 10000);
	assert_int_equal(m->wheel.queued, 2);
	m->now = BEGIN + 9000;
	assert_null(model_take(m));
	m->now = BEGIN + 12000;
	assert_non_null(model_take(m));
	assert_non_null(model_take(m));
	assert_null(model_take(m));
	m->now = BEGIN + HOUR;
	assert_null(model_take(m));
	/* once taken, it can be added again */
	m->polled = m->now;
	model_add(m, &m->items[0], m->now + 1000);
	m->now += 3000;
	assert_ptr_equal(model_take(m), &m->items[0]);
	assert_null(model_take(m));
	free(m);
}

/* What is never due is looked at once a turn of the wheel, not more often. */
static void
never_due(void **state)
{
	struct model *m = model_new(CLOCK_NS_PER_MS);
	const unsigned int turns = 100;
	unsigned int step;

	(void)state;
	model_add(m, &m->items[0], CLOCK_NEVER);
	for (step = 0; step < turns * WHEEL_BUCKETS; step++) {
		m->now += m->tick;
		poll_all(m, 0);
		assert_int_equal(m->queued, 1);
	}
	assert_in_range(m->early, turns - 2, turns + 2);
	assert_int_equal(m->late, 0);
	free(m);
}

static void
empty(void **state)
{
	struct model *m = model_new(1000);

	(void)state;
	assert_null(model_take(m));
	m->now += 10000;
	assert_null(model_take(m));
	m->now += 1000 * HOUR;
	assert_null(model_take(m));
	/* time does not go back, but if it did, nothing would happen */
	m->now = BEGIN;
	assert_null(model_take(m));
	free(m);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(polled_each_tick),
	    cmocka_unit_test(polled_now_and_then),
	    cmocka_unit_test(idle_for_hours),
	    cmocka_unit_test(all_at_once),
	    cmocka_unit_test(added_twice),
	    cmocka_unit_test(never_due),
	    cmocka_unit_test(empty),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
