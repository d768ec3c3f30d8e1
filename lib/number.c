#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/number.h"

struct number_text
number_text(double value, int decimals)
{
	struct number_text n;

	if (isnan(value))
		strcpy(n.text, "-");
	else
		snprintf(n.text, sizeof(n.text), "%.*f", decimals, value);
	return n;
}

struct number_text
number_text_short(double value)
{
	struct number_text n;
	bool whole = value <= floor(value);

	if (isnan(value) || whole || value >= 10)
		return number_text(value, whole ? 0 : 1);
	snprintf(n.text, sizeof(n.text), "%.4g", value);
	return n;
}

double
number_rate(uint64_t count, double seconds)
{
	return seconds > 0 ? (double)count / seconds : NAN;
}

double
number_ms(uint64_t ns)
{
	return ns == UINT64_MAX ? NAN : (double)ns / (double)CLOCK_NS_PER_MS;
}
