/*
 * At which targets, and from which sources, it happened.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/report_internal.h"
#include "client/routes.h"

#define PLACES_SHOWN 4 /* of targets, and of sources */

struct text {
	char *at;
	size_t used;
};

static void __attribute__((format(printf, 2, 3)))
append(struct text *t, const char *format, ...)
{
	va_list ap;
	int length;

	va_start(ap, format);
	length =
	    vsnprintf(t->at + t->used, DIAGNOSIS_PLACES - t->used, format, ap);
	va_end(ap);
	t->used += (size_t)length;
	if (t->used >= DIAGNOSIS_PLACES)
		t->used = DIAGNOSIS_PLACES - 1;
}

/* Connections are spread so that places differ by one or two. */
static bool
are_alike(const struct tally_row *const *rows, uint32_t count)
{
	uint64_t least = UINT64_MAX, most = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (rows[i]->count < least)
			least = rows[i]->count;
		if (rows[i]->count > most)
			most = rows[i]->count;
	}
	return most - least <= 1 + most / 10;
}

static void
append_address(
    struct text *t, const struct routes *routes, const struct tally_row *row)
{
	char name[ADDR_FORMAT];
	struct addr address;

	if (row->kind == TALLY_TARGET)
		routes_target(routes, row->place, &address);
	else
		routes_source(routes, row->place, &address);
	addr_format(&address, name);
	if (row->kind == TALLY_SOURCE)
		*strrchr(name, ':') = '\0'; /* it has no port */
	append(t, "%s", name);
}

/* "all 10", "3 of 10", or "3" where it is not known of how many. */
static void
append_count(
    struct text *t, const struct tally *tally, const struct tally_row *row)
{
	uint64_t all = tally_all(
	    tally, row->cause, (enum tally_kind)row->kind, row->place);

	if (all == row->count)
		append(t, ": all %" PRIu64, all);
	else if (all > row->count)
		append(t, ": %" PRIu64 " of %" PRIu64, row->count, all);
	else
		append(t, ": %" PRIu64, row->count);
}

static void
append_list(struct text *t, const struct report *r, const struct tally *tally,
    const struct tally_row *const *rows, uint32_t count, uint64_t total)
{
	const char *of = rows[0]->kind == TALLY_TARGET ? "of" : "from";
	uint32_t i;

	for (i = 0; i < count && i < PLACES_SHOWN; i++) {
		append(t, i == 0 ? "%s " : ", ", of);
		append_address(t, r->config.routes, rows[i]);
		append_count(t, tally, rows[i]);
		total -= rows[i]->count < total ? rows[i]->count : total;
	}
	if (total > 0)
		append(t, ", %s others: %" PRIu64, of, total);
}

/* places: how many there are of that kind. */
static void
append_kind(struct text *t, const struct report *r, const struct tally *tally,
    uint32_t cause, enum tally_kind kind, uint64_t places, uint64_t total)
{
	const struct tally_row *rows[TALLY_PLACES];
	uint32_t count = tally_find(tally, cause, kind, rows);

	if (count == 0 || places <= 1)
		return;
	if (t->used > 0)
		append(t, "; ");
	if (count == places && are_alike(rows, count))
		append(t, "all %" PRIu32 " %s alike", count,
		    kind == TALLY_TARGET ? "targets" : "sources");
	else
		append_list(t, r, tally, rows, count, total);
}

uint64_t
report_refused_beside(const struct tally *tally)
{
	const struct tally_row *rows[TALLY_PLACES];
	uint32_t i, count = tally_find(tally, ECONNREFUSED, TALLY_TARGET, rows);
	uint64_t beside = 0;

	for (i = 0; i < count; i++)
		if (rows[i]->place < TALLY_COUNTED &&
		    tally->opened[TALLY_TARGET][rows[i]->place] > 0)
			beside += rows[i]->count;
	return beside;
}

bool
report_places(const struct report *r, const struct tally *tally, uint32_t cause,
    uint64_t total, char text[DIAGNOSIS_PLACES])
{
	const struct routes *routes = r->config.routes;
	struct text t = {text, 0};

	text[0] = '\0';
	if (routes == NULL)
		return false;
	append_kind(
	    &t, r, tally, cause, TALLY_TARGET, routes_targets(routes), total);
	append_kind(
	    &t, r, tally, cause, TALLY_SOURCE, routes->sources.count, total);
	return t.used > 0;
}
