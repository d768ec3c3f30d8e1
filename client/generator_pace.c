/*
 * Opening, closing and replacing connections at a rate.
 */
#include <event2/event.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "client/generator_internal.h"

/*
 * Connects that are begun in one turn, and connections that are made to leave:
 * for as long, and one at least. Each takes 15 to 100 us, and answers that are
 * there wait meanwhile.
 */
#define SPELL (200 * CLOCK_NS_PER_US)

/*
 * Where each connection stands for one exchange (--queries-per-connection 0), the
 * pace makes up for so much; what is more is missing for good. The others come
 * back when there is a reason, and make up for nothing.
 */
#define CATCH_UP (100 * CLOCK_NS_PER_MS)

/*
 * Opening: the k-th connection of a run is due k / rate after the first, whatever
 * came in between, and connects overlap. Workers take turns. In mid-run, those
 * that come back are counted anew where there was nothing to open and the next
 * would be overdue; so none comes sooner after another than the rate says, also
 * where one connection is all there is. Those that are too many go at the same
 * rate.
 */

static uint64_t
open_due(const struct generator *g)
{
	double k = (double)g->opened * g->config->pool.workers +
	    worker_index(g->worker);

	if (g->config->open_rate <= 0)
		return 0;
	return clock_after(g->open_begin, k / g->config->open_rate);
}

static bool
may_open(const struct generator *g)
{
	return pool_may_open(g->pool) || pool_excess(g->pool) > 0;
}

/* The rate of opening is that of empty exchanges, and goes on all the time. */
static bool
exchanges(const struct generator *g)
{
	const struct life *life = &g->config->pool.life;

	return g->phase == PHASE_RUNNING && life->limited &&
	    life->most_queries == 0;
}

/* Not without a rate: then a connect is due at no time. */
static void
note_opened(struct generator *g, uint64_t due, uint64_t begun)
{
	struct stats *stats = &g->result->stats;

	if (due == 0)
		return;
	histogram_add(&stats->open_lateness, pace_begin(&g->pace, due, begun));
	stats->n.paced++;
}

/* False: it takes another turn. */
static bool
open_one(struct generator *g)
{
	uint64_t due = open_due(g), begun;

	if (pool_excess(g->pool) > 0)
		pool_let_go(g->pool);
	else {
		begun = clock_now();
		if (!pool_open_next(g->pool))
			return false;
		note_opened(g, due, begun);
	}
	g->opened++;
	return true;
}

static void
count_missed(struct generator *g)
{
	struct stats_counters *n = &g->result->stats.n;
	uint64_t *const counters[PACE_CAUSES] = {
	    [PACE_WINDOW] = &n->missed_window_full,
	    [PACE_BUSY] = &n->missed_all_busy,
	    [PACE_FAILED] = &n->missed_after_failure,
	    [PACE_LATE] = &n->missed_late,
	};
	double per_ns = g->config->open_rate / g->config->pool.workers /
	    (double)CLOCK_NS_PER_SEC;
	int i;

	for (i = 0; i < PACE_CAUSES; i++)
		*counters[i] = (uint64_t)(g->pace.missed[i] * per_ns);
}

/* The pace is given up, so far behind. */
static void
miss(struct generator *g, uint64_t lag)
{
	if (g->config->open_rate <= 0)
		return;
	pace_miss(&g->pace, lag);
	count_missed(g);
}

/* All that were to be opened are there. */
static void
complete(struct generator *g)
{
	if (g->config->open_rate <= 0)
		return;
	pace_complete(&g->pace, g->opened);
	count_missed(g);
}

static void
miss_until(struct generator *g, uint64_t now)
{
	uint64_t due = open_due(g);

	pace_release(&g->pace, due, now);
	miss(g, now > due ? now - due : 0);
}

/* Whether one that is due waits for something, and for what. */
static bool
is_held(const struct generator *g, enum pace_cause *cause)
{
	if (may_open(g))
		return false;
	if (pool_unopened(g->pool) > 0)
		*cause = PACE_WINDOW;
	else if (exchanges(g))
		*cause = pool_resting(g->pool) > 0 ? PACE_FAILED : PACE_BUSY;
	else
		return false;
	return true;
}

void
generator_open_run(struct generator *g)
{
	if (exchanges(g))
		generator_open_anew(g, g->result->clock_begin);
	else
		g->paced = false;
}

void
generator_open_end(struct generator *g, uint64_t now)
{
	if (pool_unopened(g->pool) > 0 || exchanges(g))
		miss_until(g, now);
}

void
generator_open_anew(struct generator *g, uint64_t now)
{
	g->opened = 0;
	g->open_begin = now;
	g->paced = true;
}

