#include "tests/unit/support.h"

#include <ctype.h>
#include <stdio.h>

#include "dns_query.h"

#define HEADER_END (DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH)

/* The query that both programs' documentation shows. */
static const uint8_t default_query[] = {0x00, 0x1d, 0x00, 0x00, 0x01, 0x00,
    0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 'e', 'x', 'a', 'm',
    'p', 'l', 'e', 0x03, 'c', 'o', 'm', 0x00, 0x00, 0x01, 0x00, 0x01};

/*
 * Building.
 */

/* Expects the query to be built, into an allocation with no byte to spare. */
static uint8_t *
built(const char *name, uint16_t type, size_t *length)
{
	uint8_t room[DNS_QUERY_MAX];
	const char *why = NULL;
	ssize_t n = dns_query_build(room, sizeof(room), name, type, &why);
	uint8_t *exact;

	if (n == -1)
		fail_msg("\"%s\" refused: %s", name, why);
	*length = (size_t)n;
	exact = malloc(*length);
	assert_non_null(exact);
	assert_int_equal(dns_query_build(exact, *length, name, type, &why), n);
	assert_memory_equal(exact, room, *length);
	return exact;
}

/* Expects a query for the name that is these bytes on the wire. */
static void
expect_name(const char *text, const void *wire, size_t wire_length)
{
	size_t length;
	uint8_t *query = built(text, DNS_TYPE_A, &length);

	assert_int_equal(length, HEADER_END + wire_length + 4);
	assert_int_equal(query[0] << 8 | query[1], length - DNS_PREFIX_LENGTH);
	assert_memory_equal(query + HEADER_END, wire, wire_length);
	free(query);
}

static void
expect_refused(const char *text)
{
	uint8_t room[DNS_QUERY_MAX];
	const char *why = NULL;

	if (dns_query_build(room, sizeof(room), text, DNS_TYPE_A, &why) != -1)
		fail_msg("\"%s\" not refused", text);
	assert_non_null(why);
	assert_int_not_equal(strlen(why), 0);
}

static void
build_default(void **state)
{
	size_t length;
	uint8_t *query = built("example.com", DNS_TYPE_A, &length);

	(void)state;
	assert_int_equal(length, 31);
	assert_int_equal(sizeof(default_query), 31);
	assert_memory_equal(query, default_query, sizeof(default_query));
	free(query);
}

static void
build_set_id(void **state)
{
	static const uint16_t ids[] = {0, 1, 0x00ff, 0x0100, 0x1234, 0xffff};
	uint8_t query[sizeof(default_query)], expected[sizeof(default_query)];
	size_t i;

	(void)state;
	memcpy(query, default_query, sizeof(query));
	for (i = 0; i < LENGTH(ids); i++) {
		memcpy(expected, default_query, sizeof(expected));
		expected[2] = (uint8_t)(ids[i] / 256);
		expected[3] = (uint8_t)(ids[i] % 256);
		dns_query_set_id(query, ids[i]);
		assert_memory_equal(query, expected, sizeof(expected));
	}
}

static void
build_types(void **state)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_NS,
	    DNS_TYPE_CNAME, DNS_TYPE_SOA, DNS_TYPE_PTR, DNS_TYPE_MX,
	    DNS_TYPE_TXT, DNS_TYPE_AAAA, DNS_TYPE_SRV, DNS_TYPE_ANY, 0, 256,
	    65535};
	/* as assigned (RFC 1035, 3.2.2; RFC 3596; RFC 2782) */
	static const unsigned int numbers[] = {
	    1, 2, 5, 6, 12, 15, 16, 28, 33, 255, 0, 256, 65535};
	uint8_t *query, expected[sizeof(default_query)];
	size_t length, i;

	(void)state;
	for (i = 0; i < LENGTH(types); i++) {
		memcpy(expected, default_query, sizeof(expected));
		expected[27] = (uint8_t)(numbers[i] / 256);
		expected[28] = (uint8_t)(numbers[i] % 256);
		query = built("example.com", types[i], &length);
		assert_int_equal(length, sizeof(expected));
		assert_memory_equal(query, expected, length);
		free(query);
	}
}

static void
build_names(void **state)
{
	(void)state;
	expect_name(".", "\0", 1);
	expect_name("a", "\1a\0", 3);
	expect_name("a.", "\1a\0", 3);
	expect_name("www.example.com", "\3www\7example\3com\0", 17);
	expect_name("www.example.com.", "\3www\7example\3com\0", 17);
	/* as it is written: case is kept, and any printable ASCII allowed */
	expect_name("_25._tcp.Example.COM", "\3_25\4_tcp\7Example\3COM\0", 22);
	expect_name("!#$%&'()*+,-/:;<=>?@[]^`{|}~\"",
	    "\35!#$%&'()*+,-/:;<=>?"
	    "@[]^`{|}~\"\0",
	    31);
}

