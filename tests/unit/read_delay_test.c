/*
 * The bound is held against what is known: the moment at which a descriptor was
 * made ready, and the moments around the turns of a real event loop.
 */
#include "tests/unit/support.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include <event2/event.h>

#include <unistd.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "client/read_delay.h"

#define MS     CLOCK_NS_PER_MS
#define MANY   5000 /* more than libevent takes from one wait, 4,096 */
#define OTHERS 8 /* descriptors that a base has of its own, at most */

struct fixture {
	struct event_base *base;
	struct read_delay delay;
	struct read_delay_causes causes;
	struct source *sources;
	size_t count;
	size_t read; /* in all */
	size_t
	    early; /* of these, with a bound later than when they were ready */
	bool awaits;
	bool sticky; /* what is ready stays ready */
};

/* A descriptor that is ready once raised. */
struct source {
	struct fixture *f;
	struct event *event;
	uint64_t ready; /* when it was raised */
	uint64_t since; /* the bound when it was read */
	void (*then)(struct fixture *);
	int fd;
};

static bool
awaits(const void *arg)
{
	return ((const struct fixture *)arg)->awaits;
}

static void
on_source(int fd, short what, void *arg)
{
	struct source *s = arg;
	uint64_t value;

	(void)what;
	if (s->f->sticky)
		return;
	assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	s->since = read_delay_since(&s->f->delay);
	s->f->read++;
	s->f->early += s->since > s->ready;
	if (s->then != NULL)
		s->then(s->f);
}

static void
raise_source(struct source *s)
{
	uint64_t one = 1;

	assert_int_equal(write(s->fd, &one, sizeof(one)), sizeof(one));
	s->ready = clock_now();
}

static void
turn(struct fixture *f)
{
	assert_int_not_equal(
	    event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK), -1);
}

static struct fixture *
fixture_new(size_t count)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct source *s;

	assert_non_null(f);
	f->base = event_base_new();
	assert_non_null(f->base);
	f->sources = calloc(count, sizeof(*f->sources));
	assert_non_null(f->sources);
	for (f->count = 0; f->count < count; f->count++) {
		s = &f->sources[f->count];
		s->f = f;
		s->fd = eventfd(0, EFD_NONBLOCK);
		assert_int_not_equal(s->fd, -1);
		s->event = event_new(
		    f->base, s->fd, EV_READ | EV_PERSIST, on_source, s);
		assert_int_equal(event_add(s->event, NULL), 0);
	}
	read_delay_begin(
	    &f->delay, count + OTHERS, &f->causes, NULL, awaits, f);
	turn(f);
	return f;
}

static void
fixture_free(struct fixture *f)
{
	size_t i;

	read_delay_end(&f->delay);
	for (i = 0; i < f->count; i++) {
		event_free(f->sources[i].event);
		close(f->sources[i].fd);
	}
	event_base_free(f->base);
	free(f->sources);
	free(f);
}

static void
run_for(uint64_t time)
{
	uint64_t begun = clock_now();

	while (clock_now() - begun < time)
		;
}

/* The second source becomes ready while the first one's callback runs. */
static void
raise_second_and_run_on(struct fixture *f)
{
	run_for(3 * MS);
	raise_source(&f->sources[1]);
	run_for(20 * MS);
}

static void
a_long_callback_delays_what_came_meanwhile(void **state)
{
	struct fixture *f = fixture_new(2);
	uint64_t before;

	(void)state;
	f->sources[0].then = raise_second_and_run_on;
	raise_source(&f->sources[0]);
	before = clock_now();
	turn(f);
	assert_int_equal(f->read, 1);
	turn(f);
	assert_int_equal(f->read, 2);
	/* at least the true delay, and at most a turn more */
	assert_true(f->sources[1].since <= f->sources[1].ready);
	assert_true(f->sources[1].since >= before);
	/* that turn was spent on reading, as nothing else was named */
	turn(f);
	assert_true(f->causes.reading >= 23 * MS);
	fixture_free(f);
}

