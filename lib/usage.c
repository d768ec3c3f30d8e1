#include <inttypes.h>
#include <stdio.h>

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

void
usage_read(struct usage *u)
{
	u->ran = clock_read(CLOCK_PROCESS_CPUTIME_ID);
	u->waited = read_waited();
}

void
usage_subtract(struct usage *later, const struct usage *earlier)
{
	later->ran -= earlier->ran;
	later->waited -= earlier->waited;
}
