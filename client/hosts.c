#include <sys/socket.h>

#include <bsd/err.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/status.h"
#include "client/hosts.h"

/* A name stands for one address: the first that accepts a connection. */
static void
add_name(const struct options_target *o, const char *name, uint64_t patience,
    struct addr_list *hosts)
{
	struct addr found[ADDR_MOST];
	size_t count;
	const char *why =
	    addr_resolve(name, o->ports.at[0], o->family, found, &count);

	if (why == NULL)
		why = addr_list_append(hosts,
		    patience == 0 ? found :
				    addr_choose(found, count, patience));
	if (why != NULL)
		errx(STATUS_COULD_NOT_RUN, "%s: %s", name, why);
}

/* Whether it can only have been meant as an address, a range or a prefix. */
static bool
is_numeric(const char *text)
{
	return strpbrk(text, ":/") != NULL ||
	    (strchr(text, '-') != NULL &&
		text[strspn(text, "0123456789.-")] == '\0');
}

/* Addresses, ranges and prefixes as for -a, or names, with commas between. */
static void
add_hosts(const struct options_target *o, const char *text, uint64_t patience,
    struct addr_list *hosts)
{
	char *copy = strdup(text), *rest = copy, *item;
	const char *why;

	if (copy == NULL)
		err(STATUS_COULD_NOT_RUN, "no memory");
	while ((item = strsep(&rest, ",")) != NULL) {
		if (*item == '\0')
			errx(STATUS_USAGE,
			    "HOST %s: nothing between two commas or at an end",
			    text);
		why = addr_list_parse(item, hosts);
		if (why != NULL && is_numeric(item))
			errx(STATUS_USAGE, "%s: %s", item, why);
		if (why != NULL)
			add_name(o, item, patience, hosts);
	}
	free(copy);
}

/* The family that all are of; AF_UNSPEC: of both. */
static int
family_of(const struct addr_list *list)
{
	size_t i;

	for (i = 1; i < list->count; i++)
		if (list->at[i].family != list->at[0].family)
			return AF_UNSPEC;
	return list->at[0].family;
}

static void
check_families(const struct options_target *o, const struct routes *routes)
{
	int hosts = family_of(&routes->hosts);

	if (routes->sources.count > 0 &&
	    (hosts == AF_UNSPEC || family_of(&routes->sources) != hosts))
		errx(STATUS_USAGE, "-a and HOST must all be IPv4, or all IPv6");
	if (o->family != AF_UNSPEC && hosts != o->family)
		errx(STATUS_USAGE, "-%c: HOST is an address of the other kind",
		    o->family == AF_INET ? '4' : '6');
}

void
hosts_find(struct options_target *o, uint64_t patience, struct routes *routes)
{
	size_t i;

	memset(routes, 0, sizeof(*routes));
	routes->ports = o->ports;
	routes->sources = o->sources;
	/* names are resolved to what the sources can reach */
	if (o->family == AF_UNSPEC && o->sources.count > 0)
		o->family = family_of(&o->sources);
	for (i = 0; i < o->host_count; i++)
		add_hosts(o, o->hosts[i], patience, &routes->hosts);
	check_families(o, routes);
}
