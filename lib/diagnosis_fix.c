/*
 * A fix is never what is set already.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/diagnosis_internal.h"

/* The sysctls that fixes say to set, as far as they are sizes. */
static const struct {
	const char *name;
	enum gauge gauge;
} sizes[] = {
    {"net.netfilter.nf_conntrack_max", GAUGES_conntrack_max},
    {"net.ipv4.neigh.default.gc_thresh3", GAUGES_neigh_v4_max},
    {"net.ipv6.neigh.default.gc_thresh3", GAUGES_neigh_v6_max},
    {"net.core.somaxconn", GAUGES_somaxconn},
    {"net.ipv4.tcp_max_syn_backlog", GAUGES_tcp_max_syn_backlog},
    {"net.ipv4.tcp_max_tw_buckets", GAUGES_tcp_max_tw_buckets},
    {"net.ipv4.tcp_max_orphans", GAUGES_tcp_max_orphans},
    {"net.core.netdev_max_backlog", GAUGES_netdev_max_backlog},
    {"fs.file-max", GAUGES_file_max},
    {"fs.epoll.max_user_watches", GAUGES_max_user_watches},
};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

uint64_t
diagnosis_gauge(const struct diagnosis_source *s, enum gauge which)
{
	return s->gauges->readable[which] ? s->gauges->value[which] : 0;
}

void
diagnosis_add(char text[DIAGNOSIS_TEXT], const char *format, ...)
{
	size_t used = strlen(text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + used, DIAGNOSIS_TEXT - used, format, ap);
	va_end(ap);
}

/* Writes another number at at; what follows the old one is kept. */
static void
replace_number(char fix[DIAGNOSIS_TEXT], char *at, uint64_t number)
{
	char rest[DIAGNOSIS_TEXT];

	snprintf(rest, sizeof(rest), "%s", at + strspn(at, "0123456789"));
	snprintf(at, DIAGNOSIS_TEXT - (size_t)(at - fix), "%" PRIu64 "%s",
	    number, rest);
}

static void
revise(char fix[DIAGNOSIS_TEXT], const char *name, uint64_t has)
{
	char *at = strstr(fix, name);
	size_t length = strlen(name);

	if (at == NULL || at[length] != '=' ||
	    !isdigit((unsigned char)at[length + 1]))
		return;
	at += length + 1;
	if (strtoull(at, NULL, 10) <= has)
		replace_number(
		    fix, at, has < INT64_MAX / 2 ? 2 * has : INT64_MAX);
}

void
diagnosis_revise_fix(
    const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	size_t i;

	for (i = 0; i < SIZES; i++)
		revise(
		    f->fix, sizes[i].name, diagnosis_gauge(s, sizes[i].gauge));
}
