#include "tests/unit/support.h"

#include "wire/first_bytes.h"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t length;
	const char *text;
	bool may_be_dns;
} cases[] = {
    {BYTES("SSH-2.0-OpenSSH_9.2p1 Debian"),
	"an SSH banner, \"SSH-2.0-OpenSSH_\"", false},
    {BYTES("HTTP/1.1 400 Bad"), "an HTTP answer, \"HTTP/1.1 400 Bad\"", false},
    {BYTES("<!DOCTYPE HTML>\n"),
	"an HTML page of an HTTP server, \"<!DOCTYPE HTML>\"", false},
    {BYTES("\x15\x03\x01\x00\x02\x02\x46"), "a TLS alert, 15 03 01 00 02 02 46",
	false},
    {BYTES("\x16\x03\x03\x00\x7a"), "a TLS handshake, 16 03 03 00 7a", false},
    {BYTES("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07"),
	"a DNS message without its length in front, "
	"12 34 81 80 00 01 00 01 00 00 00 00 07",
	false},
    {BYTES("\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03"),
	"HTTP/2 settings, 00 00 12 04 00 00 00 00 00 00 03", false},
    /* with its length: nothing of it is wrong so far */
    {BYTES("\x00\x2d\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07"),
	"an unexpected DNS message, "
	"00 2d 12 34 81 80 00 01 00 01 00 00 00 00 07",
	true},
    {BYTES("\x00\x2d\x12\x34\x81"), "00 2d 12 34 81", true},
    {BYTES("\x00"), "00", true},
    {BYTES("H"), "48", true},
    {BYTES("HT"), "48 54", false},
    {BYTES("220 mail.example ESMTP"), "\"220 mail.example\"", false},
    {BYTES("y\ny\ny\ny\n"), "79 0a 79 0a 79 0a 79 0a", false},
    /* no message is shorter than its header */
    {BYTES("\x00\x05\x00\x00\x00\x00\x00"), "00 05 00 00 00 00 00", false},
    {BYTES("\x00\x00\x00\x00"), "00 00 00 00", false},
    /* 257 questions */
    {BYTES("\x00\x2d\x12\x34\x81\x80\x01\x01"), "00 2d 12 34 81 80 01 01",
	false},
};

static void
first_bytes_are_named(void **state)
{
	char text[FIRST_BYTES_TEXT];
	struct first_bytes f;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		memset(&f, 0, sizeof(f));
		first_bytes_note(
		    &f, (const uint8_t *)cases[i].bytes, cases[i].length);
		assert_string_equal(
		    first_bytes_format(&f, text), cases[i].text);
		assert_int_equal(
		    first_bytes_may_be_dns(
			(const uint8_t *)cases[i].bytes, cases[i].length),
		    cases[i].may_be_dns);
	}
}

static void
only_the_first_are_kept(void **state)
{
	struct first_bytes f = {.length = 0};

	(void)state;
	first_bytes_note(&f, (const uint8_t *)"", 0);
	assert_int_equal(f.length, 0);
	first_bytes_note(&f, (const uint8_t *)"one", 3);
	first_bytes_note(&f, (const uint8_t *)"other", 5);
	assert_int_equal(f.length, 3);
	assert_memory_equal(f.at, "one", 3);
}

static void
a_message_cut_off_is_told_from_a_whole_one(void **state)
{
	static const char message[] = "\x00\x2d\x12\x34\x81\x80\x00\x01";
	struct first_bytes few = {.length = 0}, cut = few, whole = few;
	struct first_bytes sum = few;

	(void)state;
	first_bytes_note_cut(&few, (const uint8_t *)message, 7);
	first_bytes_note_cut(&cut, (const uint8_t *)message, 8);
	first_bytes_note(&whole, (const uint8_t *)message, 8);
	first_bytes_merge(&sum, &cut);
	first_bytes_merge(&sum, &whole);
	assert_true(sum.cut);
	assert_false(first_bytes_are_dns(&sum));
	assert_string_equal(
	    first_bytes_name(&few), "maybe the beginning of a DNS message");
	assert_string_equal(
	    first_bytes_name(&cut), "the beginning of a DNS message");
	assert_null(first_bytes_name(&whole));
}

static void
hex_goes_there_and_back(void **state)
{
	static const char *const wrong[] = {
	    "", "1", "0g", "0A", "000102030405060708090a0b0c0d0e0f10"};
	struct first_bytes f, back;
	char hex[2 * FIRST_BYTES_MOST + 1];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		memset(&f, 0, sizeof(f));
		first_bytes_note(
		    &f, (const uint8_t *)cases[i].bytes, cases[i].length);
		first_bytes_to_hex(&f, hex);
		assert_true(first_bytes_from_hex(&back, hex));
		assert_memory_equal(&back, &f, sizeof(f));
	}
	for (i = 0; i < LENGTH(wrong); i++)
		assert_false(first_bytes_from_hex(&back, wrong[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_bytes_are_named),
	    cmocka_unit_test(only_the_first_are_kept),
	    cmocka_unit_test(a_message_cut_off_is_told_from_a_whole_one),
	    cmocka_unit_test(hex_goes_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
