#include <string.h>

#include "lib/check_internal.h"
#include "lib/lines.h"
#include "lib/output.h"

#define BOTH (CHECK_CLIENT | CHECK_SERVER)

/* In the order in which commands that mend them work. */
static const struct {
	const char *name;
	unsigned int ends; /* that it matters to */
	enum check_severity severity;
	check_rule *check;
} rules[] = {
    {"fs.nr_open", BOTH, CHECK_DOUBTFUL, check_nr_open},
    {"descriptors of a process", BOTH, CHECK_IMPOSSIBLE, check_descriptors},
    {"fs.file-max", BOTH, CHECK_DOUBTFUL, check_file_max},
    {"fs.epoll.max_user_watches", BOTH, CHECK_DOUBTFUL, check_watches},
    {"memory available", BOTH, CHECK_IMPOSSIBLE, check_memory},
    {"memory left by the cgroup", BOTH, CHECK_IMPOSSIBLE, check_cgroup_memory},
    {"kernel.pid_max", BOTH, CHECK_DOUBTFUL, check_pid_max},
    {"processes left by the cgroup", BOTH, CHECK_IMPOSSIBLE, check_cgroup_pids},
    {"processes of the user", BOTH, CHECK_IMPOSSIBLE, check_processes},
    {"net.ipv4.ip_local_reserved_ports", BOTH, CHECK_MINOR,
	check_reserved_ports},
    {"net.ipv4.ip_local_port_range", CHECK_CLIENT, CHECK_IMPOSSIBLE,
	check_port_range},
    {"net.ipv4.tcp_tw_reuse", CHECK_CLIENT, CHECK_DOUBTFUL, check_tw_reuse},
    {"net.ipv4.tcp_timestamps", BOTH, CHECK_DOUBTFUL, check_timestamps},
    {"net.ipv4.tcp_tw_reuse_delay", CHECK_CLIENT, CHECK_DOUBTFUL,
	check_tw_reuse_delay},
    {"net.ipv4.tcp_max_tw_buckets", CHECK_CLIENT, CHECK_MINOR,
	check_tw_buckets},
    {"net.ipv4.tcp_max_orphans", CHECK_CLIENT, CHECK_MINOR, check_orphans},
    {"net.core.somaxconn", CHECK_SERVER, CHECK_DOUBTFUL, check_somaxconn},
    {"net.ipv4.tcp_max_syn_backlog", CHECK_SERVER, CHECK_DOUBTFUL,
	check_syn_backlog},
    {"net.ipv4.tcp_syncookies", CHECK_SERVER, CHECK_MINOR, check_syncookies},
    {"net.ipv4.tcp_abort_on_overflow", CHECK_SERVER, CHECK_MINOR,
	check_abort_on_overflow},
    {"net.ipv4.tcp_mem", BOTH, CHECK_DOUBTFUL, check_tcp_mem},
    {"net.netfilter.nf_conntrack_max", BOTH, CHECK_DOUBTFUL, check_conntrack},
    {"net.ipv4.neigh.default.gc_thresh3", CHECK_CLIENT, CHECK_MINOR,
	check_neighbours_v4},
    {"net.ipv6.neigh.default.gc_thresh3", CHECK_CLIENT, CHECK_MINOR,
	check_neighbours_v6},
    {"net.core.netdev_max_backlog", BOTH, CHECK_DOUBTFUL, check_netdev_backlog},
    {"net.ipv6.conf.all.disable_ipv6", BOTH, CHECK_DOUBTFUL,
	check_disable_ipv6},
    {"net.ipv6.bindv6only", CHECK_SERVER, CHECK_MINOR, check_bindv6only},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))
_Static_assert(RULES <= CHECK_ROWS, "more rules than rows");

size_t
check_limits(const struct check_host *host, const struct check_run *run,
    struct check_row out[CHECK_ROWS])
{
	size_t i, count = 0;

