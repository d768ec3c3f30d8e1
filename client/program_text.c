#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/parse.h"
#include "client/program.h"

#define RATE_MAX	 1e9
#define MILLISECONDS_MAX (INT64_C(365) * 24 * 3600 * 1000)

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Messages.
 */

/* Where in a text something is wrong. */
struct place {
	const char *kind; /* "line" or "item" */
	uint64_t number; /* from 1 */
	char *why; /* PROGRAM_ERROR bytes for the message */
};

/* Always false: for what returns whether a text is right. */
__attribute__((format(printf, 2, 3))) static bool
refuse(const struct place *at, const char *format, ...)
{
	va_list arguments;
	int length;

	length = snprintf(
	    at->why, PROGRAM_ERROR, "%s %" PRIu64 ": ", at->kind, at->number);
	va_start(arguments, format);
	vsnprintf(at->why + length, PROGRAM_ERROR - (size_t)length, format,
	    arguments);
	va_end(arguments);
	return false;
}

/* What was read, as a message may show it: short and printable. */
#define SHOWN 40
struct shown {
	char text[SHOWN + sizeof("...")];
};

static struct shown
show(const char *text)
{
	struct shown s;
	size_t i;

	for (i = 0; i < SHOWN && text[i] != '\0'; i++)
		s.text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	strcpy(s.text + i, text[i] == '\0' ? "" : "...");
	return s;
}

static bool
add(struct program *p, const struct place *at, uint64_t duration, double begin,
    double end)
{
	const char *why = program_append(p, duration, begin, end);

	return why == NULL || refuse(at, "%s", why);
}

static bool
take_rate(const char *text, const struct place *at, double *out)
{
	const char *why = parse_rate(text, out);

	return why == NULL || refuse(at, "'%s' is %s", show(text).text, why);
}

/*
 * A text with items.
 */

static bool
take_duration(const char *text, const struct place *at, uint64_t *out)
{
	const char *why = parse_duration(text, out);

	if (why == NULL && *out == 0)
		why = "no time: the least is 0.001us";
	return why == NULL || refuse(at, "'%s' is %s", show(text).text, why);
}

/* Writes into item. */
static bool
take_item(char *item, const struct place *at, struct program *p)
{
	char *rate = strchr(item, '@'), *dots, *last;
	double begin, end;
	uint64_t duration;

	if (rate == NULL)
		return refuse(at,
		    "'%s' is not DURATION@RATE or DURATION@RATE..RATE "
		    "such as 10s@1000 or 30s@1000..50000",
		    show(item).text);
	*rate++ = '\0';
	last = rate;
	dots = strstr(rate, "..");
	if (dots != NULL) {
		*dots = '\0';
		last = dots + 2;
		/* 1...2 may be meant as 1. to 2 or 1 to 0.2 */
		if (*last == '.')
			return refuse(at,
			    "three dots: a ramp is RATE..RATE, such as "
			    "1..0.2");
	}
	return take_duration(item, at, &duration) &&
	    take_rate(rate, at, &begin) && take_rate(last, at, &end) &&
	    add(p, at, duration, begin, end);
}

bool
program_parse(const char *text, struct program *p, char why[PROGRAM_ERROR])
{
	struct place at = {.kind = "item", .why = why};
	char *copy = strdup(text), *rest = copy, *item;
	bool right = true;

	if (copy == NULL)
		err(1, "no memory for a rate program");
	while (right && (item = strsep(&rest, ",")) != NULL) {
		at.number++;
		right = take_item(item, &at, p);
	}
	free(copy);
	if (!right)
		program_clear(p);
	return right;
}

/*
 * Lines from a descriptor. Not stdio: whether something is there without
 * waiting for it can be asked only where it is known what has been read.
 */

#define LINE_MOST 200
#define NO_BYTE	  (-1)

struct reader {
	struct place place;
	int fd;
	int error; /* errno of reading; 0: none, so it was the end */
	uint32_t commands; /* that line 1 announces; 0: not read yet */
	size_t at; /* in buffer */
	size_t filled;
	char line[LINE_MOST + 1];
	char buffer[4096];
};

/* After a read() that failed; an inherited descriptor may be non-blocking. */
static bool
may_retry(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	if (errno == EAGAIN)
		return poll(&wait, 1, -1) != -1 || errno == EINTR;
	return errno == EINTR;
}

static int
reader_byte(struct reader *r)
{
	ssize_t got;

	if (r->at == r->filled) {
		do
			got = read(r->fd, r->buffer, sizeof(r->buffer));
		while (got == -1 && may_retry(r->fd));
		r->error = got == -1 ? errno : 0;
		r->at = 0;
		r->filled = got == -1 ? 0 : (size_t)got;
		if (r->filled == 0)
			return NO_BYTE;
	}
	return (unsigned char)r->buffer[r->at++];
}

