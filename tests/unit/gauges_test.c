#include "tests/unit/support.h"

#include <sys/stat.h>

#include <stdio.h>
#include <unistd.h>

#include "lib/gauges.h"

/*
 * A /proc root of the test's own.
 */

static const char *const directories[] = {
    "net", "sys", "sys/net", "sys/net/ipv4", "sys/net/netfilter"};
static const char *const files[] = {"net/sockstat", "net/sockstat6",
    "sys/net/ipv4/tcp_tw_reuse", "sys/net/netfilter/nf_conntrack_count"};

static void
root_path(const char *root, const char *name, char path[200])
{
	snprintf(path, 200, "%s/%s", root, name);
}

static int
root_make(void **state)
{
	const char *tmp = getenv("TMPDIR");
	static char root[100];
	char path[200];
	size_t i;

	if (tmp == NULL || strlen(tmp) > 60)
		tmp = "/tmp";
	snprintf(root, sizeof(root), "%s/gauges_test.XXXXXX", tmp);
	if (mkdtemp(root) == NULL)
		return -1;
	*state = root;
	for (i = 0; i < LENGTH(directories); i++) {
		root_path(root, directories[i], path);
		if (mkdir(path, 0700) == -1)
			return -1;
	}
	return 0;
}

static int
root_remove(void **state)
{
	char path[200];
	size_t i;

	for (i = 0; i < LENGTH(files); i++) {
		root_path(*state, files[i], path);
		unlink(path);
	}
	for (i = LENGTH(directories); i > 0; i--) {
		root_path(*state, directories[i - 1], path);
		rmdir(path);
	}
	return rmdir(*state);
}

static void
put_file(const char *root, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	root_path(root, name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
expect(const struct gauges *g, enum gauge gauge, uint64_t value)
{
	assert_true(g->readable[gauge]);
	assert_int_equal(g->value[gauge], value);
}

static size_t
readable(const struct gauges *g)
{
	size_t count = 0, i;

	for (i = 0; i < GAUGES_COUNT; i++)
		count += g->readable[i];
	return count;
}

static void
reads(void **state)
{
	struct gauges g;

	memset(&g, 0xff, sizeof(g));
	gauges_read(&g, *state);
	assert_int_equal(readable(&g), 0);
	assert_int_equal(g.value[GAUGES_tcp_inuse], 0);

	put_file(*state, files[0],
	    "sockets: used 290\nTCP: inuse 5 orphan 1 tw 62 alloc 9 mem 3\n"
	    "UDP: inuse 7 mem 8\n");
	put_file(*state, files[1], "TCP6: inuse 4\nUDP6: inuse 1\n");
	put_file(*state, files[2], "2\n");
	put_file(*state, files[3], "128");
	gauges_read(&g, *state);
	expect(&g, GAUGES_tcp_inuse, 5);
	expect(&g, GAUGES_tcp6_inuse, 4);
	expect(&g, GAUGES_tcp_orphans, 1);
	expect(&g, GAUGES_tcp_time_wait, 62);
	expect(&g, GAUGES_tcp_memory_pages, 3);
	expect(&g, GAUGES_tcp_tw_reuse, 2);
	expect(&g, GAUGES_conntrack_count, 128);
	assert_int_equal(readable(&g), 7);
}

/* Empty, cut off, or not a number: unreadable, never 0. */
static void
reads_odd_forms(void **state)
{
	struct gauges g;

	put_file(*state, files[0], "TCP: inuse 5 orphan");
	put_file(*state, files[1], "TCP6:\n");
	put_file(*state, files[2], "");
	put_file(*state, files[3], "none\n");
	gauges_read(&g, *state);
	expect(&g, GAUGES_tcp_inuse, 5);
	assert_int_equal(readable(&g), 1);
	put_file(*state, files[0], "UDP: inuse 5\nTCP: inuse x tw 3\n");
	gauges_read(&g, *state);
	expect(&g, GAUGES_tcp_time_wait, 3);
	assert_int_equal(readable(&g), 1);
}

static void
raises(void **state)
{
	struct gauges most = {.readable = {[GAUGES_tcp_inuse] = true},
	    .value = {[GAUGES_tcp_inuse] = 5}};
	struct gauges sample = {
	    .readable =
		{[GAUGES_tcp_inuse] = true, [GAUGES_tcp_orphans] = true},
	    .value = {[GAUGES_tcp_inuse] = 4, [GAUGES_tcp_orphans] = 2}};
	struct gauges none = {.value = {[GAUGES_tcp_inuse] = 9}};

	(void)state;
	gauges_raise(&most, &sample);
	expect(&most, GAUGES_tcp_inuse, 5);
	expect(&most, GAUGES_tcp_orphans, 2);
	gauges_raise(&most, &none);
	expect(&most, GAUGES_tcp_inuse, 5);
	assert_int_equal(readable(&most), 2);
	assert_string_equal(gauges_name(GAUGES_tcp_time_wait), "tcp_time_wait");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(reads, root_make, root_remove),
	    cmocka_unit_test_setup_teardown(
		reads_odd_forms, root_make, root_remove),
	    cmocka_unit_test(raises),
	};

	return cmocka_run_group_tests_name("gauges", tests, NULL, NULL);
}
