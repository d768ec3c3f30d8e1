#include <err.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/report_internal.h"

struct report *
report_new(const struct report_config *config)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		err(1, "no memory for the report");
	r->config = *config;
	r->begun = r->shown_at = clock_now();
	r->begun_wall = clock_wall();
	netstat_read(&r->kernel, "/proc");
	return r;
}

void
report_free(struct report *r)
{
	free(r->rows);
	free(r);
}

uint64_t
report_duration(const struct report *r)
{
	return r->total.query_end > r->total.query_begin ?
	    r->total.query_end - r->total.query_begin :
	    0;
}

double
report_seconds(uint64_t begin, uint64_t end)
{
	return end > begin ? clock_to_seconds(end - begin) : 0;
}

double
report_rate(const struct report *r, uint64_t count)
{
	uint64_t duration = report_duration(r);

	return duration == 0 ? 0 : (double)count / clock_to_seconds(duration);
}

/*
 * Series.
 */

/* The array doubles at every power of two: no capacity to keep. */
static struct report_row *
row_new(struct report *r)
{
	size_t n = r->row_count;

	if ((n & (n - 1)) == 0) {
		r->rows =
		    realloc(r->rows, (n == 0 ? 1 : 2 * n) * sizeof(*r->rows));
		if (r->rows == NULL)
			err(1, "no memory for the series");
	}
	return &r->rows[r->row_count++];
}

void
report_sample(
    struct report *r, const struct generator_result *sum, uint64_t now)
{
	struct report_row *row = row_new(r);
	struct stats *change = &r->change;

	*change = sum->stats;
	stats_subtract(change, &r->sampled);
	r->sampled = sum->stats;
	row->at = now;
	row->open = stats_open(&sum->stats);
	row->n = change->n;
	row->response_p50 = histogram_quantile(&change->response, 0.5);
	row->response_p99 = histogram_quantile(&change->response, 0.99);
	row->response_max = change->response.max;
	row->lateness_p99 = histogram_quantile(&change->lateness, 0.99);
}

void
report_finish(struct report *r, const struct generator_result *sum,
    uint64_t now, const struct report_end *end)
{
	struct netstat kernel;

	report_sample(r, sum, now);
	r->total = *sum;
	r->end = *end;
	netstat_read(&kernel, "/proc");
	netstat_subtract(&kernel, &r->kernel);
	r->kernel = kernel;
	r->finding_count = netstat_diagnose(&r->kernel,
	    r->total.stats.n.failed_errno, STATS_ERRNOS, &r->config.ways,
	    r->config.connections, r->findings);
	report_judge(r);
}
