#include <stddef.h>

#include "client/tally.h"

/* The row of that place; NULL: it has none, and *places others have one. */
static struct tally_row *
find_row(struct tally *t, uint32_t cause, uint32_t kind, uint32_t place,
    uint32_t *places)
{
	struct tally_row *row;
	uint32_t i;

	*places = 0;
	for (i = 0; i < t->used && i < TALLY_ROWS; i++) {
		row = &t->rows[i];
		if (row->cause != cause || row->kind != kind)
			continue;
		if (row->place == place)
			return row;
		++*places;
	}
	return NULL;
}

static void
add(struct tally *t, uint32_t cause, uint32_t kind, uint32_t place,
    uint64_t count)
{
	uint32_t places;
	struct tally_row *row = find_row(t, cause, kind, place, &places);

	if (row != NULL) {
		row->count += count;
		return;
	}
	if (t->used == TALLY_ROWS || places == TALLY_PLACES)
		return;
	t->rows[t->used] =
	    (struct tally_row){count, place, (uint16_t)cause, (uint16_t)kind};
	t->used++; /* last: the row is read by others from now on */
}

void
tally_add(struct tally *t, uint32_t cause, const struct tally_way *way)
{
	uint32_t kind;

	for (kind = 0; kind < TALLY_KINDS; kind++)
		add(t, cause, kind, way->place[kind], 1);
}

void
tally_remove(struct tally *t, uint32_t cause, const struct tally_way *way)
{
	struct tally_row *row;
	uint32_t kind, places;

	for (kind = 0; kind < TALLY_KINDS; kind++) {
		row = find_row(t, cause, kind, way->place[kind], &places);
		if (row != NULL)
			row->count--;
	}
}

static void
count(uint64_t counts[TALLY_KINDS][TALLY_COUNTED], const struct tally_way *way)
{
	uint32_t kind;

	for (kind = 0; kind < TALLY_KINDS; kind++)
		if (way->place[kind] < TALLY_COUNTED)
			counts[kind][way->place[kind]]++;
}

void
tally_attempted(struct tally *t, const struct tally_way *way)
{
	count(t->attempted, way);
}

void
tally_opened(struct tally *t, const struct tally_way *way)
{
	count(t->opened, way);
}

uint64_t
tally_all(
    const struct tally *t, uint32_t cause, enum tally_kind kind, uint32_t place)
{
	if (place >= TALLY_COUNTED || cause == TALLY_MALFORMED)
		return 0;
	return cause < TALLY_PEER_FIN ? t->attempted[kind][place] :
					t->opened[kind][place];
}

uint32_t
tally_find(const struct tally *t, uint32_t cause, enum tally_kind kind,
    const struct tally_row *found[TALLY_PLACES])
{
	const struct tally_row *row;
	uint32_t i, places = 0;

	for (i = 0; i < t->used && places < TALLY_PLACES; i++) {
		row = &t->rows[i];
		if (row->cause == cause && row->kind == kind && row->count > 0)
			found[places++] = row;
	}
	return places;
}

void
tally_merge(struct tally *into, const struct tally *from)
{
	uint32_t kind, i;

	for (i = 0; i < from->used && i < TALLY_ROWS; i++)
		add(into, from->rows[i].cause, from->rows[i].kind,
		    from->rows[i].place, from->rows[i].count);
	for (kind = 0; kind < TALLY_KINDS; kind++)
		for (i = 0; i < TALLY_COUNTED; i++) {
			into->attempted[kind][i] += from->attempted[kind][i];
			into->opened[kind][i] += from->opened[kind][i];
		}
}