void
generator_open_more(struct generator *g, uint64_t now)
{
	if (g->phase == PHASE_RUNNING && pool_coming(g->pool) > 0) {
		if (pool_replaces(g->pool))
			timer_start(g->replace_timer, 0);
		timer_start(g->tick_timer, pool_tick(g->pool));
	}
	if (!may_open(g) || event_pending(g->open_timer, EV_TIMEOUT, NULL))
		return;
	pace_release(&g->pace, open_due(g), now);
	if (!g->paced && open_due(g) < (exchanges(g) ? now - CATCH_UP : now)) {
		if (exchanges(g))
			miss_until(g, now);
		generator_open_anew(g, now);
	}
	g->paced = true;
	timer_set_at(g->open_timer, open_due(g), now);
}

/* In a turn of its own, behind what was read in this one. */
void
generator_on_replace_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now(), after;

	(void)fd;
	(void)what;
	if (g->phase == PHASE_RUNNING)
		pool_replace(g->pool, now);
	after = clock_now();
	g->delay.spent.connecting += after - now;
	generator_on_progress(after, g);
}

void
generator_on_open_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now(), until = now + SPELL, after;
	enum pace_cause cause;
	bool any = false;

	(void)fd;
	(void)what;
	while (may_open(g) && open_due(g) <= now && open_one(g)) {
		any = true;
		if (clock_now() >= until)
			break;
	}
	if (any)
		timer_start(g->tick_timer, pool_tick(g->pool));
	/* else the next connection that opens or fails sets it again */
	if (may_open(g))
		timer_set_at(g->open_timer, open_due(g), now);
	g->paced = pool_unopened(g->pool) > 0 || pool_excess(g->pool) > 0;
	after = clock_now();
	if (is_held(g, &cause))
		pace_hold(&g->pace, cause, after);
	else if (!g->paced && any)
		complete(g);
	g->delay.spent.connecting += after - now;
	generator_step(g, after);
}

/*
 * Churn.
 */

#define CHURN_LATE \
	(10 * CLOCK_NS_PER_MS) /* as of connects, see open_health.c */

/*
 * The k-th connection is replaced k / rate after the clock began; workers take
 * turns.
 */
static uint64_t
churn_due(const struct generator *g)
{
	double k = (double)g->churned * g->config->pool.workers +
	    worker_index(g->worker);

	return clock_after(
	    g->result->clock_begin, k / g->config->pool.life.churn);
}

bool
generator_churn_waits(const struct generator *g)
{
	return g->config->pool.life.churn > 0 && churn_due(g) < g->end;
}

void
generator_churn_begin(struct generator *g, uint64_t now)
{
	if (generator_churn_waits(g))
		timer_set_at(g->churn_timer, churn_due(g), now);
}

void
generator_churn_end(struct generator *g, uint64_t now)
{
	struct stats_counters *n = &g->result->stats.n;
	double due;

	if (g->config->pool.life.churn <= 0 || now <= g->result->clock_begin)
		return;
	due = (clock_to_seconds(now - g->result->clock_begin) *
		      g->config->pool.life.churn -
		  worker_index(g->worker)) /
	    g->config->pool.workers;
	if (due >= (double)g->churned + 1) {
		n->churn_late += (uint64_t)due - g->churned;
		n->churn_skipped += (uint64_t)due - g->churned;
	}
}

/*
 * behind: one of this turn was late. Then those due before it may be why no connection
 * is left for it.
 */
static void
churn_one(struct generator *g, bool *behind)
{
	struct stats *stats = &g->result->stats;
	uint64_t due = churn_due(g), begun = clock_now();
	uint64_t late = begun > due ? begun - due : 0;

	*behind |= late > CHURN_LATE;
	if (pool_churn(g->pool)) {
		histogram_add(&stats->open_lateness, late);
		stats->n.churn_begun++;
	} else if (*behind)
		stats->n.churn_late++;
	g->churned++;
}

void
generator_on_churn_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now(), until = now + SPELL;
	bool behind = false;

	(void)fd;
	(void)what;
	while (generator_churn_waits(g) && churn_due(g) <= now) {
		churn_one(g, &behind);
		if (clock_now() >= until)
			break;
	}
	generator_churn_begin(g, now);
	generator_on_progress(now, g);
}

/*
 * Outages.
 */

static uint64_t
ended_by_others(const struct generator *g)
{
	const struct stats_counters *n = &g->result->stats.n;

	return n->closed_by_peer + n->reset_by_peer + n->closed_by_error;
}

void
generator_watch_begin(struct generator *g)
{
	outage_watch_init(&g->watch, &g->result->outage, ended_by_others(g));
}

void
generator_watch(struct generator *g, uint64_t now)
{
	uint32_t missing = pool_missing(g->pool);

	outage_watch_look(&g->watch, now, ended_by_others(g), missing,
	    missing > 0 && stats_open(&g->result->stats) == 0 &&
		missing == pool_coming(g->pool));
}
