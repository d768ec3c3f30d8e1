/*
 * The first bytes that a peer sent and that are no DNS message: kept, and named
 * where they are those of a protocol that is often found on a wrong port.
 *
 * Flat and without pointers, as it lives in shared memory: one worker writes, the
 * parent reads. length is stored last, so bytes that can be seen are whole.
 */
#ifndef WIRE_FIRST_BYTES_H
#define WIRE_FIRST_BYTES_H

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRST_BYTES_MOST 16
#define FIRST_BYTES_TEXT 120

/* A length, an ID, flags and QDCOUNT: a DNS message that may begin so does. */
#define FIRST_BYTES_SURE 8

struct first_bytes {
	uint8_t at[FIRST_BYTES_MOST];
	bool cut; /* a DNS message may begin so, and no more came */
	uint64_t length; /* 0: there are none */
};

/* Keeps them, unless there are some already. */
void first_bytes_note(struct first_bytes *, const uint8_t *data, size_t length);

/* The same, of a message whose rest did not come: first_bytes_may_be_dns(). */
void first_bytes_note_cut(
    struct first_bytes *, const uint8_t *data, size_t length);

/* Keeps those of from, unless there are some already. Another may write to from. */
void first_bytes_merge(struct first_bytes *, const struct first_bytes *from);

/* They are a whole DNS message, though no answer to a query. */
bool first_bytes_are_dns(const struct first_bytes *);

/* What they are: "an SSH banner"; NULL if that is not known. */
const char *first_bytes_name(const struct first_bytes *);

/* The other protocol that such bytes begin; NULL if none is known to. */
const char *first_bytes_protocol(const uint8_t *data, size_t length);

/* For people: the name, if there is one, and the bytes, as text or in hex. */
const char *first_bytes_format(
    const struct first_bytes *, char text[FIRST_BYTES_TEXT]);

/* In hex without spaces, and back: false if it is no such text. */
void first_bytes_to_hex(
    const struct first_bytes *, char hex[2 * FIRST_BYTES_MOST + 1]);
bool first_bytes_from_hex(struct first_bytes *, const char *hex);

/*
 * {"hex": ..., "name": ... or null, "cut_off": ...}; null where there are none. Owned
 * by the caller.
 */
json_t *first_bytes_json(const struct first_bytes *);

/*
 * Whether a DNS message, with its length in front, may begin so. Total: data may be
 * anything, of any length.
 */
bool first_bytes_may_be_dns(const uint8_t *data, size_t length);

#endif
