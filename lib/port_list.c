#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"
#include "lib/port_list.h"

#define PORTS (UINT16_MAX + 1)

/* The list as it would become. As no port comes twice, it cannot overflow. */
struct draft {
	size_t count;
	uint16_t at[PORTS];
	bool has[PORTS];
};

/* False if one of them is in it already. */
static bool
draft_add(struct draft *d, uint32_t first, uint32_t last)
{
	uint32_t port;

	for (port = first; port <= last; port++) {
		if (d->has[port])
			return false;
		d->has[port] = true;
		d->at[d->count++] = (uint16_t)port;
	}
	return true;
}

static const char *
parse_port(const char *text, size_t length, uint32_t *out)
{
	if (length == 0 || strspn(text, "0123456789") < length)
		return "not ports such as 4242 or 53,853,7000-7199";
	return parse_digits(text, length, UINT16_MAX, out) == NULL ?
	    NULL :
	    "the highest port is 65535";
}

static const char *
parse_item(const char *text, size_t length, unsigned int min, struct draft *d)
{
	const char *dash = memchr(text, '-', length), *why;
	size_t left = dash == NULL ? length : (size_t)(dash - text);
	uint32_t first, last;

	why = parse_port(text, left, &first);
	last = first;
	if (why == NULL && dash != NULL)
		why = parse_port(dash + 1, length - left - 1, &last);
	if (why != NULL)
		return why;
	if (first < (dash == NULL ? min : 1))
		return dash != NULL && min == 0 ?
		    "port 0 goes into no range: the lowest is 1" :
		    "the lowest port is 1";
	if (first > last)
		return "a range goes from the lower port to the higher one";
	return draft_add(d, first, last) ? NULL : "a port is named twice";
}

static const char *
parse_items(const char *text, unsigned int min, struct draft *d)
{
	const char *why;
	size_t length;

	for (;; text += length + 1) {
		length = strcspn(text, ",");
		why = parse_item(text, length, min, d);
		if (why != NULL || text[length] == '\0')
			return why;
	}
}

const char *
port_list_parse(const char *text, unsigned int min, struct port_list *list)
{
	struct draft *d = calloc(1, sizeof(*d));
	const char *why;
	size_t i;

	if (d == NULL)
		err(1, "no memory for a list of ports");
	for (i = 0; i < list->count; i++)
		(void)draft_add(d, list->at[i], list->at[i]);
	why = parse_items(text, min, d);
	if (why == NULL) {
		list->at = reallocarray(list->at, d->count, sizeof(*list->at));
		if (list->at == NULL)
			err(1, "no memory for %zu ports", d->count);
		memcpy(list->at, d->at, d->count * sizeof(*list->at));
		list->count = d->count;
	}
	free(d);
	return why;
}

void
port_list_add(struct port_list *list, uint16_t port)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (list->at[i] == port)
			return;
	list->at = reallocarray(list->at, list->count + 1, sizeof(*list->at));
	if (list->at == NULL)
		err(1, "no memory for %zu ports", list->count + 1);
	list->at[list->count++] = port;
}

void
port_list_free(struct port_list *list)
{
	free(list->at);
	list->at = NULL;
	list->count = 0;
}
