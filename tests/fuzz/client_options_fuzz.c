/*
 * client/options: command lines, and programs of rates on standard input.
 *
 * Input: arguments, a newline behind each.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/options.h"
#include "lib/status.h"
#include "tests/fuzz/fuzz.h"

#define ARGUMENTS_MOST 64

struct command {
	int argc;
	char *argv[ARGUMENTS_MOST + 2];
	struct options options;
};

static void
read_options(void *arg)
{
	struct command *c = arg;

	options_read(&c->options, c->argc, c->argv);
}

static void
split(struct command *c, char *text)
{
	char *item;

	c->argc = 0;
	c->argv[c->argc++] = (char *)(uintptr_t) "tcpclient";
	while (
	    c->argc <= ARGUMENTS_MOST && (item = strsep(&text, "\n")) != NULL)
		c->argv[c->argc++] = item;
	c->argv[c->argc] = NULL;
}

/* What later code relies on. */
static void
check_run(const struct options *o)
{
	const struct options_load *l = &o->load;
	double peak = program_peak(&l->program);
	size_t i;

	FUZZ_CHECK(o->target.host_count > 0 && o->target.ports.count > 0);
	FUZZ_CHECK(l->connections > 0 && l->connections <= UINT32_MAX);
	FUZZ_CHECK(l->workers <= l->connections);
	FUZZ_CHECK(isfinite(l->open_rate) && l->open_rate >= 0);
	FUZZ_CHECK(l->program.count > 0 && l->program.duration > l->warmup);
	FUZZ_CHECK(isfinite(peak) && peak >= 0 && peak <= 1e9);
	FUZZ_CHECK(l->timeout >= 1000000 && l->connect_timeout >= 1000000);
	FUZZ_CHECK(isfinite(o->life.churn) && o->life.churn >= 0);
	FUZZ_CHECK(o->goal.fail_count <= OPTIONS_CONDITIONS);
	for (i = 0; i < o->goal.fail_count; i++)
		FUZZ_CHECK(*condition_text(&o->goal.fail[i]) != '\0');
	if (o->goal.search.what != SEARCH_NOTHING) {
		FUZZ_CHECK(o->goal.search.until_count > 0);
		FUZZ_CHECK(o->goal.search.connections > 0);
		FUZZ_CHECK(o->goal.search.duration > 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct command c;
	char *text = fuzz_text(data, size);
	int status;

	fuzz_silence();
	opterr = 0;
	optind = 0; /* as glibc has it begin anew */
	split(&c, text);
	memset(&c.options, 0, sizeof(c.options));
	status = fuzz_run(read_options, &c);
	if (status == FUZZ_RETURNED) {
		if (c.options.merge.asked)
			FUZZ_CHECK(c.options.merge.count > 0);
		else
			check_run(&c.options);
		program_clear(&c.options.load.program);
		port_list_free(&c.options.target.ports);
		addr_list_free(&c.options.target.sources);
	} else {
		/* -h and -V, or a message */
		FUZZ_CHECK(status == 0 || status == STATUS_USAGE);
		FUZZ_CHECK(status == 0 || *fuzz_message() != '\0');
	}
	free(text);
	return 0;
}