/* Whether reading would not wait, be it for the end or an error. */
static bool
reader_is_ready(const struct reader *r)
{
	struct pollfd now = {.fd = r->fd, .events = POLLIN};
	int ready;

	if (r->at < r->filled)
		return true;
	do
		ready = poll(&now, 1, 0);
	while (ready == -1 && errno == EINTR);
	return ready > 0;
}

static const char *
plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

static bool
refuse_end(const struct reader *r)
{
	if (r->error != 0)
		return refuse(
		    &r->place, "cannot be read: %s", strerror(r->error));
	if (r->commands == 0)
		return refuse(&r->place,
		    "the input is empty, but should begin with the number of "
		    "commands");
	return refuse(&r->place,
	    "the input ends here, but line 1 announces %" PRIu32 " command%s",
	    r->commands, plural(r->commands));
}

/* The next line, without its end. */
static bool
reader_line(struct reader *r)
{
	size_t length = 0;
	int byte;

	r->place.number++;
	while ((byte = reader_byte(r)) != NO_BYTE && byte != '\n') {
		if (byte == '\0')
			return refuse(&r->place, "a NUL byte is not text");
		if (length == LINE_MOST)
			return refuse(&r->place,
			    "too long: the most is %d bytes", LINE_MOST);
		r->line[length++] = (char)byte;
	}
	if (byte == NO_BYTE && (r->error != 0 || length == 0))
		return refuse_end(r);
	if (length > 0 && r->line[length - 1] == '\r')
		length--;
	r->line[length] = '\0';
	return true;
}

/* What is there already behind the last command must be blank. */
static bool
check_rest(struct reader *r)
{
	int byte;

	r->place.number++;
	while (reader_is_ready(r)) {
		byte = reader_byte(r);
		if (byte == NO_BYTE)
			return r->error == 0 || refuse_end(r);
		if (byte == '\n')
			r->place.number++;
		else if (byte != ' ' && byte != '\t' && byte != '\r')
			return refuse(&r->place,
			    "one more than the %" PRIu32
			    " command%s that line 1 announces",
			    r->commands, plural(r->commands));
	}
	return true;
}

/*
 * What the lines say.
 */

/* Writes into line. Returns how many words it has; the first two are kept. */
static size_t
split(char *line, char *words[2])
{
	char *rest = line, *word;
	size_t count = 0;

	while ((word = strsep(&rest, " \t")) != NULL)
		if (*word != '\0') {
			if (count < 2)
				words[count] = word;
			count++;
		}
	return count;
}

static bool
take_number_of_commands(struct reader *r)
{
	struct shown line;
	char *words[2];

	if (!reader_line(r))
		return false;
	line = show(r->line);
	if (split(r->line, words) == 1 &&
	    parse_digits(
		words[0], strlen(words[0]), UINT32_MAX, &r->commands) == NULL &&
	    r->commands > 0)
		return true;
	return refuse(&r->place,
	    "'%s' is not the number of commands, from 1 to %" PRIu32, line.text,
	    UINT32_MAX);
}

static bool
take_milliseconds(const char *text, const struct place *at, uint64_t *out)
{
	/* no suffix: 5m would be taken for minutes, 5M for mega */
	if (text[strspn(text, "0123456789")] != '\0' ||
	    parse_count(text, 0, MILLISECONDS_MAX, out) != NULL)
		return refuse(at,
		    "'%s' is not a whole number of milliseconds, "
		    "from 0 to %" PRId64 " (365 days)",
		    show(text).text, MILLISECONDS_MAX);
	*out *= CLOCK_NS_PER_MS;
	return true;
}

static bool
take_slope(const char *text, const struct place *at, double *out)
{
	bool is_signed = *text == '+' || *text == '-';

	if (parse_rate(is_signed ? text + 1 : text, out) != NULL)
		return refuse(at,
		    "'%s' is not a slope per second such as 500, -0.5 or +20k, "
		    "from -1000M to 1000M",
		    show(text).text);
	if (*text == '-')
		*out = -*out;
	return true;
}

/* From *rate on, and to it: where the rate would be below 0, it is 0. */
static bool
add_slope(struct program *p, const struct place *at, uint64_t duration,
    double slope, double *rate)
{
	double begin = *rate, end = begin + slope * clock_to_seconds(duration);
	uint64_t ramp = duration, down;

	if (end > RATE_MAX)
		return refuse(at,
		    "the rate would rise to %.0f per second: the most is 1000M",
		    end);
	if (end < 0) {
		down = (uint64_t)llround(
		    begin / -slope * (double)CLOCK_NS_PER_SEC);
		if (down < ramp)
			ramp = down;
		end = 0;
	}
	*rate = end;
	return (ramp == 0 || add(p, at, ramp, begin, end)) &&
	    (ramp == duration || add(p, at, duration - ramp, 0, 0));
}

