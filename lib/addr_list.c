#include <sys/socket.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr_list.h"
#include "lib/parse.h"

static const char not_an_address[] =
    "not an IP address (of IPv4, four decimal numbers without leading zeros), "
    "nor a range FIRST-LAST, nor a prefix ADDRESS/BITS";
static const char no_interface[] =
    "there is no such interface: `ip link` lists those of this host";
static const char too_many[] =
    "too many addresses: the most is 65536; use a longer prefix";
static const char twice[] = "an address is named twice";

_Static_assert(ADDR_LIST_MOST == 65536, "the number is in too_many");
/* addresses are compared as bytes */
_Static_assert(sizeof(struct addr_ip) == 24, "struct addr_ip has padding");

/* What one item of a text stands for. */
struct span {
	struct addr_ip first;
	size_t count; /* not 0; above ADDR_LIST_MOST it only means too many */
};

static size_t
width(const struct addr_ip *ip)
{
	return ip->family == AF_INET ? 4 : 16;
}

/*
 * Behind all ones come all zeros, which nobody uses: it is only the step behind
 * the last address of all.
 */
static void
increment(struct addr_ip *ip)
{
	size_t i = width(ip);

	while (i-- > 0 && ++ip->bytes[i] == 0)
		;
}

/*
 * last - first, both of one family. It is negative if last is the lower one,
 * and more than ADDR_LIST_MOST if the difference is, but may else be off: what
 * the upper bytes differ by, the lower ones cannot make up for.
 */
static int64_t
difference(const struct addr_ip *first, const struct addr_ip *last)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < width(first) && n >= 0 && n <= ADDR_LIST_MOST; i++)
		n = n * 256 + last->bytes[i] - first->bytes[i];
	return n;
}

static const char *
span_until(struct span *s, const struct addr_ip *last)
{
	int64_t n;

	if (s->first.family != last->family ||
	    s->first.scope_id != last->scope_id)
		return "both ends of a range are of one family and interface";
	n = difference(&s->first, last);
	if (n < 0)
		return "a range goes from the lower address to the higher one";
	s->count = (size_t)n + 1;
	return NULL;
}

static bool
is_link_local(const struct addr_ip *ip)
{
	return ip->family == AF_INET6 && ip->bytes[0] == 0xfe &&
	    (ip->bytes[1] & 0xc0) == 0x80;
}

/* An interface has a name, and a number: `ip link` shows both. */
static uint32_t
find_interface(const char *name)
{
	char found[IF_NAMESIZE];
	uint32_t index = if_nametoindex(name);

	if (index == 0 &&
	    parse_digits(name, strlen(name), INT32_MAX, &index) == NULL &&
	    if_indextoname(index, found) == NULL)
		index = 0;
	return index;
}

static const char *
parse_scope(const char *name, struct addr_ip *ip)
{
	if (!is_link_local(ip))
		return "only a link-local address, fe80::/10, has an interface";
	/* the kernel looks up lo:anything as lo */
	if (strchr(name, ':') != NULL)
		return no_interface;
	ip->scope_id = find_interface(name);
	return ip->scope_id == 0 ? no_interface : NULL;
}

static const char *
parse_ip(const char *text, size_t length, struct addr_ip *out)
{
	char copy[INET6_ADDRSTRLEN + IF_NAMESIZE], *scope;

	if (length >= sizeof(copy))
		return not_an_address;
	memcpy(copy, text, length);
	copy[length] = '\0';
	scope = strchr(copy, '%');
	if (scope != NULL)
		*scope++ = '\0';
	memset(out, 0, sizeof(*out));
	out->family = strchr(copy, ':') == NULL ? AF_INET : AF_INET6;
	if (inet_pton(out->family, copy, out->bytes) != 1)
		return not_an_address;
	return scope == NULL ? NULL : parse_scope(scope, out);
}

/*
 * Tries every '-', because there may be some in the names of interfaces, too.
 */
static const char *
parse_range(const char *text, size_t length, struct span *out)
{
	const char *why = not_an_address, *left, *right;
	struct addr_ip last;
	size_t i;

	for (i = 0; i < length; i++) {
		if (text[i] != '-')
			continue;
		left = parse_ip(text, i, &out->first);
		right = parse_ip(text + i + 1, length - i - 1, &last);
		if (left == NULL && right == NULL)
			return span_until(out, &last);
		if (left != NULL && left != not_an_address)
			why = left;
		if (right != NULL && right != not_an_address)
			why = right;
	}
	return why;
}

/* The bits of byte i that are behind the first so many of the address. */
static uint8_t
host_mask(uint32_t bits, size_t i)
{
	if (bits <= i * 8)
		return 0xff;
	return bits - i * 8 >= 8 ? 0 : (uint8_t)(0xff >> (bits - i * 8));
}

static const char *
parse_prefix(
    const char *text, size_t length, const char *slash, struct span *out)
{
	const char *why = parse_ip(text, (size_t)(slash - text), &out->first);
	size_t n = width(&out->first), i;
	struct addr_ip last = out->first;
	uint32_t bits;

	if (why != NULL)
		return why;
	if (parse_digits(slash + 1, length - (size_t)(slash + 1 - text),
		(uint32_t)n * 8, &bits) != NULL)
		return "the length of a prefix is 0 to 32 for IPv4, to 128 for "
		       "IPv6";
	for (i = 0; i < n; i++) {
		if ((last.bytes[i] & host_mask(bits, i)) != 0)
			return "has bits set behind the prefix length: a whole "
			       "prefix is like 10.0.0.0/24";
		last.bytes[i] |= host_mask(bits, i);
	}
	/* two bits to spare are in the last byte: nothing to carry */
	if (n * 8 - bits >= 2) {
		out->first.bytes[n - 1]++;
		if (last.family == AF_INET)
			last.bytes[n - 1]--;
	}
	return span_until(out, &last);
}

