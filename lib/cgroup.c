#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cgroup.h"

#define LINE 1024

const struct cgroup_roots cgroup_roots = {
    .proc = "/proc",
    .groups = "/sys/fs/cgroup",
};

/* Whether a list such as "cpu,cpuacct" of that length has the word. */
static bool
is_listed(const char *list, size_t length, const char *word)
{
	const char *end = list + length, *item = list, *comma;

	while (item < end) {
		comma = memchr(item, ',', (size_t)(end - item));
		if (comma == NULL)
			comma = end;
		if ((size_t)(comma - item) == strlen(word) &&
		    strncmp(item, word, strlen(word)) == 0)
			return true;
		item = comma + 1;
	}
	return false;
}

/* "5:memory:/path" of the first version, "0::/path" of the second. */
static bool
group_line(char *line, const char *controller, char **path, bool *unified)
{
	char *list = strchr(line, ':');
	char *end = list == NULL ? NULL : strchr(list + 1, ':');

	if (end == NULL)
		return false;
	list++;
	*path = end + 1;
	*unified = end == list;
	return *unified || is_listed(list, (size_t)(end - list), controller);
}

static FILE *
open_groups(const struct cgroup_roots *roots)
{
	char file[CGROUP_PATH];

	snprintf(file, sizeof(file), "%s/self/cgroup", roots->proc);
	return fopen(file, "re");
}

/* The next group of the controller, in line. False: there are no more. */
static bool
next_group(FILE *groups, const char *controller, char line[LINE], char **path,
    bool *unified)
{
	while (fgets(line, LINE, groups) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (group_line(line, controller, path, unified))
			return true;
	}
	return false;
}

/* A group and those above it. In a container its path may not be there. */
static bool
walk_up(
    const char *top, char *path, bool unified, cgroup_visit *visit, void *arg)
{
	char directory[2 * CGROUP_PATH];
	char *slash;

	if (access(top, X_OK) == -1)
		return false;
	for (;;) {
		snprintf(directory, sizeof(directory), "%s%s", top, path);
		if (!visit(directory, unified, arg))
			return false;
		slash = strrchr(path, '/');
		if (slash == NULL)
			return true;
		*slash = '\0';
	}
}

bool
cgroup_walk(const struct cgroup_roots *roots, const char *controller,
    cgroup_visit *visit, void *arg)
{
	char line[LINE], top[CGROUP_PATH];
	FILE *groups = open_groups(roots);
	bool unified, ok = false;
	char *path;

	if (groups == NULL)
		return false;
	while (next_group(groups, controller, line, &path, &unified)) {
		snprintf(top, sizeof(top), "%s%s%s", roots->groups,
		    unified ? "" : "/", unified ? "" : controller);
		ok = walk_up(top, path, unified, visit, arg);
		if (!unified)
			break; /* the first version has it; it is there only */
	}
	fclose(groups);
	return ok;
}

struct throttled {
	uint64_t longest;
	bool seen; /* a cpu.stat */
};

/* cpu.stat: "throttled_time 123" in nanoseconds, "throttled_usec 123". */
static bool
visit_throttled(const char *directory, bool unified, void *arg)
{
	const char *field = unified ? "throttled_usec" : "throttled_time";
	struct throttled *t = arg;
	uint64_t value, time;
	char path[3 * CGROUP_PATH], line[LINE], name[LINE];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cpu.stat", directory);
	file = fopen(path, "re");
	if (file == NULL)
		return true; /* the topmost one has none */
	t->seen = true;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%1023s %" SCNu64, name, &value) != 2 ||
		    strcmp(name, field) != 0)
			continue;
		time = unified ? value * 1000 : value;
		if (time > t->longest)
			t->longest = time;
	}
	fclose(file);
	return true;
}

/* Whether /proc names a group of the controller other than the topmost one. */
static bool
has_group(const struct cgroup_roots *roots, const char *controller)
{
	FILE *groups = open_groups(roots);
	bool unified, any = false;
	char line[LINE];
	char *path;

	if (groups == NULL)
		return false;
	while (!any && next_group(groups, controller, line, &path, &unified))
		any = strcmp(path, "/") != 0;
	fclose(groups);
	return any;
}

uint64_t
cgroup_throttled(const struct cgroup_roots *roots)
{
	struct throttled t = {0, false};

	(void)cgroup_walk(roots, "cpu", visit_throttled, &t);
	return !t.seen && has_group(roots, "cpu") ? CGROUP_UNKNOWN : t.longest;
}
