#include "tests/unit/support.h"

#include <stdio.h>

#include "lib/port_list.h"

static void
parse(struct port_list *list, const char *text, unsigned int min)
{
	const char *why = port_list_parse(text, min, list);

	if (why != NULL)
		fail_msg("\"%.80s\" refused: %s", text, why);
}

static void
ports_are(
    const char *text, unsigned int min, const uint16_t *expected, size_t count)
{
	struct port_list list = {NULL, 0};
	size_t i;

	parse(&list, text, min);
	assert_int_equal(list.count, count);
	for (i = 0; i < count; i++)
		assert_int_equal(list.at[i], expected[i]);
	port_list_free(&list);
}

#define ARE(text, min, ...)                                   \
	ports_are(text, min, (const uint16_t[]){__VA_ARGS__}, \
	    LENGTH(((const uint16_t[]){__VA_ARGS__})))

/* With a message that has this in it; a list stays as it was. */
static void
refused(const char *text, unsigned int min, const char *expected)
{
	struct port_list list = {NULL, 0};
	const char *why = port_list_parse(text, min, &list);
	uint16_t *at;

	if (why == NULL)
		fail_msg("\"%.80s\" not refused", text);
	if (strstr(why, expected) == NULL)
		fail_msg("\"%.80s\": \"%s\", not \"%s\"", text, why, expected);
	assert_null(list.at);
	assert_int_equal(list.count, 0);

	parse(&list, "65000,64999", min);
	at = list.at;
	why = port_list_parse(text, min, &list);
	assert_non_null(why);
	assert_non_null(strstr(why, expected));
	assert_int_equal(list.count, 2);
	assert_ptr_equal(list.at, at);
	assert_int_equal(at[0], 65000);
	assert_int_equal(at[1], 64999);
	port_list_free(&list);
	assert_null(list.at);
	assert_int_equal(list.count, 0);
}

static void
ports(void **state)
{
	(void)state;
	ARE("4242", 1, 4242);
	ARE("1", 1, 1);
	ARE("65535", 1, 65535);
	ARE("053", 1, 53);
	ARE("853,53", 1, 853, 53);
	ARE("1,2,3,65535", 1, 1, 2, 3, 65535);
}

static void
ranges(void **state)
{
	(void)state;
	ARE("7000-7000", 1, 7000);
	ARE("7000-7003", 1, 7000, 7001, 7002, 7003);
	ARE("1-2", 1, 1, 2);
	ARE("65534-65535", 1, 65534, 65535);
	ARE("853,7000-7001,53", 1, 853, 7000, 7001, 53);
	ARE("10-12,13-14,9", 1, 10, 11, 12, 13, 14, 9);
}

static void
long_ranges(void **state)
{
	struct port_list list = {NULL, 0};
	size_t i;

	(void)state;
	parse(&list, "53,853,7000-7199", 1);
	assert_int_equal(list.count, 202);
	assert_int_equal(list.at[1], 853);
	assert_int_equal(list.at[2], 7000);
	assert_int_equal(list.at[102], 7100);
	assert_int_equal(list.at[201], 7199);
	port_list_free(&list);

	parse(&list, "1-65535", 0);
	parse(&list, "0", 0);
	assert_int_equal(list.count, 65536);
	for (i = 0; i < 65535; i++)
		assert_int_equal(list.at[i], i + 1);
	assert_int_equal(list.at[65535], 0);
	assert_non_null(port_list_parse("0", 0, &list));
	assert_non_null(port_list_parse("65535", 0, &list));
	assert_non_null(port_list_parse("1-65535", 0, &list));
	port_list_free(&list);
}

static void
port_zero(void **state)
{
	(void)state;
	ARE("0", 0, 0);
	ARE("53,0", 0, 53, 0);
	refused("0", 1, "lowest port is 1");
	refused("53,0", 1, "lowest port is 1");
	refused("0-5", 1, "lowest port is 1");
	refused("0-5", 0, "no range");
	refused("0-0", 0, "no range");
	refused("5-0", 0, "from the lower");
	refused("0,0", 0, "named twice");
}

static void
out_of_range(void **state)
{
	(void)state;
	refused("65536", 1, "highest port is 65535");
	refused("65537", 0, "highest port is 65535");
	refused("131125", 1, "highest port is 65535"); /* 2^17 + 53 */
	refused("4294967349", 1, "highest port is 65535"); /* 2^32 + 53 */
	refused("18446744073709551669", 1, "highest port is 65535");
	refused("1-65536", 1, "highest port is 65535");
	refused("65535-65536", 1, "highest port is 65535");
	refused("65536-5", 1, "highest port is 65535");
	refused("99999999999999999999999999999", 1, "highest port is 65535");
}

static void
reversed(void **state)
{
	(void)state;
	refused("7001-7000", 1, "from the lower");
	refused("65535-1", 1, "from the lower");
	refused("53,2-1", 1, "from the lower");
}