static void
build_escapes(void **state)
{
	(void)state;
	expect_name("a\\.b", "\3a.b\0", 5);
	expect_name("a\\.b.c", "\3a.b\1c\0", 7);
	expect_name("\\.", "\1.\0", 3);
	expect_name("\\..", "\1.\0", 3);
	expect_name("\\\\", "\1\\\0", 3);
	expect_name("\\a\\\"", "\2a\"\0", 4);
	expect_name("\\000", "\1\0\0", 3);
	expect_name("\\255", "\1\377\0", 3);
	expect_name("\\046\\032", "\2. \0", 4);
	expect_name("\\0001", "\2\0001\0", 4);
	expect_name("\\1234", "\2{4\0", 4);

	expect_refused("\\256");
	expect_refused("\\300");
	expect_refused("\\999");
	expect_refused("\\25");
	expect_refused("\\2");
	expect_refused("a\\25.b");
	expect_refused("\\2a5");
	expect_refused("\\");
	expect_refused("a\\");
	expect_refused("a.b\\");
	expect_refused("\\ ");
	expect_refused("\\\t");
	expect_refused("\\\303\251");
}

static void
build_refused(void **state)
{
	char text[4] = "a.b";
	int c;

	(void)state;
	expect_refused("");
	expect_refused("..");
	expect_refused(".a");
	expect_refused("a..");
	expect_refused("a..b");
	expect_refused("a.b..");
	expect_refused(" ");
	expect_refused(" a");
	expect_refused("a ");
	expect_refused("a b");
	expect_refused("ex\303\244mple.com");
	for (c = 1; c < 256; c++) {
		if (c > 0x20 && c < 0x7f)
			continue;
		text[0] = (char)c;
		expect_refused(text);
		text[0] = 'a';
		text[2] = (char)c;
		expect_refused(text);
		text[2] = 'b';
	}
}

/* Appends a label of so many bytes to the text. */
static char *
put_label(char *text, int length)
{
	memset(text, 'x', (size_t)length);
	text[length] = '.';
	text[length + 1] = '\0';
	return text + length + 1;
}

static void
build_label_length(void **state)
{
	char text[400], *p = text;
	uint8_t wire[65];
	int i;

	(void)state;
	put_label(text, 63);
	memset(wire, 'x', sizeof(wire));
	wire[0] = 63;
	wire[64] = 0;
	expect_name(text, wire, sizeof(wire));
	put_label(text, 64);
	expect_refused(text);

	/* a byte is a byte, however it is written */
	for (i = 0; i < 63; i++)
		p += sprintf(p, "\\120");
	expect_name(text, wire, sizeof(wire));
	sprintf(p, "\\120");
	expect_refused(text);
}

static void
build_name_length(void **state)
{
	char text[400], *p = text;
	uint8_t *query;
	size_t length;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		p = put_label(p, 63);
	/* 3 * (1 + 63) + (1 + 61) + 1 */
	p = put_label(p, 61);
	query = built(text, DNS_TYPE_A, &length);
	assert_int_equal(length, HEADER_END + 255 + 4);
	assert_int_equal(length, DNS_QUERY_MAX);
	free(query);
	p[-1] = '\0';
	query = built(text, DNS_TYPE_A, &length);
	assert_int_equal(length, DNS_QUERY_MAX);
	free(query);

	put_label(text + 3 * 64, 62);
	expect_refused(text);
	/* 127 labels of one byte are 255 bytes, 128 are 257 */
	for (p = text, i = 0; i < 127; i++)
		p = put_label(p, 1);
	query = built(text, DNS_TYPE_A, &length);
	assert_int_equal(length, DNS_QUERY_MAX);
	free(query);
	put_label(p, 1);
	expect_refused(text);
}

static void
build_no_room(void **state)
{
	uint8_t *room;
	const char *why;
	size_t size;

	(void)state;
	for (size = 1; size < sizeof(default_query); size++) {
		room = malloc(size);
		assert_non_null(room);
		why = NULL;
		assert_int_equal(dns_query_build(room, size, "example.com",
				     DNS_TYPE_A, &why),
		    -1);
		assert_non_null(why);
		free(room);
	}
}

