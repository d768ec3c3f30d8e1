#include <sys/resource.h>

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/check_internal.h"
#include "lib/limits.h"

#define PATH 4608 /* a line, and what goes around it */

static uint64_t
known(rlim_t limit)
{
	return limit == RLIM_INFINITY ? UINT64_MAX : limit;
}

void
check_host_here(struct check_host *h)
{
	struct rlimit limit;

	h->proc = "/proc";
	h->cgroup = "/sys/fs/cgroup";
	h->interfaces = "/sys/class/net";
	h->descriptors = known(limits_raise_descriptors());
	h->processes = UINT64_MAX;
	/* the kernel counts root's processes, but does not limit them */
	if (getuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0)
		h->processes = known(limit.rlim_cur);
}

/* Blanks of any kind become single spaces, and none are at an end. */
static void
squeeze(char *text)
{
	char *to = text;
	const char *from;

	for (from = text; *from != '\0'; from++)
		if (!isspace((unsigned char)*from))
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	if (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

static bool
read_line(const char *path, char out[CHECK_LINE])
{
	FILE *file = fopen(path, "re");
	bool ok;

	if (file == NULL)
		return false;
	ok = fgets(out, CHECK_LINE, file) != NULL;
	fclose(file);
	if (ok)
		squeeze(out);
	return ok;
}

bool
check_read_line(
    const struct check_host *h, const char *path, char out[CHECK_LINE])
{
	char whole[PATH];

	snprintf(whole, sizeof(whole), "%s/%s", h->proc, path);
	return read_line(whole, out);
}

bool
check_read_sysctl(
    const struct check_host *h, const char *name, char out[CHECK_LINE])
{
	char path[CHECK_TEXT + 8] = "sys/";
	char *dot;

	strncat(path, name, CHECK_TEXT);
	while ((dot = strchr(path, '.')) != NULL)
		*dot = '/';
	return check_read_line(h, path, out);
}

bool
check_numbers(const char *text, uint64_t *out, size_t count)
{
	char *end;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!isdigit((unsigned char)*text))
			return false;
		errno = 0;
		out[i] = strtoull(text, &end, 10);
		if (errno != 0)
			return false;
		text = *end == ' ' ? end + 1 : end;
	}
	return *text == '\0';
}

bool
check_sysctl(const struct check_host *h, const char *name, uint64_t *out)
{
	char line[CHECK_LINE];

	return check_read_sysctl(h, name, line) && check_numbers(line, out, 1);
}

/* The line that begins with this word, then one number, then anything. */
static bool
find_field(const char *path, const char *field, uint64_t *out)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(field);
	char line[CHECK_LINE];
	bool found = false;
	char *end;

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		squeeze(line);
		if (strncmp(line, field, length) != 0 || line[length] != ' ')
			continue;
		end = strchr(line + length + 1, ' ');
		if (end != NULL)
			*end = '\0';
		found = check_numbers(line + length + 1, out, 1);
	}
	fclose(file);
	return found;
}

bool
check_field(const struct check_host *h, const char *path, const char *field,
    uint64_t *out)
{
	char whole[PATH];

	snprintf(whole, sizeof(whole), "%s/%s", h->proc, path);
	return find_field(whole, field, out);
}

/*
 * Control groups, of both versions.
 */

struct group_files {
	const char *controller;
	const char *most; /* "max": no limit */
	const char *used;
	const char *spare; /* a field of memory.stat that can be had back */
};

static const struct group_files second_version[] = {
    {"memory", "memory.max", "memory.current", "inactive_file"},
    {"pids", "pids.max", "pids.current", NULL},
};
static const struct group_files first_version[] = {
    {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	"total_inactive_file"},
    {"pids", "pids.max", "pids.current", NULL},
};

/* What one group leaves; true also where it has no limit of its own. */
static bool
group_left(const char *directory, const struct group_files *f, uint64_t *left)
{
	char path[PATH + 32], line[CHECK_LINE];
	uint64_t most, used = 0, spare = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, f->most);
	if (!read_line(path, line)) /* the topmost one has none */
		return access(path, F_OK) == -1 && errno == ENOENT;
	if (strcmp(line, "max") == 0)
		return true;
	if (!check_numbers(line, &most, 1))
		return false;
	if (most > INT64_MAX / 2) /* how the first version says "max" */
		return true;
	snprintf(path, sizeof(path), "%s/%s", directory, f->used);
	if (read_line(path, line) && !check_numbers(line, &used, 1))
		return false;
	if (f->spare != NULL) {
		snprintf(path, sizeof(path), "%s/memory.stat", directory);
		(void)find_field(path, f->spare, &spare);
	}
	used -= spare < used ? spare : used;
	most -= used < most ? used : most;
	if (most < *left)
		*left = most;
	return true;
}

struct group_search {
	size_t which;
	uint64_t *left;
};

static bool
visit_group(const char *directory, bool unified, void *arg)
{
	const struct group_search *search = arg;

	return group_left(directory,
	    unified ? &second_version[search->which] :
		      &first_version[search->which],
	    search->left);
}

bool
check_cgroup(const struct check_host *h, const char *controller, uint64_t *left)
{
	const struct cgroup_roots roots = {
	    .proc = h->proc,
	    .groups = h->cgroup,
	};
	struct group_search search = {
	    .which = strcmp(controller, "memory") == 0 ? 0 : 1,
	    .left = left,
	};

	*left = UINT64_MAX;
	return cgroup_walk(&roots, controller, visit_group, &search);
}

/* A mask of processors, "00000000,00000003". */
static bool
is_any_set(const char *mask)
{
	return mask[strspn(mask, "0,")] != '\0';
}

bool
check_is_steered(const struct check_host *h)
{
	char pattern[PATH], line[CHECK_LINE];
	bool steered = false;
	glob_t found;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/*/queues/rx-*/rps_cpus",
	    h->interfaces);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return false;
	for (i = 0; i < found.gl_pathc && !steered; i++)
		steered =
		    read_line(found.gl_pathv[i], line) && is_any_set(line);
	globfree(&found);
	return steered;
}

#define CAPABILITY_SYS_ADMIN 21

bool
check_is_root_of_host(const struct check_host *h)
{
	char line[CHECK_LINE], path[PATH];
	uint64_t map[3], capabilities = 0;
	FILE *file;

	if (!check_read_line(h, "self/uid_map", line) ||
	    !check_numbers(line, map, 3) || map[0] != 0 || map[1] != 0 ||
	    map[2] < UINT32_MAX)
		return false;
	snprintf(path, sizeof(path), "%s/self/status", h->proc);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
			break;
	fclose(file);
	return (capabilities >> CAPABILITY_SYS_ADMIN & 1) != 0;
}
