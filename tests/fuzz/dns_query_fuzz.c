/*
 * dns_query: names from a command line, and bytes from a server.
 *
 * Input: any bytes; as a name up to the first NUL byte, and as a stream.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns_query.h"
#include "tests/fuzz/fuzz.h"

/* The name of a framed query in presentation form, every byte escaped. */
static void
name_to_text(const uint8_t *query, char *out)
{
	const uint8_t *at = query + DNS_QUESTION_OFFSET;
	size_t length;

	if (*at == 0)
		*out++ = '.';
	for (; *at != 0; *out++ = '.')
		for (length = *at++; length > 0; length--)
			out += sprintf(out, "\\%03u", (unsigned int)*at++);
	*out = '\0';
}

/* What was built is one whole message, and its name is the one given. */
static void
check_name(const char *name)
{
	uint8_t query[DNS_QUERY_MAX], again[DNS_QUERY_MAX];
	char text[4 * DNS_NAME_MAX + DNS_NAME_MAX];
	struct dns_message m;
	const char *why = NULL;
	ssize_t length, other;

	length =
	    dns_query_build(query, sizeof(query), name, DNS_TYPE_AAAA, &why);
	if (length == -1) {
		FUZZ_CHECK(why != NULL && fuzz_is_message(why));
		return;
	}
	FUZZ_CHECK(dns_message_read(query, (size_t)length, &m) == DNS_COMPLETE);
	FUZZ_CHECK(m.framed_length == (size_t)length);
	FUZZ_CHECK(m.question_length == (size_t)length - DNS_QUESTION_OFFSET);
	name_to_text(query, text);
	other =
	    dns_query_build(again, sizeof(again), text, DNS_TYPE_AAAA, &why);
	FUZZ_CHECK(other == length);
	FUZZ_CHECK(memcmp(query, again, (size_t)length) == 0);
	FUZZ_CHECK(dns_query_build(again, (size_t)length - 1, name,
		       DNS_TYPE_AAAA, &why) == -1);
}

/* The short way of dns_answer_read() says what the long one says. */
static void
check_answer(const uint8_t *data, size_t length)
{
	struct dns_message fast = {0}, slow = {0};
	uint8_t query[DNS_QUERY_MAX];
	bool fast_answers, slow_answers;
	enum dns_result result;
	const char *why;
	size_t query_length = (size_t)dns_query_build(
	    query, sizeof(query), "example.com", DNS_TYPE_A, &why);

	result = dns_answer_read(
	    data, length, query, query_length, &fast, &fast_answers);
	FUZZ_CHECK(result ==
	    dns_answer_parse(
		data, length, query, query_length, &slow, &slow_answers));
	FUZZ_CHECK(fast.framed_length == slow.framed_length);
	FUZZ_CHECK(fast_answers == slow_answers);
	if (result != DNS_COMPLETE)
		return;
	FUZZ_CHECK(fast.id == slow.id && fast.flags == slow.flags);
	FUZZ_CHECK(dns_rcode_name(dns_message_rcode(&fast)) != NULL);
}

/* Each message takes a step forward and lies within what was given. */
static void
check_stream(const uint8_t *data, size_t length)
{
	struct dns_message m;
	enum dns_result result;

	for (;;) {
		check_answer(data, length);
		result = dns_message_read(data, length, &m);
		if (result == DNS_INCOMPLETE)
			break;
		FUZZ_CHECK(m.framed_length >= DNS_PREFIX_LENGTH);
		FUZZ_CHECK(m.framed_length <= length);
		if (result == DNS_COMPLETE && m.question != NULL) {
			FUZZ_CHECK(m.question + m.question_length <=
			    data + m.framed_length);
			FUZZ_CHECK(dns_question_equal(m.question,
			    m.question_length, m.question, m.question_length));
		}
		data += m.framed_length;
		length -= m.framed_length;
	}
	FUZZ_CHECK(m.framed_length == 0 ? length < DNS_PREFIX_LENGTH :
					  length < m.framed_length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	char *name = fuzz_text(data, size);

	check_name(name);
	check_stream(copy, size);
	free(name);
	free(copy);
	return 0;
}
