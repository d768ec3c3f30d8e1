/*
 * What is counted: one list of counters and one of histograms, from which the
 * sum, the delta and every kind of output are made. Every query and every
 * connection ends in exactly one of them.
 *
 * Flat and without pointers: it lives in shared memory, written by one worker,
 * read by the parent at any time. A counter is one aligned word, so a reader
 * sees each as it is or was a moment ago; together they are exact only once the
 * worker has ended.
 */
#ifndef CLIENT_STATS_H
#define CLIENT_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dns_query.h"
#include "lib/histogram.h"
#include "client/tally.h"
#include "wire/first_bytes.h"

/* X(name): what became of connections. */
#define STATS_CONNECTIONS(X)                                                   \
	X(attempted) /* opening was begun */                                   \
	X(opened) /* the handshake was completed, as seen from here */         \
	X(failed) /* it was not, by errno in failed_errno[] */                 \
	X(opened_late) /* of opened: this program saw it 10 ms late or more */ \
	X(abandoned) /* still pending when the run was ended */                \
	X(verified) /* opened, and has answered at least once, if late */      \
	X(closed_by_peer) /* FIN */                                            \
	X(reset_by_peer) /* RST */                                             \
	X(closed_by_error) /* any other error */                               \
	X(closed_locally) /* at the end of the run */                          \
	X(closed_churned) /* in favour of a new one */                         \
	X(closed_used_up) /* had carried as many queries as it was to */       \
	X(closed_on_timeout) /* of a query */                                  \
	X(closed_on_request) /* fewer were wanted */                           \
	X(closed_worker_died)                                                  \
	X(out_of_ids) /* of opened: timed-out queries held all IDs */          \
	X(reopened) /* of attempted: in place of one that had ended */         \
	X(churn_skipped) /* to leave, but none was open, or too late */        \
	X(churn_late) /* of churn_skipped: this program came too late */       \
	X(churn_begun) /* made to leave, at the rate of churn */               \
	X(paced) /* of attempted: at the rate of -n */                         \
	X(missed_window_full) /* due at -n, did not come: see pace.h */        \
	X(missed_all_busy)                                                     \
	X(missed_after_failure)                                                \
	X(missed_late)                                                         \
	X(unsent_after_failure) /* queries skipped: no connection, as others \
				   had ended or refused them */ \
	X(unsent_on_request) /* likewise: none was wanted */                   \
	X(unsent_for_answers) /* likewise: most waited for last answers, and \
				 this program was on time */ \
	X(unsent_in_handshake) /* likewise: for a handshake or a probe */      \
	X(peak) /* most open at once; summed over workers, at most */          \
	X(buried) /* workers that died */

/*
 * X(name): gauges, which go down too: what was opened and is not verified adds up
 * from them and from those below.
 */
#define STATS_GAUGES(X)                                     \
	X(unverified) /* not asked, or in time to answer */ \
	X(wrong_answer) /* bytes came, but no answer to a query */

/*
 * X(name): gauges again: was asked, has not answered in time, by what the kernel
 * here knows of it (suspect.h). One that answers later is no suspect any more.
 */
#define STATS_SUSPECTS(X)                                            \
	X(unacked) /* nothing that was sent has been acknowledged */ \
	X(queued) /* the other kernel has it, its program is silent */

/*
 * X(name): gauges: of the connections that did not answer, those of which more is
 * known. In no sum: a worker that dies may leave one too many or too few.
 */
#define STATS_EVIDENCE(X)                                                    \
	X(handshake_open) /* unacked: the server has not got the last ACK */ \
	X(data_lost) /* unacked: it has, but not what was sent behind it */  \
	X(in_accept_queue) /* queued */                                      \
	X(not_read) /* queued: accepted, and nothing read */                 \
	X(read) /* queued: read, and not answered */                         \
	X(cut_off) /* wrong_answer: one began, and its rest did not come */

/* X(name): what became of queries and of what came back. */
#define STATS_QUERIES(X)                                                     \
	X(scheduled) /* arrivals taken from the schedule */                  \
	X(sent) /* handed to the connection, see conn.h */                   \
	X(answered) /* within the timeout */                                 \
	X(timed_out)                                                         \
	X(send_blocked) /* of sent: did not fit the socket buffer at once */ \
	X(replies) /* messages received */                                   \
	X(late) /* of replies: to a query that had timed out */              \
	X(unmatched) /* of replies: to no query that was ever waiting */     \
	X(malformed) /* of replies: not a DNS message */                     \
	X(echoed) /* of answered: QR was 0 */                                \
	X(bytes_sent)                                                        \
	X(bytes_received)                                                    \
	X(bytes_of_answers) /* of received: whole DNS messages */            \
	X(bytes_of_no_answer) /* malformed, cut off, of another protocol */

/* X(name): why an arrival was not sent. */
#define STATS_SKIPPED(X)                                                      \
	X(no_connection) /* none was open */                                  \
	X(ids_exhausted) /* all 65,536 IDs of its connection were held */     \
	X(output_full) /* its connection's peer did not take what was sent */ \
	X(overload) /* the run was over before the tool came to it */         \
	X(worker_died)

