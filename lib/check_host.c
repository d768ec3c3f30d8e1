/*
 * Rules for what belongs to processes and to the whole host.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/check_internal.h"
#include "lib/limits.h"

/* Bytes, measured with two million connections: docs/scale.md. */
#define KERNEL_EACH  4150 /* an end */
#define CLIENT_EACH  1200
#define SERVER_EACH  250
#define PROCESS_EACH 2500000

#define FILES_OF_OTHERS	    10000
#define PROCESSES_OF_OTHERS 16 /* and of those that come and go */

static uint64_t
descriptors_needed(const struct check_run *run)
{
	return (run->connections + run->workers - 1) / run->workers +
	    run->spare;
}

/* How many workers it takes under that limit; 0: there cannot be so many. */
static uint64_t
workers_needed(const struct check_run *run, uint64_t limit)
{
	uint64_t each, workers;

	if (limit <= run->spare)
		return 0;
	each = limit - run->spare;
	workers = (run->connections + each - 1) / each;
	return workers > LIMITS_WORKERS_MOST ? 0 : workers;
}

void
check_descriptors(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t needed = descriptors_needed(run);
	uint64_t workers = workers_needed(run, h->descriptors);

	check_compare(row, h->descriptors, needed);
	if (row->verdict != CHECK_LOW)
		return;
	snprintf(row->fix, sizeof(row->fix), "ulimit -Hn %" PRIu64, needed);
	if (workers > 0)
		snprintf(row->other, sizeof(row->other),
		    "or more workers: -w %" PRIu64 ", or -w auto", workers);
}

void
check_nr_open(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	check_at_least(h, row, descriptors_needed(run));
}

/* Root of the host may have more files; the other end may be another user. */
void
check_file_max(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t used[3] = {0};
	char line[CHECK_LINE];

	if (check_read_sysctl(h, "fs.file-nr", line))
		(void)check_numbers(line, used, 3);
	/* rounded, so that what comes and goes does not change the value */
	check_at_least(h, row,
	    run->connections * run->here +
		check_round(used[0] + 1, FILES_OF_OTHERS));
	if (check_is_root_of_host(h))
		row->severity = CHECK_MINOR;
}

/*
 * Memory.
 */

static uint64_t
bytes_each(const struct check_run *run)
{
	uint64_t each = 0;

	if ((run->ends & CHECK_CLIENT) != 0)
		each += KERNEL_EACH + CLIENT_EACH;
	if ((run->ends & CHECK_SERVER) != 0)
		each += KERNEL_EACH + SERVER_EACH;
	return each;
}

static uint64_t
memory_needed(const struct check_run *run)
{
	return run->connections * bytes_each(run) + run->workers * PROCESS_EACH;
}

/* How many connections so much memory is enough for. */
static uint64_t
connections_in(const struct check_run *run, uint64_t have)
{
	const uint64_t processes = run->workers * PROCESS_EACH;

	return have > processes ? (have - processes) / bytes_each(run) : 0;
}

/* known: what there is could be read. */
static void
compare_memory(const struct check_run *run, bool known, uint64_t have,
    struct check_row *row)
{
	const uint64_t needed = memory_needed(run);

	if (known)
		check_compare(row, have, needed);
	else
		check_unreadable(row, needed);
	snprintf(row->needed, sizeof(row->needed), "%" PRIu64 " MB",
	    check_round(needed, 1000000) / 1000000);
	if (known && have != UINT64_MAX)
		snprintf(row->value, sizeof(row->value), "%" PRIu64 " MB",
		    have / 1000000);
	if (row->verdict == CHECK_LOW)
		snprintf(row->other, sizeof(row->other),
		    "%" PRIu64 " bytes a connection: %" PRIu64
		    " connections at most",
		    bytes_each(run), connections_in(run, have));
}

void
check_memory(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t kilobytes = 0;
	bool known = check_field(h, "meminfo", "MemAvailable:", &kilobytes);

	compare_memory(run, known, kilobytes * 1024, row);
}

void
check_cgroup_memory(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t left = 0;
	bool known = check_cgroup(h, "memory", &left);

	compare_memory(run, known, left, row);
}

/* Each connection is watched once. */
void
check_watches(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	check_at_least(
	    h, row, run->connections * run->here + run->workers * run->spare);
}

/*
 * Processes.
 */

/* "0.00 0.01 0.05 1/123 4567": there are 123. */
static bool
count_processes(const struct check_host *h, uint64_t *out)
{
	char line[CHECK_LINE];
	char *slash, *end;

	if (!check_read_line(h, "loadavg", line))
		return false;
	slash = strchr(line, '/');
	end = slash == NULL ? NULL : strchr(slash, ' ');
	if (end == NULL)
		return false;
	*end = '\0';
	return check_numbers(slash + 1, out, 1);
}

void
check_pid_max(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t count = 0;

	(void)count_processes(h, &count);
	check_at_least(h, row,
	    run->workers + check_round(count + PROCESSES_OF_OTHERS, 1000));
}

void
check_cgroup_pids(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	const uint64_t needed = run->workers + PROCESSES_OF_OTHERS;
	uint64_t left;

	if (check_cgroup(h, "pids", &left))
		check_compare(row, left, needed);
	else
		check_unreadable(row, needed);
	if (row->verdict == CHECK_LOW)
		snprintf(row->other, sizeof(row->other),
		    "raise pids.max of the cgroup (TasksMax= of systemd), or "
		    "fewer workers (-w)");
}

void
check_processes(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	check_compare(row, h->processes, run->workers + PROCESSES_OF_OTHERS);
	if (row->verdict == CHECK_LOW)
		snprintf(row->fix, sizeof(row->fix), "ulimit -u %" PRIu64,
		    run->workers + PROCESSES_OF_OTHERS);
}
