#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <bsd/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/lines.h"
#include "lib/status.h"
#include "client/hosts.h"

/* Where names are looked up, and what for. */
struct search {
	const struct options_target *target;
	uint64_t patience;
	struct addr_list *hosts;
};

static void __attribute__((noreturn))
refuse_name(const struct options_target *o, const char *name, const char *why)
{
	if (o->after_optional != NULL && strcmp(name, o->after_optional) == 0)
		errx(STATUS_COULD_NOT_RUN,
		    "%s: %s; what belongs to --json or --check goes behind a "
		    "=, such as --json=%s",
		    name, why, name);
	errx(STATUS_COULD_NOT_RUN, "%s: %s", name, why);
}

/* Of a name: the first address that accepts a connection, or else the first one. */
static const char *
add_first(const struct search *s, const char *name, uint16_t port,
    const struct addr *found, size_t count)
{
	const struct addr *accepts =
	    s->patience == 0 ? NULL : addr_choose(found, count, s->patience);
	const struct addr *chosen = accepts == NULL ? found : accepts;
	struct addr shown = *chosen;
	char text[ADDR_FORMAT];

	addr_format(&shown, text);
	if (count > 1)
		(void)lines_say(
		    "%s has %zu addresses: %s is used, the first%s; "
		    "--all-addresses uses them all",
		    name, count, text,
		    s->patience == 0	? "" :
			accepts != NULL ? " that accepts" :
					  ", and none accepts");
	return addr_list_append(s->hosts, chosen, port);
}

static const char *
add_all(const struct search *s, uint16_t port, const struct addr *found,
    size_t count)
{
	const char *why = NULL;
	size_t i;

	for (i = 0; i < count && why == NULL; i++)
		why = addr_list_append(s->hosts, &found[i], port);
	return why;
}

static void
add_name(const struct search *s, const char *name, uint16_t port)
{
	const struct options_target *o = s->target;
	struct addr found[ADDR_MOST];
	size_t count;
	const char *why = addr_resolve(
	    name, port > 0 ? port : o->ports.at[0], o->family, found, &count);

	if (why != NULL)
		refuse_name(o, name, why);
	why = o->all_addresses ? add_all(s, port, found, count) :
				 add_first(s, name, port, found, count);
	if (why != NULL)
		errx(STATUS_USAGE, "%s: %s", name, why);
}

/* Whether it can only have been meant as an address, a range or a prefix. */
static bool
is_numeric(const char *text)
{
	return addr_is_odd(text) || strpbrk(text, ":/") != NULL ||
	    (strchr(text, '%') != NULL && text[0] >= '0' && text[0] <= '9') ||
	    (strchr(text, '-') != NULL &&
		text[strspn(text, "0123456789.-")] == '\0');
}

/*
 * As ::1:53, which may have been meant as [::1]:53. why: what is wrong with it as an
 * address, or NULL.
 */
static void
hint_at_brackets(const char *text, const char *why)
{
	const char *last = strrchr(text, ':');
	struct in6_addr address;
	char rest[ADDR_FORMAT];

	if (last == NULL || last[1] == '\0' ||
	    last[1 + strspn(last + 1, "0123456789")] != '\0')
		return;
	snprintf(rest, sizeof(rest), "%.*s", (int)(last - text), text);
	if (inet_pton(AF_INET6, rest, &address) != 1 || strlen(last) > 6 ||
	    atoi(last + 1) > UINT16_MAX)
		return;
	if (why != NULL)
		errx(STATUS_USAGE,
		    "%s: not an IP address; with a port it is [%s]%s", text,
		    rest, last);
	warnx("%s is taken as an address without a port; with one it is "
	      "[%s]%s",
	    text, rest, last);
}

static void
add_item(const struct search *s, char *item)
{
	char whole[ADDR_FORMAT];
	const char *why;
	uint16_t port;
	char *host;

	snprintf(whole, sizeof(whole), "%s", item);
	if (whole[strspn(whole, "0123456789")] == '\0')
		errx(STATUS_USAGE,
		    "HOST %s: not an IP address (of IPv4, four decimal "
		    "numbers without leading zeros); a port belongs to -p, or "
		    "behind its HOST, as in localhost:%s",
		    whole, whole);
	host = addr_split_port(item, &port, &why);
	if (host == NULL)
		errx(STATUS_USAGE, "%s: %s", whole, why);
	why = addr_list_parse_port(host, port, s->hosts);
	if (whole[0] != '[')
		hint_at_brackets(whole, why);
	if (why != NULL && is_numeric(host))
		errx(STATUS_USAGE, "%s: %s", whole, why);
	if (why != NULL)
		add_name(s, host, port);
}

/* Addresses, ranges and prefixes as for -a, or names, with commas between. */
static void
add_hosts(const struct search *s, const char *text)
{
	char *copy = strdup(text), *rest = copy, *item;

	if (copy == NULL)
		err(STATUS_COULD_NOT_RUN, "no memory");
	while ((item = strsep(&rest, ",")) != NULL) {
		if (*item == '\0')
			errx(STATUS_USAGE,
			    "HOST %s: nothing between two commas or at an end",
			    text);
		if (*item == ':' && item[1] != ':')
			errx(STATUS_USAGE,
			    "HOST %s: nothing in front of the port", item);
		add_item(s, item);
	}
	free(copy);
}

