/*
 * Building JSON with jansson. Lack of memory, the only failure there is, ends
 * the program rather than leave something out. Values are taken over.
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <jansson.h>

#include <stdint.h>
#include <stdio.h>

void json_put(json_t *object, const char *key, json_t *value);
void json_put_count(json_t *object, const char *key, uint64_t value);

/* null for what does not exist: UINT64_MAX (as HISTOGRAM_NONE), and NAN. */
void json_put_count_or_null(json_t *object, const char *key, uint64_t value);
void json_put_real_or_null(json_t *object, const char *key, double value);

void json_push(json_t *array, json_t *value);

/* The command line; an argument that is not UTF-8 becomes "?". */
json_t *json_command(int argc, char *const *argv);

/* Writes it on one line, and lets go of it. */
void json_write(json_t *, FILE *);

#endif
