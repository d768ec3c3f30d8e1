/*
 * At which targets connections failed or were ended by the other side: exact
 * counts of the first targets of each cause, in bounded memory. What else there
 * was is the total of the cause, which is counted elsewhere, less these.
 *
 * In shared memory, with one writer; zeroed, it is empty.
 */
#ifndef CLIENT_TALLY_H
#define CLIENT_TALLY_H

#include <stdint.h>

#define TALLY_ROWS    128
#define TALLY_TARGETS 16 /* of one cause */

/* An errno of a failed connect(), or one of these. */
#define TALLY_PEER_FIN 200
#define TALLY_PEER_RST 201

struct tally_row {
	uint64_t count;
	uint32_t target;
	uint32_t cause;
};

struct tally {
	uint32_t used; /* rows */
	struct tally_row rows[TALLY_ROWS];
};

/* One more; nothing where there is no room for another target. */
void tally_add(struct tally *, uint32_t cause, uint32_t target);

/* into += from, as far as there is room. */
void tally_merge(struct tally *into, const struct tally *from);

#endif