/* X(name): why a query that was sent got neither an answer nor a timeout. */
#define STATS_LOST(X)                                            \
	X(peer_fin)                                              \
	X(peer_rst)                                              \
	X(error)                                                 \
	X(stopped)                                               \
	X(drain_over)                                            \
	X(on_timeout) /* of another query on their connection */ \
	X(worker_died)

/*
 * X(name): what became of the one query on each connection before the clock
 * starts (--probe). They are in no other counter and in no histogram.
 */
#define STATS_PROBES(X) \
	X(sent)         \
	X(answered)     \
	X(timed_out)    \
	X(lost)

/*
 * X(name): queries that were due before the measurement began (--warmup). They
 * are in no counter above and in no histogram either.
 */
#define STATS_WARMUP(X) \
	X(scheduled)    \
	X(sent)         \
	X(skipped)      \
	X(answered)     \
	X(timed_out)    \
	X(lost)

/* X(name): histograms, nanoseconds. */
#define STATS_HISTOGRAMS(X)                                          \
	X(response) /* answered - due */                             \
	X(service) /* answered - sent */                             \
	X(lateness) /* sent - due */                                 \
	X(read_delay) /* in the socket until it was read, at most */ \
	X(open_lateness) /* begun - due: connects at -n, churn */    \
	X(connect) /* handshake */                                   \
	X(lifetime) /* from the handshake's begin to the close: churned, used up */

/* Linux errnos end at 133; what is beyond, or 0, goes into the first. */
#define STATS_ERRNOS 134

#define STATS_FIELD(name)	    uint64_t name;
#define STATS_SUSPECT_FIELD(name)   uint64_t suspect_##name;
#define STATS_EVIDENCE_FIELD(name)  uint64_t evidence_##name;
#define STATS_SKIPPED_FIELD(name)   uint64_t skipped_##name;
#define STATS_LOST_FIELD(name)	    uint64_t lost_##name;
#define STATS_PROBE_FIELD(name)	    uint64_t probe_##name;
#define STATS_WARMUP_FIELD(name)    uint64_t warmup_##name;
#define STATS_HISTOGRAM_FIELD(name) struct histogram name;

/* The counters: all of one type, added and subtracted as an array. */
struct stats_counters {
	STATS_CONNECTIONS(STATS_FIELD)
	STATS_GAUGES(STATS_FIELD)
	STATS_SUSPECTS(STATS_SUSPECT_FIELD)
	STATS_EVIDENCE(STATS_EVIDENCE_FIELD)
	STATS_QUERIES(STATS_FIELD)
	STATS_SKIPPED(STATS_SKIPPED_FIELD)
	STATS_LOST(STATS_LOST_FIELD)
	STATS_PROBES(STATS_PROBE_FIELD)
	STATS_WARMUP(STATS_WARMUP_FIELD)
	uint64_t rcode[DNS_RCODES]; /* of answered: with QR set */
	uint64_t failed_errno[STATS_ERRNOS];
	uint64_t closed_errno[STATS_ERRNOS]; /* of closed_by_error */
};

struct stats {
	struct stats_counters n;
	struct tally tally; /* not subtracted */
	struct first_bytes first_bytes; /* that are no answer to a query */
	STATS_HISTOGRAMS(STATS_HISTOGRAM_FIELD)
};

/* into += from. The first bytes are into's, if it has some. */
void stats_merge(struct stats *into, const struct stats *from);

/* later -= earlier, a former copy of the same. The first bytes stay. */
void stats_subtract(struct stats *later, const struct stats *earlier);

uint64_t stats_suspects(const struct stats_counters *);

/* Connections on which bytes came that begin no answer. */
uint64_t stats_wrong_bytes(const struct stats_counters *);
uint64_t stats_skipped(const struct stats_counters *);
uint64_t stats_lost(const struct stats_counters *);

/* sent and neither answered, timed out nor lost. */
uint64_t stats_in_flight(const struct stats *);

/* The same of probes, of the warm-up, and all three together. */
uint64_t stats_probes_in_flight(const struct stats *);
uint64_t stats_warmup_in_flight(const struct stats *);
uint64_t stats_waiting(const struct stats *);

/* attempted and neither opened, failed nor abandoned. */
uint64_t stats_pending(const struct stats *);

/* opened and not closed. */
uint64_t stats_open(const struct stats *);

void stats_count_failure(struct stats *, int error);

/* Why a connection was closed by an error; does not count in closed_by_error. */
void stats_count_end(struct stats *, int error);

/*
 * Whether the kernel here ended a connection with that errno because the other side
 * was silent, or no longer to be reached; how many were ended so.
 */
bool stats_is_given_up(int error);
uint64_t stats_given_up(const struct stats_counters *);

/*
 * Books what a worker that died had open, pending and in flight, so that the
 * accounts close. A worker can die between two stores: the histograms, written
 * first, then say how many were answered and sent.
 */
void stats_bury(struct stats *);

/*
 * Checks the accounting identities of a run that is over. Prints each one that
 * does not hold, both sides, on out, and returns how many.
 */
unsigned int stats_check(const struct stats *, FILE *out);

#endif