/* Appends one byte of a label in one of the ways in which it can be written. */
static char *
put_character(char *text, uint8_t c, struct rng *rng)
{
	bool plain = c > 0x20 && c < 0x7f && c != '.' && c != '\\';
	bool escapable = c > 0x20 && c < 0x7f && !isdigit(c);

	if (plain && rng_below(rng, 2) == 0)
		return text + sprintf(text, "%c", c);
	if (escapable && rng_below(rng, 2) == 0)
		return text + sprintf(text, "\\%c", c);
	return text + sprintf(text, "\\%03d", c);
}

/* Names of random bytes, written in a random way, come out as these bytes. */
static void
build_random_names(void **state)
{
	struct rng rng = {1};
	char text[DNS_NAME_MAX * 4 + 1], *p;
	uint8_t wire[DNS_NAME_MAX];
	size_t used, label, i;
	int round;

	(void)state;
	for (round = 0; round < 2000; round++) {
		p = text;
		used = 0;
		do {
			label = 1 + rng_below(&rng, 63);
			if (used + 1 + label + 1 > sizeof(wire))
				label = sizeof(wire) - 2 - used;
			wire[used++] = (uint8_t)label;
			for (i = 0; i < label; i++, used++) {
				wire[used] = (uint8_t)rng_next(&rng);
				p = put_character(p, wire[used], &rng);
			}
			p += sprintf(p, ".");
		} while (used + 3 <= sizeof(wire) && rng_below(&rng, 6) > 0);
		wire[used++] = 0;
		if (rng_below(&rng, 2) == 0)
			p[-1] = '\0';
		expect_name(text, wire, used);
	}
}

/*
 * Reading.
 */

/* A message with its length in front, to be put together and read. */
struct bytes {
	uint8_t at[1024];
	size_t length;
};

static void
append(struct bytes *b, const void *data, size_t length)
{
	assert_true(b->length + length <= sizeof(b->at));
	memcpy(b->at + b->length, data, length);
	b->length += length;
}

/* What is of no interest: as many bytes, all of them a label's length. */
static void
append_filler(struct bytes *b, size_t length)
{
	assert_true(b->length + length <= sizeof(b->at));
	memset(b->at + b->length, 1, length);
	b->length += length;
}

/* Starts a message; finish() sets the length. */
static void
start(struct bytes *b, uint16_t id, uint16_t flags, uint16_t questions)
{
	const uint8_t header[HEADER_END] = {0, 0, (uint8_t)(id >> 8),
	    (uint8_t)id, (uint8_t)(flags >> 8), (uint8_t)flags,
	    (uint8_t)(questions >> 8), (uint8_t)questions};

	b->length = 0;
	append(b, header, sizeof(header));
}

static void
finish(struct bytes *b)
{
	b->at[0] = (uint8_t)((b->length - DNS_PREFIX_LENGTH) >> 8);
	b->at[1] = (uint8_t)(b->length - DNS_PREFIX_LENGTH);
}

/* Reads a copy with nothing behind it; the question is compared and forgotten. */
static enum dns_result
read_exact(const struct bytes *b, struct dns_message *m)
{
	uint8_t *copy = heap_copy(b->at, b->length);
	enum dns_result result = dns_message_read(copy, b->length, m);

	if (result == DNS_COMPLETE && m->question != NULL) {
		assert_ptr_equal(m->question, copy + HEADER_END);
		assert_memory_equal(
		    m->question, b->at + HEADER_END, m->question_length);
	}
	m->question = NULL;
	free(copy);
	return result;
}

static void
expect_malformed(const struct bytes *b)
{
	struct dns_message m;

	assert_int_equal(read_exact(b, &m), DNS_MALFORMED);
	assert_int_equal(m.framed_length, b->length);
}

static void
read_query_and_reply(void **state)
{
	uint8_t reply[sizeof(default_query)];
	struct dns_message m;

	(void)state;
	memcpy(reply, default_query, sizeof(reply));
	assert_int_equal(
	    dns_message_read(reply, sizeof(reply), &m), DNS_COMPLETE);
	assert_int_equal(m.framed_length, sizeof(reply));
	assert_int_equal(m.id, 0);
	assert_int_equal(m.flags, 0x0100);
	assert_ptr_equal(m.question, reply + HEADER_END);
	assert_int_equal(m.question_length, 17);
	assert_false(dns_message_is_response(&m));
	assert_int_equal(dns_message_rcode(&m), 0);

	dns_query_set_id(reply, 0xabcd);
	reply[4] = 0x81;
	reply[5] = 0x83;
	assert_int_equal(
	    dns_message_read(reply, sizeof(reply), &m), DNS_COMPLETE);
	assert_int_equal(m.id, 0xabcd);
	assert_int_equal(m.flags, 0x8183);
	assert_true(dns_message_is_response(&m));
	assert_int_equal(dns_message_rcode(&m), 3);
}

