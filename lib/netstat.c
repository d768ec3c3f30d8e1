#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/netstat.h"

static const struct {
	const char *table;
	const char *name;
	const char *full; /* where the name alone would not say what it is */
} counters[] = {
#define NETSTAT_ROW(table, name) {#table, #name, #table "_" #name},
    NETSTAT_COUNTERS(NETSTAT_ROW)};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void
counter_set(
    struct netstat *n, const char *table, const char *name, uint64_t value)
{
	size_t i;

	for (i = 0; i < NETSTAT_COUNT; i++)
		if (strcmp(counters[i].table, table) == 0 &&
		    strcmp(counters[i].name, name) == 0) {
			n->value[i] = value;
			n->readable[i] = true;
		}
}

/* Lines come in pairs: "Table: name name ..." and "Table: value value ...". */
static void
read_pairs(struct netstat *n, FILE *file)
{
	char *names = NULL, *values = NULL, *name, *value, *rest, *more;
	size_t names_size = 0, values_size = 0;

	while (getline(&names, &names_size, file) != -1 &&
	    getline(&values, &values_size, file) != -1) {
		char *table = strtok_r(names, ": \n", &rest);

		value = strtok_r(values, ": \n", &more);
		while (table != NULL && value != NULL &&
		    (name = strtok_r(NULL, " \n", &rest)) != NULL &&
		    (value = strtok_r(NULL, " \n", &more)) != NULL)
			counter_set(n, table, name, strtoull(value, NULL, 10));
	}
	free(names);
	free(values);
}

/* One line a processor, hexadecimal; the second number is what was dropped. */
static void
read_softnet(struct netstat *n, FILE *file)
{
	uint64_t total = 0, dropped;
	char *line = NULL;
	size_t size = 0;
	bool any = false;

	while (getline(&line, &size, file) != -1)
		if (sscanf(line, "%*x %" SCNx64, &dropped) == 1) {
			total += dropped;
			any = true;
		}
	free(line);
	if (any)
		counter_set(n, "softnet", "dropped", total);
}

/* Adds to what is there: one of several processors'. */
static void
counter_add(
    struct netstat *n, const char *table, const char *name, uint64_t value)
{
	size_t i;

	for (i = 0; i < NETSTAT_COUNT; i++)
		if (strcmp(counters[i].table, table) == 0 &&
		    strcmp(counters[i].name, name) == 0) {
			n->value[i] += value;
			n->readable[i] = true;
		}
}

/* Names in the first line, then hexadecimal numbers, a line a processor. */
static void
read_table(struct netstat *n, const char *table, FILE *file)
{
	char names[512], numbers[512], copy[512];
	char *name, *value, *rest, *more;

	if (fgets(names, sizeof(names), file) == NULL)
		return;
	while (fgets(numbers, sizeof(numbers), file) != NULL) {
		memcpy(copy, names, sizeof(copy));
		name = strtok_r(copy, " \n", &rest);
		value = strtok_r(numbers, " \n", &more);
		while (name != NULL && value != NULL) {
			counter_add(n, table, name, strtoull(value, NULL, 16));
			name = strtok_r(NULL, " \n", &rest);
			value = strtok_r(NULL, " \n", &more);
		}
	}
}

static void
read_conntrack(struct netstat *n, FILE *file)
{
	read_table(n, "conntrack", file);
}

static void
read_arp_cache(struct netstat *n, FILE *file)
{
	read_table(n, "arp_cache", file);
}

static void
read_ndisc_cache(struct netstat *n, FILE *file)
{
	read_table(n, "ndisc_cache", file);
}

/* "name value" lines, of which all names are different. */
static void
read_names(struct netstat *n, FILE *file)
{
	char line[256], name[64];
	uint64_t value;

	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "%63s %" SCNu64, name, &value) == 2) {
			counter_set(n, "snmp6", name, value);
			counter_set(n, "vmstat", name, value);
		}
}

void
netstat_read(struct netstat *n, const char *proc)
{
	static const struct {
		const char *name;
		void (*read)(struct netstat *, FILE *);
	} files[] = {
	    {"net/snmp", read_pairs},
	    {"net/netstat", read_pairs},
	    {"net/snmp6", read_names},
	    {"net/softnet_stat", read_softnet},
	    {"net/stat/nf_conntrack", read_conntrack},
	    {"net/stat/arp_cache", read_arp_cache},
	    {"net/stat/ndisc_cache", read_ndisc_cache},
	    {"vmstat", read_names},
	};
	char path[256];
	FILE *file;
	size_t i;

	memset(n, 0, sizeof(*n));
	for (i = 0; i < LENGTH(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", proc, files[i].name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		files[i].read(n, file);
		fclose(file);
	}
}

void
netstat_subtract(struct netstat *later, const struct netstat *earlier)
{
	size_t i;

	for (i = 0; i < NETSTAT_COUNT; i++) {
		later->readable[i] = later->readable[i] &&
		    earlier->readable[i] &&
		    later->value[i] >= earlier->value[i];
		later->value[i] -= earlier->value[i];
	}
}

const char *
netstat_name(enum netstat_counter counter)
{
	switch (counter) {
	case NETSTAT_softnet_dropped:
	case NETSTAT_conntrack_insert_failed:
	case NETSTAT_conntrack_drop:
	case NETSTAT_conntrack_early_drop:
	case NETSTAT_arp_cache_table_fulls:
	case NETSTAT_ndisc_cache_table_fulls:
		return counters[counter].full;
	default:
		return counters[counter].name;
	}
}
