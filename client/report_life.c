/*
 * What is said of connections that came and went while the run went on.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/json_read.h"
#include "lib/number.h"
#include "client/open_health.h"
#include "client/report_internal.h"

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

/* One of these texts, or null. */
static json_t *
read_choice(
    const struct json_node *at, const char *key, const char *const *choices)
{
	const char *text;

	if (json_is_null(json_object_get(at->value, key)))
		return json_null();
	text = json_get_string(at, key);
	while (*choices != NULL && strcmp(*choices, text) != 0)
		choices++;
	if (*choices == NULL)
		json_refuse(at, key, "no value that this option has");
	return json_string(*choices);
}

json_t *
report_life_read(const struct json_node *config)
{
	static const char *const picks[] = {"oldest", "random", NULL};
	static const char *const reconnects[] = {
	    "none", "now", "backoff", NULL};
	struct json_node at;
	json_t *o = json_object();
	uint64_t count;
	bool drop;

	json_enter_object(config, "life", &at);
	json_put(
	    o, "churn_per_s", json_real(json_get_real(&at, "churn_per_s")));
	json_put(o, "churn_pick", read_choice(&at, "churn_pick", picks));
	json_put(o, "queries_per_connection",
	    json_get_count_or_null(&at, "queries_per_connection", &count) ?
		json_integer((json_int_t)count) :
		json_null());
	json_put(o, "reconnect", read_choice(&at, "reconnect", reconnects));
	json_put(o, "drop_on_timeout",
	    json_get_bool_or_null(&at, "drop_on_timeout", &drop) ?
		json_boolean(drop) :
		json_null());
	json_put(o, "every_s",
	    json_is_null(json_object_get(at.value, "every_s")) ?
		json_null() :
		json_real(json_get_real(&at, "every_s")));
	return o;
}

void
report_life_add(json_t *into, const json_t *from)
{
	static const char churn[] = "churn_per_s";
	double sum =
	    report_plus_real(json_real_value(json_object_get(into, churn)),
		json_real_value(json_object_get(from, churn)));
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(into, next, key, value)
	{
		if (!json_equal(value, json_object_get(from, key)))
			json_put(into, key, json_null());
	}
	json_put(into, churn, json_real(sum));
}

static uint64_t
left(const struct stats_counters *n)
{
	return n->closed_churned + n->closed_used_up;
}

/*
 * For how long --churn went on: it begins with the warm-up. NAN: there is no such
 * time, as the run did not come to querying, or results with other ones were merged.
 */
static double
churn_seconds(const struct report *r)
{
	uint64_t length = report_duration(r);

	if (length == 0 || r->config.warmup == REPORT_DIFFERS)
		return NAN;
	return clock_to_seconds(length + r->config.warmup);
}

/* Those that are used up leave also while others are opened: no rate of these. */
static void
print_left(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;

	if (left(n) + n->churn_skipped == 0)
		return;
	fprintf(out,
	    "             left %" PRIu64 " (churned %" PRIu64
	    ", used up %" PRIu64 ")",
	    left(n), n->closed_churned, n->closed_used_up);
	if (n->closed_used_up == 0)
		fprintf(out, ", %s/s",
		    number_text(
			number_rate(n->closed_churned, churn_seconds(r)), 1)
			.text);
	if (n->churn_skipped > 0)
		fprintf(out, ", not churned %" PRIu64, n->churn_skipped);
	fputc('\n', out);
}

/* To the microsecond where it was that short: 0.000 would be none. */
static struct number_text
outage_text(uint64_t outage)
{
	return number_text(
	    clock_to_seconds(outage), outage < CLOCK_NS_PER_MS ? 6 : 3);
}

static void
print_outage(const struct outage *outage, FILE *out)
{
	if (outage->some == 0)
		return;
	fprintf(out,
	    "             ended by others: some were missing for up to %s s",
	    outage_text(outage->some).text);
	if (outage->none > 0)
		fprintf(out, ", all of them for up to %s s",
		    outage_text(outage->none).text);
	fputc('\n', out);
}

void
report_life_print(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;
	const struct outage *outage = &r->total.outage;
	const struct {
		const char *name;
		uint64_t count;
	} others[] = {
	    {"closed on timeout", n->closed_on_timeout},
	    {"closed on request", n->closed_on_request},
	    {"connects in place of others", n->reopened},
	};
	const char *separator = "             ";
	size_t i;

	print_left(r, out);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (others[i].count == 0)
			continue;
		fprintf(out, "%s%s %" PRIu64, separator, others[i].name,
		    others[i].count);
		separator = ", ";
	}
	if (*separator == ',')
		fputc('\n', out);
	print_outage(outage, out);
}

static void
judge_churn(struct report *r)
{
	char text[OPEN_HEALTH_TEXT];
	bool own;

	if (open_health_churn_is_short(
		&r->total.stats, churn_seconds(r), &own, text))
		report_lines_add(&r->reasons, text);
}

static const char *
who_ended_them(const struct stats_counters *n)
{
	if (n->closed_by_error == 0)
		return "the other side had ended them; look at the server";
	return n->closed_by_peer + n->reset_by_peer == 0 ?
	    "an error had ended them; its name is above" :
	    "the other side or an error had ended them; look at the server, and "
	    "at the error above";
}

/* What was the cause comes before what came of it. */
void
report_life_judge(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	const struct outage *outage = &r->total.outage;
	char text[REPORT_LINE_SIZE];

	if (outage->none > 0) {
		snprintf(text, sizeof(text),
		    "no connection%s was open for %.3f s, and some were "
		    "missing for %.3f s, since %s",
		    r->config.workers > 1 ? " of a worker" : "",
		    clock_to_seconds(outage->none),
		    clock_to_seconds(outage->some), who_ended_them(n));
		report_lines_add(&r->reasons, text);
	}
	if (left(n) > 0 && n->failed > 0) {
		snprintf(text, sizeof(text),
		    "%" PRIu64 " connects failed, of those in place of others, "
		    "too; the causes are named above",
		    n->failed);
		report_lines_add(&r->reasons, text);
	}
	judge_churn(r);
}
