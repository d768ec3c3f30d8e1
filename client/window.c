#include "client/window.h"
#include "lib/clock.h"

#define SYN_AGAIN (900 * CLOCK_NS_PER_MS) /* a second, and a coarse timer */
#define LEAST	  2.0

void
window_init(struct window *w, uint32_t start, uint32_t most)
{
	w->size = start;
	w->most = most;
	w->halved = 0;
}

uint32_t
window_size(const struct window *w)
{
	return (uint32_t)w->size;
}

static double
halve(double size)
{
	if (size <= LEAST)
		return size;
	return size / 2 < LEAST ? LEAST : size / 2;
}

void
window_note(struct window *w, uint64_t begun, uint64_t now, bool failed)
{
	if (failed || now - begun >= SYN_AGAIN) {
		if (begun < w->halved)
			return;
		w->size = halve(w->size);
		w->halved = now;
	} else if (w->size < w->most)
		w->size += w->halved == 0 ? 1 : 1 / w->size;
}
