#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "client/inflight.h"

#define SMALL_SIZE 8

enum record_state {
	RECORD_FREE,
	RECORD_WAITING,
	RECORD_EXPIRED, /* in no list */
};

/*
 * A record stands in the slot that its ID's low bits name; inflight_add() picks
 * only IDs whose slot is free, so there are no collisions. Links are IDs, not
 * addresses, and outlive the table's growth.
 */
struct inflight_record {
	uint64_t due;
	uint64_t sent;
	uint16_t id;
	uint16_t older;
	uint16_t newer;
	uint16_t state;
};

/*
 * A small table that nobody uses holds the link to the next one, where a free
 * record has its due time. All its records are free, so it needs no clearing.
 */
struct spare {
	struct spare *next;
};

struct inflight_pool {
	uint64_t timeout;
	uint64_t expired; /* of all connections */
	struct spare *spares;
};

static struct inflight_record *
record_of(const struct inflight *f, uint16_t id)
{
	return &f->table[id & f->mask];
}

static uint32_t
held(const struct inflight *f)
{
	return f->waiting.count + f->expired;
}

/*
 * The list of those that wait: the ends' outer links are never read, count says
 * where they are.
 */

static void
waiting_append(struct inflight *f, struct inflight_record *r)
{
	struct inflight_list *list = &f->waiting;

	if (list->count == 0)
		list->oldest = r->id;
	else
		record_of(f, list->newest)->newer = r->id;
	r->older = list->newest;
	list->newest = r->id;
	list->count++;
}

static void
waiting_remove(struct inflight *f, const struct inflight_record *r)
{
	struct inflight_list *list = &f->waiting;

	if (r->id == list->oldest)
		list->oldest = r->newer;
	else
		record_of(f, r->older)->newer = r->newer;
	if (r->id == list->newest)
		list->newest = r->older;
	else
		record_of(f, r->newer)->older = r->older;
	list->count--;
}

/*
 * Tables.
 */

static struct inflight_record *
table_new(struct inflight_pool *pool, uint32_t size)
{
	struct spare *spare = pool->spares;
	struct inflight_record *table;

	if (size == SMALL_SIZE && spare != NULL) {
		pool->spares = spare->next;
		return (struct inflight_record *)(void *)spare;
	}
	table = calloc(size, sizeof(*table));
	if (table == NULL)
		err(1, "no memory for %u queries in flight", size);
	return table;
}

static void
table_free(
    struct inflight_pool *pool, struct inflight_record *table, uint32_t size)
{
	struct spare *spare = (struct spare *)(void *)table;

	if (size != SMALL_SIZE) {
		free(table);
		return;
	}
	spare->next = pool->spares;
	pool->spares = spare;
}

static void
table_grow(struct inflight *f, struct inflight_pool *pool)
{
	struct inflight_record *old = f->table;
	uint32_t old_size = f->mask + 1, i;

	f->mask = old_size * 2 - 1;
	f->table = table_new(pool, old_size * 2);
	for (i = 0; i < old_size; i++)
		if (old[i].state != RECORD_FREE) {
			*record_of(f, old[i].id) = old[i];
			old[i].state = RECORD_FREE; /* it may become a spare */
		}
	table_free(pool, old, old_size);
}

/*
 * A quarter is kept free, so that the search for a free ID stays short; but all
 * IDs may be held in the largest table.
 */
static uint32_t
table_capacity(uint32_t size)
{
	return size < INFLIGHT_MAX ? size / 4 * 3 : size;
}

/* False if all IDs are held. */
static bool
table_make_room(struct inflight *f, struct inflight_pool *pool)
{
	if (held(f) == INFLIGHT_MAX)
		return false;
	if (f->table == NULL) {
		f->mask = SMALL_SIZE - 1;
		f->table = table_new(pool, SMALL_SIZE);
	} else
		table_grow(f, pool);
	f->room = table_capacity(f->mask + 1) - held(f);
	return true;
}

/*
 * Not with the last answer in time, or a busy connection would get and grow a
 * table for every batch, but at the next look at what has expired. After that
 * look only a late answer can be the last: nobody looks again when it comes.
 */
