#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "client/inflight.h"

#define SMALL_SIZE 8

enum record_state {
	RECORD_FREE,
	RECORD_WAITING,
	RECORD_QUARANTINED,
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
	uint64_t quarantine;
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
	return f->waiting.count + f->quarantine.count;
}

/*
 * Lists: the ends' outer links are never read, count says where they are.
 */

static void
list_append(
    struct inflight *f, struct inflight_list *list, struct inflight_record *r)
{
	if (list->count == 0)
		list->oldest = r->id;
	else
		record_of(f, list->newest)->newer = r->id;
	r->older = list->newest;
	list->newest = r->id;
	list->count++;
}

static void
list_remove(struct inflight *f, struct inflight_list *list,
    const struct inflight_record *r)
{
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
 * Not with the last answer, or a busy connection would get and grow a table for
 * every batch, but at the next look at what has expired.
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
inflight_pool_new(uint64_t timeout, uint64_t quarantine)
{
	struct inflight_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		err(1, "no memory");
	pool->timeout = timeout;
	pool->quarantine = quarantine;
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
	list_append(f, &f->waiting, r);
	*id = r->id;
	return true;
}

enum inflight_match
inflight_take(struct inflight *f, struct inflight_pool *pool, uint16_t id,
    uint64_t now, struct inflight_query *query)
{
	enum inflight_match match;
	struct inflight_record *r;

	if (f->table == NULL)
		return INFLIGHT_UNKNOWN;
	r = record_of(f, id);
	if (r->state == RECORD_FREE || r->id != id)
		return INFLIGHT_UNKNOWN;
	*query = query_of(r);
	if (r->state == RECORD_QUARANTINED) {
		list_remove(f, &f->quarantine, r);
		match = INFLIGHT_LATE;
	} else {
		list_remove(f, &f->waiting, r);
		match = now - r->sent > pool->timeout ? INFLIGHT_EXPIRED :
							INFLIGHT_ANSWERED;
	}
	record_free(f, r);
	return match;
}

static void
quarantine_end(struct inflight *f, struct inflight_pool *pool, uint64_t now)
{
	struct inflight_record *r;

	while (f->quarantine.count > 0) {
		r = record_of(f, f->quarantine.oldest);
		if (r->sent + pool->timeout + pool->quarantine > now)
			break;
		list_remove(f, &f->quarantine, r);
		record_free(f, r);
	}
	table_release(f, pool);
}

bool
inflight_expire(struct inflight *f, struct inflight_pool *pool, uint64_t now,
    struct inflight_query *query)
{
	struct inflight_record *r;

	if (f->table == NULL)
		return false;
	quarantine_end(f, pool, now);
	if (f->waiting.count == 0)
		return false;
	r = record_of(f, f->waiting.oldest);
	if (r->sent + pool->timeout >= now)
		return false;
	*query = query_of(r);
	list_remove(f, &f->waiting, r);
	r->state = RECORD_QUARANTINED;
	list_append(f, &f->quarantine, r);
	return true;
}

uint64_t
inflight_deadline(const struct inflight *f, const struct inflight_pool *pool)
{
	uint64_t deadline = CLOCK_NEVER, end;

	if (f->waiting.count > 0)
		deadline =
		    record_of(f, f->waiting.oldest)->sent + pool->timeout + 1;
	if (f->quarantine.count > 0) {
		end = record_of(f, f->quarantine.oldest)->sent + pool->timeout +
		    pool->quarantine;
		if (end < deadline)
			deadline = end;
	}
	return deadline;
}

bool
inflight_clear(struct inflight *f, struct inflight_pool *pool,
    struct inflight_query *query)
{
	struct inflight_record *r;

	if (f->waiting.count > 0) {
		r = record_of(f, f->waiting.oldest);
		*query = query_of(r);
		list_remove(f, &f->waiting, r);
		record_free(f, r);
		return true;
	}
	quarantine_end(f, pool, CLOCK_NEVER);
	return false;
}
