/*
 * Lists of slots, against a model that is too simple to be wrong: an array a
 * list, moved about by hand.
 */
#include "tests/unit/support.h"

#include <stdio.h>

#include "client/slots.h"

#define SIZE  23
#define MOVES 50000

struct model {
	uint32_t list[SLOTS_LISTS][SIZE]; /* in the order in which they came */
	uint32_t count[SLOTS_LISTS];
};

static void
model_init(struct model *m)
{
	uint32_t i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < SIZE; i++)
		m->list[SLOTS_FREE][i] = i;
	m->count[SLOTS_FREE] = SIZE;
}

static enum slots_list
model_where(const struct model *m, uint32_t slot)
{
	unsigned int l;
	uint32_t i;

	for (l = 0; l < SLOTS_LISTS; l++)
		for (i = 0; i < m->count[l]; i++)
			if (m->list[l][i] == slot)
				return (enum slots_list)l;
	fail_msg("slot %u is in no list", slot);
	return SLOTS_FREE;
}

static void
model_move(struct model *m, uint32_t slot, enum slots_list to)
{
	enum slots_list from = model_where(m, slot);
	uint32_t i = 0;

	while (m->list[from][i] != slot)
		i++;
	m->count[from]--;
	memmove(&m->list[from][i], &m->list[from][i + 1],
	    (m->count[from] - i) * sizeof(uint32_t));
	m->list[to][m->count[to]++] = slot;
}

/* What can be asked without a change. */
static void
expect_alike(const struct slots *s, const struct model *m)
{
	uint32_t slot, coming;
	unsigned int l;

	for (l = 0; l < SLOTS_LISTS; l++) {
		assert_int_equal(
		    slots_count(s, (enum slots_list)l), m->count[l]);
		assert_int_equal(slots_first(s, (enum slots_list)l),
		    m->count[l] == 0 ? SLOTS_NONE : m->list[l][0]);
	}
	for (slot = 0; slot < SIZE; slot++)
		assert_int_equal(slots_where(s, slot), model_where(m, slot));
	coming = m->count[SLOTS_WAITING] + m->count[SLOTS_REPLACING] +
	    m->count[SLOTS_RESTING] + m->count[SLOTS_CONNECTING];
	assert_int_equal(slots_coming(s), coming);
}

/* The whole order, by taking each list apart. */
static void
expect_order(struct slots *s, struct model *m)
{
	unsigned int l;

	for (l = 1; l < SLOTS_LISTS; l++)
		while (m->count[l] > 0) {
			assert_int_equal(
			    slots_first(s, (enum slots_list)l), m->list[l][0]);
			slots_move(s, m->list[l][0], SLOTS_FREE);
			model_move(m, m->list[l][0], SLOTS_FREE);
		}
	expect_alike(s, m);
}

static void
all_free_and_in_order(void **state)
{
	struct slots s;
	struct model m;
	uint32_t i;

	(void)state;
	slots_init(&s, SIZE);
	model_init(&m);
	expect_alike(&s, &m);
	for (i = 0; i < SIZE; i++) {
		assert_int_equal(slots_first(&s, SLOTS_FREE), i);
		slots_move(&s, i, SLOTS_OPEN);
	}
	assert_int_equal(slots_first(&s, SLOTS_FREE), SLOTS_NONE);
	slots_clear(&s);
}

static void
any_moves(void **state)
{
	struct rng rng = {.state = 4711};
	enum slots_list to;
	struct slots s;
	struct model m;
	uint32_t slot;
	int i;

	(void)state;
	slots_init(&s, SIZE);
	model_init(&m);
	for (i = 0; i < MOVES; i++) {
		slot = (uint32_t)rng_below(&rng, SIZE);
		to = (enum slots_list)rng_below(&rng, SLOTS_LISTS);
		slots_move(&s, slot, to);
		model_move(&m, slot, to);
		expect_alike(&s, &m);
		if (i % 1000 == 999)
			expect_order(&s, &m);
	}
	slots_clear(&s);
}

static void
all_of_a_list(void **state)
{
	struct rng rng = {.state = 42};
	enum slots_list from, to;
	struct slots s;
	struct model m;
	uint32_t slot;
	int i;

	(void)state;
	slots_init(&s, SIZE);
	model_init(&m);
	for (i = 0; i < MOVES / 10; i++) {
		slot = (uint32_t)rng_below(&rng, SIZE);
		to = (enum slots_list)rng_below(&rng, SLOTS_LISTS);
		slots_move(&s, slot, to);
		model_move(&m, slot, to);
		if (i % 20 != 0)
			continue;
		from = (enum slots_list)rng_below(&rng, SLOTS_LISTS);
		if (from == to)
			continue;
		slots_move_all(&s, from, to);
		while (m.count[from] > 0)
			model_move(&m, m.list[from][0], to);
		expect_alike(&s, &m);
	}
	expect_order(&s, &m);
	slots_clear(&s);
}

static void
none_and_one(void **state)
{
	struct slots s;

	(void)state;
	slots_init(&s, 0);
	assert_int_equal(slots_first(&s, SLOTS_FREE), SLOTS_NONE);
	assert_int_equal(slots_coming(&s), 0);
	slots_move_all(&s, SLOTS_FREE, SLOTS_OPEN);
	slots_clear(&s);
	slots_init(&s, 1);
	slots_move(&s, 0, SLOTS_FREE);
	assert_int_equal(slots_first(&s, SLOTS_FREE), 0);
	assert_int_equal(slots_count(&s, SLOTS_FREE), 1);
	slots_clear(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_free_and_in_order),
	    cmocka_unit_test(any_moves),
	    cmocka_unit_test(all_of_a_list),
	    cmocka_unit_test(none_and_one),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
