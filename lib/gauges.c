#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/gauges.h"

static const struct {
	const char *name;
	const char *file;
	const char *line;
	const char *word;
} list[] = {
#define GAUGES_ROW(name, file, line, word) {#name, file, line, word},
    GAUGES_LIST(GAUGES_ROW)};

/* "TCP: inuse 5 orphan 0": the number behind the word. */
static bool
find_in_line(char *line, const char *first, const char *word, uint64_t *value)
{
	char *rest, *item = strtok_r(line, " \n", &rest);

	if (item == NULL || strcmp(item, first) != 0)
		return false;
	while ((item = strtok_r(NULL, " \n", &rest)) != NULL)
		if (strcmp(item, word) == 0)
			return (item = strtok_r(NULL, " \n", &rest)) != NULL &&
			    sscanf(item, "%" SCNu64, value) == 1;
	return false;
}

static bool
read_one(FILE *file, const char *first, const char *word, uint64_t *value)
{
	char line[512];

	while (fgets(line, sizeof(line), file) != NULL) {
		if (*first == '\0')
			return sscanf(line, "%" SCNu64, value) == 1;
		if (find_in_line(line, first, word, value))
			return true;
	}
	return false;
}

void
gauges_read(struct gauges *g, const char *proc)
{
	char path[256];
	FILE *file;
	size_t i;

	memset(g, 0, sizeof(*g));
	for (i = 0; i < GAUGES_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", proc, list[i].file);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		g->readable[i] =
		    read_one(file, list[i].line, list[i].word, &g->value[i]);
		fclose(file);
	}
}

void
gauges_raise(struct gauges *most, const struct gauges *sample)
{
	size_t i;

	for (i = 0; i < GAUGES_COUNT; i++) {
		if (!sample->readable[i])
			continue;
		most->readable[i] = true;
		if (sample->value[i] > most->value[i])
			most->value[i] = sample->value[i];
	}
}

const char *
gauges_name(enum gauge gauge)
{
	return list[gauge].name;
}
