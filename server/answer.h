/*
 * What a message gets: bytes in, bytes out. Knows no connection.
 */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/frame.h"
#include "server/service.h"

#define ANSWER_MESSAGE_MOST (2 + 65535)

/* An answer is never larger than so many times its message. */
#define ANSWER_GROWTH 2

/*
 * The first thing in data: a whole message, or (with *noise set) bytes that
 * belong to none, which only SERVICE_PING knows. Returns its length, at most
 * ANSWER_MESSAGE_MOST for a message; 0: there must come more, after less than
 * ANSWER_MESSAGE_MOST bytes. Total. Not for SERVICE_SINK, which has no answers.
 */
size_t answer_cut(
    enum service_mode, const uint8_t *data, size_t length, bool *noise);

/*
 * Writes the answer to a whole message, at most ANSWER_GROWTH times as large.
 * Returns its length, 0: there is none to such a message.
 */
size_t answer_make(
    enum service_mode, const uint8_t *message, size_t length, uint8_t *out);

/*
 * Whether such a message is no DNS query, by what answer_make() made of it: it has no
 * answer, or it is refused and begins as a message of another protocol, whose first
 * bytes were taken for a length. False in all modes but SERVICE_DNS.
 */
bool answer_is_foreign(enum service_mode, const uint8_t *message, size_t length,
    const uint8_t *answer, size_t made);

/* How many answers end in these bytes, which follow those of the last call. */
uint64_t answer_count(
    enum service_mode, struct frame *, const uint8_t *data, size_t length);

/* Which messages are dropped: each with the same probability, and the same ones
 * for the same seed and worker. */
struct answer_lot {
	uint64_t state;
	uint64_t below;
	bool always;
};

/* share: 0 .. 1 */
void answer_lot_begin(
    struct answer_lot *, double share, uint64_t seed, unsigned int worker);
bool answer_lot_drops(struct answer_lot *);

#endif
