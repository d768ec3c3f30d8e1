#include <bsd/err.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/json_read.h"
#include "lib/status.h"

char *
json_printable(char *to, size_t size, const char *text)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i] != '\0'; i++)
		to[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	to[i] = '\0';
	return to;
}

/* "path.key", "path[index]", or what there is of it. */
static void
format_path(const struct json_node *at, const char *key, char out[JSON_PATH])
{
	char path[2 * JSON_PATH];

	snprintf(path, sizeof(path), "%s%s%s", at->path,
	    at->path[0] != '\0' && key != NULL && key[0] != '[' ? "." : "",
	    key != NULL ? key : "");
	json_printable(out, JSON_PATH, path);
}

void
json_refuse(
    const struct json_node *at, const char *key, const char *format, ...)
{
	char path[JSON_PATH], why[512];
	va_list ap;

	format_path(at, key, path);
	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	errx(STATUS_USAGE, "%s: %s%s%s", at->file, path,
	    path[0] != '\0' ? ": " : "", json_printable(why, sizeof(why), why));
}

const char *
json_file_name(const char *file)
{
	return strcmp(file, "-") == 0 ? "standard input" : file;
}

json_t *
json_read(const char *file)
{
	const char *name = json_file_name(file);
	FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	json_error_t error;
	json_t *value;

	if (in == NULL)
		err(STATUS_COULD_NOT_RUN, "%s", name);
	errno = 0;
	value = json_loadf(in, JSON_REJECT_DUPLICATES, &error);
	if (ferror(in) != 0)
		err(STATUS_COULD_NOT_RUN, "%s", name);
	if (in != stdin)
		fclose(in);
	if (value == NULL)
		errx(STATUS_USAGE, "%s: not JSON, or not all of it: %s at %d",
		    name,
		    json_printable(error.text, sizeof(error.text), error.text),
		    error.position);
	if (!json_is_object(value))
		errx(STATUS_USAGE,
		    "%s: not an object, and so no result of --json", name);
	return value;
}

static json_t *
member(const struct json_node *at, const char *key)
{
	json_t *value = json_object_get(at->value, key);

	if (value == NULL)
		json_refuse(at, key, "missing");
	return value;
}

static void
enter(const struct json_node *at, const char *key, json_t *value,
    struct json_node *out)
{
	out->file = at->file;
	format_path(at, key, out->path);
	out->value = value;
}

void
json_enter_object(
    const struct json_node *at, const char *key, struct json_node *out)
{
	enter(at, key, member(at, key), out);
	if (!json_is_object(out->value))
		json_refuse(at, key, "not an object");
}

void
json_enter_array(
    const struct json_node *at, const char *key, struct json_node *out)
{
	enter(at, key, member(at, key), out);
	if (!json_is_array(out->value))
		json_refuse(at, key, "not an array");
}

void
json_enter_element(
    const struct json_node *at, size_t index, struct json_node *out)
{
	out->file = at->file;
	snprintf(out->path, sizeof(out->path), "%.*s[%zu]",
	    (int)sizeof(out->path) - 24, at->path, index);
	out->value = json_array_get(at->value, index);
	if (!json_is_object(out->value))
		json_refuse(out, NULL, "not an object");
}

uint64_t
json_as_count(const struct json_node *at, const char *key, const json_t *value)
{
	json_int_t count = json_integer_value(value);

	if (!json_is_integer(value))
		json_refuse(at, key, "not a whole number");
	if (count < 0)
		json_refuse(
		    at, key, "%" JSON_INTEGER_FORMAT " is negative", count);
	return (uint64_t)count;
}

uint64_t
json_get_count(const struct json_node *at, const char *key)
{
	return json_as_count(at, key, member(at, key));
}

bool
json_get_count_or_null(
    const struct json_node *at, const char *key, uint64_t *value)
{
	const json_t *given = member(at, key);

	if (json_is_null(given))
		return false;
	if (!json_is_integer(given))
		json_refuse(at, key, "neither a whole number nor null");
	*value = json_as_count(at, key, given);
	return true;
}

double
json_get_real(const struct json_node *at, const char *key)
{
	const json_t *value = member(at, key);

	if (!json_is_number(value))
		json_refuse(at, key, "not a number");
	if (json_number_value(value) < 0)
		json_refuse(
		    at, key, "%g is negative", json_number_value(value));
	if (json_number_value(value) > JSON_REAL_MOST)
		json_refuse(at, key, "%g is more than %g",
		    json_number_value(value), JSON_REAL_MOST);
	return json_number_value(value);
}

double
json_get_real_or_null(const struct json_node *at, const char *key)
{
	return json_is_null(member(at, key)) ? NAN : json_get_real(at, key);
}

uint64_t
json_get_seconds(const struct json_node *at, const char *key)
{
	double seconds = json_get_real(at, key);

	if (seconds > (double)JSON_SECONDS_MOST)
		json_refuse(at, key, "%g is more than %g seconds", seconds,
		    (double)JSON_SECONDS_MOST);
	return (uint64_t)llround(seconds * (double)CLOCK_NS_PER_SEC);
}

uint64_t
json_get_seconds_or_null(const struct json_node *at, const char *key)
{
	return json_is_null(member(at, key)) ? CLOCK_NEVER :
					       json_get_seconds(at, key);
}

bool
json_get_bool(const struct json_node *at, const char *key)
{
	const json_t *value = member(at, key);

	if (!json_is_boolean(value))
		json_refuse(at, key, "neither true nor false");
	return json_is_true(value);
}

bool
json_get_bool_or_null(const struct json_node *at, const char *key, bool *value)
{
	if (json_is_null(member(at, key)))
		return false;
	*value = json_get_bool(at, key);
	return true;
}

const char *
json_get_string(const struct json_node *at, const char *key)
{
	const json_t *value = member(at, key);

	if (!json_is_string(value))
		json_refuse(at, key, "not a string");
	return json_string_value(value);
}