static const char *
parse_item(const char *text, size_t length, struct span *out)
{
	const char *slash, *why;

	if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	slash = memchr(text, '/', length);
	if (slash != NULL)
		return parse_prefix(text, length, slash, out);
	why = parse_ip(text, length, &out->first);
	if (why != NULL)
		return memchr(text, '-', length) == NULL ?
		    why :
		    parse_range(text, length, out);
	out->count = 1;
	return NULL;
}

/*
 * Adds what text says to *count, and stores it behind the first *count of at,
 * unless at is NULL: then it only counts, at no cost for long ranges.
 */
static const char *
parse_items(const char *text, uint16_t port, struct addr_ip *at, size_t *count)
{
	struct span span;
	const char *why;
	size_t length, i;

	for (;; text += length + 1) {
		length = strcspn(text, ",");
		why = parse_item(text, length, &span);
		if (why != NULL)
			return why;
		if (span.count > ADDR_LIST_MOST - *count)
			return too_many;
		for (i = 0; at != NULL && i < span.count; i++) {
			at[*count + i] = span.first;
			at[*count + i].port = port;
			increment(&span.first);
		}
		*count += span.count;
		if (text[length] == '\0')
			return NULL;
	}
}

static struct addr_ip *
allocate(size_t count)
{
	struct addr_ip *at = reallocarray(NULL, count, sizeof(*at));

	if (at == NULL)
		err(1, "no memory for %zu addresses", count);
	return at;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr_ip));
}

static bool
has_twins(const struct addr_ip *at, size_t count)
{
	struct addr_ip *sorted = allocate(count);
	bool found = false;
	size_t i;

	memcpy(sorted, at, count * sizeof(*at));
	qsort(sorted, count, sizeof(*sorted), compare);
	for (i = 1; i < count && !found; i++)
		found = compare(&sorted[i - 1], &sorted[i]) == 0;
	free(sorted);
	return found;
}

const char *
addr_list_parse(const char *text, struct addr_list *list)
{
	return addr_list_parse_port(text, 0, list);
}

const char *
addr_list_parse_port(const char *text, uint16_t port, struct addr_list *list)
{
	struct addr_list all = {.at = NULL, .count = list->count};
	const char *why = parse_items(text, port, NULL, &all.count);

	if (why != NULL)
		return why;
	all.at = allocate(all.count);
	if (list->count > 0)
		memcpy(all.at, list->at, list->count * sizeof(*list->at));
	all.count = list->count;
	/* can still fail: interfaces come and go */
	why = parse_items(text, port, all.at, &all.count);
	if (why == NULL && has_twins(all.at, all.count))
		why = twice;
	if (why != NULL) {
		addr_list_free(&all);
		return why;
	}
	addr_list_free(list);
	*list = all;
	return NULL;
}

static bool
ip_from_addr(const struct addr *a, struct addr_ip *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(out, 0, sizeof(*out));
	out->family = a->sa.ss_family;
	if (out->family == AF_INET) {
		memcpy(&v4, &a->sa, sizeof(v4));
		memcpy(out->bytes, &v4.sin_addr, sizeof(v4.sin_addr));
		return true;
	}
	memcpy(&v6, &a->sa, sizeof(v6));
	out->scope_id = v6.sin6_scope_id;
	memcpy(out->bytes, &v6.sin6_addr, sizeof(v6.sin6_addr));
	return out->family == AF_INET6;
}

const char *
addr_list_append(struct addr_list *list, const struct addr *a, uint16_t port)
{
	struct addr_ip ip;
	size_t i;

	if (!ip_from_addr(a, &ip))
		return "not an IPv4 or IPv6 address";
	ip.port = port;
	if (list->count == ADDR_LIST_MOST)
		return too_many;
	for (i = 0; i < list->count; i++)
		if (compare(&list->at[i], &ip) == 0)
			return twice;
	list->at = reallocarray(list->at, list->count + 1, sizeof(*list->at));
	if (list->at == NULL)
		err(1, "no memory for %zu addresses", list->count + 1);
	list->at[list->count++] = ip;
	return NULL;
}

const struct addr_ip *
addr_list_lacks_interface(const struct addr_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (is_link_local(&list->at[i]) && list->at[i].scope_id == 0)
			return &list->at[i];
	return NULL;
}

void
addr_list_free(struct addr_list *list)
{
	free(list->at);
	list->at = NULL;
	list->count = 0;
}

void
addr_from_ip(const struct addr_ip *ip, uint16_t port, struct addr *out)
{
	uint16_t own = htons(ip->port > 0 ? ip->port : port);
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = own};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = own};

	memset(out, 0, sizeof(*out));
	if (ip->family == AF_INET) {
		memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
		memcpy(&out->sa, &v4, sizeof(v4));
		out->length = sizeof(v4);
		return;
	}
	v6.sin6_scope_id = ip->scope_id;
	memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
	memcpy(&out->sa, &v6, sizeof(v6));
	out->length = sizeof(v6);
}
