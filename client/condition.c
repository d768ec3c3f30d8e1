#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dns_query.h"
#include "lib/clock.h"
#include "lib/histogram.h"
#include "lib/parse.h"
#include "client/condition.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define BLANKS	      " \t"
#define COMPARISON    "<>=!"
#define DIGITS	      "0123456789"
#define SHOWN	      32 /* most bytes of a part of a text in a message */

/* p99.999999 needs 10^10 values: no run has more. */
#define RANK_DECIMALS 6
#define RANK_WHOLE    UINT32_C(100000000) /* 100 % */
#define BEYOND	      100 /* values, see condition_samples() */

enum outcome {
	BELOW = 1,
	EQUAL = 2,
	ABOVE = 4,
};

static const struct {
	const char *text;
	unsigned int outcomes;
} operators[] = {
    {">", ABOVE},
    {">=", ABOVE | EQUAL},
    {"<", BELOW},
    {"<=", BELOW | EQUAL},
    {"==", EQUAL},
    {"!=", BELOW | ABOVE},
};

struct subject {
	const char *name;
	enum condition_subject subject;
	enum condition_base base;
	size_t offset;
};

#define AT(field) offsetof(struct stats_counters, field)
#define COUNTER(field, base) \
	{#field, CONDITION_COUNTER, CONDITION_OF_##base, AT(field)},
#define CONNECTION(name) COUNTER(name, ASKED)
#define QUERY(name)	 COUNTER(name, SENT)
#define SKIPPED(name)	 COUNTER(skipped_##name, SCHEDULED)
#define LOST(name)	 COUNTER(lost_##name, SENT)
#define PROBE(name)	 COUNTER(probe_##name, PROBES)
#define SUSPECT(name)	 COUNTER(suspect_##name, ASKED)
#define EVIDENCE(name)                                                     \
	{"suspect_evidence_" #name, CONDITION_COUNTER, CONDITION_OF_ASKED, \
	    AT(evidence_##name)},
#define WARMUP(name) COUNTER(warmup_##name, NOTHING)

/*
 * The first of a name counts. A list of stats.h brings its own commas, which
 * clang-format cannot know.
 */
/* clang-format off */
static const struct subject subjects[] = {
	{"skipped", CONDITION_SKIPPED, CONDITION_OF_SCHEDULED, 0},
	{"lost", CONDITION_LOST, CONDITION_OF_SENT, 0},
	{"suspect", CONDITION_SUSPECT, CONDITION_OF_ASKED, 0},
	{"failed_total", CONDITION_COUNTER, CONDITION_OF_ASKED, AT(failed)},
	{"sent_qps", CONDITION_RATE, CONDITION_OF_TARGET, AT(sent)},
	{"answered_qps", CONDITION_RATE, CONDITION_OF_TARGET, AT(answered)},
	/* those that are no part of what the rest of their list is part of */
	COUNTER(buried, NOTHING)
	COUNTER(scheduled, NOTHING)
	COUNTER(sent, SCHEDULED)
	COUNTER(replies, NOTHING)
	COUNTER(late, REPLIES)
	COUNTER(unmatched, REPLIES)
	COUNTER(malformed, REPLIES)
	COUNTER(bytes_sent, NOTHING)
	COUNTER(bytes_received, NOTHING)
	COUNTER(bytes_of_answers, NOTHING)
	COUNTER(bytes_of_no_answer, NOTHING)
	COUNTER(probe_sent, ASKED)
	COUNTER(unsent_after_failure, SCHEDULED)
	COUNTER(unsent_on_request, SCHEDULED)
	COUNTER(unsent_for_answers, SCHEDULED)
	COUNTER(unsent_in_handshake, SCHEDULED)
	STATS_CONNECTIONS(CONNECTION)
	STATS_GAUGES(CONNECTION)
	STATS_SUSPECTS(SUSPECT)
	STATS_EVIDENCE(EVIDENCE)
	STATS_QUERIES(QUERY)
	STATS_SKIPPED(SKIPPED)
	STATS_LOST(LOST)
	STATS_PROBES(PROBE)
	STATS_WARMUP(WARMUP)
};
/* clang-format on */

static const struct {
	const char *prefix;
	size_t offset; /* in struct stats */
} histograms[] = {
#define HISTOGRAM(name) {#name "_", offsetof(struct stats, name)},
    STATS_HISTOGRAMS(HISTOGRAM)
#undef HISTOGRAM
};

static const struct {
	const char *name;
	enum condition_subject subject;
} moments[] = {
    {"min", CONDITION_MIN},
    {"mean", CONDITION_MEAN},
    {"max", CONDITION_MAX},
};

static bool __attribute__((format(printf, 2, 3)))
wrong(char why[CONDITION_TEXT], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, CONDITION_TEXT, format, ap);
	va_end(ap);
	return false;
}

static int
shown(size_t length)
{
	return length < SHOWN ? (int)length : SHOWN;
}

static bool
is_time(const struct condition *c)
{
	return c->subject >= CONDITION_PERCENTILE;
}

static bool
find_subject(const char *name, struct condition *c)
{
	size_t i;

	for (i = 0; i < LENGTH(subjects); i++)
		if (strcmp(subjects[i].name, name) == 0) {
			c->subject = subjects[i].subject;
			c->base = subjects[i].base;
			c->offset = subjects[i].offset;
			return true;
		}
	return false;
}

/* The text behind a prefix; NULL if it does not begin with it. */
static const char *
behind(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static bool
find_rcode(const char *name, struct condition *c)
{
	const char *rcode = behind(name, "rcode_");
	unsigned int i;

	for (i = 0; rcode != NULL && i < DNS_RCODES; i++)
		if (strcmp(dns_rcode_name(i), rcode) == 0) {
			c->subject = CONDITION_COUNTER;
			c->base = CONDITION_OF_SENT;
			c->offset = AT(rcode) + i * sizeof(uint64_t);
			return true;
		}
	return false;
}

/* As in the JSON result, the first is UNKNOWN. */
static bool
find_errno(const char *name, struct condition *c)
{
	const char *error = behind(name, "failed_"), *known;
	const bool failed = error != NULL;
	size_t i;

	if (!failed)
		error = behind(name, "closed_");

	for (i = 0; error != NULL && i < STATS_ERRNOS; i++) {
		known = i == 0 ? "UNKNOWN" : strerrorname_np((int)i);
		/* there are gaps among the errnos */
		if (known != NULL && strcmp(known, error) == 0) {
			c->subject = CONDITION_COUNTER;
			c->base = CONDITION_OF_ASKED;
			c->offset =
			    (failed ? AT(failed_errno) : AT(closed_errno)) +
			    i * sizeof(uint64_t);
			return true;
		}
	}
	return false;
}

/* "99", "99.9" or "99_9", whatever the number. */
static bool
looks_like_rank(const char *text)
{
	size_t whole = strspn(text, DIGITS);
	const char *point = text + whole;

	if (whole == 0 || *point == '\0')
		return whole > 0;
	return (*point == '.' || *point == '_') && point[1] != '\0' &&
	    point[1 + strspn(point + 1, DIGITS)] == '\0';
}

/* In decimal, so that condition_samples() is exact. False unless in range. */
static bool
parse_rank(const char *text, uint32_t *rank)
{
	size_t whole = strspn(text, DIGITS), decimals, i;
	uint32_t n = 0;

	decimals = text[whole] == '\0' ? 0 : strlen(text + whole + 1);
	if (whole > 2 || decimals > RANK_DECIMALS)
		return false;
	for (i = 0; i < whole; i++)
		n = n * 10 + (uint32_t)(text[i] - '0');
	text += whole + 1;
	for (i = 0; i < RANK_DECIMALS; i++)
		n = n * 10 + (i < decimals ? (uint32_t)(text[i] - '0') : 0);
	*rank = n;
	return n > 0;
}

static bool
unknown_name(const char *name, char why[CONDITION_TEXT])
{
	return wrong(why,
	    "'%.*s' is no counter or percentile; such as p99, lateness_p99, "
	    "timed_out, lost, answered_qps",
	    SHOWN, name);
}

static bool
parse_time_name(const char *name, struct condition *c, char why[CONDITION_TEXT])
{
	const char *rest, *measure = name;
	size_t i;

	c->base = CONDITION_OF_NOTHING;
	c->offset = offsetof(struct stats, response);
	for (i = 0; i < LENGTH(histograms); i++)
		if ((rest = behind(name, histograms[i].prefix)) != NULL) {
			measure = rest;
			c->offset = histograms[i].offset;
		}
	for (i = 0; i < LENGTH(moments); i++)
		if (strcmp(moments[i].name, measure) == 0) {
			c->subject = moments[i].subject;
			return true;
		}
	if (*measure != 'p' || !looks_like_rank(measure + 1))
		return unknown_name(name, why);
	c->subject = CONDITION_PERCENTILE;
	if (!parse_rank(measure + 1, &c->rank))
		return wrong(why,
		    "'%.*s' is no percentile: they are above 0 and below 100, "
		    "with at most 6 decimals, such as p50 or p99.9",
		    SHOWN, name);
	return true;
}

static bool
parse_name(struct condition *c, char why[CONDITION_TEXT])
{
	char name[CONDITION_LENGTH];

	if (c->name_length == 0)
		return wrong(why,
		    "no counter or percentile is named; such as p99>10ms, "
		    "lost>0 or timed_out>0.1%%");
	memcpy(name, c->text, c->name_length);
	name[c->name_length] = '\0';
	return find_subject(name, c) || find_rcode(name, c) ||
	    find_errno(name, c) || parse_time_name(name, c, why);
}

static bool
parse_operator(struct condition *c, const char *text, size_t length, char *why)
{
	size_t i;

	if (length == 0)
		return wrong(why,
		    "'%.*s' is compared with nothing: add >, >=, <, <=, == or "
		    "!= and a value, in quotes for the shell, such as "
		    "'p99>10ms'",
		    (int)c->name_length, c->text);
	for (i = 0; i < LENGTH(operators); i++)
		if (strlen(operators[i].text) == length &&
		    memcmp(operators[i].text, text, length) == 0) {
			c->outcomes = operators[i].outcomes;
			return true;
		}
	if (length == 1 && *text == '=')
		return wrong(why, "'=' compares nothing: equal is ==");
	return wrong(why, "'%.*s' compares nothing: use >, >=, <, <=, == or !=",
	    shown(length), text);
}

static bool
parse_percent(struct condition *c, const char *text, char why[CONDITION_TEXT])
{
	char number[CONDITION_LENGTH];
	size_t length = strlen(text) - 1;

	if (is_time(c))
		return wrong(why,
		    "a time is a share of nothing: it needs a unit, such as "
		    "10ms");
	if (c->base == CONDITION_OF_NOTHING)
		return wrong(why,
		    "'%.*s' is a share of nothing: it needs a count, such as "
		    "500, 20k or 1M",
		    (int)c->name_length, c->text);
	memcpy(number, text, length);
	number[length] = '\0';
	/* a percentage has no suffix k or M */
	if (number[strspn(number, DIGITS ".")] != '\0' ||
	    parse_rate(number, &c->limit) != NULL)
		return wrong(why,
		    "'%.*s' is not a percentage such as 0.1%% or 5%%", SHOWN,
		    text);
	c->percent = true;
	return true;
}

static bool
parse_time(struct condition *c, const char *text, char why[CONDITION_TEXT])
{
	uint64_t ns;

	if (text[strspn(text, DIGITS ".")] == '\0')
		return wrong(why, "a time needs a unit, such as 10ms");
	if (parse_duration(text, &ns) != NULL)
		return wrong(why,
		    "'%.*s' is not a time of at most 365 days such as 50us, "
		    "10ms, 1.5s, 5m or 1h",
		    SHOWN, text);
	c->limit = (double)ns;
	return true;
}

/* What was meant, perhaps, by a text that is no number. */
static const char *
hint_at(const struct condition *c, const char *text)
{
	if (strpbrk(text, BLANKS) != NULL)
		return "; a comma separates conditions";
	if (strchr(text, '.') != NULL && c->base != CONDITION_OF_NOTHING)
		return "; a share has a %, such as 99.9%";
	return "";
}

static bool
parse_value(struct condition *c, const char *text, char why[CONDITION_TEXT])
{
	size_t length = strlen(text);
	uint64_t count = 0;
	const char *error;

	if (length == 0)
		return wrong(why, "there is no value behind '%s'", c->text);
	if (text[length - 1] == '%')
		return parse_percent(c, text, why);
	if (is_time(c))
		return parse_time(c, text, why);
	if (c->subject == CONDITION_RATE) {
		error = parse_rate(text, &c->limit);
	} else {
		error = parse_count(text, 0, LLONG_MAX, &count);
		c->limit = (double)count;
	}
	return error == NULL ||
	    wrong(why, "'%.*s': %s%s", SHOWN, text, error, hint_at(c, text));
}

/* Copies the first length bytes of text, without the blanks around them. */
static bool
copy_text(const char *text, size_t length, struct condition *c,
    char why[CONDITION_TEXT])
{
	size_t blanks = strspn(text, BLANKS);

	if (blanks > length)
		blanks = length;
	text += blanks;
	length -= blanks;
	while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
		length--;
	if (length >= sizeof(c->text))
		return wrong(why,
		    "longer than a condition, which is at most "
		    "%zu bytes long",
		    sizeof(c->text) - 1);
	memcpy(c->text, text, length);
	c->text[length] = '\0';
	c->name_length = strcspn(c->text, BLANKS COMPARISON);
	return true;
}

/* The condition in the first length bytes of text. */
static bool
parse(const char *text, size_t length, struct condition *out,
    char why[CONDITION_TEXT])
{
	struct condition c = {0};
	const char *rest;
	size_t compared;

	if (!copy_text(text, length, &c, why))
		return false;
	rest = c.text + c.name_length;
	rest += strspn(rest, BLANKS);
	compared = strspn(rest, COMPARISON);
	if (!parse_name(&c, why) || !parse_operator(&c, rest, compared, why))
		return false;
	rest += compared;
	rest += strspn(rest, BLANKS);
	if (!parse_value(&c, rest, why))
		return false;
	*out = c;
	return true;
}

bool
condition_parse(
    const char *text, struct condition *out, char why[CONDITION_TEXT])
{
	return parse(text, strlen(text), out, why);
}

bool
condition_parse_list(const char *text, struct condition *list, size_t most,
    size_t *count, char why[CONDITION_TEXT])
{
	bool several = strchr(text, ',') != NULL;
	char reason[CONDITION_TEXT];
	size_t n = *count, length;

	for (;; text += length + 1) {
		length = strcspn(text, ",");
		if (several && length == strspn(text, BLANKS))
			return wrong(
			    why, "nothing between two commas or at an end");
		if (n == most)
			return wrong(
			    why, "too many conditions: the most is %zu", most);
		if (!parse(text, length, &list[n], reason))
			return several ? wrong(why, "%.*s: %s", shown(length),
					     text, reason) :
					 wrong(why, "%s", reason);
		n++;
		if (text[length] == '\0')
			break;
	}
	*count = n;
	return true;
}

static bool
compare(const struct condition *c, double value)
{
	enum outcome outcome = EQUAL;

	if (value < c->limit)
		outcome = BELOW;
	else if (value > c->limit)
		outcome = ABOVE;
	return (c->outcomes & outcome) != 0;
}

static double
time_value(const struct condition *c, const struct histogram *h)
{
	switch (c->subject) {
	case CONDITION_MIN:
		return (double)histogram_min(h);
	case CONDITION_MEAN:
		return histogram_mean(h);
	case CONDITION_MAX:
		return (double)h->max;
	default:
		return (double)histogram_quantile(
		    h, (double)c->rank / (double)RANK_WHOLE);
	}
}

static const struct histogram *
histogram_of(const struct condition *c, const struct condition_source *source)
{
	return (const void *)((const char *)source->stats + c->offset);
}

/* Why a histogram is empty. */
static const char *
nothing_happened(const struct condition *c)
{
	switch (c->offset) {
	case offsetof(struct stats, lateness):
		return "nothing was sent";
	case offsetof(struct stats, open_lateness):
		return "no connect was due at a time of its own";
	case offsetof(struct stats, connect):
		return "no connection was opened";
	case offsetof(struct stats, lifetime):
		return "no connection was replaced";
	default:
		return "nothing was answered";
	}
}

static bool
time_holds(const struct condition *c, const struct condition_source *source,
    char measured[CONDITION_TEXT])
{
	double ns = time_value(c, histogram_of(c, source));
	int name = (int)c->name_length;

	if (ns < (double)CLOCK_NS_PER_MS)
		snprintf(measured, CONDITION_TEXT, "%.*s is %.3f us", name,
		    c->text, ns / (double)CLOCK_NS_PER_US);
	else
		snprintf(measured, CONDITION_TEXT, "%.*s is %.3f ms", name,
		    c->text, ns / (double)CLOCK_NS_PER_MS);
	return compare(c, ns);
}

/* Exact below 2^53, as all that compares and prints it. */
static double
count_value(const struct condition *c, const struct condition_source *source)
{
	const struct stats_counters *n = &source->stats->n;
	uint64_t count;

	if (c->subject == CONDITION_SKIPPED)
		return (double)stats_skipped(n);
	if (c->subject == CONDITION_LOST)
		return (double)stats_lost(n);
	if (c->subject == CONDITION_SUSPECT)
		count = stats_suspects(n);
	else
		count = *(const uint64_t *)(const void *)((const char *)n +
		    c->offset);
	/* a gauge may have gone down since a step of a search began */
	if (count > INT64_MAX)
		count = 0;
	return c->subject == CONDITION_RATE ? (double)count / source->seconds :
					      (double)count;
}

/* What a percentage is of, and what to call it. */
static double
base_value(const struct condition *c, const struct condition_source *source,
    const char **name)
{
	const struct stats_counters *n = &source->stats->n;

	switch (c->base) {
	case CONDITION_OF_ASKED:
		*name = "connections";
		return (double)source->asked;
	case CONDITION_OF_SCHEDULED:
		*name = "scheduled";
		return (double)n->scheduled;
	case CONDITION_OF_SENT:
		*name = "sent";
		return (double)n->sent;
	case CONDITION_OF_REPLIES:
		*name = "replies";
		return (double)n->replies;
	case CONDITION_OF_PROBES:
		*name = "probes";
		return (double)n->probe_sent;
	case CONDITION_OF_TARGET:
		*name = "asked for";
		return source->target_qps;
	case CONDITION_OF_NOTHING:
		break;
	}
	*name = "nothing";
	return 0;
}

static int
decimals(const struct condition *c)
{
	return c->subject == CONDITION_RATE ? 1 : 0;
}

bool
condition_has_value(
    const struct condition *c, const struct condition_source *source)
{
	const char *of;

	if (is_time(c))
		return histogram_count(histogram_of(c, source)) > 0;
	if (c->subject == CONDITION_RATE && source->seconds <= 0)
		return false;
	return !c->percent || base_value(c, source, &of) > 0;
}

static void
say_no_value(const struct condition *c, const struct condition_source *source,
    char measured[CONDITION_TEXT])
{
	int name = (int)c->name_length;
	const char *of;
	double base;

	if (is_time(c))
		snprintf(measured, CONDITION_TEXT, "%.*s has no value: %s",
		    name, c->text, nothing_happened(c));
	else if (c->subject == CONDITION_RATE && source->seconds <= 0)
		snprintf(measured, CONDITION_TEXT,
		    "%.*s has no value: querying took no time", name, c->text);
	else {
		base = base_value(c, source, &of);
		snprintf(measured, CONDITION_TEXT,
		    "%.*s is %.*f of %.*f %s: a share of nothing has no value",
		    name, c->text, decimals(c), count_value(c, source),
		    decimals(c), base, of);
	}
}

bool
condition_holds(const struct condition *c,
    const struct condition_source *source, char measured[CONDITION_TEXT])
{
	int name = (int)c->name_length;
	double value, base, share;
	const char *of;

	if (!condition_has_value(c, source)) {
		say_no_value(c, source, measured);
		return true;
	}
	if (is_time(c))
		return time_holds(c, source, measured);
	value = count_value(c, source);
	if (!c->percent) {
		snprintf(measured, CONDITION_TEXT, "%.*s is %.*f", name,
		    c->text, decimals(c), value);
		return compare(c, value);
	}
	base = base_value(c, source, &of);
	/* multiplied first: one rounding, so that 1 of 1000 is equal to 0.1 % */
	share = 100 * value / base;
	snprintf(measured, CONDITION_TEXT, "%.*s is %.*f (%.6g %% of %.*f %s)",
	    name, c->text, decimals(c), value, share, decimals(c), base, of);
	return compare(c, share);
}

bool
condition_needs_time(const struct condition *c, uint64_t limit)
{
	return is_time(c) && (c->outcomes & BELOW) == 0 &&
	    c->limit >= (double)limit;
}

bool
condition_is_on_answers(const struct condition *c)
{
	return is_time(c) &&
	    (c->offset == offsetof(struct stats, response) ||
		c->offset == offsetof(struct stats, service));
}

bool
condition_is_on_connects(const struct condition *c)
{
	return is_time(c) && c->offset == offsetof(struct stats, connect);
}

enum condition_need
condition_need(const struct condition *c)
{
	if (is_time(c)) {
		if (c->offset == offsetof(struct stats, connect) ||
		    c->offset == offsetof(struct stats, open_lateness))
			return CONDITION_NEEDS_CONNECTS;
		if (c->offset == offsetof(struct stats, lifetime))
			return CONDITION_NEEDS_REPLACED;
		return CONDITION_NEEDS_QUERIES;
	}
	if (!c->percent || c->base == CONDITION_OF_ASKED)
		return CONDITION_NEEDS_NOTHING;
	return c->base == CONDITION_OF_PROBES ? CONDITION_NEEDS_CONNECTS :
						CONDITION_NEEDS_QUERIES;
}

bool
condition_on_service(const struct condition *c, struct condition *out)
{
	if (c->subject < CONDITION_PERCENTILE ||
	    c->offset != offsetof(struct stats, response))
		return false;
	*out = *c;
	out->offset = offsetof(struct stats, service);
	return true;
}

bool
condition_holds_without_read_delay(
    const struct condition *c, const struct condition_source *source)
{
	const struct histogram *delay = &source->stats->read_delay;
	double most, same;

	if (!condition_is_on_answers(c) || histogram_count(delay) == 0)
		return true;
	most = (double)histogram_quantile(delay, 0.99);
	same = time_value(c, delay);
	if (same > most)
		most = same;
	return compare(c, time_value(c, histogram_of(c, source)) - most);
}

bool
condition_is_on_lateness(const struct condition *c)
{
	return c->subject >= CONDITION_PERCENTILE &&
	    (c->offset == offsetof(struct stats, lateness) ||
		c->offset == offsetof(struct stats, read_delay));
}

const char *
condition_text(const struct condition *c)
{
	return c->text;
}

uint64_t
condition_samples(const struct condition *c)
{
	uint64_t side;

	if (c->subject != CONDITION_PERCENTILE)
		return 0;
	side = c->rank;
	if (side > RANK_WHOLE - side)
		side = RANK_WHOLE - side;
	return ((uint64_t)BEYOND * RANK_WHOLE + side - 1) / side;
}