static void
duplicates(void **state)
{
	(void)state;
	refused("53,53", 1, "named twice");
	refused("53,853,053", 1, "named twice");
	refused("7000-7010,7010", 1, "named twice");
	refused("7000,7000-7010", 1, "named twice");
	refused("7000-7010,7010-7020", 1, "named twice");
	refused("1-65535,65535", 1, "named twice");
	refused("1,1-65535", 1, "named twice");
}

static void
appends_texts(void **state)
{
	struct port_list list = {NULL, 0};

	(void)state;
	parse(&list, "853", 1);
	parse(&list, "53,7000-7001", 1);
	assert_int_equal(list.count, 4);
	assert_int_equal(list.at[0], 853);
	assert_int_equal(list.at[1], 53);
	assert_int_equal(list.at[2], 7000);
	assert_int_equal(list.at[3], 7001);
	assert_non_null(strstr(port_list_parse("7001", 1, &list), "twice"));
	assert_non_null(strstr(port_list_parse("9,1-99", 1, &list), "twice"));
	assert_int_equal(list.count, 4);
	port_list_free(&list);
	port_list_free(&list);
}

static void
not_ports(void **state)
{
	static const char *const texts[] = {"", ",", ",,", "53,", ",53",
	    "53,,853", " ", " 53", "53 ", "53, 853", "53 ,853", "53 - 55",
	    "53- 55", "53;853", "\t53", "53\n", "+53", "-53", "-0", "--53",
	    "53-", "-", "--", "-53-55", "53--55", "53-55-57", "53-55-",
	    "53-+55", "53-,55", "53,-55", "0x35", "5e1", "53.", "53.0", "1k",
	    "0k", "5M", "domain", "*", "\xd9\xa5", "53\xff", "53:55", "53/tcp"};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++) {
		refused(texts[i], 0, "not ports such as");
		refused(texts[i], 1, "not ports such as");
	}
}

/* Right or refused, and never a port twice; the text ends with its memory. */
static void
survives(const char *text, size_t length, unsigned int min)
{
	static const struct port_list empty;
	struct port_list list = empty;
	char *copy = heap_copy(text, length + 1);
	const char *why = port_list_parse(copy, min, &list);
	size_t i, j;

	if (why != NULL)
		assert_true(*why != '\0' && list.count == 0);
	else
		assert_true(list.count > 0 && list.count <= 65536);
	for (i = 0; i < list.count && i < 50; i++) {
		assert_true(list.at[i] >= min);
		for (j = 0; j < i; j++)
			assert_int_not_equal(list.at[i], list.at[j]);
	}
	port_list_free(&list);
	free(copy);
}

static void
random_bytes(void **state)
{
	static const char likely[] = "0123456789,-,-";
	struct rng rng = {21};
	char text[60];
	size_t length, i;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		length = rng_below(&rng, round % 2 == 0 ? sizeof(text) : 12);
		for (i = 0; i < length; i++)
			text[i] = round % 2 == 0 ?
			    (char)(1 + rng_below(&rng, 255)) :
			    likely[rng_below(&rng, 14)];
		text[length] = '\0';
		survives(text, length, (unsigned int)rng_below(&rng, 2));
	}
}

/* One byte of a right text changed, at every place, to every value. */
static void
every_byte_changed(void **state)
{
	static const char right[] = "53,853,7000-7009,0";
	char text[sizeof(right)];
	size_t i;
	int byte;

	(void)state;
	for (i = 0; i < sizeof(right) - 1; i++)
		for (byte = 0; byte < 256; byte++) {
			memcpy(text, right, sizeof(right));
			text[i] = (char)byte;
			survives(text, sizeof(right) - 1, 0);
		}
}

static void
very_long(void **state)
{
	static const char bytes[] = "059,- ";
	const size_t size = 1000000;
	char *text = malloc(size + 1);
	size_t i;

	(void)state;
	assert_non_null(text);
	text[size] = '\0';
	for (i = 0; i < sizeof(bytes) - 1; i++) {
		memset(text, bytes[i], size);
		refused(text, 1, "");
		memcpy(text, "53,53-", 6);
		refused(text, 1, "");
	}
	free(text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ports),
	    cmocka_unit_test(ranges),
	    cmocka_unit_test(long_ranges),
	    cmocka_unit_test(port_zero),
	    cmocka_unit_test(out_of_range),
	    cmocka_unit_test(reversed),
	    cmocka_unit_test(duplicates),
	    cmocka_unit_test(appends_texts),
	    cmocka_unit_test(not_ports),
	    cmocka_unit_test(random_bytes),
	    cmocka_unit_test(every_byte_changed),
	    cmocka_unit_test(very_long),
	};

	return cmocka_run_group_tests_name("port_list", tests, NULL, NULL);
}
