/*
 * Reading JSON that may be anything. What is missing, of another type or out of
 * range ends the program with STATUS_USAGE, and the message names the file and
 * the member; a file that cannot be read ends it with status 1.
 */
#ifndef LIB_JSON_READ_H
#define LIB_JSON_READ_H

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_PATH 96 /* longer ones are cut */

/* The most that is read, and so the most that may be written to be read again. */
#define JSON_REAL_MOST	  1e18
#define JSON_SECONDS_MOST UINT64_C(1000000000)

/* An object or array in a file. Value is borrowed. */
struct json_node {
	const char *file; /* for messages */
	char path[JSON_PATH]; /* "queries.skipped_by_reason"; "": the top */
	json_t *value;
};

/* Exits with "file: path.key: ..."; key may be NULL. */
void __attribute__((noreturn, format(printf, 3, 4)))
json_refuse(const struct json_node *, const char *key, const char *format, ...);

/*
 * The object in a file, "-" for standard input. json_decref() lets go of it.
 * What is no JSON, or no object, is refused.
 */
json_t *json_read(const char *file);

/* The name that messages have for the file. */
const char *json_file_name(const char *file);

/* The member, an object or array, to read on in it. */
void json_enter_object(
    const struct json_node *, const char *key, struct json_node *out);
void json_enter_array(
    const struct json_node *, const char *key, struct json_node *out);

/* An element of an array that is an object. */
void json_enter_element(
    const struct json_node *, size_t index, struct json_node *out);

/* 0 .. INT64_MAX: whole numbers cannot be larger in a file. */
uint64_t json_get_count(const struct json_node *, const char *key);

/* The same or null: false. */
bool json_get_count_or_null(
    const struct json_node *, const char *key, uint64_t *value);

/* Not negative. */
double json_get_real(const struct json_node *, const char *key);
/* The same or null: NAN. */
double json_get_real_or_null(const struct json_node *, const char *key);

/* Seconds up to 30 years as nanoseconds; null is CLOCK_NEVER. */
uint64_t json_get_seconds(const struct json_node *, const char *key);
uint64_t json_get_seconds_or_null(const struct json_node *, const char *key);

bool json_get_bool(const struct json_node *, const char *key);

/* The same or null: false. */
bool json_get_bool_or_null(
    const struct json_node *, const char *key, bool *value);

/* Borrowed. */
const char *json_get_string(const struct json_node *, const char *key);

/* A number that was found otherwise; key is for messages. */
uint64_t json_as_count(
    const struct json_node *, const char *key, const json_t *value);

/*
 * Copies text with "?" for every byte that is no printable ASCII: what comes out
 * of a file is shown on terminals, and a cut leaves it valid UTF-8. Returns to.
 */
char *json_printable(char *to, size_t size, const char *text);

#endif
