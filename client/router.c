#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/router.h"
#include "client/routes.h"
#include "lib/clock.h"

#define MOST	      (UINT64_C(1) << 20) /* a byte each */
#define EXHAUSTED_FOR CLOCK_NS_PER_SEC

void
router_init(struct router *r, const struct routes *routes)
{
	memset(r, 0, sizeof(*r));
	r->routes = routes;
	r->count = routes_count(routes);
	if (r->count > MOST)
		r->count = MOST;
}

void
router_clear(struct router *r)
{
	free(r->exhausted);
}

bool
router_choose(struct router *r, uint64_t k, uint64_t now, uint64_t *chosen)
{
	uint64_t way = k % r->count;

	if (r->exhausted_count == r->count) {
		if (now < r->try_again)
			return false;
		memset(r->exhausted, 0, r->count * sizeof(*r->exhausted));
		r->exhausted_count = 0;
	}
	while (r->exhausted != NULL && r->exhausted[way])
		way = (way + 1) % r->count;
	*chosen = way;
	return true;
}

void
router_exhausted(struct router *r, uint64_t chosen, uint64_t now)
{
	if (r->exhausted == NULL)
		r->exhausted = calloc(r->count, sizeof(*r->exhausted));
	if (r->exhausted == NULL)
		err(1, "no memory for %" PRIu64 " ways", r->count);
	r->exhausted[chosen] = true;
	r->exhausted_count++;
	r->try_again = now + EXHAUSTED_FOR;
}
