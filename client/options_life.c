/*
 * How connections live: what ends them while the run goes on, and what follows.
 */
#include <bsd/err.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/parse.h"
#include "lib/status.h"
#include "client/options_internal.h"

static void
set_churn_pick(struct draft *d, const char *arg)
{
	d->have_churn_pick = true;
	d->o->life.churn_random = strcmp(arg, "random") == 0;
	if (!d->o->life.churn_random && strcmp(arg, "oldest") != 0)
		errx(
		    STATUS_USAGE, "--churn-pick %s: not oldest or random", arg);
}

static void
set_queries_each(struct life *l, const char *arg)
{
	uint64_t most;

	parse_count_must(arg, 0, UINT32_MAX, &most, "--queries-per-connection");
	l->limited = true;
	l->most_queries = (uint32_t)most;
}

static void
set_reconnect(struct draft *d, const char *arg)
{
	static const char *const names[] = {
	    [LIFE_RECONNECT_NONE] = "none",
	    [LIFE_RECONNECT_NOW] = "now",
	    [LIFE_RECONNECT_BACKOFF] = "backoff",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(arg, names[i]) == 0) {
			d->have_reconnect = true;
			d->o->life.reconnect = (enum life_reconnect)i;
			return;
		}
	errx(STATUS_USAGE, "--reconnect %s: not none, now or backoff", arg);
}

bool
options_set_life(struct draft *d, int option, const char *arg)
{
	struct life *l = &d->o->life;

	switch (option) {
	case OPT_CHURN:
		parse_must(parse_rate(arg, &l->churn), "--churn", arg);
		options_must(l->churn > 0, "--churn must be more than 0");
		break;
	case OPT_CHURN_PICK:
		set_churn_pick(d, arg);
		break;
	case OPT_QUERIES_EACH:
		set_queries_each(l, arg);
		break;
	case OPT_RECONNECT:
		set_reconnect(d, arg);
		break;
	case OPT_EVERY:
		parse_must(parse_duration(arg, &l->every), "--every", arg);
		options_must(l->every >= CLOCK_NS_PER_MS,
		    "--every must be at least 1ms");
		break;
	case OPT_DROP:
		l->drop = true;
		break;
	default:
		return false;
	}
	return true;
}

static void
check_life(const struct draft *d)
{
	const struct life *l = &d->o->life;

	options_must(l->churn > 0 || !d->have_churn_pick,
	    "--churn-pick belongs to --churn");
	options_must(l->every == 0 ||
		(!d->have_rate && d->source == RATE_CONSTANT &&
		    !d->have_arrivals),
	    "--every says how many queries there are, and when: no -r, "
	    "--program, --stdin, --arrival");
	options_must(!l->limited || l->most_queries > 0 ||
		(d->source == RATE_CONSTANT && d->rate <= 0 && l->every == 0),
	    "--queries-per-connection 0 sends no query: no -r but 0, no "
	    "--program, --stdin, --every");
	options_must(d->o->goal.search.what == SEARCH_NOTHING ||
		(l->churn <= 0 && !l->limited && !l->drop && l->every == 0 &&
		    !d->have_reconnect),
	    "--find-max goes without --churn, --queries-per-connection, "
	    "--reconnect, --every and --drop-on-timeout");
}

/* Connections in turns, so their queries are one uniform schedule. */
static void
make_life(struct draft *d)
{
	struct life *l = &d->o->life;

	if (!d->have_reconnect && (l->churn > 0 || l->limited))
		l->reconnect = LIFE_RECONNECT_BACKOFF;
	if (l->every == 0)
		return;
	d->rate = (double)d->o->load.connections / clock_to_seconds(l->every);
	options_must(d->rate <= 1e9,
	    "--every: more than 1000M queries per "
	    "second in all");
	d->o->load.arrivals = SCHEDULE_UNIFORM;
}

void
options_complete_life(struct draft *d)
{
	check_life(d);
	make_life(d);
}
