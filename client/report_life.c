/*
 * What is said of connections that came and went while the run went on.
 */
#include <inttypes.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "client/report_internal.h"

#define CHURN_ENOUGH 0.999 /* of those that were to be replaced */

static const char *
reconnect_name(enum life_reconnect reconnect)
{
	switch (reconnect) {
	case LIFE_RECONNECT_NOW:
		return "now";
	case LIFE_RECONNECT_BACKOFF:
		return "backoff";
	default:
		return "none";
	}
}

json_t *
report_life_json(const struct life *l)
{
	json_t *o = json_object();

	json_put(o, "churn_per_s", json_real(l->churn));
	json_put(o, "churn_pick",
	    json_string(l->churn_random ? "random" : "oldest"));
	json_put(o, "queries_per_connection",
	    l->limited ? json_integer(l->most_queries) : json_null());
	json_put(o, "reconnect", json_string(reconnect_name(l->reconnect)));
	json_put(o, "drop_on_timeout", json_boolean(l->drop));
	json_put(o, "every_s",
	    l->every > 0 ? json_real(clock_to_seconds(l->every)) : json_null());
	return o;
}

void
report_life_add(json_t *into, json_t *from)
{
	const char *key;
	json_t *value, *other;
	void *next;

	json_object_foreach_safe(into, next, key, value)
	{
		other = json_object_get(from, key);
		if (json_is_real(value) && json_is_real(other) &&
		    strcmp(key, "churn_per_s") == 0)
			json_put(into, key,
			    json_real(json_real_value(value) +
				json_real_value(other)));
		else if (!json_equal(value, other))
			json_put(into, key, json_null());
	}
}

static uint64_t
replaced(const struct stats_counters *n)
{
	return n->closed_churned + n->closed_used_up;
}

void
report_life_print(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;
	const struct outage *outage = &r->total.outage;

	if (replaced(n) + n->closed_on_timeout + n->closed_on_request +
		n->reopened + n->churn_skipped >
	    0) {
		fprintf(out,
		    "             replaced %" PRIu64 " (churned %" PRIu64
		    ", used up %" PRIu64 ")",
		    replaced(n), n->closed_churned, n->closed_used_up);
		if (report_duration(r) > 0)
			fprintf(out, ", %.1f/s", report_rate(r, replaced(n)));
		fprintf(out,
		    "\n             closed on timeout %" PRIu64
		    ", on request %" PRIu64 "; opened again %" PRIu64
		    ", not churned as none was open %" PRIu64 "\n",
		    n->closed_on_timeout, n->closed_on_request, n->reopened,
		    n->churn_skipped);
	}
	if (outage->some > 0)
		fprintf(out,
		    "             ended by others: some were missing for up to "
		    "%.3f s, all of them for up to %.3f s\n",
		    clock_to_seconds(outage->some),
		    clock_to_seconds(outage->none));
}

void
report_life_judge(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	const struct outage *outage = &r->total.outage;
	uint64_t due = n->closed_churned + n->churn_skipped;
	char text[REPORT_LINE_SIZE];

	if ((double)n->closed_churned < CHURN_ENOUGH * (double)due) {
		snprintf(text, sizeof(text),
		    "churned %" PRIu64 " of %" PRIu64
		    " connections: for the others none was open; the causes "
		    "are named above, or raise -c",
		    n->closed_churned, due);
		report_lines_add(&r->reasons, text);
	}
	if (replaced(n) > 0 && n->failed > 0) {
		snprintf(text, sizeof(text),
		    "%" PRIu64 " connections could not be opened in place of "
		    "others; the causes are named above",
		    n->failed);
		report_lines_add(&r->reasons, text);
	}
	if (outage->none > 0) {
		snprintf(text, sizeof(text),
		    "no connection was open for %.3f s, and some were missing "
		    "for %.3f s, since the other side had ended them; look at "
		    "the server",
		    clock_to_seconds(outage->none),
		    clock_to_seconds(outage->some));
		report_lines_add(&r->reasons, text);
	}
}
