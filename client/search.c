#include <err.h>
#include <math.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/search.h"

#define CLOSE_ENOUGH  1.02 /* the lowest that failed, of the highest that held */
#define RATE_LEAST    64 /* the first, divided by that */
#define QUERIES_LEAST 10 /* of a step */
#define STEP_LONGEST  (365 * 24 * 3600 * CLOCK_NS_PER_SEC)

struct search {
	struct search_config config;
	struct search_step *steps; /* SEARCH_STEPS */
	size_t count;
	double next;
	double held; /* 0: none yet */
	double failed; /* INFINITY: none yet */
	size_t best; /* valid where held > 0 */
	size_t limit; /* valid where failed is finite */
	bool again; /* the last step did not hold, and is run once more */
	bool over;
};

static double
least(const struct search *s)
{
	return s->config.what == SEARCH_RATE ?
	    s->config.rate / RATE_LEAST :
	    (double)s->config.connections_least;
}

static double
most(const struct search *s)
{
	return s->config.what == SEARCH_RATE ?
	    s->config.rate_most :
	    (double)s->config.connections_most;
}

/* Connections are whole; rates need not be finer than that, above 100. */
static double
rounded(const struct search *s, double load)
{
	return s->config.what == SEARCH_CONNECTIONS || load >= 100 ?
	    floor(load) :
	    load;
}

struct search *
search_new(const struct search_config *config)
{
	struct search *s = calloc(1, sizeof(*s));

	if (s == NULL ||
	    (s->steps = calloc(SEARCH_STEPS, sizeof(*s->steps))) == NULL)
		err(1, "no memory for the search");
	s->config = *config;
	s->failed = INFINITY;
	s->next = config->what == SEARCH_RATE ? config->rate :
						(double)config->connections;
	s->next = fmin(fmax(s->next, least(s)), most(s));
	return s;
}

void
search_free(struct search *s)
{
	if (s == NULL)
		return;
	free(s->steps);
	free(s);
}

const struct search_config *
search_config(const struct search *s)
{
	return &s->config;
}

uint64_t
search_samples(const struct search *s)
{
	uint64_t samples = 0, n;
	size_t i;

	for (i = 0; i < s->config.until_count; i++) {
		n = condition_samples(&s->config.until[i]);
		if (n > samples)
			samples = n;
	}
	return samples;
}

/*
 * Long enough for the samples that the percentiles need, and of a rate for ten
 * queries, so that hardly any step has none. A program of rates has no piece of more
 * than 365 days but one that never ends.
 */
static uint64_t
step_duration(const struct search *s, double rate)
{
	double samples = (double)search_samples(s);
	uint64_t needed;

	if (s->config.what == SEARCH_RATE && samples < QUERIES_LEAST)
		samples = QUERIES_LEAST;
	needed = rate > 0 ? clock_after(0, samples / rate) : 0;

	if (needed > STEP_LONGEST)
		return CLOCK_NEVER;
	return needed > s->config.duration ? needed : s->config.duration;
}

bool
search_next(const struct search *s, struct search_load *load)
{
	if (s->over)
		return false;
	load->rate = s->config.rate;
	load->connections = s->config.connections;
	if (s->config.what == SEARCH_RATE)
		load->rate = s->next;
	else
		load->connections = (uint64_t)s->next;
	load->duration = step_duration(s, load->rate);
	return true;
}

static double
after_success(const struct search *s)
{
	return isinf(s->failed) ? 2 * s->held : (s->held + s->failed) / 2;
}

static double
after_failure(const struct search *s)
{
	return s->held == 0 ? s->failed / 2 : (s->held + s->failed) / 2;
}

/* Between what held and what did not, if there is a load left to try. */
static void
go_on(struct search *s, double next)
{
	next = rounded(s, fmin(fmax(next, least(s)), most(s)));
	s->over = s->count == SEARCH_STEPS || next <= s->held ||
	    next >= s->failed || s->failed <= s->held * CLOSE_ENOUGH;
	s->next = next;
}

static bool
is_unanswered(const struct search_step *step)
{
	return step->stop == SEARCH_BY_SERVER && step->sent_qps > 0 &&
	    step->answered_qps <= 0;
}

bool
search_is_unanswered(const struct search *s)
{
	return s->config.what == SEARCH_RATE && s->count == 2 &&
	    is_unanswered(&s->steps[0]) && is_unanswered(&s->steps[1]);
}

void
search_note(struct search *s, const struct search_step *step)
{
	double load = search_value(s, step);

	if (s->over)
		return;
	s->steps[s->count++] = *step;
	if (step->stop == SEARCH_HELD) {
		s->again = false;
		s->held = load;
		s->best = s->count - 1;
		go_on(s, after_success(s));
	} else if (!s->again && s->count < SEARCH_STEPS)
		s->again = true;
	else {
		s->again = false;
		s->failed = load;
		s->limit = s->count - 1;
		go_on(s, after_failure(s));
		/* each lower load would take longer for its percentile */
		s->over |= search_is_unanswered(s);
	}
}

size_t
search_steps(const struct search *s)
{
	return s->count;
}

const struct search_step *
search_step(const struct search *s, size_t index)
{
	return &s->steps[index];
}

const struct search_step *
search_best(const struct search *s)
{
	return s->held > 0 ? &s->steps[s->best] : NULL;
}

const struct search_step *
search_limit(const struct search *s)
{
	return isinf(s->failed) ? NULL : &s->steps[s->limit];
}

double
search_value(const struct search *s, const struct search_step *step)
{
	return s->config.what == SEARCH_RATE ? step->load.rate :
					       (double)step->load.connections;
}
