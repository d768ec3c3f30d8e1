#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/clock.h"
#include "lib/usage.h"

/* "ran waited slices", of the main thread; there is no other. */
static uint64_t
read_waited(void)
{
	FILE *file = fopen("/proc/self/schedstat", "re");
	uint64_t waited = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %" SCNu64, &waited) != 1)
		waited = 0;
	fclose(file);
	return waited;
}

/* "cpu user nice system idle iowait irq softirq steal", in ticks, of all. */
static uint64_t
read_stolen(void)
{
	FILE *file = fopen("/proc/stat", "re");
	long ticks = sysconf(_SC_CLK_TCK),
	     processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t stolen = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &stolen) !=
		1 ||
	    ticks < 1 || processors < 1)
		stolen = 0;
	fclose(file);
	return stolen == 0 ? 0 :
			     stolen * CLOCK_NS_PER_SEC /
		((uint64_t)ticks * (uint64_t)processors);
}

void
usage_read(struct usage *u)
{
	u->ran = clock_read(CLOCK_PROCESS_CPUTIME_ID);
	u->waited = read_waited();
	u->stolen = read_stolen();
	u->throttled = cgroup_throttled(&cgroup_roots);
}

void
usage_subtract(struct usage *later, const struct usage *earlier)
{
	later->ran -= earlier->ran;
	later->waited -= earlier->waited;
	later->stolen -= earlier->stolen;
	if (later->throttled == CGROUP_UNKNOWN ||
	    earlier->throttled == CGROUP_UNKNOWN)
		later->throttled = CGROUP_UNKNOWN;
	else
		later->throttled -= earlier->throttled;
}
