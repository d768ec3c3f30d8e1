#include <stdio.h>
#include <string.h>

#include "dns_query.h"
#include "lib/json.h"
#include "wire/first_bytes.h"

#define TEXT_LEAST 4 /* fewer printable bytes are no text */

#define OPCODE 0x78

#define BEGINS_WITH(text)              \
	(length >= sizeof(text) - 1 && \
	    memcmp(data, text, sizeof(text) - 1) == 0)

const char *
first_bytes_protocol(const uint8_t *data, size_t length)
{
	if (BEGINS_WITH("SSH-"))
		return "an SSH banner";
	if (BEGINS_WITH("HTTP/"))
		return "an HTTP answer";
	/* of HTTP/0.9: what some servers answer to what is no request */
	if (BEGINS_WITH("<!DOCTYPE ") || BEGINS_WITH("<html"))
		return "an HTML page of an HTTP server";
	if (BEGINS_WITH("\x15\x03"))
		return "a TLS alert";
	if (BEGINS_WITH("\x16\x03"))
		return "a TLS handshake";
	if (BEGINS_WITH("GET ") || BEGINS_WITH("HEAD ") ||
	    BEGINS_WITH("POST ") || BEGINS_WITH("PUT ") ||
	    BEGINS_WITH("OPTIONS "))
		return "an HTTP request";
	if (BEGINS_WITH("PRI * HTTP/2"))
		return "the preface of HTTP/2";
	/* a frame's length, type SETTINGS, no flags, stream 0 */
	if (length >= 9 && memcmp(data, "\0\0", 2) == 0 &&
	    memcmp(data + 3, "\4\0\0\0\0\0", 6) == 0)
		return "HTTP/2 settings";
	/* ID, opcode QUERY, QDCOUNT 1, a small ANCOUNT */
	if (length >= DNS_HEADER_LENGTH && (data[2] & OPCODE) == 0 &&
	    dns_get16(data + 4) == 1 && data[6] == 0)
		return "a DNS message without its length in front";
	return NULL;
}

static bool
is_printable(uint8_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* How many of them, from the first one on. */
static size_t
printable(const uint8_t *data, size_t length)
{
	size_t n = 0;

	while (n < length && is_printable(data[n]))
		n++;
	return n;
}

bool
first_bytes_may_be_dns(const uint8_t *data, size_t length)
{
	if (first_bytes_protocol(data, length) != NULL)
		return false;
	if (length >= DNS_PREFIX_LENGTH && dns_get16(data) < DNS_HEADER_LENGTH)
		return false;
	/* a length and an ID may be anything, but text is no coincidence */
	if (length <= 4)
		return length < 2 || printable(data, length) < length;
	if ((data[4] & OPCODE) != 0)
		return false;
	return length < 8 || dns_get16(data + 6) <= 1; /* QDCOUNT */
}

static void
note(struct first_bytes *f, const uint8_t *data, size_t length, bool cut)
{
	if (f->length > 0 || length == 0)
		return;
	f->cut = cut;
	if (length > FIRST_BYTES_MOST)
		length = FIRST_BYTES_MOST;
	memcpy(f->at, data, length);
	__atomic_store_n(&f->length, length, __ATOMIC_RELEASE);
}

void
first_bytes_note(struct first_bytes *f, const uint8_t *data, size_t length)
{
	note(f, data, length, false);
}

void
first_bytes_note_cut(struct first_bytes *f, const uint8_t *data, size_t length)
{
	note(f, data, length, true);
}

void
first_bytes_merge(struct first_bytes *into, const struct first_bytes *from)
{
	uint64_t length = __atomic_load_n(&from->length, __ATOMIC_ACQUIRE);

	note(into, from->at, length, from->cut);
}

bool
first_bytes_are_dns(const struct first_bytes *f)
{
	return !f->cut && f->length >= DNS_PREFIX_LENGTH + DNS_HEADER_LENGTH &&
	    first_bytes_protocol(f->at, f->length) == NULL &&
	    first_bytes_may_be_dns(f->at, f->length);
}

const char *
first_bytes_name(const struct first_bytes *f)
{
	const char *name = first_bytes_protocol(f->at, f->length);

	if (f->cut)
		return f->length >= FIRST_BYTES_SURE ?
		    "the beginning of a DNS message" :
		    "maybe the beginning of a DNS message";
	if (!first_bytes_are_dns(f))
		return name;
	if (DNS_HEADER_LENGTH + DNS_QUESTION_LEAST * dns_get16(f->at + 6) +
		dns_records_least(f->at) >
	    dns_get16(f->at))
		return "a DNS message too short for its counts of records";
	return "an unexpected DNS message";
}

const char *
first_bytes_format(const struct first_bytes *f, char text[FIRST_BYTES_TEXT])
{
	const char *name = first_bytes_name(f);
	size_t shown = printable(f->at, f->length), i;
	int used = snprintf(text, FIRST_BYTES_TEXT, "%s%s",
	    name == NULL ? "" : name, name == NULL ? "" : ", ");

	if (shown >= TEXT_LEAST) {
		snprintf(text + used, FIRST_BYTES_TEXT - (size_t)used,
		    "\"%.*s\"", (int)shown, (const char *)f->at);
		return text;
	}
	for (i = 0; i < f->length; i++)
		used += snprintf(text + used, FIRST_BYTES_TEXT - (size_t)used,
		    "%s%02x", i == 0 ? "" : " ", f->at[i]);
	return text;
}

void
first_bytes_to_hex(
    const struct first_bytes *f, char hex[2 * FIRST_BYTES_MOST + 1])
{
	size_t i;

	hex[0] = '\0';
	for (i = 0; i < f->length; i++)
		snprintf(hex + 2 * i, 3, "%02x", f->at[i]);
}

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

bool
first_bytes_from_hex(struct first_bytes *f, const char *hex)
{
	size_t length = strlen(hex), i;
	int high, low;

	memset(f, 0, sizeof(*f));
	if (length == 0 || length % 2 != 0 || length > 2 * FIRST_BYTES_MOST)
		return false;
	for (i = 0; i < length / 2; i++) {
		high = digit(hex[2 * i]);
		low = digit(hex[2 * i + 1]);
		if (high == -1 || low == -1)
			return false;
		f->at[i] = (uint8_t)(high << 4 | low);
	}
	f->length = length / 2;
	return true;
}

json_t *
first_bytes_json(const struct first_bytes *f)
{
	char hex[2 * FIRST_BYTES_MOST + 1];
	const char *name = first_bytes_name(f);
	json_t *o;

	if (f->length == 0)
		return json_null();
	o = json_object();
	first_bytes_to_hex(f, hex);
	json_put(o, "hex", json_string(hex));
	json_put(o, "name", name == NULL ? json_null() : json_string(name));
	json_put(o, "cut_off", json_boolean(f->cut));
	return o;
}
