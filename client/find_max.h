/*
 * Judges the steps of --find-max: from what was counted in one, whether it held,
 * and if not, whether the server, this program or a limit of this host stopped
 * it.
 */
#ifndef CLIENT_FIND_MAX_H
#define CLIENT_FIND_MAX_H

#include <stdbool.h>

#include "client/generator.h"
#include "client/health.h"
#include "client/open_health.h"
#include "client/search.h"
#include "lib/diagnosis.h"

struct find_max;

/*
 * The search outlives it. Exits on lack of memory. open: what was asked of opening,
 * which each step is held against; opening: connections come and go all the time, so
 * that a late connect is load that was late; drops: those of now, the caller's.
 */
struct find_max *find_max_new(struct search *, enum diagnosis_view,
    const struct open_asked *open, bool opening,
    const struct sockdiag_drops *drops);
void find_max_free(struct find_max *);

/* A step begins: all that is counted from now on is its own. */
void find_max_begin(struct find_max *, const struct generator_result *sum);

/*
 * It is over, and the search is told. cut: no connection is left, or none was
 * opened.
 */
void find_max_end(struct find_max *, const struct generator_result *sum,
    const struct health_usage *, bool cut);

#endif
