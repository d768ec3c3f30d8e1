#include <err.h>
#include <stdlib.h>

#include "client/slots.h"

/* The link of a list itself: rings have no special cases. */
static uint32_t
end_of(const struct slots *s, enum slots_list list)
{
	return s->size + (uint32_t)list;
}

static void
unlink_slot(struct slots *s, uint32_t slot)
{
	struct slots_link *l = &s->links[slot];

	s->links[l->previous].next = l->next;
	s->links[l->next].previous = l->previous;
	s->count[l->list]--;
}

static void
append(struct slots *s, uint32_t slot, enum slots_list list)
{
	struct slots_link *l = &s->links[slot];
	uint32_t end = end_of(s, list), last = s->links[end].previous;

	l->next = end;
	l->previous = last;
	l->list = (uint8_t)list;
	s->links[last].next = slot;
	s->links[end].previous = slot;
	s->count[list]++;
}

void
slots_init(struct slots *s, uint32_t size)
{
	enum slots_list list;
	uint32_t i;

	*s = (struct slots){.size = size};
	s->links = calloc((size_t)size + SLOTS_LISTS, sizeof(*s->links));
	if (s->links == NULL)
		err(1, "no memory for %u connections", size);
	for (list = SLOTS_FREE; list < SLOTS_LISTS; list++) {
		i = end_of(s, list);
		s->links[i] = (struct slots_link){i, i, (uint8_t)list};
	}
	for (i = 0; i < size; i++)
		append(s, i, SLOTS_FREE);
}

void
slots_clear(struct slots *s)
{
	free(s->links);
}

enum slots_list
slots_where(const struct slots *s, uint32_t slot)
{
	return (enum slots_list)s->links[slot].list;
}

void
slots_move(struct slots *s, uint32_t slot, enum slots_list list)
{
	unlink_slot(s, slot);
	append(s, slot, list);
}

void
slots_move_all(struct slots *s, enum slots_list from, enum slots_list to)
{
	uint32_t slot;

	while ((slot = slots_first(s, from)) != SLOTS_NONE)
		slots_move(s, slot, to);
}

uint32_t
slots_first(const struct slots *s, enum slots_list list)
{
	uint32_t end = end_of(s, list), first = s->links[end].next;

	return first == end ? SLOTS_NONE : first;
}

uint32_t
slots_count(const struct slots *s, enum slots_list list)
{
	return s->count[list];
}

uint32_t
slots_coming(const struct slots *s)
{
	return s->count[SLOTS_WAITING] + s->count[SLOTS_REPLACING] +
	    s->count[SLOTS_RESTING] + s->count[SLOTS_CONNECTING];
}
