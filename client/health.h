/*
 * Whether a measurement is sound: sent as scheduled, and in time. If not, who is
 * to blame, this side or the other, and what to do.
 */
#ifndef CLIENT_HEALTH_H
#define CLIENT_HEALTH_H

#include "client/read_delay.h"
#include "client/stats.h"

#define HEALTH_TEXT 280

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
	struct read_delay_causes causes; /* of all workers */
};

/* Past that a worker may be what limits the rate. */
#define HEALTH_BUSY 0.85

/*
 * Not sound: less than 99.9 % of the schedule was sent, or the lateness' p99 (of
 * 100 queries at least) is over max_lateness (nanoseconds) and over a tenth of
 * the response time's p50, or the p99 of the delay of reading is (of 100 answers).
 * Then why is the reason, and behind a semicolon what to do.
 */
enum health health_check(const struct stats *, const struct health_usage *,
    uint64_t max_lateness, char why[HEALTH_TEXT]);

#endif
