/*
 * What report.c gathers, report_read.c reads and report_merge.c adds up,
 * report_verdict.c judges, and report_live.c, report_summary.c and report_json.c
 * write out; nobody else's business.
 */
#ifndef CLIENT_REPORT_INTERNAL_H
#define CLIENT_REPORT_INTERNAL_H

#include <jansson.h>

#include "lib/diagnosis.h"
#include "lib/gauges.h"
#include "lib/netstat.h"
#include "client/report.h"

#define REPORT_LINES	   128
#define REPORT_LINE_SIZE   700
#define REPORT_TARGET_SIZE 200

/* Sentences for people. The last one says how many more there are. */
struct report_lines {
	char at[REPORT_LINES][REPORT_LINE_SIZE];
	size_t count;
	size_t more; /* that did not fit */
};

/* In place of a time or seed of which merged runs had several. */
#define REPORT_DIFFERS UINT64_MAX

/* X(name): what became of connections in one second. */
#define REPORT_ROW_CONNECTIONS(X) \
	X(opened)                 \
	X(failed)                 \
	X(closed_by_peer)         \
	X(reset_by_peer)          \
	X(closed_by_error)        \
	X(closed_locally)

/* X(name): of the times measured in one second; HISTOGRAM_NONE if none were. */
#define REPORT_ROW_TIMES(X) \
	X(min_ns)           \
	X(p50_ns)           \
	X(p90_ns)           \
	X(p99_ns)           \
	X(p99_9_ns)         \
	X(max_ns)

#define REPORT_ROW_FIELD(name) uint64_t name;

struct report_row_times {
	uint64_t sum_ns;
	REPORT_ROW_TIMES(REPORT_ROW_FIELD)
	char *buckets; /* histogram_to_text(); NULL unless they are kept */
};

/*
 * So many seconds of the run as the report's row_step; the first and the last are
 * shorter.
 */
struct report_row {
	uint64_t second; /* of the wall clock, since the epoch: of row_step */
	uint64_t end; /* monotonic nanoseconds */
	uint64_t length; /* nanoseconds */
	double offered; /* arrivals that the program has due in it */
	uint64_t open;
	struct stats_counters n; /* what was counted in it */
	uint64_t skipped; /* in every way; the ways are not written */
	uint64_t lost;
	struct report_row_times response;
	struct report_row_times lateness;
	bool states_known;
	struct sockdiag_states states; /* of this host */
};

/* Rows that a result has at most, however long the run was. */
#define REPORT_ROWS_MOST 1024

/* What had been counted when a row ended, and when that was. */
struct report_mark {
	struct stats stats;
	uint64_t at;
};

/* Called with each value of a row, in order: one list for every format. */
struct report_visitor {
	void (*count)(struct report_visitor *, const char *name, uint64_t);
	void (*real)(struct report_visitor *, const char *name, double);
	void (*nothing)(struct report_visitor *, const char *name);
};

/*
 * How the runs that were merged lie together; of a run, how it lies with itself.
 * Runs that did not come to querying count only as runs.
 */
struct report_runs {
	uint64_t count;
	uint64_t last_begin; /* of querying: when the last one began */
	uint64_t first_end; /* and when the first one ended */
	uint64_t longest; /* nanoseconds of querying */
	json_t *ids; /* of each run: how often it was added; owned */
	json_t *targets; /* text: runs that had it; owned; NULL in a run */
};

/*
 * Of merged runs, begun is begun_wall: all times are of the wall clock, which
 * is what several hosts have in common.
 */
struct report {
	struct report_config config;
	struct report_runs runs;
	uint64_t refused_beside; /* see report_refused_beside() */
	bool arrivals_differ; /* between merged runs */
	bool
	    probe_differs; /* between merged runs; then config.probe is false */
	bool close_differs;
	struct report_end end;
	struct generator_result total;
	struct report_mark second; /* the end of the last row of a second */
	struct report_mark kept; /* the end of the last row that is kept */
	struct stats shown; /* as of the last live line */
	struct sockdiag_states states; /* for the next row of a second */
	bool states_known;
	struct sockdiag_states kept_states; /* for the next row that is kept */
	bool kept_states_known;
	bool series_begun; /* its header has been written */
	struct sockdiag_drops drops; /* of the targets on this host */
	struct sockdiag_states
	    closing; /* the most seen; fin_wait1, fin_wait2 */
	struct stats change; /* scratch: they are too large for the stack */
	uint64_t shown_at;
	uint64_t sampled; /* when: the last second, and begun at first */
	uint64_t begun_wall; /* nanoseconds since the epoch */
	uint64_t begun;
	struct report_row *rows;
	size_t row_count;
	uint64_t row_step; /* seconds, a power of two; see report_rows.c */
	size_t rows_joined; /* the first ones are of row_step */
	size_t rows_next; /* from here on rows are to be joined */
	struct netstat kernel; /* before the end: at the start */
	struct gauges_span gauges; /* of merged runs only the most */
	struct diagnosis_finding findings[DIAGNOSIS_MOST];
	size_t finding_count;
	const char *said[DIAGNOSIS_MOST]; /* limits of findings, in mid-run */
	size_t said_count;
	struct report_lines reasons; /* why the numbers must not be used */
	struct report_lines failed; /* conditions that hold */
	struct report_lines warnings;
	size_t
	    reasons_judged; /* the first ones; the others came with merged runs */
	json_t *life; /* config.life, or of merged runs what they share */
	char target[REPORT_TARGET_SIZE]; /* config.target of merged runs */
};

