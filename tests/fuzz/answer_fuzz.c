/*
 * server/answer, server/frame and dns_reply: what a message gets in each mode.
 *
 * Input: a byte for the mode, one for where the stream is cut, then the stream.
 */
#include <stdlib.h>
#include <string.h>

#include "dns_query.h"
#include "dns_reply.h"
#include "server/answer.h"
#include "server/frame.h"
#include "tests/fuzz/fuzz.h"

/* An answer is one whole message with the query's ID, and no query itself. */
static void
check_reply(const uint8_t *query, size_t length)
{
	uint8_t reply[DNS_REPLY_MAX], none[DNS_REPLY_MAX];
	struct dns_message asked, given;
	size_t made = dns_reply_build(reply, query, length);

	if (made == 0)
		return;
	FUZZ_CHECK(made <= DNS_REPLY_MAX && made <= ANSWER_GROWTH * length);
	FUZZ_CHECK(dns_message_read(reply, made, &given) == DNS_COMPLETE);
	FUZZ_CHECK(given.framed_length == made);
	FUZZ_CHECK(dns_message_is_response(&given));
	FUZZ_CHECK(given.id == dns_get16(query + DNS_PREFIX_LENGTH));
	if (dns_message_read(query, length, &asked) == DNS_COMPLETE &&
	    given.question != NULL)
		FUZZ_CHECK(
		    dns_question_equal(asked.question, asked.question_length,
			given.question, given.question_length));
	FUZZ_CHECK(dns_reply_build(none, reply, made) == 0);
}

/* Cuts all whole messages off the stream, and answers each of them. */
static void
check_messages(enum service_mode mode, const uint8_t *data, size_t length)
{
	struct frame frame = {0};
	uint64_t messages = 0, ended;
	uint8_t *message, *out;
	size_t n, made;
	bool noise;

	while ((n = answer_cut(mode, data, length, &noise)) > 0) {
		FUZZ_CHECK(n <= length);
		FUZZ_CHECK(!noise || mode == SERVICE_PING);
		if (!noise) {
			FUZZ_CHECK(n <= ANSWER_MESSAGE_MOST);
			messages++;
			message = fuzz_copy(data, n);
			out = malloc(ANSWER_GROWTH * n);
			FUZZ_CHECK(out != NULL);
			made = answer_make(mode, message, n, out);
			FUZZ_CHECK(made <= ANSWER_GROWTH * n);
			if (mode == SERVICE_DNS)
				check_reply(message, n);
			ended = answer_count(mode, &frame, out, made);
			FUZZ_CHECK(ended == (made > 0));
			free(message);
			free(out);
		}
		data += n;
		length -= n;
	}
	FUZZ_CHECK(length < ANSWER_MESSAGE_MOST);
}

/* Counting messages does not depend on how the stream comes in pieces. */
static void
check_pieces(const uint8_t *data, size_t length, size_t step)
{
	struct frame whole = {0}, pieces = {0};
	uint64_t all = frame_count(&whole, data, length), sum = 0, cut = 0;
	size_t at, n, used = 0;
	bool noise;

	for (at = 0; at < length; at += n) {
		n = length - at < step ? length - at : step;
		sum += frame_count(&pieces, data + at, n);
	}
	FUZZ_CHECK(all == sum);
	FUZZ_CHECK(whole.left == pieces.left &&
	    whole.length_begun == pieces.length_begun);
	while ((n = answer_cut(
		    SERVICE_ECHO, data + used, length - used, &noise)) > 0) {
		used += n;
		cut++;
	}
	FUZZ_CHECK(cut == all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum service_mode modes[] = {
	    SERVICE_ECHO, SERVICE_DNS, SERVICE_PING};
	struct fuzz_input in = {data, size};
	enum service_mode mode = modes[fuzz_byte(&in) % 3];
	size_t step = 1 + (size_t)fuzz_byte(&in);
	uint8_t *stream = fuzz_copy(in.at, in.left);

	check_messages(mode, stream, in.left);
	check_pieces(stream, in.left, step);
	free(stream);
	return 0;
}