	for (i = 0; i < RULES; i++) {
		if ((rules[i].ends & run->ends) == 0)
			continue;
		memset(&out[count], 0, sizeof(out[count]));
		out[count].name = rules[i].name;
		out[count].severity = rules[i].severity;
		rules[i].check(host, run, &out[count]);
		count++;
	}
	return count;
}

bool
check_show(const struct check_run *run, bool sysctls)
{
	struct check_host host;
	struct check_row rows[CHECK_ROWS];
	size_t count;

	check_host_here(&host);
	count = check_limits(&host, run, rows);
	if (sysctls)
		check_print_sysctls(rows, count, stdout);
	else
		check_print(rows, count, stdout);
	output_flush_stdout();
	return sysctls || check_count_low(rows, count) == 0;
}

size_t
check_start(const struct check_run *run)
{
	struct check_host host;
	struct check_row rows[CHECK_ROWS];
	size_t count;

	check_host_here(&host);
	count = check_limits(&host, run, rows);
	(void)check_warn(rows, count, CHECK_DOUBTFUL);
	return check_warn(rows, count, CHECK_IMPOSSIBLE);
}

size_t
check_count_low(const struct check_row *rows, size_t count)
{
	size_t i, low = 0;

	for (i = 0; i < count; i++)
		low += rows[i].verdict == CHECK_LOW;
	return low;
}

/*
 * For people and for programs.
 */

static const char *
verdict_text(enum check_verdict verdict)
{
	switch (verdict) {
	case CHECK_OK:
		return "ok";
	case CHECK_LOW:
		return "too low";
	case CHECK_UNREADABLE:
		break;
	}
	return "unreadable";
}

/* A command, and after it in a comment what else there is to know. */
static void
print_fix(const struct check_row *row, FILE *out)
{
	if (row->fix[0] == '\0')
		fprintf(out, "    # %s: %s\n", row->name, row->other);
	else
		fprintf(out, "    %s\n", row->fix);
	if (row->fix[0] != '\0' && row->other[0] != '\0')
		fprintf(out, "    # %s\n", row->other);
}

void
check_print(const struct check_row *rows, size_t count, FILE *out)
{
	size_t i, low = check_count_low(rows, count), unreadable = 0;

	fprintf(out, "%-33s %-20s %-20s %s\n", "limit", "value", "needed",
	    "verdict");
	for (i = 0; i < count; i++) {
		fprintf(out, "%-33s %-20s %-20s %s\n", rows[i].name,
		    rows[i].value, rows[i].needed,
		    verdict_text(rows[i].verdict));
		unreadable += rows[i].verdict == CHECK_UNREADABLE;
	}
	if (low > 0)
		fprintf(out, "\nto mend it, as root:\n");
	for (i = 0; i < count; i++)
		if (rows[i].verdict == CHECK_LOW)
			print_fix(&rows[i], out);
	fprintf(out, "\n%zu too low, %zu unreadable\n", low, unreadable);
}

/* Not in each namespace, and not worth a word to who sets it. */
static bool
is_absent(const struct check_row *row)
{
	return row->verdict == CHECK_UNREADABLE && row->severity == CHECK_MINOR;
}

void
check_print_sysctls(const struct check_row *rows, size_t count, FILE *out)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (rows[i].set[0] != '\0' && !is_absent(&rows[i]))
			fprintf(out, "%s %s\n", rows[i].name, rows[i].set);
}

/* As much as is said of a limit in one line. */
static void
warn_row(const struct check_row *row)
{
	const char *between =
	    row->fix[0] == '\0' || row->other[0] == '\0' ? "" : "; ";

	(void)lines_say("%s: %s, and this run needs %s: %s%s%s", row->name,
	    row->value, row->needed, row->fix, between, row->other);
}

size_t
check_warn(
    const struct check_row *rows, size_t count, enum check_severity severity)
{
	size_t i, said = 0;

	for (i = 0; i < count; i++) {
		if (rows[i].verdict != CHECK_LOW ||
		    rows[i].severity != severity)
			continue;
		warn_row(&rows[i]);
		said++;
	}
	return said;
}
