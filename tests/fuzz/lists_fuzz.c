/*
 * lib/addr_list and lib/port_list: lists of addresses and ports as typed.
 *
 * Input: two texts, with a newline between; the second is appended to the first.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr_list.h"
#include "lib/port_list.h"
#include "tests/fuzz/fuzz.h"

/* The list as text again, which must be the same list when it is read. */
static void
check_again(const struct addr_list *list)
{
	char text[64 * 80], address[INET6_ADDRSTRLEN];
	struct addr_list again = {0};
	size_t used = 0, i;

	if (list->count == 0 || list->count > 64)
		return;
	for (i = 0; i < list->count; i++) {
		if (list->at[i].scope_id != 0)
			return; /* interfaces come and go */
		FUZZ_CHECK(inet_ntop(list->at[i].family, list->at[i].bytes,
			       address, sizeof(address)) != NULL);
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%s", i > 0 ? "," : "", address);
	}
	FUZZ_CHECK(addr_list_parse(text, &again) == NULL);
	FUZZ_CHECK(again.count == list->count);
	FUZZ_CHECK(
	    memcmp(again.at, list->at, list->count * sizeof(*list->at)) == 0);
	addr_list_free(&again);
}

static void
check_addresses(const char *first, const char *second)
{
	struct addr_list list = {0};
	const char *why = addr_list_parse(first, &list);
	size_t before;
	struct addr a;

	FUZZ_CHECK((why == NULL) == (list.count > 0));
	FUZZ_CHECK(why == NULL || fuzz_is_message(why));
	check_again(&list);
	before = list.count;
	why = addr_list_parse(second, &list);
	FUZZ_CHECK(why == NULL ? list.count > before : list.count == before);
	FUZZ_CHECK(list.count <= ADDR_LIST_MOST);
	if (list.count > 0) {
		addr_from_ip(&list.at[list.count - 1], 53, &a);
		FUZZ_CHECK(addr_list_append(&list, &a, 0) != NULL);
	}
	addr_list_free(&list);
}

/* No port is in it twice, and 0 only where it may be. */
static void
check_ports(const char *first, const char *second, unsigned int min)
{
	static uint8_t seen[65536];
	struct port_list list = {0};
	const char *why = port_list_parse(first, min, &list);
	size_t before, i;

	FUZZ_CHECK((why == NULL) == (list.count > 0));
	before = list.count;
	why = port_list_parse(second, min, &list);
	FUZZ_CHECK(why == NULL || fuzz_is_message(why));
	FUZZ_CHECK(why == NULL ? list.count > before : list.count == before);
	for (i = 0; i < list.count; i++) {
		FUZZ_CHECK(list.at[i] >= min);
		FUZZ_CHECK(seen[list.at[i]]++ == 0);
	}
	for (i = 0; i < list.count; i++)
		seen[list.at[i]] = 0;
	port_list_free(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	const char *first = strsep(&rest, "\n");
	const char *second = rest == NULL ? "" : rest;

	check_addresses(first, second);
	check_ports(first, second, 0);
	check_ports(first, second, 1);
	free(text);
	return 0;
}
