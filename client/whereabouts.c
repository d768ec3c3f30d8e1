#include "client/whereabouts.h"

enum diagnosis_view
whereabouts_find(const struct routes *routes)
{
	enum addr_owner first = ADDR_UNKNOWN, owner;
	struct addr a;
	size_t i;

	for (i = 0; i < routes->hosts.count; i++) {
		addr_from_ip(&routes->hosts.at[i], 0, &a);
		owner = addr_owner(&a);
		if (i == 0)
			first = owner;
		if (owner == ADDR_UNKNOWN || owner != first)
			return DIAGNOSIS_FROM_SOME;
	}
	return first == ADDR_OURS ? DIAGNOSIS_FROM_BOTH : DIAGNOSIS_FROM_CLIENT;
}
