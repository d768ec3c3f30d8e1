#include <string.h>

#include "dns_query.h"
#include "dns_reply.h"

#define FLAG_QR	     0x80 /* in the first flag byte */
#define FLAG_RD	     0x01
#define FLAG_AA	     0x04
#define OPCODE	     0x78
#define TYPE_OPT     41
#define RECORD_FIXED 10 /* type, class, TTL, length of data */
#define OPT_LENGTH   (1 + RECORD_FIXED)
#define OPT_DO	     0x8000 /* RFC 3225: copied */
#define OPT_SIZE     1232 /* over UDP, were this spoken there */
#define BADVERS_HIGH 1 /* of 16: its upper eight bits, the lower four are 0 */
#define A_TTL	     0
#define POINTER_MIN  0xc0

/* What a query says beside its question. */
struct extras {
	bool opt;
	unsigned int version; /* of EDNS */
	unsigned int flags;
};

/* Length of a name in a record, which may end in a pointer; 0: it does not end
 * within length. Not followed: nobody asks what it says. */
static size_t
record_name_length(const uint8_t *data, size_t length)
{
	size_t used = 0;

	while (used < length) {
		if (data[used] == 0)
			return used + 1;
		if (data[used] >= POINTER_MIN)
			return used + 2;
		if (data[used] > DNS_LABEL_MAX)
			return 0;
		used += 1 + (size_t)data[used];
	}
	return 0;
}

/* The record at data: its length, 0 if it does not end within length or is an
 * OPT that must not be. */
static size_t
record_read(const uint8_t *data, size_t length, struct extras *extras)
{
	size_t name = record_name_length(data, length), whole;
	const uint8_t *fixed = data + name;

	if (name == 0 || name + RECORD_FIXED > length)
		return 0;
	whole = name + RECORD_FIXED + dns_get16(fixed + 8);
	if (whole > length)
		return 0;
	if (dns_get16(fixed) != TYPE_OPT)
		return whole;
	if (extras->opt || name != 1) /* RFC 6891, 6.1.1 and 6.1.2 */
		return 0;
	extras->opt = true;
	extras->version = fixed[5];
	extras->flags = dns_get16(fixed + 6);
	return whole;
}

/* All records behind the question. False if they are no records, or not as many
 * as the header says. What follows them is not looked at. */
static bool
records_read(const uint8_t *header, const uint8_t *data, size_t length,
    struct extras *extras)
{
	unsigned int count = dns_get16(header + 6) + dns_get16(header + 8) +
	    dns_get16(header + 10);
	size_t step;

	memset(extras, 0, sizeof(*extras));
	for (; count > 0; count--) {
		step = record_read(data, length, extras);
		if (step == 0)
			return false;
		data += step;
		length -= step;
	}
	return true;
}

/* A header and nothing else, in answer to the one at query. */
static size_t
reply_header(uint8_t *out, const uint8_t *query, enum dns_rcode rcode)
{
	uint8_t *header = out + DNS_PREFIX_LENGTH;

	memset(out, 0, DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH);
	memcpy(header, query, 2);
	header[2] = (uint8_t)(FLAG_QR | (query[2] & (OPCODE | FLAG_RD)));
	header[3] = (uint8_t)rcode;
	dns_put16(out, DNS_HEADER_LENGTH);
	return DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH;
}

/* The name is that of the question, right behind the header. */
static size_t
put_address(uint8_t *p)
{
	static const uint8_t address[] = {192, 0, 2, 1}; /* RFC 5737 */

	dns_put16(p, POINTER_MIN << 8 | DNS_HEADER_LENGTH);
	dns_put16(p + 2, DNS_TYPE_A);
	dns_put16(p + 4, DNS_CLASS_IN);
	dns_put16(p + 6, A_TTL >> 16);
	dns_put16(p + 8, A_TTL & 0xffff);
	dns_put16(p + 10, sizeof(address));
	memcpy(p + 12, address, sizeof(address));
	return 12 + sizeof(address);
}

static size_t
put_opt(uint8_t *p, const struct extras *extras)
{
	memset(p, 0, OPT_LENGTH);
	dns_put16(p + 1, TYPE_OPT);
	dns_put16(p + 3, OPT_SIZE);
	p[5] = extras->version > 0 ? BADVERS_HIGH : 0;
	dns_put16(p + 7, extras->flags & OPT_DO);
	return OPT_LENGTH;
}

/* For a sound query with one question. */
static size_t
reply_whole(
    uint8_t *out, const struct dns_message *m, const struct extras *extras)
{
	const uint8_t *fixed =
	    m->question + m->question_length - DNS_QUESTION_FIXED;
	uint8_t *header = out + DNS_PREFIX_LENGTH;
	size_t used;
	bool bad_version = extras->opt && extras->version > 0;

	used = reply_header(out, m->question - DNS_HEADER_LENGTH, DNS_NOERROR);
	memcpy(out + used, m->question, m->question_length);
	used += m->question_length;
	dns_put16(header + 4, 1); /* QDCOUNT */
	if (!bad_version) {
		header[2] |= FLAG_AA;
		if (dns_get16(fixed) == DNS_TYPE_A &&
		    dns_get16(fixed + 2) == DNS_CLASS_IN) {
			dns_put16(header + 6, 1); /* ANCOUNT */
			used += put_address(out + used);
		}
	}
	if (extras->opt) {
		dns_put16(header + 10, 1); /* ARCOUNT */
		used += put_opt(out + used, extras);
	}
	dns_put16(out, (unsigned int)(used - DNS_PREFIX_LENGTH));
	return used;
}

size_t
dns_reply_build(
    uint8_t out[DNS_REPLY_MAX], const uint8_t *framed, size_t length)
{
	const uint8_t *header = framed + DNS_PREFIX_LENGTH;
	struct dns_message m;
	struct extras extras;
	enum dns_result result = dns_message_read(framed, length, &m);
	const uint8_t *records;

	if (result == DNS_INCOMPLETE ||
	    m.framed_length < DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH ||
	    (header[2] & FLAG_QR) != 0)
		return 0;
	if ((header[2] & OPCODE) != 0)
		return reply_header(out, header, DNS_NOTIMP);
	if (result == DNS_MALFORMED || dns_get16(header + 4) != 1)
		return reply_header(out, header, DNS_FORMERR);
	records = m.question + m.question_length;
	if (!records_read(header, records,
		(size_t)(framed + m.framed_length - records), &extras))
		return reply_header(out, header, DNS_FORMERR);
	return reply_whole(out, &m, &extras);
}
