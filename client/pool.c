#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/sockdiag_peer.h"
#include "client/inflight.h"
#include "client/pool_internal.h"
#include "client/routes.h"

/* Connects that are pending at the end have failed if none succeeded for so long. */
#define SILENCE CLOCK_NS_PER_SEC

/* Most that waits unsent in this process, over all connections and for one. */
#define OUTPUT_TOTAL (UINT64_C(1) << 30)
#define OUTPUT_MOST  (UINT64_C(2) << 20) /* all 65,536 IDs */
#define OUTPUT_LEAST (UINT64_C(64) << 10)

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

/* A connection that was open for that long is no failure. */
#define LASTED (10 * CLOCK_NS_PER_SEC)

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

void
pool_put_usable(struct pool *p, uint32_t position, uint32_t id)
{
	p->usable[position] = id;
	p->position[id] = position;
}

void
pool_set_missing(struct pool *p, uint32_t id, bool missing)
{
	p->missing_count += (uint32_t)missing - (uint32_t)p->missing[id];
	p->missing[id] = missing;
}

static void
on_usable(struct conn *c, void *arg)
{
	struct pool *p = arg;

	pool_set_missing(p, conn_id(c), false);
	slots_move(&p->slots, conn_id(c), SLOTS_OPEN);
	pool_put_usable(p, p->usable_count++, conn_id(c));
	p->failing = false;
	p->env.stats->n.unsent_in_handshake += p->in_handshake;
	p->undecided = p->in_handshake = 0;
	p->opened_last = clock_now();
}

void
pool_make_unusable(struct pool *p, uint32_t id)
{
	if (slots_where(&p->slots, id) != SLOTS_OPEN)
		return;
	p->usable_count--;
	pool_put_usable(p, p->position[id], p->usable[p->usable_count]);
	slots_move(&p->slots, id, SLOTS_LEAVING);
}

static void
on_unusable(struct conn *c, void *arg)
{
	pool_make_unusable(arg, conn_id(c));
}

/* Lasted it, or was it of use? Then the next failure is a first one. */
static bool
did_well(const struct conn *c, uint64_t now)
{
	return conn_is_verified(c) || now - conn_begun(c) > LASTED;
}

static enum slots_list
try_again(struct pool *p, const struct conn *c, enum conn_end end)
{
	uint64_t now = clock_now();

	if (p->life.reconnect == LIFE_RECONNECT_NONE)
		return SLOTS_OVER;
	if (end != CONN_FAILED && did_well(c, now))
		backoff_forget(&p->backoff, conn_id(c));
	if (p->life.reconnect == LIFE_RECONNECT_NOW && end != CONN_FAILED)
		return SLOTS_WAITING;
	backoff_add(&p->backoff, conn_id(c), now);
	return SLOTS_RESTING;
}

/* Where the slot of a connection goes that ended so. */
static enum slots_list
after(struct pool *p, const struct conn *c, enum conn_end end)
{
	if (conn_leaves(c) != CONN_NOT_ENDED)
		end = conn_leaves(c); /* whoever was the first to close it */
	switch (end) {
	case CONN_ON_REQUEST:
		/* more may be wanted again since it was told to go */
		return p->going && pool_held(p) < p->want ? SLOTS_WAITING :
							    SLOTS_FREE;
	case CONN_CHURNED:
		return p->going ? SLOTS_REPLACING : SLOTS_OVER;
	case CONN_USED_UP:
		/* an empty exchange has no pace of its own */
		return !p->going	     ? SLOTS_OVER :
		    p->env.most_queries == 0 ? SLOTS_WAITING :
					       SLOTS_REPLACING;
	case CONN_LOCAL:
	case CONN_DRAINED:
	case CONN_ABANDONED:
		return SLOTS_OVER;
	default:
		return p->going ? try_again(p, c, end) : SLOTS_OVER;
	}
}

/* By the other side, an error or a connect that failed. */
static bool
is_by_others(enum conn_end end)
{
	return end == CONN_FAILED || end == CONN_PEER_FIN ||
	    end == CONN_PEER_RST || end == CONN_ERROR;
}

/* A failure keeps missing what was so, and an empty exchange leaves no gap. */
static bool
is_missed(const struct pool *p, enum conn_end end, enum slots_list list)
{
	return p->going && !p->env.leave_at_once && list != SLOTS_OVER &&
	    list != SLOTS_FREE && is_by_others(end);
}

/* The queries that found no connection waited for one that failed. */
static void
book_undecided(struct pool *p)
{
	p->env.stats->n.unsent_after_failure += p->undecided;
	p->undecided = p->in_handshake = 0;
}

static void
note_end(struct pool *p, const struct conn *c, enum conn_end end)
{
	if (conn_leaves(c) != CONN_NOT_ENDED ||
	    (!is_by_others(end) && end != CONN_ON_TIMEOUT))
		return;
	p->failing = true;
	book_undecided(p);
}

