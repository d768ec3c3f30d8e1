#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/worker.h"
#include "server/counts.h"
#include "server/handover.h"
#include "server/room.h"

/* What it knows of another worker. */
struct peer {
	uint64_t seen; /* its room, as it last wrote it */
	uint32_t promised; /* handed to it since then */
	bool gone;
};

struct room {
	struct worker *worker;
	struct handover *handover;
	struct counts_slot *slot;
	uint32_t written; /* times that the own room was */
	struct peer *peers; /* by worker */
};

struct room *
room_new(struct worker *worker, struct handover *handover)
{
	struct room *r = calloc(1, sizeof(*r));

	if (r == NULL)
		err(1, "no memory");
	r->worker = worker;
	r->handover = handover;
	r->slot = worker_shared(worker);
	r->peers = calloc(worker_count(worker), sizeof(*r->peers));
	if (r->peers == NULL)
		err(1, "no memory for %u workers", worker_count(worker));
	return r;
}

void
room_publish(struct room *r, uint64_t places)
{
	__atomic_store_n(&r->slot->room,
	    (uint64_t)++r->written << 32 | (uint32_t)places, __ATOMIC_RELAXED);
}

/* A worker that has not written since has not had its turn: it does not count
 * yet what was handed to it. */
static uint32_t
room_of(const struct room *r, unsigned int index)
{
	const struct counts_slot *slot = worker_peer_shared(r->worker, index);
	uint64_t word = __atomic_load_n(&slot->room, __ATOMIC_RELAXED);
	struct peer *peer = &r->peers[index];

	if (word != peer->seen) {
		peer->seen = word;
		peer->promised = 0;
	}
	if (peer->gone || (uint32_t)word <= peer->promised)
		return 0;
	return (uint32_t)word - peer->promised;
}

/* Where to try next: another worker, or nobody (room 0). */
struct target {
	uint32_t room;
	unsigned int index;
};

/*
 * The worker with the most room below that of the last one tried, or with as
 * much and a higher index; so each is tried once. Costs a look at every
 * worker's slot.
 */
static struct target
find_target(const struct room *r, struct target last)
{
	unsigned int n = worker_count(r->worker), index;
	struct target best = {0, 0};
	uint32_t room;

	for (index = 0; index < n; index++) {
		if (index == worker_index(r->worker))
			continue;
		room = room_of(r, index);
		if (room > best.room &&
		    (room < last.room ||
			(room == last.room && index > last.index)))
			best = (struct target){room, index};
	}
	return best;
}

static struct target
find_first(const struct room *r)
{
	return find_target(r, (struct target){UINT32_MAX, UINT32_MAX});
}

bool
room_elsewhere(const struct room *r)
{
	return find_first(r).room > 0;
}

/* It is booked before it is sent: should this worker die between the two, it was
 * handed over and never arrived, which is what then happens to it. */
bool
room_hand_over(struct room *r, int fd)
{
	struct counts *counts = &r->slot->counts;
	struct target to;
	struct peer *peer;
	int error;

	for (to = find_first(r); to.room > 0; to = find_target(r, to)) {
		peer = &r->peers[to.index];
		counts->handed_over++;
		error = handover_send(r->handover, to.index, fd);
		if (error == 0) {
			close(fd);
			peer->promised++;
			return true;
		}
		counts->handed_over--;
		peer->gone = error == EPIPE || error == ECONNRESET;
	}
	return false;
}

void
room_free(struct room *r)
{
	free(r->peers);
	free(r);
}
