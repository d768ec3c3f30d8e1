/*
 * Waits between attempts: how long they are, and that each comes to its end in
 * time, whoever else waits.
 */
#include "tests/unit/support.h"

#include "client/backoff.h"
#include "lib/clock.h"

#define BEGIN	(1000 * CLOCK_NS_PER_SEC)
#define MS	CLOCK_NS_PER_MS
#define TICK	(10 * MS)
#define LONGEST (10 * CLOCK_NS_PER_SEC)
#define MANY	200

/* When the slot comes out that is the only one that waits, looked for each ms. */
static uint64_t
wait_of(struct backoff *b, uint32_t slot, uint64_t *now)
{
	uint64_t begun = *now;
	uint32_t taken;

	backoff_add(b, slot, *now);
	assert_true(backoff_waits(b));
	while ((taken = backoff_take(b, *now)) == BACKOFF_NONE) {
		*now += MS;
		assert_true(*now - begun < 2 * LONGEST);
	}
	assert_int_equal(taken, slot);
	assert_int_equal(backoff_take(b, *now), BACKOFF_NONE);
	assert_false(backoff_waits(b));
	return *now - begun;
}

/* In the upper half of whole, and not later than two ticks after. */
static void
expect_wait(struct backoff *b, uint32_t slot, uint64_t *now, uint64_t whole)
{
	uint64_t wait = wait_of(b, slot, now);

	assert_in_range(wait, whole / 2, whole + 2 * TICK);
}

static void
twice_as_long_each_time(void **state)
{
	struct backoff b;
	uint64_t now = BEGIN, whole;
	int i;

	(void)state;
	backoff_init(&b, 3, 42, now);
	assert_int_equal(backoff_take(&b, now), BACKOFF_NONE);
	assert_false(backoff_waits(&b));
	for (whole = 100 * MS; whole < LONGEST; whole *= 2)
		expect_wait(&b, 1, &now, whole);
	for (i = 0; i < 5; i++)
		expect_wait(&b, 1, &now, LONGEST);
	/* the others know nothing of it */
	expect_wait(&b, 2, &now, 100 * MS);
	expect_wait(&b, 0, &now, 100 * MS);
	expect_wait(&b, 2, &now, 200 * MS);
	backoff_clear(&b);
}

static void
forgotten(void **state)
{
	struct backoff b;
	uint64_t now = BEGIN;

	(void)state;
	backoff_init(&b, 2, 42, now);
	backoff_forget(&b, 0);
	expect_wait(&b, 0, &now, 100 * MS);
	expect_wait(&b, 1, &now, 100 * MS);
	expect_wait(&b, 0, &now, 200 * MS);
	expect_wait(&b, 0, &now, 400 * MS);
	backoff_forget(&b, 0);
	expect_wait(&b, 0, &now, 100 * MS);
	expect_wait(&b, 1, &now, 200 * MS);
	backoff_clear(&b);
}

/* Those that failed together are spread over the upper half. */
static void
not_all_at_once(void **state)
{
	struct backoff b;
	uint64_t early = 0, late = 0, ms;
	uint32_t i, taken = 0;

	(void)state;
	backoff_init(&b, MANY, 42, BEGIN);
	for (i = 0; i < MANY; i++)
		backoff_add(&b, i, BEGIN);
	assert_int_equal(backoff_take(&b, BEGIN + 50 * MS - 1), BACKOFF_NONE);
	for (ms = 50; ms <= 120; ms++)
		while (backoff_take(&b, BEGIN + ms * MS) != BACKOFF_NONE) {
			taken++;
			early += ms <= 75;
			late += ms > 85;
		}
	assert_int_equal(taken, MANY);
	assert_in_range(early, MANY / 8, MANY);
	assert_in_range(late, MANY / 8, MANY);
	assert_false(backoff_waits(&b));
	backoff_clear(&b);
}

/* Other seeds, other waits; the same one, the same. */
static void
as_the_seed_says(void **state)
{
	struct backoff b;
	uint64_t wait[3], now;
	int i, k;

	(void)state;
	for (i = 0; i < 3; i++) {
		now = BEGIN;
		backoff_init(&b, 1, i == 1 ? 7 : 42, now);
		for (k = 0; k < 4; k++)
			(void)wait_of(&b, 0, &now);
		wait[i] = now;
		backoff_clear(&b);
	}
	assert_int_equal(wait[0], wait[2]);
	assert_int_not_equal(wait[0], wait[1]);
}

/* Many at any time, looked for now and then: none is early, none is lost. */
static void
never_early_and_never_lost(void **state)
{
	static const uint64_t steps[] = {1, 7, 40, 300};
	struct rng rng = {.state = 99};
	uint64_t added[MANY], whole[MANY], now = BEGIN, step;
	struct backoff b;
	uint32_t slot, waiting = 0;
	size_t i;

	(void)state;
	memset(added, 0, sizeof(added));
	memset(whole, 0, sizeof(whole));
	backoff_init(&b, MANY, 42, now);
	for (i = 0; i < 20000; i++) {
		step = steps[i / 5000] * MS;
		slot = (uint32_t)rng_below(&rng, MANY);
		if (added[slot] == 0) {
			if (rng_below(&rng, 8) == 0) {
				backoff_forget(&b, slot);
				whole[slot] = 0;
			}
			whole[slot] = whole[slot] == 0 ? 100 * MS :
			    whole[slot] > LONGEST / 2  ? LONGEST :
							 2 * whole[slot];
			added[slot] = now;
			backoff_add(&b, slot, now);
			waiting++;
		}
		now += step;
		while ((slot = backoff_take(&b, now)) != BACKOFF_NONE) {
			assert_true(slot < MANY);
			assert_int_not_equal(added[slot], 0);
			assert_in_range(now - added[slot], whole[slot] / 2,
			    whole[slot] + 2 * TICK + step);
			added[slot] = 0;
			waiting--;
		}
		assert_int_equal(backoff_waits(&b), waiting > 0);
	}
	now += LONGEST + 2 * TICK;
	while (backoff_take(&b, now) != BACKOFF_NONE)
		waiting--;
	assert_int_equal(waiting, 0);
	assert_false(backoff_waits(&b));
	backoff_clear(&b);
}

/* Not looked at for an hour, and no time before the wheel's own begin. */
static void
after_a_long_time(void **state)
{
	struct backoff b;
	uint64_t now = BEGIN;
	int i;

	(void)state;
	backoff_init(&b, 2, 42, now);
	for (i = 0; i < 8; i++)
		(void)wait_of(&b, 0, &now);
	now += 3600 * CLOCK_NS_PER_SEC;
	expect_wait(&b, 0, &now, LONGEST);
	now += 3600 * CLOCK_NS_PER_SEC;
	backoff_add(&b, 1, now);
	assert_int_equal(backoff_take(&b, now + 49 * MS), BACKOFF_NONE);
	assert_int_equal(backoff_take(&b, now + 3600 * CLOCK_NS_PER_SEC), 1);
	backoff_clear(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(twice_as_long_each_time),
	    cmocka_unit_test(forgotten),
	    cmocka_unit_test(not_all_at_once),
	    cmocka_unit_test(as_the_seed_says),
	    cmocka_unit_test(never_early_and_never_lost),
	    cmocka_unit_test(after_a_long_time),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
