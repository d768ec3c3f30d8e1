/*
 * client/condition: the conditions of --fail and --until.
 *
 * Input: eight bytes for what was counted, then the text.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/condition.h"
#include "tests/fuzz/fuzz.h"

#define MOST 8

/* Counters of any size, and some times. */
static void
fill(struct stats *s, struct fuzz_input *in)
{
	uint64_t *counter = (uint64_t *)&s->n;
	unsigned int shift = fuzz_byte(in) % 64, values = fuzz_byte(in), i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < sizeof(s->n) / sizeof(*counter); i++)
		counter[i] = (UINT64_C(1) << shift) + i;
	for (i = 0; i < values; i++)
		histogram_add(&s->response, UINT64_C(1) << i % 64);
}

/* Read again from its own text it is the same, and it can be judged. */
static void
check(const struct condition *c, const struct condition_source *source)
{
	char why[CONDITION_TEXT], measured[CONDITION_TEXT];
	struct condition again, service;

	memset(&again, 0, sizeof(again));
	FUZZ_CHECK(condition_parse(condition_text(c), &again, why));
	FUZZ_CHECK(again.subject == c->subject && again.base == c->base);
	FUZZ_CHECK(again.offset == c->offset && again.rank == c->rank);
	FUZZ_CHECK(again.outcomes == c->outcomes);
	FUZZ_CHECK(again.percent == c->percent);
	FUZZ_CHECK(isfinite(c->limit) && c->limit >= 0);
	FUZZ_CHECK(!(again.limit < c->limit) && !(again.limit > c->limit));
	memset(measured, 'x', sizeof(measured));
	(void)condition_holds(c, source, measured);
	FUZZ_CHECK(memchr(measured, '\0', sizeof(measured)) != NULL);
	FUZZ_CHECK(fuzz_is_message(measured));
	(void)condition_on_service(c, &service);
	(void)condition_samples(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stats stats;
	struct fuzz_input in = {data, size};
	struct condition list[MOST];
	struct condition_source source = {.stats = &stats};
	char why[CONDITION_TEXT] = "";
	size_t count = 0, i;
	char *text;

	fill(&stats, &in);
	source.seconds = fuzz_byte(&in);
	source.target_qps = fuzz_byte(&in) * 1000.0;
	source.asked = fuzz_byte(&in);
	text = fuzz_text(in.at, in.left);
	if (condition_parse_list(text, list, MOST, &count, why)) {
		FUZZ_CHECK(count > 0 && count <= MOST);
		for (i = 0; i < count; i++)
			check(&list[i], &source);
	} else {
		FUZZ_CHECK(count == 0);
		FUZZ_CHECK(memchr(why, '\0', sizeof(why)) != NULL);
		FUZZ_CHECK(*why != '\0');
	}
	free(text);
	return 0;
}
