/*
 * At which targets, and from which sources, connections failed, were ended by the
 * other side, or were not answered: exact counts of the first places of each cause,
 * in bounded memory. The rest is the total of the cause, which is counted
 * elsewhere, less these.
 *
 * In shared memory, with one writer; zeroed, it is empty.
 */
#ifndef CLIENT_TALLY_H
#define CLIENT_TALLY_H

#include <stdint.h>

#define TALLY_ROWS   256
#define TALLY_PLACES 16 /* of one cause and kind */

/* Places with a lower number also have all their connections counted. */
#define TALLY_COUNTED 256

/* A cause: the errno of a failed connect(), or one of these. */
enum tally_cause {
	TALLY_PEER_FIN = 200,
	TALLY_PEER_RST,
	TALLY_UNACKED, /* as in suspect.h, now */
	TALLY_QUEUED,
	TALLY_WRONG_ANSWER, /* but for those that follow */
	TALLY_CUT_OFF, /* an answer began, and its rest did not come */
	TALLY_MALFORMED, /* messages */
	TALLY_OUT_OF_IDS,
	TALLY_GIVEN_UP, /* ended here, as the other side was silent */
};

enum tally_kind { TALLY_TARGET, TALLY_SOURCE, TALLY_KINDS };

/* The numbers of a connection's target and source, see routes.h. */
struct tally_way {
	uint32_t place[TALLY_KINDS];
};

struct tally_row {
	uint64_t count;
	uint32_t place;
	uint16_t cause;
	uint16_t kind;
};

struct tally {
	uint32_t used; /* rows */
	struct tally_row rows[TALLY_ROWS];
	uint64_t attempted[TALLY_KINDS][TALLY_COUNTED];
	uint64_t opened[TALLY_KINDS][TALLY_COUNTED];
};

/*
 * One more, or one less, of that cause. A place has a row from its first one on,
 * or never, where there is no room: so its count is exact.
 */
void tally_add(struct tally *, uint32_t cause, const struct tally_way *);
void tally_remove(struct tally *, uint32_t cause, const struct tally_way *);

/* One more connection was attempted, or opened. */
void tally_attempted(struct tally *, const struct tally_way *);
void tally_opened(struct tally *, const struct tally_way *);

/*
 * How many connections a place has had that this cause may befall: attempted, or
 * opened. 0: that is not known.
 */
uint64_t tally_all(
    const struct tally *, uint32_t cause, enum tally_kind, uint32_t place);

/* The rows of one cause and kind whose count is not 0; returns how many. */
uint32_t tally_find(const struct tally *, uint32_t cause, enum tally_kind,
    const struct tally_row *found[TALLY_PLACES]);

/* into += from, as far as there is room. */
void tally_merge(struct tally *into, const struct tally *from);

#endif
