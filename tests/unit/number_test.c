/*
 * What does not exist is "-" in text and null in JSON; 0 is a number like others.
 */
#include "tests/unit/support.h"

#include <math.h>

#include "lib/histogram.h"
#include "lib/json.h"
#include "lib/number.h"

static void
what_does_not_exist_is_a_dash(void **state)
{
	(void)state;
	assert_string_equal(number_text(NAN, 3).text, "-");
	assert_string_equal(number_text(NAN, 0).text, "-");
	assert_string_equal(number_text(-NAN, 1).text, "-");
}

static void
zero_is_a_number(void **state)
{
	(void)state;
	assert_string_equal(number_text(0, 3).text, "0.000");
	assert_string_equal(number_text(0, 0).text, "0");
	assert_string_equal(number_text(1234.5678, 1).text, "1234.6");
	assert_true(strlen(number_text(1e18, 9).text) == 19 + 1 + 9);
}

static void
a_rate_that_was_worked_out_has_few_digits(void **state)
{
	(void)state;
	assert_string_equal(number_text_short(0).text, "0");
	assert_string_equal(number_text_short(20000).text, "20000");
	assert_string_equal(number_text_short(1e9).text, "1000000000");
	assert_string_equal(number_text_short(331.4796439).text, "331.5");
	assert_string_equal(number_text_short(66.66666667).text, "66.7");
	assert_string_equal(number_text_short(0.016666667).text, "0.01667");
	assert_string_equal(number_text_short(NAN).text, "-");
}

static void
no_time_has_no_rate(void **state)
{
	(void)state;
	assert_true(isnan(number_rate(0, 0)));
	assert_true(isnan(number_rate(5, 0)));
	assert_true(isnan(number_rate(5, NAN)));
	assert_true(number_rate(5, 2) > 2.4999 && number_rate(5, 2) < 2.5001);
	assert_string_equal(number_text(number_rate(0, 2), 1).text, "0.0");
}

static void
a_time_that_does_not_exist_has_no_milliseconds(void **state)
{
	(void)state;
	assert_true(isnan(number_ms(HISTOGRAM_NONE)));
	assert_string_equal(number_text(number_ms(1500000), 3).text, "1.500");
	assert_string_equal(number_text(number_ms(0), 3).text, "0.000");
}

static void
what_does_not_exist_is_null(void **state)
{
	json_t *o = json_object();

	(void)state;
	json_put_count_or_null(o, "no_time", HISTOGRAM_NONE);
	json_put_count_or_null(o, "time", 0);
	json_put_real_or_null(o, "no_rate", NAN);
	json_put_real_or_null(o, "rate", 0);
	assert_true(json_is_null(json_object_get(o, "no_time")));
	assert_true(json_is_null(json_object_get(o, "no_rate")));
	assert_true(json_is_integer(json_object_get(o, "time")));
	assert_true(json_is_real(json_object_get(o, "rate")));
	json_decref(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_does_not_exist_is_a_dash),
	    cmocka_unit_test(zero_is_a_number),
	    cmocka_unit_test(no_time_has_no_rate),
	    cmocka_unit_test(a_rate_that_was_worked_out_has_few_digits),
	    cmocka_unit_test(a_time_that_does_not_exist_has_no_milliseconds),
	    cmocka_unit_test(what_does_not_exist_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
