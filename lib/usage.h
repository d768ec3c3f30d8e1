/*
 * How much of a processor this process has used, and how long it has waited for
 * one: whether it was too slow or was kept from running.
 */
#ifndef LIB_USAGE_H
#define LIB_USAGE_H

#include <stdint.h>

/* Nanoseconds. */
struct usage {
	uint64_t ran; /* user and system, all threads */
	uint64_t waited; /* ready to run, and another process did
			  * (Documentation/scheduler/sched-stats.rst); 0 where
			  * the kernel does not say */
	uint64_t stolen; /* of a processor, on the average, by the host of this
			  * virtual machine (proc(5), steal) */
	uint64_t throttled; /* stopped by the CPU quota of its control group,
			     * summed over the processors; counts as waited,
			     * too; CGROUP_UNKNOWN, see cgroup.h */
};

/* Since this process began. */
void usage_read(struct usage *);

/* later -= earlier. */
void usage_subtract(struct usage *later, const struct usage *earlier);

#endif
