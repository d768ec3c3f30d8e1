/* Answers: to sound queries, to broken ones, to any bytes. */
#include "tests/unit/support.h"

#include "dns_reply.h"

#define ROUNDS 200000

/* A query for example.com with an OPT behind it, as dig sends. */
static const uint8_t with_opt[] = {0x00, 0x28, 0x12, 0x34, 0x01, 0x20, 0, 1, 0,
    0, 0, 0, 0, 1, 7, 'e', 'X', 'a', 'm', 'p', 'l', 'e', 3, 'c', 'o', 'm', 0, 0,
    1, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0};

#define PLAIN	   31 /* of these bytes, without the OPT */
#define QUESTION   14
#define OPT	   PLAIN
#define VERSION	   (OPT + 6)
#define ADDRESS	   16 /* bytes of the A record */
#define OPT_LENGTH 11

/* Its reply, from a copy with nothing behind it. */
static size_t
reply(uint8_t *out, const uint8_t *query, size_t length)
{
	uint8_t *exact = heap_copy(query, length);
	size_t used = dns_reply_build(out, exact, length);

	free(exact);
	if (used > 0)
		assert_int_equal(dns_get16(out), used - DNS_PREFIX_LENGTH);
	return used;
}

/* The query without the OPT, changed at one place. */
static size_t
reply_changed(uint8_t *out, size_t at, uint8_t value)
{
	uint8_t query[PLAIN];

	memcpy(query, with_opt, sizeof(query));
	dns_put16(query, PLAIN - DNS_PREFIX_LENGTH);
	query[13] = 0; /* ARCOUNT */
	query[at] = value;
	return reply(out, query, sizeof(query));
}

static void
expect_header(const uint8_t *out, size_t used, unsigned int rcode)
{
	assert_int_equal(used, DNS_QUESTION_OFFSET);
	assert_int_equal(out[5] & 0x0f, rcode);
	assert_true(out[4] & 0x80);
	assert_int_equal(dns_get16(out + 6), 0);
}

static void
an_address_with_flags_and_question(void **state)
{
	static const uint8_t record[ADDRESS] = {
	    0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1};
	uint8_t out[DNS_REPLY_MAX];
	size_t used = reply_changed(out, 13, 0);

	(void)state;
	assert_int_equal(used, PLAIN + ADDRESS);
	assert_int_equal(dns_get16(out + 2), 0x1234);
	assert_int_equal(dns_get16(out + 4), 0x8500); /* QR AA RD */
	assert_int_equal(dns_get16(out + 6), 1);
	assert_int_equal(dns_get16(out + 8), 1);
	assert_int_equal(dns_get16(out + 10), 0);
	assert_int_equal(dns_get16(out + 12), 0);
	assert_memory_equal(out + QUESTION, with_opt + QUESTION, 17);
	assert_memory_equal(out + PLAIN, record, ADDRESS);
	used = reply_changed(out, 4, 0);
	assert_int_equal(used, PLAIN + ADDRESS);
	assert_int_equal(dns_get16(out + 4), 0x8400); /* RD is copied */
}

static void
other_types_and_classes_have_no_record(void **state)
{
	uint8_t out[DNS_REPLY_MAX];

	(void)state;
	assert_int_equal(reply_changed(out, PLAIN - 3, DNS_TYPE_AAAA), PLAIN);
	assert_int_equal(dns_get16(out + 4), 0x8500);
	assert_int_equal(dns_get16(out + 8), 0);
	assert_int_equal(reply_changed(out, PLAIN - 1, 3), PLAIN); /* CH */
	assert_int_equal(dns_get16(out + 8), 0);
}

static void
an_opt_is_answered_with_one(void **state)
{
	uint8_t out[DNS_REPLY_MAX], query[sizeof(with_opt)];
	size_t used = reply(out, with_opt, sizeof(with_opt)), opt;

	(void)state;
	assert_int_equal(used, sizeof(with_opt) + ADDRESS);
	assert_int_equal(dns_get16(out + 12), 1);
	opt = used - OPT_LENGTH;
	assert_int_equal(out[opt], 0);
	assert_int_equal(dns_get16(out + opt + 1), 41);
	assert_int_equal(dns_get16(out + opt + 5), 0);
	assert_int_equal(dns_get16(out + opt + 7), 0x8000); /* DO */
	memcpy(query, with_opt, sizeof(query));
	query[VERSION] = 1;
	used = reply(out, query, sizeof(query));
	assert_int_equal(used, sizeof(with_opt)); /* BADVERS, no record */
	assert_int_equal(out[5] & 0x0f, 0);
	assert_int_equal(out[used - OPT_LENGTH + 5], 1);
	assert_int_equal(out[used - OPT_LENGTH + 6], 0);
}

