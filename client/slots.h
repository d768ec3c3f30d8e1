/*
 * Where each of a pool's connections is in its life. Every slot is in exactly one
 * list, in the order in which it came there: so the next to be opened, the one
 * that has been connecting the longest and the oldest that is open are each the
 * first of their list, and how many there are of each kind is known.
 *
 * Every operation takes constant time. Memory: 12 bytes a slot.
 */
#ifndef CLIENT_SLOTS_H
#define CLIENT_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#define SLOTS_NONE UINT32_MAX

enum slots_list {
	SLOTS_FREE, /* not held: to be had by slots_first() */
	SLOTS_WAITING, /* to be opened, as fast as is wanted */
	SLOTS_REPLACING, /* to be opened at once, in place of one that left */
	SLOTS_RESTING, /* to be opened again, but not yet */
	SLOTS_CONNECTING,
	SLOTS_OPEN,
	SLOTS_LEAVING, /* carries nothing new, and is closed once answered */
	SLOTS_OVER, /* has ended and stays so */
	SLOTS_LISTS,
};

struct slots_link {
	uint32_t next;
	uint32_t previous;
	uint8_t list;
};

struct slots {
	struct slots_link *links; /* of the slots, then of the lists' ends */
	uint32_t size;
	uint32_t count[SLOTS_LISTS];
};

/* Slots 0 .. size - 1, all free, in order. Exits on lack of memory. */
void slots_init(struct slots *, uint32_t size);
void slots_clear(struct slots *); /* frees */

enum slots_list slots_where(const struct slots *, uint32_t slot);

/* To the end of that list, also if it is in it already. */
void slots_move(struct slots *, uint32_t slot, enum slots_list);

/* Moves all of one list to the end of another. */
void slots_move_all(struct slots *, enum slots_list from, enum slots_list to);

/* The one that has been in the list for the longest; SLOTS_NONE: it is empty. */
uint32_t slots_first(const struct slots *, enum slots_list);

uint32_t slots_count(const struct slots *, enum slots_list);

/* How many are on their way to being open. */
uint32_t slots_coming(const struct slots *);

#endif
