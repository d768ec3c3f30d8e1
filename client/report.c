#include <err.h>
#include <inttypes.h>
#include <math.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/number.h"
#include "client/random.h"
#include "client/report_internal.h"

/* By which --merge knows a run that it has added before. */
static json_t *
new_id(void)
{
	json_t *ids = json_object();
	char id[32];

	snprintf(id, sizeof(id), "%016" PRIx64, random_any());
	json_put_count(ids, id, 1);
	return ids;
}

struct report *
report_new(const struct report_config *config)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		err(1, "no memory for the report");
	r->config = *config;
	clock_read_both(&r->begun, &r->begun_wall);
	r->second.at = r->kept.at = r->shown_at = r->sampled = r->begun;
	r->row_step = 1;
	netstat_read(&r->kernel, "/proc");
	gauges_read(&r->gauges.begin, "/proc");
	r->gauges.most = r->gauges.begin;
	r->life = report_life_json(&config->life);
	r->runs.ids = new_id();
	return r;
}

void
report_free(struct report *r)
{
	report_rows_free(r);
	json_decref(r->runs.targets);
	json_decref(r->runs.ids);
	json_decref(r->life);
	free(r);
}

uint64_t
report_duration(const struct report *r)
{
	return r->total.query_begin != 0 &&
		r->total.query_end > r->total.query_begin ?
	    r->total.query_end - r->total.query_begin :
	    0;
}

uint64_t
report_answered_later(const struct report *r)
{
	uint64_t all = r->total.stats.n.answered;

	if (r->total.query_end == 0)
		return 0;
	return all > r->total.answered_by_end ? all - r->total.answered_by_end :
						0;
}

double
report_seconds(uint64_t begin, uint64_t end)
{
	if (begin == 0 || end == 0)
		return NAN;
	return end > begin ? clock_to_seconds(end - begin) : 0;
}

double
report_rate(const struct report *r, uint64_t count)
{
	return number_rate(count, clock_to_seconds(report_duration(r)));
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void
report_closing(struct report *r, const struct sockdiag_states *s)
{
	r->closing.fin_wait1 = larger(r->closing.fin_wait1, s->fin_wait1);
	r->closing.fin_wait2 = larger(r->closing.fin_wait2, s->fin_wait2);
}

void
report_listeners(struct report *r, const struct sockdiag_queues *queues)
{
	if (r->drops.looked)
		sockdiag_drops_look(&r->drops, queues);
	else
		sockdiag_drops_begin(&r->drops, queues);
}

const struct sockdiag_drops *
report_drops(const struct report *r)
{
	return &r->drops;
}

void
report_conclude(struct report *r)
{
	report_diagnose(r, &r->total.stats, &r->kernel);
	report_judge(r);
	r->reasons_judged = r->reasons.count;
}

/* Of a program that was changed on its way: of what it came to. */
static double
mean_rate(const struct report *r)
{
	uint64_t begin = r->config.warmup, length = report_duration(r);

	if (length > r->config.duration)
		length = r->config.duration; /* the last one was sent late */
	if (length == 0)
		return r->config.query_rate;
	return program_arrivals(r->config.program, begin, begin + length) /
	    clock_to_seconds(length);
}

void
report_finish(struct report *r, const struct generator_result *sum,
    uint64_t now, const struct report_end *end)
{
	struct netstat kernel;

	report_sample_last(r, sum, now);
	r->total = *sum;
	r->end = *end;
	if (r->config.controlled)
		r->config.query_rate = mean_rate(r);
	netstat_read(&kernel, "/proc");
	gauges_read(&r->gauges.end, "/proc");
	netstat_subtract(&kernel, &r->kernel);
	r->kernel = kernel;
	r->runs.count = 1;
	r->runs.last_begin = sum->query_begin;
	r->runs.first_end = sum->query_end;
	r->runs.longest = report_duration(r);
	report_conclude(r);
}