static void
records_that_do_not_fit_are_an_error(void **state)
{
	uint8_t out[DNS_REPLY_MAX];
	uint8_t query[sizeof(with_opt) + OPT_LENGTH];

	(void)state;
	expect_header(out, reply_changed(out, 13, 1), DNS_FORMERR);
	expect_header(out, reply_changed(out, 9, 1), DNS_FORMERR);
	memcpy(query, with_opt, sizeof(with_opt));
	query[sizeof(with_opt) - 1] = 1; /* its data is not there */
	expect_header(out, reply(out, query, sizeof(with_opt)), DNS_FORMERR);
	/* two OPTs */
	memcpy(query, with_opt, sizeof(with_opt));
	memcpy(query + sizeof(with_opt), with_opt + OPT, OPT_LENGTH);
	dns_put16(query, sizeof(query) - DNS_PREFIX_LENGTH);
	assert_int_equal(
	    reply(out, query, sizeof(query)), sizeof(with_opt) + ADDRESS);
	query[13] = 2;
	expect_header(out, reply(out, query, sizeof(query)), DNS_FORMERR);
	/* records before the OPT are passed over, whatever names they have */
	query[13] = 1;
	query[11] = 1; /* NSCOUNT: what was an OPT has some other type */
	query[OPT + 2] = 99;
	assert_int_equal(
	    reply(out, query, sizeof(query)), sizeof(with_opt) + ADDRESS);
}

static void
broken_questions_are_an_error(void **state)
{
	uint8_t out[DNS_REPLY_MAX];

	(void)state;
	expect_header(out, reply_changed(out, QUESTION, 0xc0), DNS_FORMERR);
	expect_header(out, reply_changed(out, QUESTION, 63), DNS_FORMERR);
	expect_header(out, reply_changed(out, 7, 0), DNS_FORMERR);
	expect_header(out, reply_changed(out, 7, 2), DNS_FORMERR);
}

static void
other_opcodes_are_not_implemented(void **state)
{
	uint8_t out[DNS_REPLY_MAX];
	unsigned int opcode;

	(void)state;
	for (opcode = 1; opcode < 16; opcode++) {
		expect_header(out,
		    reply_changed(out, 4, (uint8_t)(opcode << 3 | 1)),
		    DNS_NOTIMP);
		assert_int_equal(out[4], 0x80 | opcode << 3 | 1);
	}
}

static void
responses_and_stumps_are_not_answered(void **state)
{
	uint8_t out[DNS_REPLY_MAX], query[sizeof(with_opt)];
	size_t length;

	(void)state;
	assert_int_equal(reply_changed(out, 4, 0x81), 0);
	for (length = 1; length < sizeof(with_opt); length++)
		assert_int_equal(reply(out, with_opt, length), 0);
	memcpy(query, with_opt, sizeof(query));
	for (length = 0; length < DNS_HEADER_LENGTH; length++) {
		dns_put16(query, (unsigned int)length);
		assert_int_equal(
		    reply(out, query, DNS_PREFIX_LENGTH + length), 0);
	}
}

static void
the_longest_name_fits(void **state)
{
	uint8_t out[DNS_REPLY_MAX], query[DNS_QUERY_MAX + OPT_LENGTH];
	char name[DNS_NAME_MAX];
	const char *why;
	ssize_t length;
	size_t i;

	(void)state;
	for (i = 0; i < 253; i++)
		name[i] = i % 64 == 63 ? '.' : 'x';
	name[253] = '\0';
	length = dns_query_build(query, sizeof(query), name, DNS_TYPE_A, &why);
	assert_int_equal(length, DNS_QUERY_MAX);
	memcpy(query + length, with_opt + OPT, OPT_LENGTH);
	dns_put16(query, sizeof(query) - DNS_PREFIX_LENGTH);
	query[13] = 1;
	assert_int_equal(reply(out, query, sizeof(query)), DNS_REPLY_MAX);
}

/* Sound queries with bytes changed, cut or made up. */
static void
anything_has_a_bounded_answer(void **state)
{
	uint8_t out[DNS_REPLY_MAX], query[sizeof(with_opt)];
	struct rng rng = {42};
	unsigned int round, changes;
	size_t length, used, answered = 0;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		memcpy(query, with_opt, sizeof(query));
		length = 1 + rng_below(&rng, sizeof(query));
		if (rng_below(&rng, 2) == 0)
			length = sizeof(query);
		if (length > DNS_PREFIX_LENGTH)
			dns_put16(
			    query, (unsigned int)(length - DNS_PREFIX_LENGTH));
		for (changes = 0; changes < round % 8; changes++)
			query[rng_below(&rng, length)] =
			    (uint8_t)rng_next(&rng);
		used = reply(out, query, length);
		assert_true(used < 2 * length);
		answered += used > 0;
	}
	assert_true(answered > ROUNDS / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_with_flags_and_question),
	    cmocka_unit_test(other_types_and_classes_have_no_record),
	    cmocka_unit_test(an_opt_is_answered_with_one),
	    cmocka_unit_test(records_that_do_not_fit_are_an_error),
	    cmocka_unit_test(broken_questions_are_an_error),
	    cmocka_unit_test(other_opcodes_are_not_implemented),
	    cmocka_unit_test(responses_and_stumps_are_not_answered),
	    cmocka_unit_test(the_longest_name_fits),
	    cmocka_unit_test(anything_has_a_bounded_answer),
	};

	return cmocka_run_group_tests_name("dns_reply", tests, NULL, NULL);
}
