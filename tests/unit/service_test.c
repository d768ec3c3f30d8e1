/* Options of the service; what is cut, answered and dropped. */
#include "tests/unit/support.h"

#include <math.h>

#include "lib/clock.h"
#include "server/answer.h"
#include "server/service.h"

#define DRAWS 100000

static void
modes_have_their_names(void **state)
{
	enum service_mode mode = SERVICE_SINK;

	(void)state;
	assert_null(service_parse_mode("echo", &mode));
	assert_int_equal(mode, SERVICE_ECHO);
	assert_null(service_parse_mode("dns", &mode));
	assert_int_equal(mode, SERVICE_DNS);
	assert_non_null(service_parse_mode("DNS", &mode));
	assert_non_null(service_parse_mode("", &mode));
	assert_int_equal(mode, SERVICE_DNS);
	assert_string_equal(service_mode_name(SERVICE_PING), "ping");
}

static void
a_stall_is_two_durations(void **state)
{
	static const char *const wrong[] = {"", "1s", "1s/", "/5s", "0/5s",
	    "1us/5s", "5s/5s", "6s/5s", "1s/5s/9s", "1s /5s", "-1s/5s"};
	struct service s;
	size_t i;

	(void)state;
	memset(&s, 0, sizeof(s));
	for (i = 0; i < LENGTH(wrong); i++)
		if (service_parse_stall(wrong[i], &s) == NULL)
			fail_msg("\"%s\" not refused", wrong[i]);
	assert_int_equal(s.stall, 0);
	assert_null(service_parse_stall("250ms/5", &s));
	assert_int_equal(s.stall, 250 * CLOCK_NS_PER_MS);
	assert_int_equal(s.stall_every, 5 * CLOCK_NS_PER_SEC);
}

static void
a_stall_begins_each_period(void **state)
{
	struct service s = {.stall = 10, .stall_every = 50};
	uint64_t next;

	(void)state;
	assert_true(service_stalled(&s, 1000, &next));
	assert_int_equal(next, 10);
	assert_true(service_stalled(&s, 1009, &next));
	assert_int_equal(next, 1);
	assert_false(service_stalled(&s, 1010, &next));
	assert_int_equal(next, 40);
	assert_false(service_stalled(&s, 1049, &next));
	assert_int_equal(next, 1);
}

static void
a_sink_answers_nothing_to_delay_or_drop(void **state)
{
	struct service s = {.mode = SERVICE_SINK};

	(void)state;
	assert_null(service_check(&s));
	assert_false(service_by_message(&s));
	assert_false(service_is_plain(&s));
	s.delay = 1;
	assert_non_null(service_check(&s));
	s = (struct service){.mode = SERVICE_SINK, .drop = 0.5};
	assert_non_null(service_check(&s));
	s = (struct service){.mode = SERVICE_SINK, .close_after = 1};
	assert_non_null(service_check(&s));
	s.mode = SERVICE_ECHO;
	assert_null(service_check(&s));
	assert_true(service_by_message(&s));
	s = (struct service){.idle_timeout = 1};
	assert_false(service_by_message(&s));
	assert_false(service_is_plain(&s));
	s = (struct service){.seed = 42};
	assert_true(service_is_plain(&s));
}

static size_t
cut(enum service_mode mode, const char *data, bool *noise)
{
	size_t length = strlen(data), n;
	uint8_t *exact = heap_copy(data, length);

	n = answer_cut(mode, exact, length, noise);
	free(exact);
	return n;
}

