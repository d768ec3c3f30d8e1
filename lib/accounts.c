#include <inttypes.h>

#include "lib/accounts.h"

unsigned int
accounts_check(FILE *out, const char *left, uint64_t is, const char *right,
    uint64_t should)
{
	if (is == should)
		return 0;
	fprintf(out,
	    "accounting broken: %s = %" PRIu64 ", but %s = %" PRIu64 "\n", left,
	    is, right, should);
	return 1;
}
