/*
 * What the server counts: one list, from which the sum, the check and every
 * output are made. Flat, without pointers: it lives in shared memory, written
 * by one worker, read by the parent.
 *
 * A connection that one worker hands to another is accepted by the first and
 * closed by the other, so only over all workers are as many closed as accepted.
 * Between the two it is in transit; if its receiver ends, it never arrives.
 */
#ifndef SERVER_COUNTS_H
#define SERVER_COUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "wire/first_bytes.h"

/*
 * X(name). Where a message ends: its bytes come in, and it is answered (all of
 * the answer was handed to the kernel) or one of the other messages_. Where a
 * byte ends: in an echo it goes out or is discarded. Other modes consume those of
 * messages, and make those of answers.
 */
#define COUNTS_LIST(X)                                                           \
	X(accepted)                                                              \
	X(handed_over) /* to another worker, who had room */                     \
	X(taken_over) /* from another worker */                                  \
	X(closed_by_peer) /* FIN */                                              \
	X(reset_by_peer) /* RST */                                               \
	X(closed_by_error) /* any other error */                                 \
	X(closed_unwatched) /* epoll_ctl() failed: no memory or no watch left */ \
	X(closed_idle) /* by --idle-timeout */                                   \
	X(closed_after) /* by --close-after */                                   \
	X(closed_locally) /* by this program, at its end */                      \
	X(closed_by_control) /* by this program, as somebody asked it to */      \
	X(closed_worker_died)                                                    \
	X(wrong_query) /* of accepted: bytes came that are no DNS query */       \
	X(peak) /* most served at once */                                        \
	X(messages) /* whole ones received, by their two bytes of length */      \
	X(messages_answered)                                                     \
	X(messages_dropped) /* by --drop */                                      \
	X(messages_unanswerable) /* no query */                                  \
	X(messages_swallowed) /* by --mode sink */                               \
	X(messages_discarded) /* not answered before the end */                  \
	X(bytes_in)                                                              \
	X(bytes_made) /* of answers that are no echo */                          \
	X(bytes_out)                                                             \
	X(bytes_consumed) /* of messages that are not echoed */                  \
	X(bytes_discarded) /* received or made, dropped or not sent before the \
			      end */ \
	X(read_pauses) /* times that a connection had too much waiting */        \
	X(accept_pauses) /* times that nothing more could be accepted */         \
	X(lines_left_out) /* on standard error, which was not read */

#define COUNTS_FIELD(name) uint64_t name;

struct counts {
	COUNTS_LIST(COUNTS_FIELD)
};

/* A worker's slot of shared memory. */
struct counts_slot {
	struct counts counts;
	struct first_bytes first_bytes; /* that are no DNS query */
	/* connections it can take on now, in the low 32 bits; above them, how
	 * often that was written; atomic, the others read it */
	uint64_t room;
	/* most connections found waiting in one accept queue; atomic */
	uint64_t queue_peak;
};

/* into += from. The sum's peak is the sum of the peaks: never too low. */
void counts_merge(struct counts *into, const struct counts *from);

/* Of one worker: what it has. Of the sum: what is not in transit. */
uint64_t counts_open(const struct counts *);

/*
 * Of the sum: accepted and not closed, with what is in transit. Never below 0,
 * which copies of counts that are being written to could give.
 */
uint64_t counts_open_all(const struct counts *);

/* Books what a worker that died had open. */
void counts_bury(struct counts *);

/*
 * Of the sum, once all workers have ended: books what was in transit then, as
 * closed_worker_died if one has died, or else as closed_locally.
 */
void counts_settle(struct counts *, bool one_died);

/*
 * Checks the accounting of a server that has ended and whose sum is settled.
 * Prints each identity that does not hold, both sides, on out, and returns how
 * many.
 */
unsigned int counts_check(const struct counts *, FILE *out);

#endif
