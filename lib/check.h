/*
 * The limits of a host that a run with many connections meets: what each is,
 * what the run needs, and the command that mends it.
 */
#ifndef LIB_CHECK_H
#define LIB_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where this host says what its limits are; unit tests have others. */
struct check_host {
	const char *proc; /* "/proc" */
	const char *cgroup; /* "/sys/fs/cgroup" */
	const char *interfaces; /* "/sys/class/net" */
	uint64_t descriptors; /* of a process; UINT64_MAX: no limit */
	uint64_t processes; /* the soft RLIMIT_NPROC; UINT64_MAX: no limit */
};

#define CHECK_CLIENT 1U
#define CHECK_SERVER 2U

/* What a run asks of this host. */
struct check_run {
	unsigned int
	    ends; /* CHECK_CLIENT, CHECK_SERVER: which of them are here */
	unsigned int here; /* ends of each connection to reckon with: 1 or 2 */
	uint64_t connections;
	uint64_t workers; /* > 0, of the program that asks */
	uint64_t spare; /* descriptors of a worker besides its connections */
	double queries; /* a second */
	double opens; /* connections a second; 0: as fast as it goes */
	uint64_t sources; /* addresses; of a client, as what follows */
	uint64_t targets; /* addresses x ports */
	uint64_t neighbours_v4; /* addresses of other hosts among them */
	uint64_t neighbours_v6;
	bool loopback; /* targets are addresses of this host */
	uint64_t time_waits; /* ports that it leaves in TIME_WAIT on its way */
	uint64_t waiting; /* connections to its targets in TIME_WAIT now */
	bool waiting_known; /* or else those to any */
	bool resets; /* closes with a RST */
	bool ipv6; /* does not go without */
	const uint16_t *ports; /* that are listened on here */
	size_t port_count;
};

enum check_verdict {
	CHECK_OK,
	CHECK_LOW,
	CHECK_UNREADABLE, /* absent, hidden, or not what it should be */
};

/* What too low a limit means for the run. */
enum check_severity {
	CHECK_MINOR, /* likely nothing */
	CHECK_DOUBTFUL, /* it is likely to be disturbed */
	CHECK_IMPOSSIBLE,
};

#define CHECK_TEXT 48
#define CHECK_FIX  512

struct check_row {
	const char *name; /* a sysctl's, or in words */
	enum check_severity severity;
	enum check_verdict verdict;
	char value[CHECK_TEXT];
	char needed[CHECK_TEXT]; /* "-": any will do */
	char set[CHECK_FIX]; /* what a host that is set up for the run has in
			      * this sysctl; empty: it does not matter */
	char fix[CHECK_FIX]; /* a shell command; empty: there is none */
	char other[CHECK_FIX]; /* another way, in words; may be empty */
};

#define CHECK_ROWS 32 /* more than there are */

/*
 * This host and this process, whose soft descriptor limit becomes the hard one.
 * Strings are constant.
 */
void check_host_here(struct check_host *);

/* Looks at all limits that matter to the ends; returns how many rows there are. */
size_t check_limits(const struct check_host *, const struct check_run *,
    struct check_row out[CHECK_ROWS]);

/* How many of them are too low. */
size_t check_count_low(const struct check_row *, size_t count);

/* Prints the rows for people, with the commands that mend what is too low. */
void check_print(const struct check_row *, size_t count, FILE *);

/*
 * Prints "NAME VALUE" for each sysctl, for programs: what it is to be for the
 * run. It is what it is already where that is enough.
 */
void check_print_sysctls(const struct check_row *, size_t count, FILE *);

/* Says on stderr what is too low and that severe. Returns how many that are. */
size_t check_warn(const struct check_row *, size_t count, enum check_severity);

/*
 * For --check: prints on stdout what this host is to the run. Returns whether
 * nothing is too low; always where only sysctls are asked for.
 */
bool check_show(const struct check_run *, bool sysctls);

/*
 * For a run that is about to begin: says on stderr what is too low and not
 * minor. Returns how many of that make the run impossible.
 */
size_t check_start(const struct check_run *);

#endif
