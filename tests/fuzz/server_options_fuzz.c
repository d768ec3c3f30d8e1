/*
 * server/options: command lines.
 *
 * Input: arguments, a newline behind each.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/status.h"
#include "server/options.h"
#include "tests/fuzz/fuzz.h"

#define ARGUMENTS_MOST 64

struct command {
	int argc;
	char *argv[ARGUMENTS_MOST + 2];
	struct server_options options;
};

static void
read_options(void *arg)
{
	struct command *c = arg;

	server_options_read(&c->options, c->argc, c->argv);
}

static void
split(struct command *c, char *text)
{
	char *item;

	c->argc = 0;
	c->argv[c->argc++] = (char *)(uintptr_t) "tcpserver";
	while (
	    c->argc <= ARGUMENTS_MOST && (item = strsep(&text, "\n")) != NULL)
		c->argv[c->argc++] = item;
	c->argv[c->argc] = NULL;
}

/* What later code relies on. */
static void
check_options(const struct server_options *o)
{
	const struct service *v = &o->service;
	uint64_t next = 0;

	FUZZ_CHECK(o->ports.count > 0 && o->ports.count <= 65536);
	FUZZ_CHECK(o->backlog <= INT32_MAX);
	FUZZ_CHECK(o->max_connections <= INT32_MAX);
	FUZZ_CHECK(isfinite(o->opens) && o->opens >= 0);
	FUZZ_CHECK(isfinite(o->queries) && o->queries >= 0);
	FUZZ_CHECK(v->drop >= 0 && v->drop <= 1);
	FUZZ_CHECK(service_check(v) == NULL);
	FUZZ_CHECK(service_mode_name(v->mode) != NULL);
	if (v->stall > 0) {
		FUZZ_CHECK(v->stall < v->stall_every);
		(void)service_stalled(v, UINT64_C(1790000000000000000), &next);
		FUZZ_CHECK(next > 0 && next <= v->stall_every);
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
		check_options(&c.options);
		port_list_free(&c.options.ports);
	} else {
		FUZZ_CHECK(status == 0 || status == STATUS_USAGE);
		FUZZ_CHECK(status == 0 || *fuzz_message() != '\0');
	}
	free(text);
	return 0;
}
