/*
 * What the server counts: one list, from which the sum, the check and every
 * output are made. Flat, without pointers: it lives in shared memory, written
 * by one worker, read by the parent.
 */
#ifndef SERVER_COUNTS_H
#define SERVER_COUNTS_H

#include <stdint.h>
#include <stdio.h>

/* X(name) */
#define COUNTS_LIST(X)                                                      \
	X(accepted)                                                         \
	X(closed_by_peer) /* FIN */                                         \
	X(reset_by_peer) /* RST */                                          \
	X(closed_by_error) /* any other error */                            \
	X(closed_locally) /* by this program, at its end */                 \
	X(closed_worker_died)                                               \
	X(peak) /* most open at once */                                     \
	X(messages) /* whole ones received, by their two bytes of length */ \
	X(bytes_in)                                                         \
	X(bytes_out)                                                        \
	X(bytes_discarded) /* received, not sent back before the end */     \
	X(accept_pauses) /* times that nothing more could be accepted */

#define COUNTS_FIELD(name) uint64_t name;

struct counts {
	COUNTS_LIST(COUNTS_FIELD)
};

/* into += from. */
void counts_merge(struct counts *into, const struct counts *from);

/* accepted and not closed. */
uint64_t counts_open(const struct counts *);

/* Books what a worker that died had open. */
void counts_bury(struct counts *);

/*
 * Checks the accounting of a server that has ended. Prints each identity that
 * does not hold, both sides, on out, and returns how many.
 */
unsigned int counts_check(const struct counts *, FILE *out);

#endif
