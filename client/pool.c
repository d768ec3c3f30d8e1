#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/batch.h"
#include "client/conn.h"
#include "client/inflight.h"
#include "client/pool.h"
#include "client/querylog.h"
#include "client/random.h"
#include "client/router.h"
#include "client/routes.h"
#include "client/schedule.h"
#include "client/stats.h"
#include "client/wheel.h"
#include "client/window.h"

/* Most that waits unsent in this process, over all connections and for one. */
#define OUTPUT_TOTAL (UINT64_C(1) << 30)
#define OUTPUT_MOST  (UINT64_C(2) << 20) /* all 65,536 IDs */
#define OUTPUT_LEAST (UINT64_C(64) << 10)

/* The ID of a query that timed out is not used again for that long. */
#define QUARANTINE_LEAST (10 * CLOCK_NS_PER_SEC)

#define TICKS_PER_TIMEOUT 128
#define TICK_LEAST	  CLOCK_NS_PER_MS
#define TICK_MOST	  (100 * CLOCK_NS_PER_MS)

/*
 * Connections on their way at once, over all workers: to begin with, few enough
 * for the accept queue of a server with default limits; at most, as many as keep
 * a server busy over a long way.
 */
#define PENDING_START 256
#define PENDING_MOST  4096
#define PENDING_LEAST 4 /* a worker */

struct pool {
	struct conn_env env;
	struct window window;
	struct router router;
	struct conn *conns;
	struct batch batch;
	struct wheel expiry;
	uint32_t *usable; /* numbers of the connections that can be sent on */
	uint32_t *position; /* of a connection in usable */
	uint32_t usable_count;
	uint32_t count;
	uint32_t unopened;
	uint32_t next; /* to open: the first idle one, if one is unopened */
	uint32_t connecting; /* none below this number is connecting */
	uint64_t connect_timeout;
	void (*on_progress)(uint64_t now, void *arg);
	void *arg;
};

static uint64_t
clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* One worker's, of what all workers may have. */
static uint32_t
share(uint32_t total, uint32_t workers)
{
	return total / workers > PENDING_LEAST ? total / workers :
						 PENDING_LEAST;
}

static void
usable_put(struct pool *p, uint32_t position, uint32_t id)
{
	p->usable[position] = id;
	p->position[id] = position;
}

static void
on_usable(struct conn *c, void *arg)
{
	struct pool *p = arg;

	usable_put(p, p->usable_count++, conn_id(c));
}

static void
on_unusable(struct conn *c, void *arg)
{
	struct pool *p = arg;

	p->usable_count--;
	usable_put(p, p->position[conn_id(c)], p->usable[p->usable_count]);
}

static void
on_progress(uint64_t now, void *arg)
{
	struct pool *p = arg;

	p->on_progress(now, p->arg);
}

static uint64_t
quarantine(uint64_t timeout)
{
	return timeout * 2 > QUARANTINE_LEAST ? timeout * 2 : QUARANTINE_LEAST;
}

struct pool *
pool_new(const struct pool_config *config, struct event_base *base,
    struct stats *stats, struct querylog *log,
    void (*progress)(uint64_t, void *), void *arg)
{
	struct pool *p = calloc(1, sizeof(*p));
	struct conn_env *env;

	if (p == NULL)
		err(1, "no memory");
	p->count = p->unopened = config->connections;
	router_init(&p->router, config->routes);
	window_init(&p->window, share(PENDING_START, config->workers),
	    share(PENDING_MOST, config->workers));
	p->connect_timeout = config->connect_timeout;
	p->usable = calloc(p->count, sizeof(*p->usable));
	p->position = calloc(p->count, sizeof(*p->position));
	if (p->usable == NULL || p->position == NULL)
		err(1, "no memory for %u connections", p->count);
	batch_init(&p->batch, p->count);
	wheel_init(&p->expiry,
	    clamp(config->timeout / TICKS_PER_TIMEOUT, TICK_LEAST, TICK_MOST),
	    clock_now());

	env = &p->env;
	env->base = base;
	env->stats = stats;
	env->log = log;
	env->inflight =
	    inflight_pool_new(config->timeout, quarantine(config->timeout));
	env->expiry = &p->expiry;
	env->timeout = config->timeout;
	env->window = &p->window;
	env->clock_from = env->measure_from = CLOCK_NEVER;
	env->first_id = config->first;
	env->probe = config->probe;
	env->reset = config->reset;
	env->self_possible = config->self_possible;
	env->query = config->query;
	env->query_length = config->query_length;
	env->input = malloc(CONN_INPUT_SIZE);
	if (env->input == NULL)
		err(1, "no memory");
	env->output_max =
	    clamp(OUTPUT_TOTAL / p->count, OUTPUT_LEAST, OUTPUT_MOST);
	env->on_usable = on_usable;
	env->on_unusable = on_unusable;
	env->on_progress = on_progress;
	env->arg = p;
	p->on_progress = progress;
	p->arg = arg;
	p->conns = conn_array_new(env, p->count);
	return p;
}

void
pool_free(struct pool *p)
{
	router_clear(&p->router);
	inflight_pool_free(p->env.inflight);
	free(p->env.input);
	batch_clear(&p->batch);
	conn_array_free(p->conns);
	free(p->usable);
	free(p->position);
	free(p);
}

uint32_t
pool_unopened(const struct pool *p)
{
	return p->unopened;
}

void
pool_stop_opening(struct pool *p)
{
	p->unopened = 0;
}

