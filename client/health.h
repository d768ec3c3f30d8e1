/*
 * Whether a measurement is sound: sent as scheduled, and in time. If not, who is
 * to blame, this side or the other, and what to do.
 */
#ifndef CLIENT_HEALTH_H
#define CLIENT_HEALTH_H

#include <stddef.h>

#include "client/read_delay.h"
#include "client/stats.h"

#define HEALTH_TEXT    360
#define HEALTH_REASONS 3

enum health {
	HEALTH_SOUND,
	HEALTH_LATE, /* all was sent, but late by this host's doing */
	HEALTH_UNREAD, /* answers waited to be read, by this host's doing */
	HEALTH_OVERLOADED, /* this program was too slow to send it all */
	HEALTH_PEER, /* the other side did not take what was due */
};

/* Of the busiest worker, while it queried: shares of a processor. NAN: none did. */
struct health_usage {
	double ran;
	double waited; /* ready to run, but another process did */
	double stolen; /* of every processor, by a virtual machine's host */
	double throttled; /* stopped by the CPU quota of the control group; NAN:
			   * that cannot be read */
	double seconds; /* of which these are the shares; 0: not known */
	double crowd; /* all workers, of the processors they may use */
	struct read_delay_causes causes; /* of all workers */
};

/* Past that a worker may be what limits the rate. */
#define HEALTH_BUSY 0.85

/* Each says what is wrong, and behind a semicolon what to do. */
struct health_reasons {
	size_t count;
	const char *late; /* which of them is on lateness; NULL: none */
	const char *unread; /* and on the delay of reading */
	char at[HEALTH_REASONS][HEALTH_TEXT];
};

/*
 * Not sound: less than 99.9 % of the schedule was sent, or the lateness' p99 (of
 * 100 queries at least) is over max_lateness (nanoseconds) and over a tenth of
 * the response time's p50, or the p99 of the delay of reading is (of 100 answers).
 * Then all of these that hold are the reasons, and the first is what is returned.
 */
enum health health_check(const struct stats *, const struct health_usage *,
    uint64_t max_lateness, struct health_reasons *);

#endif
