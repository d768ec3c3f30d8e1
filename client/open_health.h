/*
 * Whether connections were opened at the rate that was asked (-n), and in time. If
 * not, what kept them: the other side, this host, this program, or too few
 * connections.
 */
#ifndef CLIENT_OPEN_HEALTH_H
#define CLIENT_OPEN_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "client/stats.h"

#define OPEN_HEALTH_TEXT 280

struct open_asked {
	double rate; /* per second; 0: as fast as possible, which cannot fail */
	bool exchanges; /* the rate is that of connections without queries */
};

/*
 * Less than 99.9 % of the connects that were due came, and those that did not are
 * 10 at least, and as many as are due in 0.1 s. Where all of less than 1,000 came at
 * last, no more are missing than there were. Then why has the reason, and behind
 * a semicolon what to do.
 */
bool open_health_is_short(const struct stats *, const struct open_asked *,
    char why[OPEN_HEALTH_TEXT]);

/*
 * Of what is short: whether this program, or too few connections, kept most of those
 * that are missing; false: the other side did, or a limit of this host's kernel.
 */
bool open_health_is_own_doing(const struct stats *, const struct open_asked *);

/*
 * Less than 99.9 % of the connections that were to be churned were. why says for how
 * many none was open, and for how many this program was late; *own: for most of them
 * it was. seconds: of querying.
 */
bool open_health_churn_is_short(const struct stats *, double seconds, bool *own,
    char why[OPEN_HEALTH_TEXT]);

/*
 * The p99 of lateness, of 100 connects at least, is over ten times max_lateness and
 * over a tenth of the connect time's p50. Ten times: a connect that is a few
 * milliseconds late changes nothing that is measured on connections.
 */
bool open_health_is_late(
    const struct stats *, uint64_t max_lateness, char why[OPEN_HEALTH_TEXT]);

#endif
