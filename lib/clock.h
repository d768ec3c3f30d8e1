/*
 * Time: nanoseconds of CLOCK_MONOTONIC in a uint64_t, good for 584 years.
 * libevent's cached time is a loop turn old, too coarse to stamp a query.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <sys/time.h>

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_US	 UINT64_C(1000)
#define CLOCK_NS_PER_MS	 UINT64_C(1000000)
#define CLOCK_NS_PER_SEC UINT64_C(1000000000)
#define CLOCK_NEVER	 UINT64_MAX

static inline uint64_t
clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Monotonic nanoseconds; the same origin in every process of this host. */
static inline uint64_t
clock_now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* Nanoseconds since the epoch. */
static inline uint64_t
clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

#define CLOCK_APART (20 * CLOCK_NS_PER_US)

/*
 * Both at one moment: who was held up between them reads them again, ten times at
 * most, and takes those that are the least apart.
 */
static inline void
clock_read_both(uint64_t *now, uint64_t *wall)
{
	uint64_t before, between, apart, least = UINT64_MAX;
	unsigned int i;

	*now = *wall = 0;
	for (i = 0; i < 10 && least > CLOCK_APART; i++) {
		before = clock_now();
		between = clock_wall();
		apart = clock_now() - before;
		if (apart >= least)
			continue;
		least = apart;
		*now = before + apart / 2;
		*wall = between;
	}
}

/*
 * Duration in nanoseconds as a timeval, rounded up to the microsecond: a timer
 * that fires before its time would only have to be set again.
 */
static inline struct timeval
clock_to_timeval(uint64_t ns)
{
	uint64_t us = (ns + CLOCK_NS_PER_US - 1) / CLOCK_NS_PER_US;
	struct timeval tv;

	tv.tv_sec = (time_t)(us / 1000000);
	tv.tv_usec = (suseconds_t)(us % 1000000);
	return tv;
}

static inline double
clock_to_seconds(uint64_t ns)
{
	return (double)ns / (double)CLOCK_NS_PER_SEC;
}

/*
 * The time that many seconds, 0 or more, after begin; CLOCK_NEVER where it is so
 * far away that nanoseconds cannot count it, as k / rate is for a tiny rate.
 */
static inline uint64_t
clock_after(uint64_t begin, double seconds)
{
	double ns = seconds * (double)CLOCK_NS_PER_SEC;

	return ns < 0x1p63 - (double)begin ? begin + (uint64_t)ns : CLOCK_NEVER;
}

#endif
