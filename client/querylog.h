/*
 * -R: one CSV row for everything that happens to a query, always seven columns:
 * type,timestamp,connection_id,query_id,poisson_id,poisson_interval_us,rtt_us
 *
 * timestamp is seconds since the epoch; a column that does not apply is empty.
 * Rows collect in a large buffer and are written whole, so that the rows of two
 * processes never mix within a line.
 */
#ifndef CLIENT_QUERYLOG_H
#define CLIENT_QUERYLOG_H

#include <errno.h>
#include <stdint.h>

#define QUERYLOG_HEADER                                     \
	"type,timestamp,connection_id,query_id,poisson_id," \
	"poisson_interval_us,rtt_us\n"

enum querylog_type {
	QUERYLOG_ANSWERED = 'A', /* rtt: answered - sent */
	QUERYLOG_TIMED_OUT = 'T',
	QUERYLOG_LOST = 'L',
	QUERYLOG_SKIPPED = 'S', /* connection, where one was chosen */
	QUERYLOG_LATE = 'D', /* rtt: arrived - sent; a T came before */
	QUERYLOG_UNMATCHED = 'U', /* query_id as received */
	QUERYLOG_MALFORMED = 'M',
	QUERYLOG_OPENED = 'O', /* rtt: of the handshake */
	QUERYLOG_FAILED = 'F', /* the connection could not be opened */
	QUERYLOG_CLOSED = 'C',
	QUERYLOG_PROBE = 'P', /* sent, before the clock starts */
	QUERYLOG_PROBE_ANSWERED = 'V', /* verified; rtt as for A */
};

/* In place of a value that does not apply. */
#define QUERYLOG_NONE UINT64_MAX

struct querylog;

/*
 * Rows go to fd, which is not closed; stream becomes poisson_id. fd may block:
 * a reader that is too slow makes the queries late, and that is measured.
 * Exits on lack of memory.
 */
struct querylog *querylog_new(int fd, unsigned int stream);
void querylog_free(struct querylog *);

/* The Q row. when, and all times below, in monotonic nanoseconds. */
void querylog_sent(struct querylog *, uint64_t when, uint32_t connection,
    uint16_t id, double gap);

void querylog_event(struct querylog *, enum querylog_type, uint64_t when,
    uint64_t connection, uint64_t id, uint64_t rtt);

void querylog_flush(struct querylog *);

/* Nanoseconds spent on writing so far, as long as the log is there. */
const uint64_t *querylog_write_time(const struct querylog *);

/* In place of an errno: the reader was given up (SIGUSR2, lib/signals). */
#define QUERYLOG_UNREAD ECANCELED

/* The errno of the first write that failed; 0 if none. Rows are lost since. */
int querylog_error(const struct querylog *);

#endif
