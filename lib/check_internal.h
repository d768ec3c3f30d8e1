/*
 * What the rules of the check have in common: reading, and filling in a row.
 */
#ifndef LIB_CHECK_INTERNAL_H
#define LIB_CHECK_INTERNAL_H

#include "lib/check.h"

#define CHECK_LINE 4096 /* of a file; what is longer is cut */

/*
 * The first line of a file below the proc root, blanks made single; false where
 * there is none.
 */
bool check_read_line(
    const struct check_host *, const char *path, char out[CHECK_LINE]);

/* The same of a sysctl, "net.core.somaxconn". */
bool check_read_sysctl(
    const struct check_host *, const char *name, char out[CHECK_LINE]);

/* Exactly so many whole numbers, and nothing else, are in text. */
bool check_numbers(const char *text, uint64_t *out, size_t count);

/* A sysctl that is one number. */
bool check_sysctl(const struct check_host *, const char *name, uint64_t *out);

/* The number behind "FIELD" in a file below the proc root of several lines. */
bool check_field(const struct check_host *, const char *path, const char *field,
    uint64_t *out);

/*
 * What the cgroup of this process and those above it leave of "memory", in
 * bytes, or of "pids"; UINT64_MAX: no limit. False where that is unreadable.
 */
bool check_cgroup(
    const struct check_host *, const char *controller, uint64_t *left);

/* Whether this process may have more files than fs.file-max. */
bool check_is_root_of_host(const struct check_host *);

/*
 * Whether some interface hands what it receives to other processors (RPS, see
 * Documentation/networking/scaling.rst of the kernel). False where nothing says.
 */
bool check_is_steered(const struct check_host *);

/*
 * Rows. They come with name and severity, and all else zero.
 */

/* Value, need and verdict of a number that must be at least so much. */
void check_compare(struct check_row *, uint64_t value, uint64_t needed);

/* It could not be read; the second: and any value will do. */
void check_unreadable(struct check_row *, uint64_t needed);
void check_unknown(struct check_row *);

/* What the sysctl that the row is named after is to be; a fix if it is too low. */
void check_set(struct check_row *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A sysctl that is one number and must be at least so much: all of the above. */
void check_at_least(
    const struct check_host *, struct check_row *, uint64_t needed);

/* The row's own sysctl, into its value; false and unreadable where it is not. */
bool check_own_number(
    const struct check_host *, struct check_row *, uint64_t *out);

/* Rounded up. */
uint64_t check_round(uint64_t value, uint64_t to);

/* New connections that may be waiting at once for the server to take them. */
uint64_t check_burst(const struct check_run *);

/*
 * A rule: fills in the row of one limit.
 */
typedef void check_rule(
    const struct check_host *, const struct check_run *, struct check_row *);

/* Of processes and of the whole host. */
check_rule check_descriptors;
check_rule check_nr_open;
check_rule check_file_max;
check_rule check_memory;
check_rule check_cgroup_memory;
check_rule check_watches;
check_rule check_pid_max;
check_rule check_cgroup_pids;
check_rule check_processes;

/* Of TCP and of the network. */
check_rule check_port_range;
check_rule check_reserved_ports;
check_rule check_tw_reuse;
check_rule check_tw_reuse_delay;
check_rule check_timestamps;
check_rule check_tw_buckets;
check_rule check_orphans;
check_rule check_somaxconn;
check_rule check_syn_backlog;
check_rule check_syncookies;
check_rule check_abort_on_overflow;
check_rule check_tcp_mem;
check_rule check_conntrack;
check_rule check_neighbours_v4;
check_rule check_neighbours_v6;
check_rule check_netdev_backlog;
check_rule check_disable_ipv6;
check_rule check_bindv6only;

#endif
