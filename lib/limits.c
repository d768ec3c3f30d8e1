#include <sys/resource.h>

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
limits_workers_least(uint64_t connections)
{
	struct rlimit limit;
	uint64_t each = 1;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 1;
	if (limit.rlim_max > LIMITS_SPARE_DESCRIPTORS)
		each = limit.rlim_max - LIMITS_SPARE_DESCRIPTORS;
	return connections == 0 ? 1 : (connections + each - 1) / each;
}

/* A machine with more than a cpu_set_t holds has them all counted by sysconf. */
unsigned int
limits_processors(void)
{
	cpu_set_t usable;
	long count = sched_getaffinity(0, sizeof(usable), &usable) == 0 ?
	    CPU_COUNT(&usable) :
	    sysconf(_SC_NPROCESSORS_ONLN);

	if (count < 1)
		return 1;
	return count > LIMITS_WORKERS_MOST ? LIMITS_WORKERS_MOST :
					     (unsigned int)count;
}

unsigned int
limits_workers(uint64_t connections)
{
	uint64_t workers = limits_workers_least(connections);

	if (workers > LIMITS_WORKERS_MOST)
		return LIMITS_WORKERS_MOST;
	return workers > limits_processors() ? (unsigned int)workers :
					       limits_processors();
}

uint64_t
limits_descriptors_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t count = 0;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count - 1; /* the directory's own */
}

uint64_t
limits_somaxconn(void)
{
	return read_number("/proc/sys/net/core/somaxconn");
}

uint64_t
limits_reserved(const char *list, unsigned long low, unsigned long high)
{
	unsigned long first, last, count = 0;
	char *end;

	for (;; list = end + 1) {
		first = last = strtoul(list, &end, 10);
		if (end == list)
			return count;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first < low)
			first = low;
		if (last > high)
			last = high;
		if (first <= last)
			count += last - first + 1;
		if (*end != ',')
			return count;
	}
}

bool
limits_port_range(unsigned long *first, unsigned long *last)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	bool known;

	if (file == NULL)
		return false;
	known = fscanf(file, "%lu %lu", first, last) == 2 && *first <= *last &&
	    *last <= UINT16_MAX;
	fclose(file);
	return known;
}

uint64_t
limits_local_ports(void)
{
	unsigned long low, high;
	char *reserved = NULL;
	size_t size = 0;
	uint64_t count;
	FILE *file;

	if (!limits_port_range(&low, &high))
		return 0;
	count = high - low + 1;
	file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	if (file == NULL)
		return count;
	if (getline(&reserved, &size, file) > 0)
		count -= limits_reserved(reserved, low, high);
	free(reserved);
	fclose(file);
	return count;
}

void
limits_reserved_ports(uint8_t bits[8192])
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	unsigned long first, last;
	int read;

	if (file == NULL)
		return;
	while ((read = fscanf(file, "%lu-%lu", &first, &last)) >= 1) {
		if (read == 1)
			last = first;
		for (; first <= last && first <= UINT16_MAX; first++)
			bits[first / 8] |= (uint8_t)(1U << first % 8);
		if (fgetc(file) != ',')
			break;
	}
	fclose(file);
}

/* How many more of one factor it takes, when the others' product is fixed. */
static uint64_t
more(uint64_t connections, uint64_t others, uint64_t have)
{
	return (connections + others - 1) / others - have;
}

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

bool
limits_ways_short(const struct limits_ways *w, uint64_t connections,
    char missing[LIMITS_TEXT])
{
	uint64_t sources, targets;

	if (w->ports == 0 || connections <= w->ports * w->sources * w->targets)
		return false;
	sources = more(connections, w->ports * w->targets, w->sources);
	targets = more(connections, w->ports * w->sources, w->targets);
	snprintf(missing, LIMITS_TEXT,
	    "%" PRIu64 " more source address%s (-a) or %" PRIu64
	    " more target port%s (-p)",
	    sources, sources == 1 ? "" : "es", targets, plural(targets));
	return true;
}