static bool
take_command(
    struct reader *r, enum program_input input, double *rate, struct program *p)
{
	const struct place *at = &r->place;
	struct shown line = show(r->line);
	bool slopes = input == PROGRAM_SLOPES;
	uint64_t duration;
	char *words[2];
	double number;

	if (split(r->line, words) != 2)
		return refuse(at,
		    "'%s' is not a duration in milliseconds and a %s per "
		    "second, such as '10000 %s'",
		    line.text, slopes ? "slope" : "rate",
		    slopes ? "-0.5" : "500");
	if (!take_milliseconds(words[0], at, &duration))
		return false;
	if (slopes)
		return take_slope(words[1], at, &number) &&
		    add_slope(p, at, duration, number, rate);
	return take_rate(words[1], at, &number) &&
	    (duration == 0 || add(p, at, duration, number, number));
}

bool
program_read(int fd, enum program_input input, double start, struct program *p,
    char why[PROGRAM_ERROR])
{
	struct reader r = {.place = {.kind = "line", .why = why}, .fd = fd};
	double rate = start;
	bool right = take_number_of_commands(&r);
	uint32_t i;

	for (i = 0; right && i < r.commands; i++)
		right = reader_line(&r) && take_command(&r, input, &rate, p);
	right = right && check_rest(&r);
	if (right && program_duration(p) == 0) {
		snprintf(why, PROGRAM_ERROR,
		    "all commands take 0 ms: one must take 1 ms or more");
		right = false;
	}
	if (!right)
		program_clear(p);
	return right;
}

/*
 * Back to text.
 */

#define NUMBER 32 /* bytes of any number with its unit */

/* In the largest unit of which it is a whole number. */
static void
format_duration(uint64_t ns, char out[NUMBER])
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"h", 3600 * CLOCK_NS_PER_SEC},
	    {"m", 60 * CLOCK_NS_PER_SEC}, {"s", CLOCK_NS_PER_SEC},
	    {"ms", CLOCK_NS_PER_MS}, {"us", CLOCK_NS_PER_US}};
	size_t i;

	if (ns == CLOCK_NEVER) {
		strcpy(out, "forever");
		return;
	}
	for (i = 0; i < LENGTH(units); i++)
		if (ns % units[i].ns == 0) {
			snprintf(out, NUMBER, "%" PRIu64 "%s", ns / units[i].ns,
			    units[i].name);
			return;
		}
	snprintf(out, NUMBER, "%" PRIu64 ".%09" PRIu64 "s",
	    ns / CLOCK_NS_PER_SEC, ns % CLOCK_NS_PER_SEC);
}

/*
 * With as few decimals as do: sums of slopes are a little off, and 13 is easier
 * to read than 13.000000000000002.
 */
static void
format_rate(double rate, char out[NUMBER])
{
	double tolerance = 0.5e-9 + rate * 1e-12;
	int decimals = 0;

	do
		snprintf(out, NUMBER, "%.*f", decimals, rate);
	while (fabs(strtod(out, NULL) - rate) > tolerance && ++decimals <= 9);
}

#define ITEM (3 * NUMBER + sizeof("@.."))

static void
format_segment(const struct program_segment *s, char out[ITEM])
{
	char duration[NUMBER], begin[NUMBER], end[NUMBER];

	format_duration(s->duration, duration);
	format_rate(s->begin, begin);
	format_rate(s->end, end);
	if (s->begin < s->end || s->begin > s->end)
		snprintf(out, ITEM, "%s@%s..%s", duration, begin, end);
	else
		snprintf(out, ITEM, "%s@%s", duration, begin);
}

void
program_format(const struct program *p, char *out, size_t size)
{
	const char *comma = "";
	char item[ITEM];
	size_t used = 0, need, i;

	*out = '\0';
	for (i = 0; i < p->count; i++) {
		format_segment(&p->segments[i], item);
		need = strlen(comma) + strlen(item);
		/* behind any item but the last one, ",..." has room */
		if (used + need + (i + 1 < p->count ? strlen(",...") : 0) >=
		    size) {
			snprintf(out + used, size - used, "%s...", comma);
			return;
		}
		snprintf(out + used, size - used, "%s%s", comma, item);
		used += need;
		comma = ",";
	}
}