/*
 * Link-local addresses.
 */

/* what: "HOST " or "-a ". */
static void
check_interface(const struct addr_list *list, const char *what)
{
	const struct addr_ip *ip = addr_list_lacks_interface(list);
	char text[INET6_ADDRSTRLEN], interfaces[ADDR_INTERFACES];

	if (ip == NULL)
		return;
	inet_ntop(AF_INET6, ip->bytes, text, sizeof(text));
	addr_interfaces(interfaces);
	errx(STATUS_USAGE,
	    "%s%s: a link-local address needs its interface, as in %s%%eth0; "
	    "this host has %s",
	    what, text, text, interfaces);
}

/* A source of an interface decides for the target, too. */
static void
check_interfaces(const struct routes *routes)
{
	check_interface(&routes->sources, "-a ");
	if (routes->sources.count == 0 || routes->sources.at[0].scope_id == 0)
		check_interface(&routes->hosts, "HOST ");
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
		errx(STATUS_USAGE, "-%c: HOST is an IPv%c address",
		    o->family == AF_INET ? '4' : '6',
		    o->family == AF_INET ? '6' : '4');
}

/* Hosts with a port of their own go last. The order is else the same. */
static void
sort_by_port(struct routes *routes)
{
	struct addr_list *hosts = &routes->hosts;
	struct addr_ip *sorted =
	    reallocarray(NULL, hosts->count, sizeof(*sorted));
	size_t i, count = 0;

	if (sorted == NULL)
		err(STATUS_COULD_NOT_RUN, "no memory");
	for (i = 0; i < hosts->count; i++)
		if (hosts->at[i].port == 0)
			sorted[count++] = hosts->at[i];
	routes->own_ports = hosts->count - count;
	for (i = 0; i < hosts->count; i++)
		if (hosts->at[i].port != 0)
			sorted[count++] = hosts->at[i];
	free(hosts->at);
	hosts->at = sorted;
}

static int
compare_addresses(const void *a, const void *b)
{
	struct addr_ip x = *(const struct addr_ip *)a,
		       y = *(const struct addr_ip *)b;

	x.port = y.port = 0;
	return memcmp(&x, &y, sizeof(x));
}

static bool
has_port(const struct port_list *list, uint16_t port)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (list->at[i] == port)
			return true;
	return false;
}

/* The first target with a port of its own that -p names, too; NULL: none. */
static const struct addr_ip *
find_twice(const struct routes *routes)
{
	size_t count = routes->hosts.count - routes->own_ports, i;
	const struct addr_ip *own = &routes->hosts.at[count], *twice = NULL;
	struct addr_ip *sorted = calloc(count + 1, sizeof(*sorted));

	if (sorted == NULL)
		err(STATUS_COULD_NOT_RUN, "no memory");
	memcpy(sorted, routes->hosts.at, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_addresses);
	for (i = 0; i < routes->own_ports && twice == NULL; i++)
		if (has_port(&routes->ports, own[i].port) &&
		    bsearch(&own[i], sorted, count, sizeof(*sorted),
			compare_addresses) != NULL)
			twice = &own[i];
	free(sorted);
	return twice;
}

/* A target would have more connections than the others: HOST and HOST:53, -p 53. */
static void
refuse_twice(const struct routes *routes)
{
	const struct addr_ip *twice = find_twice(routes);
	struct addr target;
	char text[ADDR_FORMAT];

	if (twice == NULL)
		return;
	addr_from_ip(twice, 0, &target);
	addr_format(&target, text);
	errx(STATUS_USAGE,
	    "%s: a target is named twice, with its port and by -p; leave one "
	    "of them out",
	    text);
}

static void
find_ports(struct routes *routes)
{
	size_t i;

	sort_by_port(routes);
	if (routes->own_ports == 0)
		return;
	for (i = 0; i < routes->hosts.count; i++)
		if (routes->hosts.at[i].port != 0)
			port_list_add(
			    &routes->all_ports, routes->hosts.at[i].port);
	if (routes->own_ports == routes->hosts.count)
		return;
	refuse_twice(routes);
	for (i = 0; i < routes->ports.count; i++)
		port_list_add(&routes->all_ports, routes->ports.at[i]);
}

void
hosts_find(struct options_target *o, uint64_t patience, struct routes *routes)
{
	const struct search search = {o, patience, &routes->hosts};
	size_t i;

	memset(routes, 0, sizeof(*routes));
	routes->ports = o->ports;
	routes->sources = o->sources;
	/* names are resolved to what the sources can reach */
	if (o->family == AF_UNSPEC && o->sources.count > 0)
		o->family = family_of(&o->sources);
	for (i = 0; i < o->host_count; i++)
		add_hosts(&search, o->hosts[i]);
	check_families(o, routes);
	check_interfaces(routes);
	find_ports(routes);
}