static void
read_prefixes(void **state)
{
	struct bytes b = {.length = 0};
	struct dns_message m;
	size_t whole;

	(void)state;
	start(&b, 7, 0x8180, 1);
	append(&b, default_query + HEADER_END, 17);
	append_filler(&b, 300); /* the answer, as far as this reads it */
	finish(&b);
	whole = b.length;
	for (b.length = 1; b.length < whole; b.length++) {
		assert_int_equal(read_exact(&b, &m), DNS_INCOMPLETE);
		assert_int_equal(m.framed_length, b.length < 2 ? 0 : whole);
	}
	assert_int_equal(read_exact(&b, &m), DNS_COMPLETE);
	assert_int_equal(m.framed_length, whole);
	assert_int_equal(m.question_length, 17);
}

static void
read_nothing(void **state)
{
	struct dns_message m;

	(void)state;
	assert_int_equal(
	    dns_message_read(default_query, 0, &m), DNS_INCOMPLETE);
	assert_int_equal(m.framed_length, 0);
	assert_int_equal(dns_message_read(NULL, 0, &m), DNS_INCOMPLETE);
	assert_int_equal(m.framed_length, 0);
}

static void
read_glued(void **state)
{
	static const enum dns_result expected[] = {DNS_COMPLETE, DNS_MALFORMED,
	    DNS_MALFORMED, DNS_COMPLETE, DNS_INCOMPLETE};
	static const size_t lengths[] = {31, 2, 5, 14, 31};
	struct bytes b = {.length = 0};
	struct dns_message m;
	size_t used = 0, i;

	(void)state;
	append(&b, default_query, sizeof(default_query));
	append(&b, "\0\0", 2);
	append(&b, "\0\3abc", 5);
	append(&b, "\0\14\1\2\200\5\0\0\0\0\0\0\0\0", 14);
	append(&b, default_query, sizeof(default_query) - 1);
	for (i = 0; i < LENGTH(expected); i++) {
		assert_int_equal(
		    dns_message_read(b.at + used, b.length - used, &m),
		    expected[i]);
		assert_int_equal(m.framed_length, lengths[i]);
		used += m.framed_length;
	}
	assert_int_equal(used, b.length + 1);
}

static void
read_shorter_than_header(void **state)
{
	struct bytes b;
	struct dns_message m;
	size_t n;

	(void)state;
	for (n = 0; n < DNS_HEADER_LENGTH; n++) {
		memset(&b, 0, sizeof(b));
		b.length = DNS_PREFIX_LENGTH + n;
		finish(&b);
		expect_malformed(&b);
		/* what follows is the next message's */
		b.length += 40;
		assert_int_equal(read_exact(&b, &m), DNS_MALFORMED);
		assert_int_equal(m.framed_length, DNS_PREFIX_LENGTH + n);
	}
}

static void
read_no_question(void **state)
{
	struct bytes b;
	struct dns_message m;

	(void)state;
	start(&b, 0xffff, 0x8005, 0);
	finish(&b);
	m.question = b.at;
	m.question_length = 1;
	assert_int_equal(dns_message_read(b.at, b.length, &m), DNS_COMPLETE);
	assert_null(m.question);
	assert_int_equal(m.question_length, 0);
	assert_int_equal(m.framed_length, HEADER_END);
	assert_int_equal(m.id, 0xffff);
	assert_int_equal(dns_message_rcode(&m), 5);

	/* whatever else is in it is not looked at */
	append(&b, "\300\300\300", 3);
	finish(&b);
	assert_int_equal(read_exact(&b, &m), DNS_COMPLETE);
	assert_int_equal(m.framed_length, HEADER_END + 3);
}

static void
read_question_runs_out(void **state)
{
	struct bytes b = {.length = 0};
	struct dns_message m;

	(void)state;
	append(&b, default_query, sizeof(default_query));
	for (b.length = HEADER_END; b.length < sizeof(default_query);
	     b.length++) {
		finish(&b);
		expect_malformed(&b);
	}
	/* the message ends within the question, the bytes do not */
	finish(&b);
	b.at[1]--;
	assert_int_equal(read_exact(&b, &m), DNS_MALFORMED);
	assert_int_equal(m.framed_length, sizeof(default_query) - 1);

	/* a label that reaches beyond the end, or just to it */
	start(&b, 1, 0x8000, 1);
	append(&b, "\77abc\0\0\1\0\1", 9);
	finish(&b);
	expect_malformed(&b);
	start(&b, 1, 0x8000, 1);
	append(&b, "\3abc", 4);
	finish(&b);
	expect_malformed(&b);
	/* QDCOUNT is two bytes */
	start(&b, 1, 0x8000, 0x0100);
	finish(&b);
	expect_malformed(&b);
}

