#include "tests/unit/support.h"

#include <stdbool.h>

#include "client/batch.h"

/*
 * A batch's arrivals and what becomes of them. Due times are unique here, so
 * that they name the arrival.
 */
struct model {
	uint32_t *connection; /* by due */
	bool *taken; /* by due */
	uint64_t count;
};

static void
model_init(struct model *m, size_t count)
{
	m->connection = calloc(count, sizeof(*m->connection));
	m->taken = calloc(count, sizeof(*m->taken));
	assert_non_null(m->connection);
	assert_non_null(m->taken);
	m->count = 0;
}

static void
model_clear(struct model *m)
{
	free(m->connection);
	free(m->taken);
}

static void
add(struct batch *b, struct model *m, uint32_t connection)
{
	m->connection[m->count] = connection;
	m->taken[m->count] = false;
	batch_add(b, connection, m->count, (double)m->count / 2);
	m->count++;
}

/* Walks one connection's chain; returns how many arrivals are in it. */
static uint64_t
walk(
    const struct batch *b, struct model *m, uint32_t connection, uint32_t first)
{
	const struct batch_arrival *a;
	uint64_t before = 0, length = 0;
	uint32_t next;

	assert_int_not_equal(first, BATCH_END);
	for (next = first; next != BATCH_END; next = a->next) {
		assert_true(next < BATCH_MAX);
		a = &b->arrivals[next];
		assert_true(a->due < m->count);
		assert_int_equal(m->connection[a->due], connection);
		assert_false(m->taken[a->due]);
		m->taken[a->due] = true;
		assert_true(length == 0 || a->due > before);
		assert_true((uint64_t)(2 * a->gap) == a->due);
		before = a->due;
		length++;
	}
	return length;
}

/* Takes everything: each arrival once, each connection once. */
static void
take_all(struct batch *b, struct model *m, uint32_t connections)
{
	bool *touched = calloc(connections, sizeof(*touched));
	uint32_t connection, first;
	uint64_t taken = 0;

	assert_non_null(touched);
	while (batch_take(b, &connection, &first)) {
		assert_true(connection < connections);
		assert_false(touched[connection]);
		touched[connection] = true;
		taken += walk(b, m, connection, first);
	}
	assert_int_equal(taken, m->count);
	assert_int_equal(b->count, 0);
	assert_false(batch_take(b, &connection, &first));
	m->count = 0;
	free(touched);
}

static void
nothing(void **state)
{
	struct batch b;
	uint32_t connection, first;

	(void)state;
	batch_init(&b, 3);
	assert_false(batch_take(&b, &connection, &first));
	assert_false(batch_take(&b, &connection, &first));
	batch_clear(&b);
}

static void
few(void **state)
{
	static const uint32_t order[] = {2, 0, 2, 2, 0, 1, 2};
	struct model m;
	struct batch b;
	size_t i;

	(void)state;
	model_init(&m, BATCH_MAX);
	batch_init(&b, 3);
	for (i = 0; i < LENGTH(order); i++)
		add(&b, &m, order[i]);
	assert_int_equal(b.touched_count, 3);
	take_all(&b, &m, 3);
	batch_clear(&b);
	model_clear(&m);
}

/* Again and again, with batches of any size over the same connections. */
static void
reused(void **state)
{
	static const uint32_t connections[] = {1, 2, 5, 100, 2000};
	struct rng rng = {21};
	struct model m;
	struct batch b;
	uint64_t count, i;
	size_t c;
	int round;

	(void)state;
	model_init(&m, BATCH_MAX);
	for (c = 0; c < LENGTH(connections); c++) {
		batch_init(&b, connections[c]);
		for (round = 0; round < 100; round++) {
			count = rng_below(&rng, round % 10 == 0 ? 3000 : 30);
			for (i = 0; i < count; i++)
				add(&b, &m,
				    (uint32_t)rng_below(&rng, connections[c]));
			take_all(&b, &m, connections[c]);
		}
		batch_clear(&b);
	}
	model_clear(&m);
}

static void
as_many_as_can_be(void **state)
{
	static const uint32_t connections[] = {1, 7, 70000};
	struct rng rng = {22};
	struct model m;
	struct batch b;
	size_t c;
	int round;

	(void)state;
	model_init(&m, BATCH_MAX);
	for (c = 0; c < LENGTH(connections); c++) {
		batch_init(&b, connections[c]);
		for (round = 0; round < 3; round++) {
			while (m.count < BATCH_MAX)
				add(&b, &m,
				    (uint32_t)rng_below(&rng, connections[c]));
			take_all(&b, &m, connections[c]);
		}
		batch_clear(&b);
	}
	model_clear(&m);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing),
	    cmocka_unit_test(few),
	    cmocka_unit_test(reused),
	    cmocka_unit_test(as_many_as_can_be),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
