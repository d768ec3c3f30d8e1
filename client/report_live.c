/*
 * The live line.
 */
#include <sys/ioctl.h>

#include <inttypes.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/number.h"
#include "client/report_internal.h"

#define LINE_SIZE 256

static unsigned short
terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static void
print_live(FILE *out, bool terminal, const char *line)
{
	if (terminal)
		fprintf(out, "\r\033[K%.*s", terminal_width() - 1, line);
	else
		fprintf(out, "%s\n", line);
}

static struct number_text
rate(uint64_t count, double window)
{
	return number_text(number_rate(count, window), 0);
}

static struct number_text
quantile_ms(const struct histogram *h, double q)
{
	return number_text(number_ms(histogram_quantile(h, q)), 3);
}

/* Only where there is one; returns the length of the line. */
static int
add_suspects(const struct stats *s, char *line, int length)
{
	uint64_t suspects = stats_suspects(&s->n);

	if (suspects == 0)
		return length;
	return length +
	    snprintf(line + length, LINE_SIZE - (size_t)length,
		", suspect %" PRIu64, suspects);
}

static int
add_leaving(const struct stats *change, double window, char *line, int length)
{
	uint64_t left = change->n.closed_churned + change->n.closed_used_up;

	if (left == 0)
		return length;
	return length +
	    snprintf(line + length, LINE_SIZE - (size_t)length,
		", leaving %s/s", rate(left, window).text);
}

/* The time left is what the speed since the last line makes of it. */
static void
format_opening(const struct report *r, const struct generator_result *sum,
    const struct stats *change, double seconds, double window, char *line)
{
	const struct stats *s = &sum->stats;
	double speed = number_rate(change->n.opened + change->n.failed, window);
	uint64_t done = s->n.opened + s->n.failed,
		 left = r->config.connections - done;
	int length = snprintf(line, LINE_SIZE,
	    "%.1f s: opened %" PRIu64 " of %" PRIu32 ", pending %" PRIu64
	    ", failed %" PRIu64,
	    seconds, s->n.opened, r->config.connections,
	    stats_pending(s) + stats_probes_in_flight(s), s->n.failed);

	length = add_suspects(s, line, length);
	if (left > 0 && speed > 0)
		snprintf(line + length, LINE_SIZE - (size_t)length,
		    ", %.0f/s, %.0f s left", speed, (double)left / speed);
}

static void
format_querying(const struct generator_result *sum, const struct stats *change,
    double seconds, double window, char *line)
{
	const struct stats *s = &sum->stats;
	int length = snprintf(line, LINE_SIZE,
	    "%.1f s: open %" PRIu64 ", sent %s/s, answered %s/s, "
	    "in flight %" PRIu64 ", response p50 %s p99 %s ms, late p99 %s ms",
	    seconds, stats_open(s), rate(change->n.sent, window).text,
	    rate(change->n.answered, window).text, stats_in_flight(s),
	    quantile_ms(&change->response, 0.5).text,
	    quantile_ms(&change->response, 0.99).text,
	    quantile_ms(&change->lateness, 0.99).text);

	length = add_leaving(change, window, line, length);
	(void)add_suspects(s, line, length);
}

/* The clock has not begun, or what is counted is not measured yet. */
static void
format_before(const struct generator_result *sum, const struct stats *change,
    uint64_t now, double window, char *line)
{
	const struct stats *s = &sum->stats;

	if (now < sum->clock_begin)
		snprintf(line, LINE_SIZE,
		    "open %" PRIu64 ", beginning to query in %.1f s",
		    stats_open(s), clock_to_seconds(sum->clock_begin - now));
	else
		snprintf(line, LINE_SIZE,
		    "warm-up, %.1f s left: open %" PRIu64
		    ", sent %s/s, answered %s/s, in flight %" PRIu64,
		    clock_to_seconds(sum->query_begin - now), stats_open(s),
		    rate(change->n.warmup_sent, window).text,
		    rate(change->n.warmup_answered, window).text,
		    stats_warmup_in_flight(s));
}

void
report_live(struct report *r, const struct generator_result *sum, uint64_t now,
    FILE *out, bool terminal)
{
	double window = clock_to_seconds(now - r->shown_at);
	struct stats *change = &r->change;
	char line[LINE_SIZE];

	*change = sum->stats;
	stats_subtract(change, &r->shown);
	r->shown = sum->stats;
	r->shown_at = now;
	if (sum->query_begin == 0)
		format_opening(r, sum, change, clock_to_seconds(now - r->begun),
		    window, line);
	else if (now < sum->query_begin)
		format_before(sum, change, now, window, line);
	else
		format_querying(sum, change,
		    clock_to_seconds(now - sum->query_begin), window, line);
	print_live(out, terminal, line);
}
