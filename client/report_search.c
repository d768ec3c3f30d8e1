/*
 * What --find-max did and found: a table for people, and as JSON.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "lib/json.h"
#include "lib/number.h"
#include "client/report_internal.h"

static const char *
stop_name(enum search_stop stop)
{
	switch (stop) {
	case SEARCH_HELD:
		return "held";
	case SEARCH_BY_SERVER:
		return "server";
	case SEARCH_BY_CLIENT:
		return "client";
	case SEARCH_BY_KERNEL:
		return "this host";
	case SEARCH_BY_IDS:
		return "IDs";
	}
	return "?";
}

static const char *
stopped_by(enum search_stop stop)
{
	switch (stop) {
	case SEARCH_BY_KERNEL:
		return "the kernel of this host";
	case SEARCH_BY_CLIENT:
		return "the client";
	case SEARCH_BY_IDS:
		return "a lack of IDs";
	default:
		return "the server";
	}
}

static const char *
unit(const struct search *s)
{
	return search_config(s)->what == SEARCH_RATE ? "queries/s" :
						       "connections";
}

static void
print_columns(const struct report *r, FILE *out)
{
	fprintf(out, "\n%12s %7s %10s %10s %9s %9s %9s %5s  %s\n",
	    unit(r->config.search), "s", "answered/s", "open", "p50 ms",
	    "p99 ms", "late p99", "busy", "");
}

static void
print_step(const struct report *r, const struct search_step *step, FILE *out)
{
	fprintf(out, "%12.10g %7s %10s %10" PRIu64 " %9s %9s %9s %4s%c  %s",
	    search_value(r->config.search, step),
	    number_text(step->seconds, 1).text,
	    number_text(step->answered_qps, 1).text, step->open,
	    number_text(number_ms(step->response_p50_ns), 3).text,
	    number_text(number_ms(step->response_p99_ns), 3).text,
	    number_text(number_ms(step->lateness_p99_ns), 3).text,
	    number_text(100 * step->busy, 0).text,
	    isnan(step->busy) ? ' ' : '%', stop_name(step->stop));
	if (step->stop != SEARCH_HELD) /* without the advice behind it */
		fprintf(out, ": %.*s", (int)strcspn(step->why, ";"), step->why);
	if (step->unsettled)
		fprintf(out,
		    " (began while answers to the step before still "
		    "came)");
	fprintf(out, "\n");
}

void
report_step(const struct report *r, FILE *out)
{
	const struct search *s = r->config.search;
	size_t count = search_steps(s);

	if (count == 0)
		return;
	if (count == 1)
		print_columns(r, out);
	print_step(r, search_step(s, count - 1), out);
}

static void
print_until(const struct search_config *c, FILE *out)
{
	size_t i;

	for (i = 0; i < c->until_count; i++)
		fprintf(out, "%s%s", i == 0 ? "" : ", ",
		    condition_text(&c->until[i]));
}

static void
print_found(const struct search *s, FILE *out)
{
	struct search_load load;
	const struct search_step *best = search_best(s),
				 *limit = search_limit(s);

	fprintf(out, "\n");
	if (best != NULL)
		fprintf(
		    out, "holds %.10g %s\n", search_value(s, best), unit(s));
	if (limit != NULL)
		fprintf(out, "stopped at %.10g by %s: %s\n",
		    search_value(s, limit), stopped_by(limit->stop),
		    limit->why);
	else if (best != NULL && !search_next(s, &load))
		fprintf(out, "nothing stopped it: no more was tried\n");
}

void
report_search(const struct report *r, FILE *out)
{
	const struct search *s = r->config.search;
	size_t i;

	fprintf(out, "\nmost %s until ", unit(s));
	print_until(search_config(s), out);
	if (search_samples(s) > 0)
		fprintf(out,
		    "; a step takes %" PRIu64
		    " samples or more, as its percentile needs",
		    search_samples(s));
	fprintf(out, "\n");
	print_columns(r, out);
	for (i = 0; i < search_steps(s); i++)
		print_step(r, search_step(s, i), out);
	print_found(s, out);
}

/*
 * JSON.
 */

static json_t *
step_json(const struct search *s, const struct search_step *step)
{
	json_t *o;

	if (step == NULL)
		return json_null();
	o = json_object();
	json_put(o, "load", json_real(search_value(s, step)));
	json_put(o, "rate_qps", json_real(step->load.rate));
	json_put_count(o, "connections", step->load.connections);
	json_put_real_or_null(o, "duration_s", step->seconds);
	json_put(o, "held", json_boolean(step->stop == SEARCH_HELD));
	json_put(o, "stopped_by",
	    step->stop == SEARCH_HELD ? json_null() :
					json_string(stop_name(step->stop)));
	json_put(o, "why", json_string(step->why));
	json_put_real_or_null(o, "sent_qps", step->sent_qps);
	json_put_real_or_null(o, "answered_qps", step->answered_qps);
	json_put_count(o, "answered_later", step->answered_later);
	json_put_count(o, "open", step->open);
	json_put_count(o, "renewed", step->renewed);
	json_put(o, "unsettled", json_boolean(step->unsettled));
	json_put_count_or_null(o, "response_p50_ns", step->response_p50_ns);
	json_put_count_or_null(o, "response_p99_ns", step->response_p99_ns);
	json_put_count_or_null(o, "lateness_p99_ns", step->lateness_p99_ns);
	json_put_real_or_null(o, "busy", step->busy);
	return o;
}

json_t *
report_search_json(const struct report *r)
{
	const struct search *s = r->config.search;
	const struct search_config *c = search_config(s);
	json_t *o = json_object(), *until = json_array(), *steps = json_array();
	size_t i;

	for (i = 0; i < c->until_count; i++)
		json_push(until, json_string(condition_text(&c->until[i])));
	for (i = 0; i < search_steps(s); i++)
		json_push(steps, step_json(s, search_step(s, i)));
	json_put(o, "what", json_string(unit(s)));
	json_put(o, "until", until);
	json_put_count(o, "samples", search_samples(s));
	json_put(o, "steps", steps);
	json_put(o, "best", step_json(s, search_best(s)));
	json_put(o, "limit", step_json(s, search_limit(s)));
	return o;
}