/* What was opened before and is to be opened again lies among others. */
static struct conn *
take_next(struct pool *p)
{
	while (!conn_is_idle(conn_at(p->conns, p->next)))
		p->next++;
	p->unopened--;
	return conn_at(p->conns, p->next++);
}

void
pool_hold(struct pool *p, uint32_t connections)
{
	struct conn *c;
	uint32_t i;

	p->next = p->connecting = p->unopened = 0;
	for (i = 0; i < p->count; i++) {
		c = conn_at(p->conns, i);
		if (i >= connections || !conn_is_open(c) ||
		    (p->env.probe && !conn_is_verified(c)))
			conn_close(c, CONN_LOCAL);
		conn_reset(c);
		if (i < connections && conn_is_idle(c))
			p->unopened++;
	}
}

static uint64_t
pending(const struct stats *stats)
{
	return stats_pending(stats) + stats_probes_in_flight(stats);
}

bool
pool_may_open(const struct pool *p)
{
	return pool_unopened(p) > 0 &&
	    pending(p->env.stats) < window_size(&p->window);
}

void
pool_open_next(struct pool *p)
{
	struct conn *c = take_next(p);
	uint64_t k = (uint64_t)p->env.first_id + conn_id(c), chosen;
	uint64_t now = clock_now();
	struct route route;
	int error = EADDRNOTAVAIL;

	while (error == EADDRNOTAVAIL &&
	    router_choose(&p->router, k, now, &chosen)) {
		routes_get(p->router.routes, chosen, &route);
		error = conn_open(c, &route);
		if (error == EADDRNOTAVAIL)
			router_exhausted(&p->router, chosen, now);
	}
	if (error != 0)
		conn_refuse(c, error);
}

void
pool_start_clock(struct pool *p, uint64_t clock, uint64_t measure)
{
	p->env.clock_from = clock;
	p->env.measure_from = measure;
}

uint32_t
pool_usable(const struct pool *p)
{
	return p->usable_count;
}

void
pool_sort(struct pool *p)
{
	uint32_t *was_usable = calloc(p->count, sizeof(*was_usable)), i;

	if (was_usable == NULL)
		err(1, "no memory for %u connections", p->count);
	for (i = 0; i < p->usable_count; i++)
		was_usable[p->usable[i]] = 1;
	p->usable_count = 0;
	for (i = 0; i < p->count; i++)
		if (was_usable[i])
			usable_put(p, p->usable_count++, i);
	free(was_usable);
}

static uint64_t *
scheduled(struct pool *p, const struct arrival *a)
{
	struct stats_counters *n = &p->env.stats->n;

	return a->due < p->env.measure_from ? &n->warmup_scheduled :
					      &n->scheduled;
}

static void
skip(struct pool *p, const struct arrival *a, uint64_t *counter)
{
	++*scheduled(p, a);
	if (a->due < p->env.measure_from)
		p->env.stats->n.warmup_skipped++;
	else
		++*counter;
	if (p->env.log != NULL)
		querylog_event(p->env.log, QUERYLOG_SKIPPED, clock_now(),
		    QUERYLOG_NONE, QUERYLOG_NONE, QUERYLOG_NONE);
}

void
pool_skip(struct pool *p, const struct arrival *a)
{
	struct stats_counters *n = &p->env.stats->n;

	skip(p, a,
	    p->usable_count > 0 ? &n->skipped_overload :
				  &n->skipped_no_connection);
}

void
pool_enqueue(struct pool *p, const struct arrival *a)
{
	uint32_t chosen;

	if (p->usable_count == 0) {
		skip(p, a, &p->env.stats->n.skipped_no_connection);
		return;
	}
	++*scheduled(p, a);
	chosen = p->usable[random_choose(a->pick, p->usable_count)];
	batch_add(&p->batch, chosen, a->due, a->gap);
}

void
pool_flush(struct pool *p)
{
	uint32_t id, first;

	while (batch_take(&p->batch, &id, &first))
		conn_send(conn_at(p->conns, id), &p->batch, first);
}

/* Connects are begun in order and may all take as long: one cursor will do. */
static void
expire_connects(struct pool *p, uint64_t now)
{
	struct conn *c;

	for (; p->connecting < p->next; p->connecting++) {
		c = conn_at(p->conns, p->connecting);
		if (!conn_is_connecting(c))
			continue;
		if (conn_begun(c) + p->connect_timeout > now)
			return;
		conn_fail(c, ETIMEDOUT);
	}
}

bool
pool_expire(struct pool *p, uint64_t now)
{
	struct wheel_node *node;

	expire_connects(p, now);
	while ((node = wheel_take(&p->expiry, now)) != NULL)
		conn_expire(conn_of_expiry(node), now);
	return p->connecting < p->next || p->expiry.queued > 0;
}

uint64_t
pool_tick(const struct pool *p)
{
	return clamp(
	    p->connect_timeout / TICKS_PER_TIMEOUT, TICK_LEAST, p->expiry.tick);
}

void
pool_abandon(struct pool *p)
{
	for (; p->connecting < p->next; p->connecting++)
		if (conn_is_connecting(conn_at(p->conns, p->connecting)))
			conn_abandon(conn_at(p->conns, p->connecting));
	pool_stop_opening(p);
}

void
pool_close(struct pool *p, bool drain_over)
{
	uint32_t i;

	for (i = 0; i < p->count; i++)
		conn_close(conn_at(p->conns, i),
		    drain_over ? CONN_DRAINED : CONN_LOCAL);
}
