/*
 * What several rules do to a row.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "lib/check_internal.h"

/* tcpclient has no more connections pending, all workers together. */
#define PENDING_MOST 4096
#define BACKLOG_MOST 65535

/* The server may be kept from accepting for that long, in seconds. */
#define STALL 0.25

void
check_compare(struct check_row *row, uint64_t value, uint64_t needed)
{
	if (value == UINT64_MAX)
		snprintf(row->value, sizeof(row->value), "no limit");
	else
		snprintf(row->value, sizeof(row->value), "%" PRIu64, value);
	snprintf(row->needed, sizeof(row->needed), "%" PRIu64, needed);
	row->verdict = value >= needed ? CHECK_OK : CHECK_LOW;
}

void
check_unreadable(struct check_row *row, uint64_t needed)
{
	snprintf(row->value, sizeof(row->value), "-");
	snprintf(row->needed, sizeof(row->needed), "%" PRIu64, needed);
	row->verdict = CHECK_UNREADABLE;
}

void
check_unknown(struct check_row *row)
{
	check_unreadable(row, 0);
	snprintf(row->needed, sizeof(row->needed), "-");
}

void
check_set(struct check_row *row, const char *format, ...)
{
	const char *quote;
	va_list args;

	va_start(args, format);
	vsnprintf(row->set, sizeof(row->set), format, args);
	va_end(args);
	if (row->verdict != CHECK_LOW)
		return;
	quote = strchr(row->set, ' ') == NULL ? "" : "\"";
	snprintf(row->fix, sizeof(row->fix), "sysctl -w %s=%s%.400s%s",
	    row->name, quote, row->set, quote);
}

void
check_at_least(
    const struct check_host *h, struct check_row *row, uint64_t needed)
{
	uint64_t value;

	if (check_sysctl(h, row->name, &value)) {
		check_compare(row, value, needed);
		check_set(row, "%" PRIu64, value > needed ? value : needed);
	} else {
		check_unreadable(row, needed);
		check_set(row, "%" PRIu64, needed);
	}
}

bool
check_own_number(
    const struct check_host *h, struct check_row *row, uint64_t *out)
{
	if (!check_sysctl(h, row->name, out)) {
		check_unknown(row);
		return false;
	}
	snprintf(row->needed, sizeof(row->needed), "-");
	snprintf(row->value, sizeof(row->value), "%" PRIu64, *out);
	return true;
}

uint64_t
check_round(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

uint64_t
check_burst(const struct check_run *run)
{
	double most = run->opens * STALL;

	if (run->opens <= 0)
		most = (run->ends & CHECK_CLIENT) != 0 ? PENDING_MOST :
							 BACKLOG_MOST;
	if (most > BACKLOG_MOST)
		most = BACKLOG_MOST;
	if (most > (double)run->connections)
		most = (double)run->connections;
	return most < 1 ? 1 : (uint64_t)most;
}