static void
read_compressed(void **state)
{
	struct bytes b;
	unsigned int type;
	uint8_t label[2] = {0, 0x0c};

	(void)state;
	for (type = 0x40; type < 0x100; type++) {
		label[0] = (uint8_t)type;
		start(&b, 1, 0x8180, 1);
		append(&b, label, 2);
		append(&b, "\0\1\0\1", 4);
		append_filler(&b, 300);
		finish(&b);
		expect_malformed(&b);

		start(&b, 1, 0x8180, 1);
		append(&b, "\3www", 4);
		append(&b, label, 2);
		append(&b, "\0\1\0\1", 4);
		append_filler(&b, 300);
		finish(&b);
		expect_malformed(&b);
	}
}

/* A question whose name has three labels of 63 bytes and this one. */
static void
append_long_question(struct bytes *b, uint8_t last)
{
	static const uint8_t filling[64] = {63};
	int i;

	for (i = 0; i < 3; i++)
		append(b, filling, sizeof(filling));
	append(b, &last, 1);
	append(b, filling + 1, last);
	append(b, "\0\0\1\0\1", 5);
}

static void
read_long_names(void **state)
{
	struct bytes b;
	struct dns_message m;
	uint8_t last;

	(void)state;
	for (last = 1; last <= 63; last++) {
		start(&b, 1, 0x8180, 1);
		append_long_question(&b, last);
		append_filler(&b, 64);
		finish(&b);
		/* 3 * 64, the last label and its length, the root */
		if (3 * 64 + 1 + last + 1 > 255)
			expect_malformed(&b);
		else {
			assert_int_equal(read_exact(&b, &m), DNS_COMPLETE);
			assert_int_equal(
			    m.question_length, 3 * 64 + 1 + last + 1 + 4);
		}
	}
	/* the root is the shortest of names */
	start(&b, 1, 0x8180, 1);
	append(&b, "\0\0\2\0\1", 5);
	finish(&b);
	assert_int_equal(read_exact(&b, &m), DNS_COMPLETE);
	assert_int_equal(m.question_length, 5);
}

static void
read_rcodes(void **state)
{
	/* RFC 6895, 2.3; RFC 8490, 10.2 */
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL",
	    "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
	    "NOTAUTH", "NOTZONE", "DSOTYPENI", "RCODE12", "RCODE13", "RCODE14",
	    "RCODE15"};
	struct bytes b;
	struct dns_message m;
	unsigned int rcode;

	(void)state;
	assert_int_equal(DNS_RCODES, 16);
	for (rcode = 0; rcode < 16; rcode++) {
		start(&b, 1, (uint16_t)(0x85f0 | rcode), 0);
		finish(&b);
		assert_int_equal(read_exact(&b, &m), DNS_COMPLETE);
		assert_int_equal(dns_message_rcode(&m), rcode);
		assert_string_equal(dns_rcode_name(rcode), names[rcode]);
	}
}

/*
 * Comparing.
 */

static bool
equal(const void *a, size_t a_length, const void *b, size_t b_length)
{
	uint8_t *x = heap_copy(a, a_length), *y = heap_copy(b, b_length);
	bool result = dns_question_equal(x, a_length, y, b_length);

	assert_int_equal(dns_question_equal(y, b_length, x, a_length), result);
	free(x);
	free(y);
	return result;
}

static void
question_equality(void **state)
{
	static const char question[] = "\7example\3com\0\0\1\0";
	static const char upper[] = "\7EXAMPLE\3COM\0\0\1\0";
	static const char mixed[] = "\7eXaMpLe\3cOm\0\0\1\0";
	char other[sizeof(question)];
	size_t length = sizeof(question), i;

	(void)state;
	memcpy(other, question, length);
	other[length - 1] = 1; /* the class */
	assert_false(equal(question, length, other, length));
	assert_true(equal(question, length, question, length));
	assert_true(equal(question, length, upper, length));
	assert_true(equal(upper, length, mixed, length));
	assert_false(equal(question, length, question, length - 1));
	/* one byte other, wherever it is */
	for (i = 0; i < length; i++) {
		memcpy(other, question, length);
		other[i] = (char)(other[i] + 1);
		assert_false(equal(question, length, other, length));
		assert_false(equal(upper, length, other, length));
	}
	/* too short to be a question at all */
	for (i = 1; i < 4; i++)
		assert_false(equal("\0\0\0", i, "\0\0\0", i));
}

