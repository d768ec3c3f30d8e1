/*
 * What a run says of itself: the live line, the summary, the JSON result, the
 * histogram file and the verdict, all made from the same sum of all workers.
 *
 * Printing fails silently here; who owns the stream checks it (ferror, fclose).
 */
#ifndef CLIENT_REPORT_H
#define CLIENT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "client/generator.h"
#include "lib/diagnosis.h"
#include "lib/limits.h"
#include "lib/sockdiag.h"
#include "lib/status.h"
#include "client/condition.h"
#include "client/health.h"
#include "client/life.h"
#include "client/program.h"
#include "client/search.h"

struct report;
struct routes;

/* What was asked. Strings outlive the report. */
struct report_config {
	int argc;
	char *const *argv;
	const struct routes *routes; /* NULL: of merged results */
	const char *target; /* as routes_format() writes it */
	struct limits_ways ways;
	enum diagnosis_view view; /* whose counters this host's are */
	unsigned int workers;
	uint32_t connections;
	double open_rate;
	double query_rate; /* mean of what is measured */
	uint64_t duration; /* of what is measured; CLOCK_NEVER: until told */
	const struct program *program; /* NULL: it does not change */
	bool controlled; /* the program may be changed while it runs */
	uint64_t warmup;
	enum schedule_arrivals arrivals;
	uint64_t start_at; /* nanoseconds since the epoch; 0: once open */
	uint64_t drain; /* CLOCK_NEVER: no sooner than the timeout */
	uint64_t timeout;
	uint64_t connect_timeout;
	uint64_t seed;
	bool probe;
	bool reset;
	struct life life;
	const struct condition *fail;
	size_t fail_count;
	uint64_t
	    max_lateness; /* see health.h; CLOCK_NEVER: that of the files */
	const struct search *search; /* NULL: none */
	FILE *series; /* a row of the series each second; NULL: none */
	bool keep_buckets; /* rows with them are kept, for report_json() */
};

/* How it ended. */
struct report_end {
	unsigned int workers_died;
	bool interrupted; /* by a signal, or a command */
	bool by_command;
	uint64_t interrupted_at; /* monotonic; 0: it was not, or not known */
	int query_log_error; /* errno of writing -R, the first; 0: none */
	uint64_t late_start; /* after --start-at, nanoseconds */
	uint64_t lines_left_out; /* on standard error, which was not read */
	struct health_usage usage;
};

/* Takes the first sample of the kernel's counters. Exits on lack of memory. */
struct report *report_new(const struct report_config *);
void report_free(struct report *);

/*
 * What the next row says of the states of connections; without: nothing. They go
 * on a line of out, too; NULL: they do not.
 */
void report_states(struct report *, const struct sockdiag_states *, FILE *out);

/*
 * The states of connections to the targets, when the run begins and when it has
 * no local port left: which of them keep a port because the other side has not
 * answered their close.
 */
void report_closing(struct report *, const struct sockdiag_states *);

/* Listening sockets of the targets on this host, at the begin and now and then. */
void report_listeners(struct report *, const struct sockdiag_queues *);
const struct sockdiag_drops *report_drops(const struct report *);

/*
 * How long it takes from now, monotonic nanoseconds, until the next second of the
 * series begins: of the wall clock as it was when the report was made. A step of
 * that clock moves no row, so that none comes twice. 0 where the second of the last
 * sample, or of report_new(), is over: a slow start leaves no second out.
 */
uint64_t report_next_second(const struct report *, uint64_t now);

/*
 * The sum over all workers as it is at now, once a second: a row of the series.
 * What is kept of rows is bounded, see report_rows.c.
 */
void report_sample(
    struct report *, const struct generator_result *, uint64_t now);

/*
 * The live line, from a sum as above and what changed since the last one. On a
 * terminal it overwrites itself and is cut to its width.
 */
void report_live(struct report *, const struct generator_result *, uint64_t now,
    FILE *, bool terminal);

/*
 * Looks at what the kernel holds and has counted so far. A finding that is new
 * goes on a line of its own to out; NULL: none does.
 */
void report_watch(
    struct report *, const struct generator_result *, FILE *out, bool terminal);

/* A step of the search is over: says so on out. */
void report_step(const struct report *, FILE *out);

/*
 * What has been counted so far, for a program: an object without histograms, owned
 * by the caller. now: monotonic nanoseconds. What is below is not ready by it.
 */
json_t *report_stats(
    struct report *, const struct generator_result *, uint64_t now);

/*
 * The final sum, in order that everything below can be made: the last row, the
 * kernel's counters, the findings, the verdict.
 */
void report_finish(struct report *, const struct generator_result *,
    uint64_t now, const struct report_end *);

/*
 * Instead of all above: adds up the results in the files, "-" being standard
 * input, as if the runs had been one; of the config only argc, argv and fail are
 * used, and max_lateness. A file that is no such result ends the program with STATUS_USAGE, one
 * that cannot be read with status 1; both say what is wrong in which file.
 */
struct report *report_merge(
    const struct report_config *, char *const *files, size_t count);

/* The series of a merged report; that of a run is written as it comes. */
void report_series(const struct report *, FILE *);

/*
 * STATUS_NOT_AS_ASKED if the result is not valid, else STATUS_CONDITION_HOLDS if
 * a condition of --fail holds, else STATUS_AS_ASKED. After report_finish(), like
 * all below.
 */
enum status report_status(const struct report *);

void report_summary(const struct report *, FILE *);
void report_json(const struct report *, FILE *);

/* Response times: "lo_ns hi_ns count" rows behind a # header. */
void report_histogram(const struct report *, FILE *);

#endif