/* A new row, all zero. Valid until the next. Exits on lack of memory. */
struct report_row *report_row_new(struct report *);
void report_rows_free(struct report *);

/*
 * Joins the next few rows of a run that are shorter than row_step. Once all are
 * joined and they are too many, row_step doubles. None is left: to the end.
 */
void report_rows_join_some(struct report *);
void report_rows_join_all(struct report *);

/*
 * Adds a row to another one of the same time, which has both then; the other has
 * no buckets any more. one_run: they are of the same run, whose rows follow one
 * another, the later one second. count 2 or more. change: its response and lateness
 * are empty before and after.
 */
void report_row_join(
    struct report_row *rows, size_t count, struct stats *change, bool one_run);

/* What is said of a second's times; keep: so that rows can be merged. */
void report_row_times(
    struct report_row_times *, const struct histogram *, bool keep);

void report_row_visit(
    const struct report *, const struct report_row *, struct report_visitor *);

/* As a line of comma-separated values; header: the names, on a line before. */
void report_row_write(
    const struct report *, const struct report_row *, bool header, FILE *);

/* The last row. */
void report_sample_last(
    struct report *, const struct generator_result *, uint64_t now);

/* Finds what the sum of counts and the kernel's own point to. */
void report_diagnose(
    struct report *, const struct stats *, const struct netstat *delta);

/*
 * What the counters of the kernel and the errnos point to, and the reasons why
 * the run is not what was asked for.
 */
void report_conclude(struct report *);
void report_judge(struct report *);

/*
 * Parts of the verdict: the connections on which bytes came, and no answer; and
 * those that were asked and sent nothing.
 */
void report_judge_wrong_answers(struct report *);
void report_judge_suspects(struct report *);

/* Connects refused by the targets, of those that are counted, that opened others. */
uint64_t report_refused_beside(const struct tally *);

/*
 * At which targets and from which sources it happened, for people: "of A: all 10,
 * B: 3 of 12; all 2 sources alike". total: how often in all. False, and "": there
 * is nothing to say, as of one target and no sources, or of merged runs.
 */
bool report_places(const struct report *, const struct tally *, uint32_t cause,
    uint64_t total, char text[DIAGNOSIS_PLACES]);

struct json_node;

/*
 * How connections were to live, owned by the caller; the same out of the config of
 * a file, which may be anything (see json_read.h); another run's added to it, where
 * null is what they do not share; what came of it; and why that is not what was
 * asked for.
 */
json_t *report_life_json(const struct life *);
json_t *report_life_read(const struct json_node *config);
void report_life_add(json_t *into, const json_t *from);
void report_life_print(const struct report *, FILE *);
void report_life_judge(struct report *);

/* The steps of the search, and what it found. */
void report_search(const struct report *, FILE *);
json_t *report_search_json(const struct report *);

/* One more line, of those that came with a merged run. */
void report_lines_add(struct report_lines *, const char *text);
/* Of failures: the first counter is of those that have no name. */
const char *report_errno_name(int error);

/*
 * A result that report_json() wrote, "-": from standard input. What is none ends
 * the program, as in lib/json_read.h. Its histograms are sound, its accounts
 * close, and its rows have buckets. Freed by report_free().
 */
struct report *report_read(const char *file);

/*
 * a + b, a at most INT64_MAX as any whole number in JSON is. A sum that is not
 * ends the program, as report_too_large() does.
 */
void report_too_large(void) __attribute__((noreturn));
uint64_t report_plus(uint64_t a, uint64_t b);
/* The same of rates; the most is JSON_REAL_MOST. */
double report_plus_real(double a, double b);
void report_counters_add(
    struct stats_counters *into, const struct stats_counters *from);

/*
 * Sorts the rows and adds up those of the same time. one_run: they are of the
 * same run, whose rows follow one another. All must have buckets.
 */
void report_rows_join(struct report *, bool one_run);

/* Makes rows of so many seconds, a multiple of row_step. All must be joined. */
void report_rows_coarsen(struct report *, uint64_t step);

/* The same until there are REPORT_ROWS_MOST at most. */
void report_rows_bound(struct report *);

/* Behind those of into; from has none left. */
void report_rows_move(struct report *into, struct report *from);

/* Its parts with the numbers. The series comes after times_unix_ns. */
void report_read_connections(const struct json_node *top, struct report *);
void report_read_queries(const struct json_node *top, struct report *);
void report_read_histograms(const struct json_node *top, struct report *);
void report_read_series(const struct json_node *top, struct report *);

/* What has just been read: that its rows add up to its totals. */
void report_check_rows(const struct json_node *top, const struct report *);

/* Of querying, nanoseconds; 0 if it did not come to that. */
uint64_t report_duration(const struct report *);

/* Answers that came when querying was over; they are in the rate. */
uint64_t report_answered_later(const struct report *);

/* From begin to end, NAN if it did not come to that. */
double report_seconds(uint64_t begin, uint64_t end);

/* count per second of querying; NAN if it did not come to that. */
double report_rate(const struct report *, uint64_t count);

#endif
