/*
 * The control groups that this process is in (cgroups(7)), of both versions: its
 * own group of a controller and those above it, each of which may have limits.
 */
#ifndef LIB_CGROUP_H
#define LIB_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_PATH 512

/* Where the two file systems are mounted; tests have others. */
struct cgroup_roots {
	const char *proc; /* "/proc" */
	const char *groups; /* "/sys/fs/cgroup" */
};

extern const struct cgroup_roots cgroup_roots;

/* One group's directory; unified: of the second version. False ends the walk. */
typedef bool cgroup_visit(const char *directory, bool unified, void *arg);

/*
 * Visits the group of the controller, such as "memory", and all above it. False if
 * there is none, its path is not there, as in a container, or a visit was false.
 */
bool cgroup_walk(const struct cgroup_roots *, const char *controller,
    cgroup_visit *, void *arg);

/*
 * For how many nanoseconds a CPU quota (cpu.max, cpu.cfs_quota_us) has stopped the
 * processes of the group so far, summed over the processors; of the group that was
 * stopped for the longest. CGROUP_UNKNOWN: it is in a group whose files are not to be
 * seen, as where `ip netns exec` has mounted another /sys.
 */
#define CGROUP_UNKNOWN UINT64_MAX
uint64_t cgroup_throttled(const struct cgroup_roots *);

#endif