static void
the_time_within_a_turn_counts(void **state)
{
	struct fixture *f = fixture_new(2);
	uint64_t before = clock_now();

	(void)state;
	raise_source(&f->sources[0]);
	raise_source(&f->sources[1]);
	turn(f);
	assert_int_equal(f->read, 2);
	assert_int_equal(f->early, 0);
	assert_true(f->sources[0].since == f->sources[1].since);
	/* the wait before had room and did not report them */
	turn(f);
	raise_source(&f->sources[0]);
	turn(f);
	assert_int_equal(f->early, 0);
	assert_true(f->sources[0].since >= before);
	fixture_free(f);
}

/*
 * A wait that reports as many as it has room for tells nothing of the others:
 * the bound stays before the moment at which they were ready.
 */
static void
full_waits(size_t count)
{
	struct fixture *f = fixture_new(count);
	uint64_t before;
	size_t i, round;

	for (round = 0; round < 3; round++) {
		before = clock_now();
		for (i = 0; i < count; i++)
			raise_source(&f->sources[i]);
		f->read = 0;
		for (i = 0; f->read < count && i < count; i++) {
			turn(f);
			run_for(MS);
		}
		assert_int_equal(f->read, count);
		assert_int_equal(f->early, 0);
		turn(f);
		/* a wait with room: the bound follows */
		raise_source(&f->sources[0]);
		turn(f);
		assert_true(f->sources[0].since > before);
	}
	fixture_free(f);
}

static void
more_ready_than_the_first_wait_takes(void **state)
{
	(void)state;
	full_waits(31);
	full_waits(32);
	full_waits(33);
	full_waits(200);
}

static void
need_descriptors(rlim_t count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < count)
		skip();
}

static void
more_ready_than_any_wait_takes(void **state)
{
	(void)state;
	need_descriptors(MANY + 100);
	full_waits(MANY);
}

/*
 * Where no wait has room, all that was ready at one of them has been reported once
 * as many have been as there are sockets: here by the next wait.
 */
static void
no_wait_has_room(void **state)
{
	struct fixture *f;
	uint64_t begun;
	size_t i;

	(void)state;
	need_descriptors(MANY + 100);
	f = fixture_new(MANY);
	f->sticky = true;
	for (i = 0; i < MANY; i++)
		raise_source(&f->sources[i]);
	for (i = 0; i < 10; i++) /* libevent begins with room for 32 */
		turn(f);
	for (i = 0; i < 3; i++) {
		begun = clock_now();
		turn(f);
		assert_true(read_delay_seen(&f->delay) < begun);
		turn(f);
		turn(f);
		turn(f);
		assert_true(read_delay_seen(&f->delay) >= begun);
	}
	fixture_free(f);
}

static void
on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* A busy machine may keep it from waking; in one of many tries it does not. */
static void
sleeping_with_nothing_ready_is_no_delay(void **state)
{
	struct fixture *f = fixture_new(1);
	struct event *timer = timer_new(f->base, 0, on_timer, NULL);
	uint64_t begun, slept = 0, bound = UINT64_MAX;
	int tries;

	(void)state;
	f->awaits = true;
	for (tries = 0; tries < 200 && bound > 5 * MS; tries++) {
		timer_set(timer, 20 * MS);
		begun = clock_now();
		event_base_loop(f->base, EVLOOP_ONCE);
		slept = clock_now() - begun;
		bound = clock_now() - read_delay_since(&f->delay);
	}
	assert_true(slept > 15 * MS);
	assert_true(bound <= 5 * MS);
	event_free(timer);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_long_callback_delays_what_came_meanwhile),
	    cmocka_unit_test(the_time_within_a_turn_counts),
	    cmocka_unit_test(more_ready_than_the_first_wait_takes),
	    cmocka_unit_test(more_ready_than_any_wait_takes),
	    cmocka_unit_test(no_wait_has_room),
	    cmocka_unit_test(sleeping_with_nothing_ready_is_no_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
