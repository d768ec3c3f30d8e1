#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "server/delay.h"

struct delay {
	struct delay_queue queue;
	uint64_t after;
	size_t memory;
	size_t most;
	size_t own_most;
};

struct delay *
delay_new(uint64_t after, size_t most, size_t own_most)
{
	struct delay *d = calloc(1, sizeof(*d));

	if (d == NULL)
		err(1, "no memory");
	TAILQ_INIT(&d->queue);
	d->after = after;
	d->most = most;
	d->own_most = own_most;
	return d;
}

void
delay_free(struct delay *d)
{
	free(d);
}

void
delay_owner_init(struct delay_owner *owner, void *arg)
{
	TAILQ_INIT(&owner->queue);
	owner->count = 0;
	owner->memory = 0;
	owner->arg = arg;
}

/* With what malloc() needs for itself. */
static size_t
memory_of(size_t length)
{
	return sizeof(struct delay_answer) + length + 8;
}

void
delay_put(struct delay *d, struct delay_owner *owner, uint64_t now,
    const uint8_t *data, size_t length)
{
	struct delay_answer *a = malloc(sizeof(*a) + length);

	if (a == NULL)
		err(1, "no memory for an answer that waits");
	a->owner = owner;
	a->due = now + d->after;
	a->length = length;
	a->deferred = false;
	memcpy(a->data, data, length);
	TAILQ_INSERT_TAIL(&d->queue, a, in_all);
	TAILQ_INSERT_TAIL(&owner->queue, a, in_own);
	d->memory += memory_of(length);
	owner->memory += memory_of(length);
	owner->count++;
}

const struct delay_answer *
delay_due(const struct delay *d, uint64_t now)
{
	const struct delay_answer *a = TAILQ_FIRST(&d->queue);

	return a != NULL && a->due <= now ? a : NULL;
}

static void
drop(struct delay *d, struct delay_answer *a)
{
	if (!a->deferred)
		TAILQ_REMOVE(&d->queue, a, in_all);
	TAILQ_REMOVE(&a->owner->queue, a, in_own);
	d->memory -= memory_of(a->length);
	a->owner->memory -= memory_of(a->length);
	a->owner->count--;
	free(a);
}

void
delay_take(struct delay *d)
{
	drop(d, TAILQ_FIRST(&d->queue));
}

void
delay_defer(struct delay *d)
{
	struct delay_answer *a = TAILQ_FIRST(&d->queue);

	TAILQ_REMOVE(&d->queue, a, in_all);
	a->deferred = true;
}

const struct delay_answer *
delay_deferred(const struct delay_owner *owner)
{
	const struct delay_answer *a = TAILQ_FIRST(&owner->queue);

	return a != NULL && a->deferred ? a : NULL;
}

void
delay_take_deferred(struct delay *d, struct delay_owner *owner)
{
	drop(d, TAILQ_FIRST(&owner->queue));
}

uint64_t
delay_next(const struct delay *d)
{
	const struct delay_answer *a = TAILQ_FIRST(&d->queue);

	return a == NULL ? CLOCK_NEVER : a->due;
}

uint64_t
delay_forget(struct delay *d, struct delay_owner *owner)
{
	struct delay_answer *a;
	uint64_t bytes = 0;

	while ((a = TAILQ_FIRST(&owner->queue)) != NULL) {
		bytes += a->length;
		drop(d, a);
	}
	return bytes;
}

bool
delay_full(const struct delay *d)
{
	return d->memory >= d->most;
}

bool
delay_owner_full(const struct delay *d, const struct delay_owner *owner)
{
	return owner->memory >= d->own_most;
}

bool
delay_roomy(const struct delay *d)
{
	return d->memory <= d->most / 2;
}
