#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "lib/addr_list.h"

#define LOWEST	"::"
#define HIGHEST "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

/* Nobody asks for less on purpose; what loops or is quadratic takes longer. */
#define AT_ONCE_S 5

static void
parse(struct addr_list *list, const char *text)
{
	const char *why = addr_list_parse(text, list);

	if (why != NULL)
		fail_msg("\"%.80s\" refused: %s", text, why);
}

/* As bytes: one address can be printed in several ways. */
static void
address_is(const struct addr_list *list, size_t i, const char *expected)
{
	int family = strchr(expected, ':') == NULL ? AF_INET : AF_INET6;
	char printed[INET6_ADDRSTRLEN];
	uint8_t bytes[16] = {0};
	const struct addr_ip *ip = &list->at[i];

	assert_true(i < list->count);
	assert_non_null(
	    inet_ntop(ip->family, ip->bytes, printed, sizeof(printed)));
	assert_int_equal(inet_pton(family, expected, bytes), 1);
	if (ip->family != family || memcmp(ip->bytes, bytes, 16) != 0)
		fail_msg("address %zu is %s, not %s", i, printed, expected);
}

/* Text is count addresses, of which these are the first and the last. */
static void
range_is(const char *text, size_t count, const char *first, const char *last)
{
	struct addr_list list = {NULL, 0};

	parse(&list, text);
	if (list.count != count)
		fail_msg("\"%s\" is %zu addresses, not %zu", text, list.count,
		    count);
	address_is(&list, 0, first);
	address_is(&list, count - 1, last);
	addr_list_free(&list);
}

/* Text is exactly the addresses behind it, up to NULL. */
static void
addresses_are(const char *text, const char *const *expected)
{
	struct addr_list list = {NULL, 0};
	size_t i;

	parse(&list, text);
	for (i = 0; expected[i] != NULL; i++)
		address_is(&list, i, expected[i]);
	assert_int_equal(list.count, i);
	addr_list_free(&list);
}

#define ARE(text, ...) \
	addresses_are(text, (const char *const[]){__VA_ARGS__, NULL})

static void
unchanged(const char *text, struct addr_list *list, const char *expected)
{
	struct addr_ip before[8], *at = list->at;
	size_t count = list->count;
	const char *why;

	assert_true(count <= LENGTH(before));
	if (count > 0)
		memcpy(before, at, count * sizeof(*at));
	why = addr_list_parse(text, list);
	if (why == NULL)
		fail_msg("\"%.80s\" not refused", text);
	if (strstr(why, expected) == NULL)
		fail_msg("\"%.80s\": \"%s\", not \"%s\"", text, why, expected);
	assert_int_equal(list->count, count);
	assert_ptr_equal(list->at, at);
	if (count > 0)
		assert_memory_equal(at, before, count * sizeof(*at));
}

/* With a message that has this in it, and whether the list is empty or not. */
static void
refused(const char *text, const char *expected)
{
	struct addr_list empty = {NULL, 0}, some = {NULL, 0};

	unchanged(text, &empty, expected);
	assert_null(empty.at);
	parse(&some, "192.0.2.200,2001:db8::c8");
	unchanged(text, &some, expected);
	addr_list_free(&some);
}

