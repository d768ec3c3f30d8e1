/*
 * A condition on a result: NAME OP VALUE, such as p99>10ms, lost>0,
 * timed_out>0.1% or answered_qps<49000. Blanks may be around each of the three.
 *
 * NAME is
 * - a time: pNN or pNN.N.. (pNN_N.., as JSON has it), min, mean or max, of the
 *   response time or, behind its name and a "_", of another histogram:
 *   lateness_p99. VALUE is a duration with its unit: 10ms, 0.5us;
 * - a counter: any of stats.h, by the name of its field; all that were skipped
 *   or lost; failed_ECONNREFUSED, by errno; rcode_SERVFAIL, by response code.
 *   VALUE is a count (500, 20k, 1M) or a share of what it is a part of (0.1%);
 * - a rate: sent_qps or answered_qps. VALUE is one (49000, 49.5k) or a share of
 *   the rate that was asked for (98%).
 * OP is one of > >= < <= == !=.
 */
#ifndef CLIENT_CONDITION_H
#define CLIENT_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/stats.h"

#define CONDITION_TEXT	 160 /* a message's size, its end included */
#define CONDITION_LENGTH 80 /* a condition's, its end included */

enum condition_subject {
	CONDITION_COUNTER, /* at offset in struct stats_counters */
	CONDITION_RATE, /* the same, per second */
	CONDITION_SKIPPED, /* for whatever reason */
	CONDITION_LOST,
	CONDITION_SUSPECT,
	CONDITION_PERCENTILE, /* of the histogram at offset in struct stats */
	CONDITION_MIN,
	CONDITION_MEAN,
	CONDITION_MAX,
};

/* What a percentage is of. */
enum condition_base {
	CONDITION_OF_NOTHING, /* it makes no sense */
	CONDITION_OF_ASKED, /* connections */
	CONDITION_OF_SCHEDULED,
	CONDITION_OF_SENT,
	CONDITION_OF_REPLIES,
	CONDITION_OF_PROBES,
	CONDITION_OF_TARGET, /* the rate that was asked for */
};

/* What must have happened, or there is no value to compare. */
enum condition_need {
	CONDITION_NEEDS_NOTHING, /* counts always have a value */
	CONDITION_NEEDS_QUERIES,
	CONDITION_NEEDS_CONNECTS, /* connections opened, or probes on them */
	CONDITION_NEEDS_REPLACED, /* connections closed to be replaced */
};

/* Plain values, to be copied and to be shared between processes. */
struct condition {
	char text[CONDITION_LENGTH]; /* as it was typed, no blanks around it */
	size_t name_length; /* the name is what text begins with */
	enum condition_subject subject;
	enum condition_base base;
	size_t offset;
	uint32_t rank; /* of a percentile: in millionths of a percent */
	unsigned int outcomes; /* in which it holds: below, equal, above */
	bool percent; /* limit is a share of base, in percent */
	double limit; /* else nanoseconds, events or events per second */
};

/* What a condition looks at. */
struct condition_source {
	const struct stats *stats;
	double seconds; /* of querying; 0: none, and no rate has a value */
	double target_qps; /* mean rate that was asked for */
	uint64_t asked; /* connections */
};

/*
 * Reads one condition. Any bytes may be in text. Returns false with why set to
 * what is wrong and what would be right, to be printed behind the option's name
 * and the text; the condition is then left alone.
 */
bool condition_parse(
    const char *text, struct condition *, char why[CONDITION_TEXT]);

/*
 * Appends the conditions of text, with commas between them, to the *count that
 * are in list, which has room for most. Returns false as condition_parse()
 * does; *count is then as it was. Of several, why begins with the wrong one.
 */
bool condition_parse_list(const char *text, struct condition *list, size_t most,
    size_t *count, char why[CONDITION_TEXT]);

/*
 * Whether the condition holds, and what was measured, for people: "p99 is
 * 12.345 ms", "timed_out is 35 (0.35 % of 10000 sent)".
 *
 * A condition without a value holds whatever its operator: a percentile, min,
 * mean or max of no times, a rate over no time, a share of nothing. Otherwise a
 * server that answers nothing would pass "p99>10ms". measured then says why:
 * "p99 has no value: nothing was answered".
 */
bool condition_holds(const struct condition *, const struct condition_source *,
    char measured[CONDITION_TEXT]);

/* Whether there is a value to compare. */
bool condition_has_value(
    const struct condition *, const struct condition_source *);

/*
 * Whether it holds only for times of limit nanoseconds or more: "p99>10s" does for
 * limits up to 10 s. False for conditions that are on no time.
 */
bool condition_needs_time(const struct condition *, uint64_t limit);

/* Whether it is on the response time or the service time; on the connect time. */
bool condition_is_on_answers(const struct condition *);
bool condition_is_on_connects(const struct condition *);

/* What it needs to have a value, apart from time. */
enum condition_need condition_need(const struct condition *);

/*
 * Where it is on the response time: the same condition on the service time, for
 * which nothing counts that happened before a query was sent. Else false.
 */
bool condition_on_service(const struct condition *, struct condition *out);

/*
 * Where it is on the response or service time and holds: whether it would hold as
 * well if no answer had waited to be read. The delay of reading is taken off: the
 * same percentile of it, or its p99 if that is more. True for all other conditions.
 */
bool condition_holds_without_read_delay(
    const struct condition *, const struct condition_source *);

/* Whether it is on this program's own delays: lateness, delay of reading. */
bool condition_is_on_lateness(const struct condition *);

/* As it was typed; as long as the condition is there. */
const char *condition_text(const struct condition *);

/*
 * How many values the percentile of a condition needs to mean something: as
 * many as leave 100 on its thinner side, 10,000 for p99 or p1. The number of
 * those beyond the true percentile then has a standard error of 10 % (its
 * square root). 0 if the condition is on no percentile.
 */
uint64_t condition_samples(const struct condition *);

#endif