static void
on_ended(struct conn *c, enum conn_end end, void *arg)
{
	struct pool *p = arg;
	enum slots_list list = after(p, c, end);

	note_end(p, c, end);
	pool_make_unusable(p, conn_id(c));
	slots_move(&p->slots, conn_id(c), list);
	pool_set_missing(p, conn_id(c), is_missed(p, end, list));
	p->parting -= conn_leaves(c) == CONN_ON_REQUEST;
	if (list != SLOTS_OVER)
		conn_reset(c);
}

static void
on_progress(uint64_t now, void *arg)
{
	struct pool *p = arg;

	p->on_progress(now, p->arg);
}

static void
lists_init(struct pool *p)
{
	p->usable = calloc(p->capacity, sizeof(*p->usable));
	p->position = calloc(p->capacity, sizeof(*p->position));
	p->missing = calloc(p->capacity, sizeof(*p->missing));
	if (p->usable == NULL || p->position == NULL || p->missing == NULL)
		err(1, "no memory for %u connections", p->capacity);
	p->cursors = calloc(p->router.count, sizeof(*p->cursors));
	if (p->cursors == NULL)
		err(1, "no memory for %" PRIu64 " ways", p->router.count);
	slots_init(&p->slots, p->capacity);
	batch_init(&p->batch, p->capacity);
	if (p->life.reconnect != LIFE_RECONNECT_NONE)
		backoff_init(&p->backoff, p->capacity, random_next(&p->random),
		    clock_now());
}

static void
env_set_config(struct conn_env *env, const struct pool_config *config)
{
	env->inflight = inflight_pool_new(config->timeout);
	env->timeout = config->timeout;
	env->first_id = config->first;
	env->probe = config->probe;
	env->reset = config->reset;
	env->drop = config->life.drop;
	env->limited = config->life.limited;
	env->most_queries = config->life.most_queries;
	env->self_possible = config->self_possible;
	env->ask_peer_by = config->peers_here ? sockdiag_peer_open() : -1;
	env->query = config->query;
	env->query_length = config->query_length;
	env->clock_from = env->measure_from = CLOCK_NEVER;
}

static void
env_init(struct pool *p)
{
	struct conn_env *env = &p->env;

	env->expiry = &p->expiry;
	env->window = &p->window;
	env->input = malloc(CONN_INPUT_SIZE);
	if (env->input == NULL)
		err(1, "no memory");
	env->output_max =
	    clamp(OUTPUT_TOTAL / p->capacity, OUTPUT_LEAST, OUTPUT_MOST);
	env->on_usable = on_usable;
	env->on_unusable = on_unusable;
	env->on_ended = on_ended;
	env->on_progress = on_progress;
	env->arg = p;
}

struct pool *
pool_new(const struct pool_config *config, struct event_base *base,
    struct stats *stats, struct querylog *log,
    void (*progress)(uint64_t, void *), void *arg)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		err(1, "no memory");
	p->capacity = config->capacity;
	p->life = config->life;
	p->connect_timeout = config->connect_timeout;
	p->on_progress = progress;
	p->arg = arg;
	p->random.state = config->seed;
	(void)random_mix(&p->random.state);
	router_init(&p->router, config->routes);
	p->connector.ports = config->ports;
	p->connector.start = config->first_port;
	window_init(&p->window, share(PENDING_START, config->workers),
	    share(PENDING_MOST, config->workers));
	wheel_init(&p->expiry,
	    clamp(config->timeout / TICKS_PER_TIMEOUT, TICK_LEAST, TICK_MOST),
	    clock_now());
	lists_init(p);
	env_set_config(&p->env, config);
	env_init(p);
	p->env.base = base;
	p->env.stats = stats;
	p->env.log = log;
	p->conns = conn_array_new(&p->env, p->capacity);
	pool_hold(p, config->connections);
	return p;
}

void
pool_measure_delay(struct pool *p, const struct read_delay *delay)
{
	p->env.delay = delay;
}

void
pool_free(struct pool *p)
{
	router_clear(&p->router);
	inflight_pool_free(p->env.inflight);
	free(p->env.input);
	if (p->env.ask_peer_by != -1)
		close(p->env.ask_peer_by);
	slots_clear(&p->slots);
	backoff_clear(&p->backoff);
	batch_clear(&p->batch);
	conn_array_free(p->conns);
	free(p->cursors);
	free(p->usable);
	free(p->position);
	free(p->missing);
	free(p);
}

uint32_t
pool_unopened(const struct pool *p)
{
	return slots_count(&p->slots, SLOTS_WAITING);
}

void
pool_stop_opening(struct pool *p)
{
	slots_move_all(&p->slots, SLOTS_WAITING, SLOTS_OVER);
}

