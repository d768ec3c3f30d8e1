#include <err.h>
#include <math.h>

#include "lib/json.h"

void
json_put(json_t *object, const char *key, json_t *value)
{
	if (value == NULL || json_object_set_new(object, key, value) == -1)
		errx(1, "no memory for the JSON result");
}

void
json_put_count(json_t *object, const char *key, uint64_t value)
{
	json_put(object, key, json_integer((json_int_t)value));
}

void
json_put_count_or_null(json_t *object, const char *key, uint64_t value)
{
	json_put(object, key,
	    value == UINT64_MAX ? json_null() :
				  json_integer((json_int_t)value));
}

void
json_put_real_or_null(json_t *object, const char *key, double value)
{
	json_put(object, key, isnan(value) ? json_null() : json_real(value));
}

void
json_push(json_t *array, json_t *value)
{
	if (value == NULL || json_array_append_new(array, value) == -1)
		errx(1, "no memory for the JSON result");
}

json_t *
json_command(int argc, char *const *argv)
{
	json_t *array = json_array(), *word;
	int i;

	for (i = 0; i < argc; i++) {
		word = json_string(argv[i]);
		json_push(array, word != NULL ? word : json_string("?"));
	}
	return array;
}

void
json_write(json_t *value, FILE *out)
{
	if (json_dumpf(value, out, JSON_REAL_PRECISION(12)) == 0)
		fputc('\n', out);
	json_decref(value);
}