static void
literals(void **state)
{
	(void)state;
	ARE("192.0.2.1", "192.0.2.1");
	ARE("0.0.0.0", "0.0.0.0");
	ARE("255.255.255.255", "255.255.255.255");
	ARE("::", "::");
	ARE("::1", "::1");
	ARE("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
	ARE("[::1],::2", "::1", "::2");
	ARE(HIGHEST, HIGHEST);
	ARE("::ffff:192.0.2.1", "::ffff:192.0.2.1");
	ARE("192.0.2.2,192.0.2.1", "192.0.2.2", "192.0.2.1");
	ARE("::1,127.0.0.1,::2", "::1", "127.0.0.1", "::2");
	/* other families' addresses are others, whatever their bytes */
	ARE("0.0.0.0,::", "0.0.0.0", "::");
	ARE("192.0.2.1,::ffff:192.0.2.1,c000:201::", "192.0.2.1",
	    "::ffff:192.0.2.1", "c000:201::");
}

static void
literal_bytes(void **state)
{
	static const uint8_t v4[16] = {192, 0, 2, 1};
	static const uint8_t v6[16] = {
	    0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
	struct addr_list list = {NULL, 0};

	(void)state;
	parse(&list, "192.0.2.1,2001:db8:1:2:3:4:5:6");
	assert_int_equal(list.count, 2);
	assert_int_equal(list.at[0].family, AF_INET);
	assert_int_equal(list.at[0].scope_id, 0);
	assert_memory_equal(list.at[0].bytes, v4, 16);
	assert_int_equal(list.at[1].family, AF_INET6);
	assert_int_equal(list.at[1].scope_id, 0);
	assert_memory_equal(list.at[1].bytes, v6, 16);
	addr_list_free(&list);
	assert_null(list.at);
	assert_int_equal(list.count, 0);
	addr_list_free(&list);
}

static void
not_literals(void **state)
{
	static const char *const texts[] = {"", ",", ",,", "a,,b", "::1,",
	    ",::1", "::1,,::2", " ", " ::1", "::1 ", "::1, ::2", "::1;::2",
	    "127.0.0.1 ", "\t127.0.0.1", "127.0.0.1\n", "127.0.0", "127.1",
	    "127.0.0.1.", ".127.0.0.1", "127.0.0.0.1", "127.0.0..1",
	    "127.0.0.256", "127.0.0.-1", "127.0.0.+1", "127.0.0.01",
	    "0x7f.0.0.1", "2130706433", "127.0.0.1:53", "[]", "[::1]:53", ":",
	    ":::", "1", "::g", "::12345", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
	    "::1::", "localhost", "example.org", "-", "--", "::1-", "-::1",
	    "::1--::2", "-1", "127.0.0.1-", "-127.0.0.1", "127.0.0.1-5",
	    "127.0.0.1-2-3", "::1-::2-::3", "127.0.0.1 -127.0.0.2",
	    "127.0.0.1-127.0.0.2/31", "127.0.0.0/31-127.0.0.3", "/", "/24", "%",
	    "%lo", "::1%lo%lo", "\xff\xfe", "*", "192.0.2.*"};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++)
		refused(texts[i], "");
	refused("localhost", "not an IP address");
	refused("", "not an IP address");
	refused("127.0.0.1,", "not an IP address");
	/* what is right in front of it does not help */
	refused("127.0.0.1,127.0.0.2,127.0.0.256", "not an IP address");
}

static void
interfaces(void **state)
{
	struct addr_list list = {NULL, 0};
	unsigned int lo = if_nametoindex("lo");
	size_t i;

	(void)state;
	assert_int_not_equal(lo, 0);
	parse(&list,
	    "fe80::1%lo,fe80::10%lo-fe80::12%lo,fe80::20%lo/126,"
	    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%lo");
	assert_int_equal(list.count, 8);
	for (i = 0; i < list.count; i++)
		assert_int_equal(list.at[i].scope_id, lo);
	address_is(&list, 0, "fe80::1");
	address_is(&list, 3, "fe80::12");
	address_is(&list, 4, "fe80::21");
	/* that of no interface is another one */
	parse(&list, "fe80::1");
	assert_int_equal(list.count, 9);
	assert_int_equal(list.at[8].scope_id, 0);
	addr_list_free(&list);
}

static void
not_interfaces(void **state)
{
	(void)state;
	refused("fe80::1%", "no such interface");
	refused("fe80::1%no-such", "no such interface");
	refused("fe80::%nosuch/64", "no such interface");
	refused("fe80::1%lo:1", "no such interface");
	refused("fe80::1%lo ", "no such interface");
	refused("fe80::1%lo%lo", "no such interface");
	refused("fe80::1%nosuch-fe80::2%lo", "no such interface");
	refused("fe80::1%lo-fe80::2%nosuch", "no such interface");
	refused("fe80::1%lo-fe80::2", "one family and interface");
	refused("fe80::1-fe80::2%lo", "one family and interface");
	refused("fe80::/126%lo", "length of a prefix");
	refused("fe80::1%an-interface-name-longer-than-any", "");
	refused("127.0.0.1%lo", "link-local");
	refused("::1%lo", "link-local");
	refused("fe7f::1%lo", "link-local");
	refused("fec0::1%lo", "link-local");
	refused("fd80::1%lo", "link-local");
	refused("::1%lo-::2%lo", "link-local");
	refused("fe80::1%lo,fe80::1%lo", "named twice");
}

static void
ranges(void **state)
{
	(void)state;
	ARE("192.0.2.1-192.0.2.1", "192.0.2.1");
	ARE("192.0.2.1-192.0.2.3", "192.0.2.1", "192.0.2.2", "192.0.2.3");
	ARE("::1-::1", "::1");
	/* a range has no network and no broadcast address */
	range_is("10.0.0.0-10.0.0.255", 256, "10.0.0.0", "10.0.0.255");
	/* carries */
	ARE("::ffff-::1:2", "::ffff", "::1:0", "::1:1", "::1:2");
	ARE("10.255.255.255-11.0.0.0", "10.255.255.255", "11.0.0.0");
	ARE("7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff-8000::",
	    "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::");
	range_is("127.0.0.250-127.0.1.5", 12, "127.0.0.250", "127.0.1.5");
	range_is("10.0.255.0-10.1.0.255", 512, "10.0.255.0", "10.1.0.255");
	range_is("::fe00-::1:01ff", 1024, "::fe00", "::1:1ff");
	/* up to the very last */
	ARE("255.255.255.254-255.255.255.255", "255.255.255.254",
	    "255.255.255.255");
	ARE("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-" HIGHEST,
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", HIGHEST);
	ARE("0.0.0.0-0.0.0.1", "0.0.0.0", "0.0.0.1");
}

static void
range_inside(void **state)
{
	struct addr_list list = {NULL, 0};
	size_t i;

	(void)state;
	parse(&list, "127.0.0.250-127.0.1.5");
	address_is(&list, 5, "127.0.0.255");
	address_is(&list, 6, "127.0.1.0");
	addr_list_free(&list);
	/* each is one more than the one before */
	parse(&list, "10.0.128.0-10.1.127.255");
	assert_int_equal(list.count, 65536);
	for (i = 0; i < list.count; i++) {
		uint32_t n;

		memcpy(&n, list.at[i].bytes, sizeof(n));
		assert_int_equal(ntohl(n), 0x0a008000 + i);
	}
	addr_list_free(&list);
}

static void
not_ranges(void **state)
{
	(void)state;
	refused("192.0.2.2-192.0.2.1", "from the lower");
	refused("192.0.3.0-192.0.2.255", "from the lower");
	refused("11.0.0.0-10.255.255.255", "from the lower");
	refused("255.255.255.255-0.0.0.0", "from the lower");
	refused("::2-::1", "from the lower");
	refused("1::-::ffff", "from the lower");
	refused(
	    "8000::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "from the lower");
	refused(HIGHEST "-" LOWEST, "from the lower");
	refused("127.0.0.1-::2", "one family");
	refused("::1-127.0.0.2", "one family");
	refused("::ffff:127.0.0.1-127.0.0.2", "one family");
}

static void
ipv4_prefixes(void **state)
{
	(void)state;
	ARE("192.0.2.1/32", "192.0.2.1");
	ARE("0.0.0.0/32", "0.0.0.0");
	ARE("192.0.2.0/31", "192.0.2.0", "192.0.2.1");
	ARE("192.0.2.254/31", "192.0.2.254", "192.0.2.255");
	ARE("192.0.2.4/30", "192.0.2.5", "192.0.2.6");
	range_is("192.0.2.248/29", 6, "192.0.2.249", "192.0.2.254");
	range_is("192.0.2.128/25", 126, "192.0.2.129", "192.0.2.254");
	range_is("10.0.0.0/24", 254, "10.0.0.1", "10.0.0.254");
	range_is("10.0.2.0/23", 510, "10.0.2.1", "10.0.3.254");
	range_is("10.0.128.0/17", 32766, "10.0.128.1", "10.0.255.254");
	range_is("127.1.0.0/16", 65534, "127.1.0.1", "127.1.255.254");
	range_is("255.255.255.0/24", 254, "255.255.255.1", "255.255.255.254");
	range_is("0.0.0.0/24", 254, "0.0.0.1", "0.0.0.254");
}

static void
ipv6_prefixes(void **state)
{
	(void)state;
	ARE("2001:db8::1/128", "2001:db8::1");
	ARE("2001:db8::/128", "2001:db8::");
	ARE("2001:db8::/127", "2001:db8::", "2001:db8::1");
	ARE("2001:db8::/126", "2001:db8::1", "2001:db8::2", "2001:db8::3");
	range_is("2001:db8::10/124", 15, "2001:db8::11", "2001:db8::1f");
	range_is("2001:db8::/120", 255, "2001:db8::1", "2001:db8::ff");
	range_is("2001:db8::/119", 511, "2001:db8::1", "2001:db8::1ff");
	range_is("2001:db8::/112", 65535, "2001:db8::1", "2001:db8::ffff");
	range_is("::/112", 65535, "::1", "::ffff");
	range_is("ffff:ffff:ffff:ffff:ffff:ffff:ffff:0/112", 65535,
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:1", HIGHEST);
}

static void
not_prefixes(void **state)
{
	static const char *const lengths[] = {"", "33", "129", "4294967297",
	    "18446744073709551648", "-1", "+1", " 32", "32 ", "3 2", "0x20",
	    "32.", "3k", "0k", "x", "/", "32/", "255.255.255.0"};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(lengths); i++) {
		snprintf(text, sizeof(text), "192.0.2.1/%s", lengths[i]);
		refused(text, "length of a prefix");
	}
	refused("2001:db8::/129", "length of a prefix");
	refused("2001:db8::/", "length of a prefix");
	refused("localhost/24", "not an IP address");
	refused("10.0.0/24", "not an IP address");
}

static void
host_bits(void **state)
{
	char text[64];
	int bits;

	(void)state;
	refused("10.0.0.5/24", "bits set behind");
	refused("192.0.2.1/31", "bits set behind");
	refused("192.0.2.2/30", "bits set behind");
	refused("128.0.0.0/0", "bits set behind");
	refused("0.0.0.1/0", "bits set behind");
	refused("2001:db8::1/64", "bits set behind");
	refused("2001:db8::1/127", "bits set behind");
	refused("8000::/0", "bits set behind");
	/* bit by bit: 170.170... has every other one set */
	for (bits = 0; bits < 32; bits++) {
		snprintf(text, sizeof(text), "170.170.170.170/%d", bits);
		if (bits < 31)
			refused(text, "bits set behind");
		else
			ARE(text, "170.170.170.170", "170.170.170.171");
	}
	for (bits = 0; bits < 127; bits++) {
		snprintf(text, sizeof(text), "%s/%d",
		    "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa", bits);
		refused(text, "bits set behind");
	}
}

static void
as_many_as_allowed(void **state)
{
	(void)state;
	range_is("10.0.0.0-10.0.255.255", 65536, "10.0.0.0", "10.0.255.255");
	range_is("::1-::1:0", 65536, "::1", "::1:0");
	range_is("10.0.0.0/16,10.0.0.0,10.0.255.255", 65536, "10.0.0.1",
	    "10.0.255.255");
	range_is("::/112,::", 65536, "::1", "::");
}

static void
too_many_at_once(void **state)
{
	static const char *const texts[] = {"10.0.0.0-10.1.0.0",
	    "0.0.0.0-255.255.255.255", "::-::1:0", "::ffff-::2:0",
	    LOWEST "-" HIGHEST, "::-0:0:0:1::", "::-1000:0:0:1::", "::-7fff::",
	    "0:0:0:1::-0:0:1::", "::-::1:0:0:0", "10.0.0.0/15", "10.0.0.0/8",
	    "0.0.0.0/0", "2001:db8::/111", "2001:db8::/96", "2001:db8::/64",
	    "2001:db8::/63", "::/1", "::/0", "10.0.0.0-10.0.255.255,10.1.0.0",
	    "10.1.0.0,10.0.0.0-10.0.255.255", "10.0.0.0/16,::1-::3",
	    "::/112,1::/112", "10.0.0.0/16,10.0.0.0/16",
	    "10.0.0.0/17,10.1.0.0/17,::1-::5"};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++)
		refused(texts[i], "too many addresses: the most is 65536");
}

static void
too_many_in_turn(void **state)
{
	struct addr_list list = {NULL, 0};

	(void)state;
	parse(&list, "10.0.0.0-10.0.255.254");
	assert_non_null(addr_list_parse("::1,::2", &list));
	assert_int_equal(list.count, 65535);
	parse(&list, "::1");
	assert_int_equal(list.count, ADDR_LIST_MOST);
	assert_non_null(addr_list_parse("::2", &list));
	assert_int_equal(list.count, ADDR_LIST_MOST);
	address_is(&list, 65534, "10.0.255.254");
	address_is(&list, 65535, "::1");
	addr_list_free(&list);
}

static void
duplicates(void **state)
{
	(void)state;
	refused("127.0.0.1,127.0.0.1", "named twice");
	refused("127.0.0.1,::1,127.0.0.2,127.0.0.1", "named twice");
	refused("::1,0:0:0:0:0:0:0:1", "named twice");
	refused("10.0.0.1-10.0.0.5,10.0.0.5", "named twice");
	refused("10.0.0.1,10.0.0.1-10.0.0.5", "named twice");
	refused("10.0.0.1-10.0.0.5,10.0.0.5-10.0.0.9", "named twice");
	refused("10.0.0.0/24,10.0.0.254", "named twice");
	refused("2001:db8::/120,2001:db8::1", "named twice");
	/* neighbours, and what a prefix leaves out */
	range_is(
	    "10.0.0.1-10.0.0.5,10.0.0.6-10.0.0.9", 9, "10.0.0.1", "10.0.0.9");
	range_is(
	    "10.0.0.0/24,10.0.0.0,10.0.0.255", 256, "10.0.0.1", "10.0.0.255");
	range_is("10.0.1.0/24,10.0.0.0/24", 508, "10.0.1.1", "10.0.0.254");
}

static void
duplicates_in_turn(void **state)
{
	struct addr_list list = {NULL, 0};

	(void)state;
	parse(&list, "192.0.2.200,2001:db8::c8");
	unchanged("192.0.2.200", &list, "named twice");
	unchanged("192.0.2.0/24", &list, "named twice");
	unchanged("::1,2001:db8::/120", &list, "named twice");
	parse(&list, "192.0.2.201");
	unchanged("192.0.2.201", &list, "named twice");
	addr_list_free(&list);
}

static void
appends_texts(void **state)
{
	struct addr_list list = {NULL, 0};

	(void)state;
	parse(&list, "192.0.2.9");
	parse(&list, "192.0.2.3-192.0.2.4,::1");
	parse(&list, "192.0.2.0/30");
	assert_int_equal(list.count, 6);
	address_is(&list, 0, "192.0.2.9");
	address_is(&list, 1, "192.0.2.3");
	address_is(&list, 2, "192.0.2.4");
	address_is(&list, 3, "::1");
	address_is(&list, 4, "192.0.2.1");
	address_is(&list, 5, "192.0.2.2");
	addr_list_free(&list);
}

/* The same 65,536 addresses one by one, in an order that is not sorted. */
static void
one_by_one(void **state)
{
	const size_t size = 65536 * sizeof("2001:db8::1234,");
	char *text = malloc(size), *end = text;
	struct addr_list list = {NULL, 0};
	clock_t start = clock();
	uint32_t i, n;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < 65536; i++) {
		n = i * 40503 % 65536; /* odd: every number once */
		end += sprintf(end, "2001:db8::%x,", n);
	}
	end[-1] = '\0';
	parse(&list, text);
	assert_int_equal(list.count, 65536);
	address_is(&list, 1, "2001:db8::9e37");
	addr_list_free(&list);
	/* the last one is the first one again */
	snprintf(end - sizeof("61c9"), sizeof("61c9"), "0");
	unchanged(text, &list, "named twice");
	free(text);
	assert_true(clock() - start < AT_ONCE_S * CLOCKS_PER_SEC);
}

static void
to_sockaddr_and_back(void **state)
{
	struct addr_list list = {NULL, 0}, back = {NULL, 0};
	char printed[ADDR_FORMAT];
	struct addr a;
	size_t i;

	(void)state;
	parse(&list, "192.0.2.1,2001:db8::1,fe80::1%lo,::ffff:192.0.2.1");
	for (i = 0; i < list.count; i++) {
		memset(&a, 0xff, sizeof(a));
		addr_from_ip(&list.at[i], (uint16_t)(53 + i), &a);
		assert_null(addr_list_append(&back, &a, 0));
		addr_format(&a, printed);
		assert_string_equal(printed,
		    ((const char *[]){"192.0.2.1:53", "[2001:db8::1]:54",
			"[fe80::1%lo]:55", "[::ffff:192.0.2.1]:56"})[i]);
	}
	assert_int_equal(back.count, list.count);
	assert_memory_equal(back.at, list.at, list.count * sizeof(*list.at));
	addr_list_free(&list);
	addr_list_free(&back);
}

static void
sockaddr_fields(void **state)
{
	struct addr_ip ip = {.family = AF_INET, .bytes = {127, 0, 0, 2}};
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct addr a;

	(void)state;
	addr_from_ip(&ip, 65535, &a);
	assert_int_equal(a.length, sizeof(v4));
	memcpy(&v4, &a.sa, sizeof(v4));
	assert_int_equal(v4.sin_family, AF_INET);
	assert_int_equal(ntohs(v4.sin_port), 65535);
	assert_int_equal(ntohl(v4.sin_addr.s_addr), 0x7f000002);

	memset(&ip, 0, sizeof(ip));
	ip.family = AF_INET6;
	ip.scope_id = 7;
	ip.bytes[15] = 1;
	addr_from_ip(&ip, 0, &a);
	assert_int_equal(a.length, sizeof(v6));
	memcpy(&v6, &a.sa, sizeof(v6));
	assert_int_equal(v6.sin6_family, AF_INET6);
	assert_int_equal(v6.sin6_port, 0);
	assert_int_equal(v6.sin6_flowinfo, 0);
	assert_int_equal(v6.sin6_scope_id, 7);
	assert_memory_equal(&v6.sin6_addr, &in6addr_loopback, 16);
}

static void
append_refused(void **state)
{
	struct addr_list list = {NULL, 0};
	struct addr found[ADDR_MOST], unix_socket;
	size_t count;

	(void)state;
	assert_null(addr_resolve("192.0.2.1", 53, AF_UNSPEC, found, &count));
	memset(&unix_socket, 0, sizeof(unix_socket));
	unix_socket.sa.ss_family = AF_UNIX;
	assert_non_null(addr_list_append(&list, &unix_socket, 0));
	assert_int_equal(list.count, 0);
	assert_null(addr_list_append(&list, &found[0], 0));
	assert_non_null(
	    strstr(addr_list_append(&list, &found[0], 0), "named twice"));
	assert_int_equal(list.count, 1);
	/* the other way to put it into the list again */
	assert_non_null(addr_list_parse("192.0.2.0/24", &list));
	parse(&list, "10.0.0.0-10.0.255.254");
	assert_int_equal(list.count, ADDR_LIST_MOST);
	assert_null(addr_resolve("192.0.2.2", 53, AF_UNSPEC, found, &count));
	assert_non_null(
	    strstr(addr_list_append(&list, &found[0], 0), "too many"));
	assert_int_equal(list.count, ADDR_LIST_MOST);
	addr_list_free(&list);
}

/* Right or refused, and no address twice; the text ends with its memory. */
static void
survives(const char *text, size_t length, struct addr_list *list)
{
	char *copy = heap_copy(text, length + 1);
	size_t count = list->count;
	const char *why = addr_list_parse(copy, list);

	if (why == NULL)
		assert_true(
		    list->count > count && list->count <= ADDR_LIST_MOST);
	else
		assert_true(*why != '\0' && list->count == count);
	free(copy);
}

static void
random_bytes(void **state)
{
	struct addr_list list = {NULL, 0};
	struct rng rng = {11};
	char text[200];
	size_t length, i;
	int round;

	(void)state;
	for (round = 0; round < 100000; round++) {
		length = rng_below(&rng, sizeof(text));
		for (i = 0; i < length; i++)
			text[i] = (char)(1 + rng_below(&rng, 255));
		text[length] = '\0';
		survives(text, length, &list);
	}
	addr_list_free(&list);
}

/* Texts out of what lists are made of, to come further than random bytes. */
static void
random_tokens(void **state)
{
	static const char *const tokens[] = {"10.0.0.", "10.0.", "127.0.0.1",
	    "2001:db8::", "fe80::", "::", ":", ".", "-", "-", ",", ",", "/",
	    "/24", "/31", "/127", "/112", "%", "%lo", "lo", "0", "1", "2",
	    "255", "256", "ffff", "a", "10.0.0.1-10.0.", "::1-::"};
	struct addr_list list = {NULL, 0};
	struct rng rng = {12};
	char text[500];
	size_t length, n, right = 0;
	int round;

	(void)state;
	for (round = 0; round < 100000; round++) {
		length = 0;
		text[0] = '\0';
		for (n = rng_below(&rng, 12); n > 0; n--)
			length += (size_t)sprintf(text + length, "%s",
			    tokens[rng_below(&rng, LENGTH(tokens))]);
		survives(text, length, &list);
		right += list.count > 0;
		if (round % 4 == 0 || list.count > 1000)
			addr_list_free(&list);
	}
	assert_true(right > 1000);
	addr_list_free(&list);
}

/* One byte of a right text changed, at every place, to every value. */
static void
every_byte_changed(void **state)
{
	static const char right[] = "10.0.0.0/30,fe80::1%lo-fe80::3%lo,::/126";
	struct addr_list list = {NULL, 0};
	char text[sizeof(right)];
	size_t i;
	int byte;

	(void)state;
	for (i = 0; i < sizeof(right) - 1; i++)
		for (byte = 0; byte < 256; byte++) {
			memcpy(text, right, sizeof(right));
			text[i] = (char)byte;
			survives(text, sizeof(right) - 1, &list);
			addr_list_free(&list);
		}
}

static void
very_long(void **state)
{
	static const char bytes[] = "0127:.-%/,f";
	const size_t size = 1000000;
	char *text = malloc(size + 1);
	clock_t start = clock();
	size_t i;

	(void)state;
	assert_non_null(text);
	text[size] = '\0';
	for (i = 0; i < sizeof(bytes) - 1; i++) {
		memset(text, bytes[i], size);
		refused(text, "");
		memcpy(text, "10.0.0.1", 8);
		refused(text, "");
		memcpy(text, "fe80::1%", 8);
		refused(text, "");
		memcpy(text, "::/", 3);
		refused(text, "");
	}
	free(text);
	assert_true(clock() - start < AT_ONCE_S * CLOCKS_PER_SEC);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(literals),
	    cmocka_unit_test(literal_bytes),
	    cmocka_unit_test(not_literals),
	    cmocka_unit_test(interfaces),
	    cmocka_unit_test(not_interfaces),
	    cmocka_unit_test(ranges),
	    cmocka_unit_test(range_inside),
	    cmocka_unit_test(not_ranges),
	    cmocka_unit_test(ipv4_prefixes),
	    cmocka_unit_test(ipv6_prefixes),
	    cmocka_unit_test(not_prefixes),
	    cmocka_unit_test(host_bits),
	    cmocka_unit_test(as_many_as_allowed),
	    cmocka_unit_test(too_many_at_once),
	    cmocka_unit_test(too_many_in_turn),
	    cmocka_unit_test(duplicates),
	    cmocka_unit_test(duplicates_in_turn),
	    cmocka_unit_test(appends_texts),
	    cmocka_unit_test(one_by_one),
	    cmocka_unit_test(to_sockaddr_and_back),
	    cmocka_unit_test(sockaddr_fields),
	    cmocka_unit_test(append_refused),
	    cmocka_unit_test(random_bytes),
	    cmocka_unit_test(random_tokens),
	    cmocka_unit_test(every_byte_changed),
	    cmocka_unit_test(very_long),
	};

	return cmocka_run_group_tests_name("addr_list", tests, NULL, NULL);
}
