/*
 * --merge: results as files that may be anything. What is accepted is written,
 * what is written is accepted, and it is the same result. Two of it have twice the
 * counts.
 *
 * Input: a JSON result. Besides libFuzzer's own mutations values within the
 * result are changed, or it would hardly ever stay JSON.
 */
#include <sys/mman.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/report.h"
#include "lib/status.h"
#include "tests/fuzz/fuzz.h"

#define NODES_MOST 4096

/* A result in a file that has no name but one below /proc. */
struct file {
	int fd;
	char path[64];
};

static void
file_make(struct file *f, const void *data, size_t size)
{
	f->fd = memfd_create("result", MFD_CLOEXEC);
	FUZZ_CHECK(f->fd != -1);
	FUZZ_CHECK(write(f->fd, data, size) == (ssize_t)size);
	snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
}

/* Files to merge, and the result. */
struct merge {
	char *files[2];
	size_t count;
	char *text;
	size_t length;
};

static void
merge_files(void *arg)
{
	struct merge *m = arg;
	struct report_config config = {.argc = 0};
	struct report *r = report_merge(&config, m->files, m->count);
	FILE *out;

	m->text = NULL;
	out = open_memstream(&m->text, &m->length);
	FUZZ_CHECK(out != NULL);
	report_json(r, out);
	FUZZ_CHECK(fclose(out) == 0);
	out = fopen("/dev/null", "we");
	FUZZ_CHECK(out != NULL);
	report_summary(r, out);
	report_series(r, out);
	report_histogram(r, out);
	(void)report_status(r);
	fclose(out);
	report_free(r);
}

/* False: refused, with a message. */
static bool
merge_accepts(struct merge *m)
{
	int status = fuzz_run(merge_files, m);

	if (status == FUZZ_RETURNED)
		return true;
	FUZZ_CHECK(status == STATUS_USAGE);
	FUZZ_CHECK(fuzz_is_message(fuzz_message()));
	return false;
}

static json_int_t
count_of(const json_t *result, const char *object, const char *key)
{
	return json_integer_value(
	    json_object_get(json_object_get(result, object), key));
}

static void
check_twice(const struct merge *one, const struct merge *two)
{
	json_t *a = json_loadb(one->text, one->length, 0, NULL);
	json_t *b = json_loadb(two->text, two->length, 0, NULL);

	FUZZ_CHECK(a != NULL && b != NULL);
#define CHECK_TWICE(object, key) \
	FUZZ_CHECK(2 * count_of(a, object, key) == count_of(b, object, key))
	CHECK_TWICE("queries", "sent");
	CHECK_TWICE("queries", "answered");
	CHECK_TWICE("queries", "lost");
	CHECK_TWICE("connections", "opened");
	CHECK_TWICE("connections", "attempted");
	CHECK_TWICE("response_ns", "count");
	CHECK_TWICE("response_ns", "sum");
	CHECK_TWICE("lateness_ns", "count");
	json_decref(a);
	json_decref(b);
}

/* But for the verdict, whose reasons get the name of their file in front. */
static void
check_same(const struct merge *one, const struct merge *other)
{
	json_t *a = json_loadb(one->text, one->length, 0, NULL);
	json_t *b = json_loadb(other->text, other->length, 0, NULL);

	FUZZ_CHECK(a != NULL && b != NULL);
	json_object_del(a, "verdict");
	json_object_del(b, "verdict");
	FUZZ_CHECK(json_equal(a, b));
	json_decref(a);
	json_decref(b);
}

