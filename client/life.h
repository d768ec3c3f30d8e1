/*
 * How connections live while the run goes on: what ends them, and what becomes of
 * them then. All zero: they are held until the end.
 */
#ifndef CLIENT_LIFE_H
#define CLIENT_LIFE_H

#include <stdbool.h>
#include <stdint.h>

/* What follows where the other side, or an error, has ended a connection. */
enum life_reconnect {
	LIFE_RECONNECT_NONE,
	LIFE_RECONNECT_NOW, /* and after a failure as below */
	LIFE_RECONNECT_BACKOFF, /* see backoff.h */
};

struct life {
	double churn; /* replaced per second, all workers together */
	bool churn_random; /* any of them; or else the oldest */
	bool limited; /* each carries so many queries, and is then replaced: */
	uint32_t most_queries;
	enum life_reconnect reconnect;
	bool drop; /* those on which a query timed out are closed */
	uint64_t every; /* each carries one query in that time, nanoseconds;
			 * 0: arrivals fall on any of them */
};

#endif
