/*
 * DNS over TCP, as bytes: build a framed query, read a framed message.
 *
 * On the wire every message is preceded by its length in two bytes (RFC 1035,
 * 4.2.2; RFC 7766, 8). Nothing here knows sockets or buffers: the caller hands
 * over bytes, in whatever pieces they arrived.
 */
#ifndef DNS_QUERY_H
#define DNS_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define DNS_PREFIX_LENGTH   2 /* the length before each message */
#define DNS_HEADER_LENGTH   12 /* RFC 1035, 4.1.1 */
#define DNS_NAME_MAX	    255 /* bytes on the wire, the root's zero included */
#define DNS_QUERY_MAX	    (DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH + DNS_NAME_MAX + 4)
#define DNS_QUESTION_OFFSET (DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH)
#define DNS_RCODES	    16
#define DNS_LABEL_MAX	    63
#define DNS_QUESTION_FIXED  4 /* type and class */
#define DNS_CLASS_IN	    1
#define DNS_QUESTION_LEAST  5 /* the root, type and class */
#define DNS_RECORD_LEAST    11 /* the root, type, class, TTL, no data */

/* RFC 6895, 2.3 */
enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_NOTIMP = 4,
};

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_ANY = 255,
};

/*
 * Writes a query for name and type, class IN, RD set, QDCOUNT 1, ID zero, with
 * its length in front. name is in presentation form (RFC 1035, 5.1): labels of
 * ASCII parted by dots, a last dot optional, "." the root, `\.` and `\DDD`
 * escapes. size of at least DNS_QUERY_MAX always suffices.
 *
 * Returns the number of bytes written, or -1 with *why, a constant string, set
 * to what is wrong with the name.
 */
ssize_t dns_query_build(uint8_t *buf, size_t size, const char *name,
    uint16_t type, const char **why);

/* Sets the ID of a framed message. Inline: it runs once for each query. */
static inline void
dns_query_set_id(uint8_t *framed, uint16_t id)
{
	framed[DNS_PREFIX_LENGTH] = (uint8_t)(id >> 8);
	framed[DNS_PREFIX_LENGTH + 1] = (uint8_t)(id & 0xff);
}

/* One message, pointing into the bytes that it was read from. */
struct dns_message {
	const uint8_t *question; /* name, type, class; NULL if QDCOUNT is 0 */
	size_t question_length;
	size_t framed_length; /* bytes to skip to the next message */
	uint16_t id;
	uint16_t flags;
};

enum dns_result {
	DNS_INCOMPLETE, /* framed_length is set once two bytes are there, else 0 */
	DNS_MALFORMED, /* only framed_length is set: skip that much */
	DNS_COMPLETE,
};

/*
 * Reads the message at the start of data. Total: any bytes, any length. Reads
 * nothing behind data + length, allocates nothing. Malformed is a message
 * shorter than a header, or whose first question runs out of the message or is
 * compressed (nothing precedes it that it could point to), or too short for as
 * many questions and records as its header says. Records are not read.
 */
enum dns_result dns_message_read(
    const uint8_t *data, size_t length, struct dns_message *);

static inline unsigned int
dns_get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* The lower 16 bits of value. */
static inline void
dns_put16(uint8_t *p, unsigned int value)
{
	p[0] = (uint8_t)(value >> 8 & 0xff);
	p[1] = (uint8_t)(value & 0xff);
}

/* Whether its header says that it has any, in two loads. */
static inline bool
dns_has_records(const uint8_t *framed)
{
	uint32_t answers_and_authorities;
	uint16_t additional;

	memcpy(&answers_and_authorities, framed + 8, 4);
	memcpy(&additional, framed + 12, 2);
	return (answers_and_authorities | additional) != 0;
}

/* Bytes that as many records take at least as the framed message says it has. */
static inline size_t
dns_records_least(const uint8_t *framed)
{
	return DNS_RECORD_LEAST *
	    ((size_t)dns_get16(framed + 8) + dns_get16(framed + 10) +
		dns_get16(framed + 12));
}

/* dns_answer_read() where the question is not the same to the byte. */
enum dns_result dns_answer_parse(const uint8_t *data, size_t length,
    const uint8_t *query, size_t query_length, struct dns_message *,
    bool *answers);

/*
 * Reads the message at the start of data as dns_message_read() does, and tells
 * whether it may answer a query of dns_query_build(): whether it repeats that
 * one's question (dns_question_equal()), or has none and is a response. Inline: it
 * runs once for each answer, and a question that is the same to the byte, the usual
 * case, needs no parsing.
 */
static inline enum dns_result
dns_answer_read(const uint8_t *data, size_t length, const uint8_t *query,
    size_t query_length, struct dns_message *m, bool *answers)
{
	size_t framed;

	/* QDCOUNT is 1, the message is whole, the question is ours, and behind it
	 * there is room for the records */
	if (length >= query_length && dns_get16(data + 6) == 1 &&
	    (framed = DNS_PREFIX_LENGTH + dns_get16(data)) >= query_length &&
	    framed <= length &&
	    memcmp(data + DNS_QUESTION_OFFSET, query + DNS_QUESTION_OFFSET,
		query_length - DNS_QUESTION_OFFSET) == 0 &&
	    (!dns_has_records(data) ||
		framed - query_length >= dns_records_least(data))) {
		m->framed_length = framed;
		m->id = (uint16_t)dns_get16(data + 2);
		m->flags = (uint16_t)dns_get16(data + 4);
		m->question = data + DNS_QUESTION_OFFSET;
		m->question_length = query_length - DNS_QUESTION_OFFSET;
		*answers = true;
		return DNS_COMPLETE;
	}
	return dns_answer_parse(data, length, query, query_length, m, answers);
}

/* QR (RFC 1035, 4.1.1): false for a query, so for an echo of one. */
static inline bool
dns_message_is_response(const struct dns_message *m)
{
	return (m->flags & 0x8000) != 0;
}

/* RCODE of the header, 0 .. DNS_RCODES - 1. */
static inline unsigned int
dns_message_rcode(const struct dns_message *m)
{
	return m->flags & 0x000f;
}

/* "NOERROR", "SERVFAIL", ...; "RCODE12" and the like where none is assigned. */
const char *dns_rcode_name(unsigned int rcode);

/* Same name whatever the case (RFC 4343), same type and class. */
bool dns_question_equal(
    const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length);

#endif