/* Of all 256 x 256 pairs of bytes, letters alone have a second form. */
static void
question_case_folding(void **state)
{
	uint8_t a[] = "\3a?b\0\0\1\0\1", b[] = "\3A?B\0\0\1\0\1";
	const size_t length = sizeof(a) - 1;
	unsigned int x, y;
	bool same;

	(void)state;
	for (x = 0; x < 256; x++)
		for (y = 0; y < 256; y++) {
			a[2] = (uint8_t)x;
			b[2] = (uint8_t)y;
			same = x == y ||
			    (x < 128 && y < 128 && isalpha((int)x) &&
				tolower((int)x) == tolower((int)y));
			assert_int_equal(
			    dns_question_equal(a, length, b, length), same);
		}
	/* type and class that look like letters are still numbers */
	assert_false(equal("\1a\0\0A\0\1", 7, "\1A\0\0a\0\1", 7));
	assert_false(equal("\1a\0A\0\0\1", 7, "\1A\0a\0\0\1", 7));
	assert_false(equal("\1a\0\0\1\0A", 7, "\1A\0\0\1\0a", 7));
	assert_false(equal("\1a\0\0\1A\0", 7, "\1A\0\0\1a\0", 7));
}

/*
 * Anything.
 */

/* The end of the question's name at p, or NULL: bounds first, then the byte. */
static const uint8_t *
model_name_end(const uint8_t *p, const uint8_t *end, size_t room)
{
	if (p >= end || room == 0 || *p >= 64)
		return NULL;
	if (*p == 0)
		return p + 1;
	if (room < 1U + *p || (size_t)(end - p) < 1U + *p)
		return NULL;
	return model_name_end(p + 1 + *p, end, room - 1 - *p);
}

static enum dns_result
model_read(const uint8_t *data, size_t length, struct dns_message *m)
{
	const uint8_t *name_end, *end;
	ptrdiff_t least;
	size_t i;

	memset(m, 0, sizeof(*m));
	if (length < 2)
		return DNS_INCOMPLETE;
	m->framed_length = 2 + data[0] * 256U + data[1];
	if (m->framed_length > length)
		return DNS_INCOMPLETE;
	if (m->framed_length < 2 + 12)
		return DNS_MALFORMED;
	m->id = (uint16_t)(data[2] * 256U + data[3]);
	m->flags = (uint16_t)(data[4] * 256U + data[5]);
	end = data + m->framed_length;
	least = 5 * (data[6] * 256L + data[7]);
	for (i = 8; i < 14; i += 2)
		least += 11 * (data[i] * 256L + data[i + 1]);
	if (data[6] == 0 && data[7] == 0)
		return end - (data + 14) < least ? DNS_MALFORMED : DNS_COMPLETE;
	m->question = data + 14;
	name_end = model_name_end(m->question, end, 255);
	if (name_end == NULL || end - name_end < 4)
		return DNS_MALFORMED;
	m->question_length = (size_t)(name_end + 4 - m->question);
	return end - (name_end + 4) < least - 5 ? DNS_MALFORMED : DNS_COMPLETE;
}

static void
expect_as_model(const uint8_t *data, size_t length, unsigned int seen[3])
{
	struct dns_message is, should;
	enum dns_result result = model_read(data, length, &should);

	assert_int_equal(dns_message_read(data, length, &is), result);
	assert_int_equal(is.framed_length, should.framed_length);
	seen[result]++;
	if (result != DNS_COMPLETE)
		return;
	assert_int_equal(is.id, should.id);
	assert_int_equal(is.flags, should.flags);
	assert_ptr_equal(is.question, should.question);
	assert_int_equal(is.question_length, should.question_length);
}

/* Random bytes, made to look like a message the more the higher the likeness. */
static void
fill(uint8_t *data, size_t length, uint64_t likeness, struct rng *rng)
{
	size_t i;

	for (i = 0; i < length; i++)
		data[i] = (uint8_t)rng_next(rng);
	if (likeness < 1 || length < 2)
		return;
	/* a length about right, more often exactly */
	data[0] = (uint8_t)((length - 2) >> 8);
	data[1] = (uint8_t)(length - 2);
	if (rng_below(rng, 4) == 0)
		data[1] = (uint8_t)(data[1] + rng_below(rng, 5) - 2);
	if (likeness < 2 || length < HEADER_END)
		return;
	data[6] = 0;
	data[7] = (uint8_t)rng_below(rng, 2);
	/* few records, so that there is room for them at times */
	memset(data + 8, 0, 6);
	data[9 + 2 * rng_below(rng, 3)] = (uint8_t)rng_below(rng, 4);
	/* labels as they should be, most of them */
	for (i = HEADER_END; i < length;) {
		data[i] = (uint8_t)rng_below(rng, 66);
		if (rng_below(rng, 4) == 0)
			data[i] = 0;
		if (data[i] == 0)
			break;
		i += 1U + data[i];
	}
}