void
pool_hold(struct pool *p, uint32_t connections)
{
	struct conn *c;
	uint32_t i;

	for (i = 0; i < p->capacity; i++) {
		c = conn_at(p->conns, i);
		if (i >= connections || !conn_is_open(c) ||
		    (p->env.probe && !conn_is_verified(c)))
			conn_close(c, CONN_LOCAL);
		conn_reset(c);
		if (conn_is_idle(c))
			slots_move(&p->slots, i,
			    i < connections ? SLOTS_WAITING : SLOTS_FREE);
	}
	p->want = connections;
}

uint64_t
pool_unanswered(const struct pool *p)
{
	return inflight_pool_expired(p->env.inflight);
}

uint32_t
pool_renew(struct pool *p)
{
	bool reset = p->env.reset;
	uint32_t i, count = 0;
	struct conn *c;

	p->env.reset = true;
	for (i = 0; i < p->capacity; i++) {
		c = conn_at(p->conns, i);
		if (conn_unanswered(c) == 0)
			continue;
		conn_close(c, CONN_LOCAL);
		conn_reset(c);
		slots_move(&p->slots, i, SLOTS_WAITING);
		count++;
	}
	p->env.reset = reset;
	return count;
}

static uint64_t
pending(const struct stats *stats)
{
	return stats_pending(stats) + stats_probes_in_flight(stats);
}

bool
pool_has_room(const struct pool *p)
{
	return pending(p->env.stats) < window_size(&p->window);
}

bool
pool_may_open(const struct pool *p)
{
	return pool_unopened(p) > 0 && pool_has_room(p);
}

/* On its way, or on another that has a port left. */
static int
open_on_a_way(struct pool *p, struct conn *c)
{
	uint64_t k = (uint64_t)p->env.first_id + conn_id(c), chosen;
	uint64_t now = clock_now();
	struct route route;
	int error = EADDRNOTAVAIL;

	while (error == EADDRNOTAVAIL &&
	    router_choose(&p->router, k, now, &chosen)) {
		routes_get(p->router.routes, chosen, &route);
		p->connector.cursor = &p->cursors[chosen];
		error = conn_open(c, &route, &p->connector);
		if (error == EADDRNOTAVAIL)
			router_exhausted(&p->router, chosen, now);
	}
	return error;
}

bool
pool_open_slot(struct pool *p, uint32_t id)
{
	struct conn *c = conn_at(p->conns, id);
	enum slots_list list = slots_where(&p->slots, id);
	bool again = p->going && conn_begun(c) != 0;
	int error;

	slots_move(&p->slots, id, SLOTS_CONNECTING);
	error = open_on_a_way(p, c);
	if (error == EAGAIN) {
		slots_move(&p->slots, id, list);
		return false;
	}
	if (again)
		p->env.stats->n.reopened++;
	if (error != 0)
		conn_refuse(c, error);
	return true;
}

bool
pool_open_next(struct pool *p)
{
	return pool_open_slot(p, slots_first(&p->slots, SLOTS_WAITING));
}

void
pool_start_clock(struct pool *p, uint64_t clock, uint64_t measure)
{
	p->env.clock_from = clock;
	p->env.measure_from = measure;
}

uint32_t
pool_capacity(const struct pool *p)
{
	return p->capacity;
}

uint32_t
pool_usable(const struct pool *p)
{
	return p->usable_count;
}

/* Each may take as long: the first one to be begun is the first to be late. */
static void
expire_connects(struct pool *p, uint64_t now)
{
	struct conn *c;
	uint32_t id;

	while ((id = slots_first(&p->slots, SLOTS_CONNECTING)) != SLOTS_NONE) {
		c = conn_at(p->conns, id);
		if (conn_begun(c) + p->connect_timeout > now)
			return;
		conn_time_out(c);
	}
}

bool
pool_expire(struct pool *p, uint64_t seen, uint64_t now)
{
	struct wheel_node *node;

	expire_connects(p, now);
	while ((node = wheel_take(&p->expiry, seen)) != NULL)
		conn_expire(conn_of_expiry(node), seen, now);
	return slots_count(&p->slots, SLOTS_CONNECTING) > 0 ||
	    p->expiry.queued > 0 || backoff_waits(&p->backoff);
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
	uint32_t id;

	p->going = false;
	if (slots_first(&p->slots, SLOTS_CONNECTING) != SLOTS_NONE &&
	    clock_now() - p->opened_last > SILENCE)
		book_undecided(p);
	p->env.stats->n.unsent_in_handshake += p->in_handshake;
	p->in_handshake = 0;
	while ((id = slots_first(&p->slots, SLOTS_CONNECTING)) != SLOTS_NONE)
		conn_abandon(conn_at(p->conns, id));
	pool_stop_opening(p);
	slots_move_all(&p->slots, SLOTS_REPLACING, SLOTS_OVER);
	slots_move_all(&p->slots, SLOTS_RESTING, SLOTS_OVER);
}

void
pool_close(struct pool *p, bool drain_over)
{
	uint32_t i;

	for (i = 0; i < p->capacity; i++)
		conn_close(conn_at(p->conns, i),
		    drain_over ? CONN_DRAINED : CONN_LOCAL);
}