static void
pings_are_found_in_noise(void **state)
{
	uint8_t out[4 * ANSWER_GROWTH];
	bool noise;

	(void)state;
	assert_int_equal(cut(SERVICE_PING, "PingPing", &noise), 4);
	assert_false(noise);
	assert_int_equal(cut(SERVICE_PING, "Pin", &noise), 0);
	assert_false(noise);
	assert_int_equal(cut(SERVICE_PING, "xyPing", &noise), 2);
	assert_true(noise);
	assert_int_equal(cut(SERVICE_PING, "PiPing", &noise), 2);
	assert_true(noise);
	assert_int_equal(cut(SERVICE_PING, "PPi", &noise), 1);
	assert_true(noise);
	assert_int_equal(cut(SERVICE_PING, "abc", &noise), 3);
	assert_true(noise);
	assert_int_equal(
	    answer_make(SERVICE_PING, (const uint8_t *)"Ping", 4, out), 4);
	assert_memory_equal(out, "Pong", 4);
}

static void
messages_are_cut_by_their_length(void **state)
{
	static const uint8_t three[] = {0, 1, 'x', 0, 0, 0, 2, 'y'};
	bool noise;

	(void)state;
	assert_int_equal(answer_cut(SERVICE_ECHO, three, 0, &noise), 0);
	assert_int_equal(answer_cut(SERVICE_ECHO, three, 1, &noise), 0);
	assert_int_equal(answer_cut(SERVICE_ECHO, three, 2, &noise), 0);
	assert_int_equal(answer_cut(SERVICE_ECHO, three, 8, &noise), 3);
	assert_int_equal(answer_cut(SERVICE_ECHO, three + 3, 5, &noise), 2);
	assert_int_equal(answer_cut(SERVICE_DNS, three + 5, 3, &noise), 0);
}

static void
answers_are_counted_at_every_split(void **state)
{
	static const uint8_t four[] = {
	    0, 1, 'x', 0, 0, 0, 3, 1, 2, 3, 0, 2, 9, 9, 0};
	struct frame f;
	size_t at;
	uint64_t n;

	(void)state;
	for (at = 0; at <= sizeof(four); at++) {
		memset(&f, 0, sizeof(f));
		n = answer_count(SERVICE_DNS, &f, four, at);
		n +=
		    answer_count(SERVICE_DNS, &f, four + at, sizeof(four) - at);
		assert_int_equal(n, 4);
		memset(&f, 0, sizeof(f));
		n = answer_count(SERVICE_PING, &f, four, at);
		n += answer_count(
		    SERVICE_PING, &f, four + at, sizeof(four) - at);
		assert_int_equal(n, sizeof(four) / 4);
	}
}

static unsigned int
drops(double share, uint64_t seed, unsigned int worker, uint64_t *pattern)
{
	struct answer_lot lot;
	unsigned int i, n = 0;
	bool drop;

	answer_lot_begin(&lot, share, seed, worker);
	for (i = 0; i < DRAWS; i++) {
		drop = answer_lot_drops(&lot);
		n += drop;
		if (i < 64)
			*pattern = *pattern << 1 | drop;
	}
	return n;
}

static void
a_share_is_dropped_the_same_for_the_same_seed(void **state)
{
	uint64_t first = 0, again = 0, other = 0, worker = 0;
	/* five standard deviations */
	double bound = 5 * sqrt(DRAWS * 0.3 * 0.7), n;

	(void)state;
	n = drops(0.3, 42, 0, &first);
	assert_true(fabs(n - 0.3 * DRAWS) < bound);
	assert_true(n == drops(0.3, 42, 0, &again));
	assert_true(first == again);
	drops(0.3, 43, 0, &other);
	assert_true(first != other);
	drops(0.3, 42, 1, &worker);
	assert_true(first != worker);
	assert_int_equal(drops(0, 42, 0, &first), 0);
	assert_int_equal(drops(1, 42, 0, &first), DRAWS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(modes_have_their_names),
	    cmocka_unit_test(a_stall_is_two_durations),
	    cmocka_unit_test(a_stall_begins_each_period),
	    cmocka_unit_test(a_sink_answers_nothing_to_delay_or_drop),
	    cmocka_unit_test(pings_are_found_in_noise),
	    cmocka_unit_test(messages_are_cut_by_their_length),
	    cmocka_unit_test(answers_are_counted_at_every_split),
	    cmocka_unit_test(a_share_is_dropped_the_same_for_the_same_seed),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