static void
read_anything(void **state)
{
	struct rng rng = {0x746370};
	unsigned int seen[3] = {0, 0, 0};
	uint8_t *data;
	size_t length;
	int round;

	(void)state;
	for (round = 0; round < 200000; round++) {
		length = 1 + rng_below(&rng, round % 4 == 0 ? 400 : 40);
		data = malloc(length);
		assert_non_null(data);
		fill(data, length, (uint64_t)round % 3, &rng);
		expect_as_model(data, length, seen);
		free(data);
	}
	/* or else it was not anything that was read */
	assert_true(seen[DNS_INCOMPLETE] > 10000);
	assert_true(seen[DNS_MALFORMED] > 10000);
	assert_true(seen[DNS_COMPLETE] > 10000);
}

/*
 * Answers: the two ways to read them, whole and by comparing bytes, agree.
 */

/* Reads a copy with nothing behind it, both ways. Whether it may answer. */
static bool
may_answer(const struct bytes *b, const uint8_t *query, size_t query_length)
{
	uint8_t *copy = heap_copy(b->at, b->length);
	uint8_t *asked = heap_copy(query, query_length);
	struct dns_message is, should;
	enum dns_result result = model_read(copy, b->length, &should);
	bool answers = false, same;

	assert_int_equal(dns_answer_read(copy, b->length, asked, query_length,
			     &is, &answers),
	    result);
	assert_int_equal(is.framed_length, should.framed_length);
	same = result == DNS_COMPLETE;
	if (result == DNS_COMPLETE) {
		assert_int_equal(is.id, should.id);
		assert_int_equal(is.flags, should.flags);
		assert_ptr_equal(is.question, should.question);
		assert_int_equal(is.question_length, should.question_length);
		same = should.question == NULL ?
		    (should.flags & 0x8000) != 0 :
		    dns_question_equal(should.question, should.question_length,
			query + HEADER_END, query_length - HEADER_END);
		assert_int_equal(answers, same);
	}
	free(copy);
	free(asked);
	return same;
}

static bool
may_answer_default(const struct bytes *b)
{
	return may_answer(b, default_query, sizeof(default_query));
}

static void
answer_read(void **state)
{
	struct bytes b = {.length = 0};
	size_t whole;

	(void)state;
	append(&b, default_query, sizeof(default_query));
	assert_true(may_answer_default(&b)); /* an echo */
	dns_query_set_id(b.at, 0xabcd);
	b.at[4] = 0x81;
	b.at[5] = 0x82;
	assert_true(may_answer_default(&b));
	/* with what answers have behind the question */
	append_filler(&b, 100);
	finish(&b);
	assert_true(may_answer_default(&b));
	/* followed by another, and cut off at every byte */
	whole = b.length;
	append_filler(&b, 40);
	assert_true(may_answer_default(&b));
	for (b.length = 1; b.length < whole; b.length++)
		assert_false(may_answer_default(&b));
	/* without a question */
	b.length = HEADER_END;
	b.at[7] = 0;
	finish(&b);
	assert_true(may_answer_default(&b));
	/* which a query does not have, nor an echo of one */
	b.at[4] &= 0x7f;
	assert_false(may_answer_default(&b));
	memset(b.at + DNS_PREFIX_LENGTH, 0, DNS_HEADER_LENGTH);
	assert_false(may_answer_default(&b));
}

/* Of each section: one record of 11 bytes has room in 11 bytes, two have not. */
static void
answer_with_wrong_counts(void **state)
{
	static const uint8_t record[] = {0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0};
	struct bytes b = {.length = 0};
	struct dns_message m;
	size_t count;

	(void)state;
	append(&b, default_query, sizeof(default_query));
	b.at[4] = 0x81;
	append(&b, record, sizeof(record));
	finish(&b);
	for (count = 8; count < 14; count += 2) {
		b.at[count + 1] = 1;
		assert_true(may_answer_default(&b));
		b.at[count + 1] = 2;
		expect_malformed(&b);
		assert_false(may_answer_default(&b));
		b.at[count] = b.at[count + 1] = 0xff;
		expect_malformed(&b);
		assert_false(may_answer_default(&b));
		b.at[count] = b.at[count + 1] = 0;
	}
	/* one byte less */
	b.at[9] = 1;
	b.length--;
	finish(&b);
	expect_malformed(&b);
	/* no question, as of many that are refused, and more than there can be */
	b.length = HEADER_END;
	b.at[7] = b.at[9] = 0;
	finish(&b);
	assert_int_equal(read_exact(&b, &m), DNS_COMPLETE);
	b.at[9] = 1;
	expect_malformed(&b);
	start(&b, 1, 0x8180, 2);
	append(&b, "\0\0\1\0\1", 5);
	append(&b, "\0\0\1\0", 4);
	finish(&b);
	expect_malformed(&b);
}