static void
table_release(struct inflight *f, struct inflight_pool *pool)
{
	if (f->table == NULL || held(f) > 0)
		return;
	table_free(pool, f->table, f->mask + 1);
	f->table = NULL;
	f->room = 0;
}

static void
record_free(struct inflight *f, struct inflight_record *r)
{
	r->state = RECORD_FREE;
	f->room++;
}

static struct inflight_query
query_of(const struct inflight_record *r)
{
	struct inflight_query q = {.due = r->due, .sent = r->sent, .id = r->id};

	return q;
}

struct inflight_pool *
inflight_pool_new(uint64_t timeout)
{
	struct inflight_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		err(1, "no memory");
	pool->timeout = timeout;
	return pool;
}

void
inflight_pool_free(struct inflight_pool *pool)
{
	struct spare *spare;

	while ((spare = pool->spares) != NULL) {
		pool->spares = spare->next;
		free(spare);
	}
	free(pool);
}

uint64_t
inflight_pool_expired(const struct inflight_pool *pool)
{
	return pool->expired;
}

bool
inflight_add(struct inflight *f, struct inflight_pool *pool, uint64_t due,
    uint64_t sent, uint16_t *id)
{
	struct inflight_record *r;

	if (f->room == 0 && !table_make_room(f, pool))
		return false;
	f->room--;
	while ((r = record_of(f, f->next_id))->state != RECORD_FREE)
		f->next_id++;
	r->due = due;
	r->sent = sent;
	r->id = f->next_id++;
	r->state = RECORD_WAITING;
	waiting_append(f, r);
	*id = r->id;
	return true;
}

enum inflight_match
inflight_take(struct inflight *f, struct inflight_pool *pool, uint16_t id,
    uint64_t came, struct inflight_query *query)
{
	enum inflight_match match;
	struct inflight_record *r;

	if (f->table == NULL)
		return INFLIGHT_UNKNOWN;
	r = record_of(f, id);
	if (r->state == RECORD_FREE || r->id != id)
		return INFLIGHT_UNKNOWN;
	*query = query_of(r);
	if (r->state == RECORD_EXPIRED) {
		f->expired--;
		pool->expired--;
		record_free(f, r);
		table_release(f, pool);
		return INFLIGHT_LATE;
	}
	waiting_remove(f, r);
	match = came > r->sent + pool->timeout ? INFLIGHT_EXPIRED :
						 INFLIGHT_ANSWERED;
	record_free(f, r);
	return match;
}

/* A spare must have none but free records; a large table is not kept. */
static void
expired_clear(struct inflight *f, struct inflight_pool *pool)
{
	uint32_t i;

	pool->expired -= f->expired;
	for (i = 0; f->expired > 0 && i <= f->mask; i++)
		if (f->table[i].state == RECORD_EXPIRED) {
			f->expired--;
			record_free(f, &f->table[i]);
		}
}

bool
inflight_expire(struct inflight *f, struct inflight_pool *pool, uint64_t now,
    struct inflight_query *query)
{
	struct inflight_record *r;

	table_release(f, pool);
	if (f->waiting.count == 0)
		return false;
	r = record_of(f, f->waiting.oldest);
	if (r->sent + pool->timeout >= now)
		return false;
	*query = query_of(r);
	waiting_remove(f, r);
	r->state = RECORD_EXPIRED;
	f->expired++;
	pool->expired++;
	return true;
}

uint64_t
inflight_deadline(const struct inflight *f, const struct inflight_pool *pool)
{
	return f->waiting.count == 0 ?
	    CLOCK_NEVER :
	    record_of(f, f->waiting.oldest)->sent + pool->timeout + 1;
}

bool
inflight_clear(struct inflight *f, struct inflight_pool *pool,
    struct inflight_query *query)
{
	struct inflight_record *r;

	if (f->waiting.count > 0) {
		r = record_of(f, f->waiting.oldest);
		*query = query_of(r);
		waiting_remove(f, r);
		record_free(f, r);
		return true;
	}
	expired_clear(f, pool);
	table_release(f, pool);
	return false;
}
