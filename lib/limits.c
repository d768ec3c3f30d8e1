#include <sys/resource.h>

#include <stdio.h>

#include "lib/limits.h"

/* The number in a one-number file; 0 when there is none. */
static uint64_t
read_number(const char *path)
{
	unsigned long long value = 0;
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

uint64_t
limits_raise_descriptors(void)
{
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 0;
	raised = limit;
	raised.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &raised) == -1)
		return limit.rlim_cur;
	return raised.rlim_cur;
}

uint64_t
limits_somaxconn(void)
{
	return read_number("/proc/sys/net/core/somaxconn");
}
