#include <sys/random.h>

#include <err.h>

#include "client/random.h"

uint64_t
random_any(void)
{
	uint64_t any;

	if (getrandom(&any, sizeof(any), 0) != (ssize_t)sizeof(any))
		err(1, "getrandom");
	return any;
}

uint64_t
random_mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
