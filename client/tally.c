#include "client/tally.h"

static void
add(struct tally *t, uint32_t cause, uint32_t target, uint64_t count)
{
	uint32_t i, targets = 0;

	for (i = 0; i < t->used; i++) {
		if (t->rows[i].cause != cause)
			continue;
		targets++;
		if (t->rows[i].target == target) {
			t->rows[i].count += count;
			return;
		}
	}
	if (t->used == TALLY_ROWS || targets == TALLY_TARGETS)
		return;
	t->rows[t->used] = (struct tally_row){count, target, cause};
	t->used++; /* last: the row is read by others from now on */
}

void
tally_add(struct tally *t, uint32_t cause, uint32_t target)
{
	add(t, cause, target, 1);
}

void
tally_merge(struct tally *into, const struct tally *from)
{
	uint32_t i;

	for (i = 0; i < from->used && i < TALLY_ROWS; i++)
		add(into, from->rows[i].cause, from->rows[i].target,
		    from->rows[i].count);
}