static void
answer_to_something_else(void **state)
{
	struct bytes b = {.length = 0};
	size_t i;

	(void)state;
	append(&b, default_query, sizeof(default_query));
	for (i = HEADER_END; i < b.length; i++) {
		b.at[i] ^= 1;
		assert_false(may_answer_default(&b));
		b.at[i] ^= 1;
	}
	b.at[HEADER_END + 1] ^= 0x20; /* Example.com */
	assert_true(may_answer_default(&b));
	b.at[HEADER_END + 1] ^= 0x20;
	/* the message ends within the question, the bytes do not */
	b.at[1]--;
	assert_false(may_answer_default(&b));
	/* the same question behind another one, or in front of it */
	start(&b, 1, 0x8180, 2);
	append(&b, default_query + HEADER_END, 17);
	append(&b, "\0\0\1\0\1", 5);
	finish(&b);
	assert_true(may_answer_default(&b));
	start(&b, 1, 0x8180, 2);
	append(&b, "\0\0\1\0\1", 5);
	append(&b, default_query + HEADER_END, 17);
	finish(&b);
	assert_false(may_answer_default(&b));
}

/* Answers to queries for names of any length, with bytes changed here or there. */
static void
answer_anything(void **state)
{
	static const char *const names[] = {".", "a", "example.com",
	    "A-Longer.Name.With.Many.Labels.In.It.example.net"};
	struct rng rng = {23};
	uint8_t *query[LENGTH(names)];
	size_t length[LENGTH(names)], n, at;
	unsigned int seen[2] = {0, 0};
	struct bytes b;
	int round;

	(void)state;
	for (n = 0; n < LENGTH(names); n++)
		query[n] = built(names[n], DNS_TYPE_AAAA, &length[n]);
	for (round = 0; round < 50000; round++) {
		n = rng_below(&rng, LENGTH(names));
		b.length = 0;
		append(&b, query[n], length[n]);
		append_filler(&b, rng_below(&rng, 3) * rng_below(&rng, 40));
		finish(&b);
		if (rng_below(&rng, 2) == 0) {
			at = rng_below(&rng, b.length);
			b.at[at] ^= (uint8_t)(1U << rng_below(&rng, 8));
		}
		if (rng_below(&rng, 4) == 0)
			b.length -= rng_below(&rng, b.length);
		n = (n + rng_below(&rng, 8) / 7) % LENGTH(names);
		seen[may_answer(&b, query[n], length[n])]++;
	}
	assert_true(seen[false] > 5000);
	assert_true(seen[true] > 5000);
	for (n = 0; n < LENGTH(names); n++)
		free(query[n]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(build_default),
	    cmocka_unit_test(build_set_id),
	    cmocka_unit_test(build_types),
	    cmocka_unit_test(build_names),
	    cmocka_unit_test(build_escapes),
	    cmocka_unit_test(build_refused),
	    cmocka_unit_test(build_label_length),
	    cmocka_unit_test(build_name_length),
	    cmocka_unit_test(build_no_room),
	    cmocka_unit_test(build_random_names),
	    cmocka_unit_test(read_query_and_reply),
	    cmocka_unit_test(read_prefixes),
	    cmocka_unit_test(read_nothing),
	    cmocka_unit_test(read_glued),
	    cmocka_unit_test(read_shorter_than_header),
	    cmocka_unit_test(read_no_question),
	    cmocka_unit_test(read_question_runs_out),
	    cmocka_unit_test(read_compressed),
	    cmocka_unit_test(read_long_names),
	    cmocka_unit_test(read_rcodes),
	    cmocka_unit_test(question_equality),
	    cmocka_unit_test(question_case_folding),
	    cmocka_unit_test(read_anything),
	    cmocka_unit_test(answer_read),
	    cmocka_unit_test(answer_with_wrong_counts),
	    cmocka_unit_test(answer_to_something_else),
	    cmocka_unit_test(answer_anything),
	};

	return cmocka_run_group_tests_name("dns_query", tests, NULL, NULL);
}
