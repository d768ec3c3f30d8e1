#include <string.h>

#include "dns_query.h"

#define FLAG_RD 0x01 /* in the first flag byte */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Takes one character of a label, escapes resolved, and moves *text behind it.
 * Returns its value, or -1 with *why set.
 */
static int
take_character(const char **text, const char **why)
{
	const char *p = *text;
	int value;

	if ((unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e) {
		*why = "a character that is not printable ASCII: write it as "
		       "\\DDD";
		return -1;
	}
	if (*p != '\\') {
		*text = p + 1;
		return (unsigned char)*p;
	}
	if (!is_digit(p[1])) {
		if ((unsigned char)p[1] < 0x21 || (unsigned char)p[1] > 0x7e) {
			*why = "a backslash with nothing to escape behind it";
			return -1;
		}
		*text = p + 2;
		return (unsigned char)p[1];
	}
	if (!is_digit(p[2]) || !is_digit(p[3])) {
		*why = "an escape that is not \\DDD with three digits";
		return -1;
	}
	value = (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
	if (value > 255) {
		*why = "an escape above \\255";
		return -1;
	}
	*text = p + 4;
	return value;
}

/* Returns the label's length in bytes, 1 .. 63, or -1 with *why set. */
static int
take_label(uint8_t *out, const char **text, const char **why)
{
	int length = 0, c;

	while (**text != '\0' && **text != '.') {
		c = take_character(text, why);
		if (c == -1)
			return -1;
		if (length == DNS_LABEL_MAX) {
			*why = "a label of more than 63 bytes";
			return -1;
		}
		out[length++] = (uint8_t)c;
	}
	if (length == 0) {
		*why = "an empty label";
		return -1;
	}
	return length;
}

/* Returns the name's length on the wire, or -1 with *why set. */
static int
encode_name(uint8_t out[DNS_NAME_MAX], const char *name, const char **why)
{
	uint8_t label[DNS_LABEL_MAX];
	int used = 0, length;

	if (*name == '\0') {
		*why = "an empty name: the root is \".\"";
		return -1;
	}
	if (strcmp(name, ".") == 0)
		name++;
	while (*name != '\0') {
		length = take_label(label, &name, why);
		if (length == -1)
			return -1;
		/* this label, its length, and the root's zero behind it */
		if (used + 1 + length + 1 > DNS_NAME_MAX) {
			*why = "a name of more than 255 bytes";
			return -1;
		}
		out[used] = (uint8_t)length;
		memcpy(out + used + 1, label, (size_t)length);
		used += 1 + length;
		if (*name == '.')
			name++;
	}
	out[used++] = 0;
	return used;
}

ssize_t
dns_query_build(uint8_t *buf, size_t size, const char *name, uint16_t type,
    const char **why)
{
	uint8_t wire[DNS_NAME_MAX], *p;
	int name_length = encode_name(wire, name, why);
	size_t message;

	if (name_length == -1)
		return -1;
	message = DNS_HEADER_LENGTH + (size_t)name_length + DNS_QUESTION_FIXED;
	if (size < DNS_PREFIX_LENGTH + message) {
		*why = "no room for the query";
		return -1;
	}
	memset(buf, 0, DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH);
	dns_put16(buf, (unsigned int)message);
	p = buf + DNS_PREFIX_LENGTH;
	p[2] = FLAG_RD;
	dns_put16(p + 4, 1); /* QDCOUNT */
	p += DNS_HEADER_LENGTH;
	memcpy(p, wire, (size_t)name_length);
	p += name_length;
	dns_put16(p, type);
	dns_put16(p + 2, DNS_CLASS_IN);
	return (ssize_t)(DNS_PREFIX_LENGTH + message);
}

/*
 * Length of the question at data, or 0 when it does not end within length. A
 * label byte above 63 is a compression pointer or reserved (RFC 1035, 4.1.4).
 */
static size_t
question_length(const uint8_t *data, size_t length)
{
	size_t used = 0;

	while (used < length && data[used] != 0) {
		if (data[used] > DNS_LABEL_MAX)
			return 0;
		used += 1 + (size_t)data[used];
		if (used >= DNS_NAME_MAX)
			return 0;
	}
	used += 1 + DNS_QUESTION_FIXED;
	return used <= length ? used : 0;
}

enum dns_result
dns_message_read(const uint8_t *data, size_t length, struct dns_message *m)
{
	const uint8_t *header;
	size_t message, questions, rest;

	m->framed_length = 0;
	if (length < DNS_PREFIX_LENGTH)
		return DNS_INCOMPLETE;
	message = dns_get16(data);
	m->framed_length = DNS_PREFIX_LENGTH + message;
	if (length < m->framed_length)
		return DNS_INCOMPLETE;
	if (message < DNS_HEADER_LENGTH)
		return DNS_MALFORMED;
	header = data + DNS_PREFIX_LENGTH;
	m->id = (uint16_t)dns_get16(header);
	m->flags = (uint16_t)dns_get16(header + 2);
	m->question = NULL;
	m->question_length = 0;
	questions = dns_get16(header + 4);
	rest = message - DNS_HEADER_LENGTH;
	if (questions > 0) {
		m->question = header + DNS_HEADER_LENGTH;
		m->question_length = question_length(m->question, rest);
		if (m->question_length == 0)
			return DNS_MALFORMED;
		rest -= m->question_length;
		questions--;
	}
	return rest < DNS_QUESTION_LEAST * questions + dns_records_least(data) ?
	    DNS_MALFORMED :
	    DNS_COMPLETE;
}

const char *
dns_rcode_name(unsigned int rcode)
{
	/* RFC 6895, 2.3 */
	static const char *const names[DNS_RCODES] = {"NOERROR", "FORMERR",
	    "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
	    "NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI", "RCODE12", "RCODE13",
	    "RCODE14", "RCODE15"};

	return names[rcode % DNS_RCODES];
}

static uint8_t
fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool
dns_question_equal(
    const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
	size_t name, i;

	if (a_length != b_length || a_length < DNS_QUESTION_FIXED)
		return false;
	if (memcmp(a, b, a_length) == 0)
		return true;
	name = a_length - DNS_QUESTION_FIXED;
	/* a label's length is at most 63, below 'A': folding leaves it alone */
	for (i = 0; i < name; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return memcmp(a + name, b + name, DNS_QUESTION_FIXED) == 0;
}

enum dns_result
dns_answer_parse(const uint8_t *data, size_t length, const uint8_t *query,
    size_t query_length, struct dns_message *m, bool *answers)
{
	enum dns_result result = dns_message_read(data, length, m);

	*answers = result == DNS_COMPLETE &&
	    (m->question == NULL ?
		    dns_message_is_response(m) :
		    dns_question_equal(m->question, m->question_length,
			query + DNS_QUESTION_OFFSET,
			query_length - DNS_QUESTION_OFFSET));
	return result;
}