static void
check_result(const uint8_t *data, size_t size)
{
	struct file given, written;
	struct merge first = {.count = 1}, again = {.count = 1},
		     both = {.count = 2};

	file_make(&given, data, size);
	first.files[0] = given.path;
	if (merge_accepts(&first)) {
		file_make(&written, first.text, first.length);
		again.files[0] = both.files[0] = both.files[1] = written.path;
		FUZZ_CHECK(merge_accepts(&again));
		check_same(&first, &again);
		if (merge_accepts(&both)) {
			check_twice(&again, &both);
			free(both.text);
		}
		free(again.text);
		free(first.text);
		close(written.fd);
	}
	close(given.fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_silence();
	check_result(data, size);
	return 0;
}

/*
 * Mutations that leave JSON.
 */

/* Where a value is: in an object by key, or in an array by index. */
struct place {
	json_t *parent;
	const char *key; /* NULL: of an array */
	size_t index;
};

static size_t
find_places(json_t *value, struct place *places, size_t count)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_object(value))
		json_object_foreach(value, key, child)
		{
			if (count < NODES_MOST)
				places[count++] = (struct place){value, key, 0};
			count = find_places(child, places, count);
		}
	else if (json_is_array(value))
		json_array_foreach(value, i, child)
		{
			if (count < NODES_MOST)
				places[count++] =
				    (struct place){value, NULL, i};
			count = find_places(child, places, count);
		}
	return count;
}

static json_t *
value_at(const struct place *p)
{
	return p->key != NULL ? json_object_get(p->parent, p->key) :
				json_array_get(p->parent, p->index);
}

static json_t *
draw_value(unsigned int *seed, const json_t *now, const struct place *other)
{
	static const json_int_t numbers[] = {0, 1, -1, 2, 255, 65535, INT32_MAX,
	    UINT32_MAX, INT64_C(1) << 40, INT64_MAX, INT64_MIN, INT64_MAX - 1};
	static const double reals[] = {
	    0, -0.0, 1e308, 1e-308, 0.5, 1e9, 1e18, 1.7976931348623157e308};
	unsigned int n = (unsigned int)rand_r(seed);

	switch (rand_r(seed) % 10) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(n % 2);
	case 2:
		return json_string(n % 2 ? "" : "\n\xc3\xa4%s%n");
	case 3:
		return n % 2 ? json_array() : json_object();
	case 4:
		return json_real(reals[n % 8]);
	case 5:
		return json_deep_copy(value_at(other));
	case 6:
		return json_integer(
		    (json_int_t)((uint64_t)json_integer_value(now) + 1));
	case 7:
		return json_integer(
		    (json_int_t)((uint64_t)json_integer_value(now) - 1));
	default:
		return json_integer(numbers[n % 12]);
	}
}

static void
change_one(json_t *top, unsigned int *seed)
{
	static struct place places[NODES_MOST];
	size_t count = find_places(top, places, 0);
	const struct place *p, *other;
	json_t *value;

	if (count == 0)
		return;
	p = &places[(size_t)rand_r(seed) % count];
	other = &places[(size_t)rand_r(seed) % count];
	if (rand_r(seed) % 16 == 0) {
		if (p->key != NULL)
			json_object_del(p->parent, p->key);
		else
			json_array_remove(p->parent, p->index);
		return;
	}
	value = draw_value(seed, value_at(p), other);
	if (value == NULL)
		return;
	if (p->key != NULL)
		json_object_set_new(p->parent, p->key, value);
	else if (rand_r(seed) % 2)
		json_array_set_new(p->parent, p->index, value);
	else
		json_array_insert_new(p->parent, p->index, value);
}

size_t
LLVMFuzzerCustomMutator(
    uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	json_t *top = NULL;
	unsigned int changes;
	size_t length;

	if (rand_r(&seed) % 8 != 0)
		top = json_loadb((const char *)data, size, 0, NULL);
	if (top == NULL)
		return LLVMFuzzerMutate(data, size, max_size);
	for (changes = 1 + (unsigned int)rand_r(&seed) % 3; changes > 0;
	     changes--)
		change_one(top, &seed);
	length = json_dumpb(top, (char *)data, max_size, JSON_COMPACT);
	json_decref(top);
	return length <= max_size ? length : size;
}
