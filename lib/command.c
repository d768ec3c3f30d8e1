#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/command.h"
#include "lib/control.h"
#include "lib/parse.h"

#define BLANKS	   " \t"
#define SHOWN	   64 /* of what was sent, in an error */
#define NAMES_SIZE 256

/* A word of the line, not terminated; length 0: there is none. */
struct word {
	const char *at;
	size_t length;
};

static struct word
next_word(const char **rest)
{
	struct word w;

	w.at = *rest + strspn(*rest, BLANKS);
	w.length = strcspn(w.at, BLANKS);
	*rest = w.at + w.length;
	return w;
}

/* As a precision for "%.*s". */
static int
shown(struct word w)
{
	return w.length < SHOWN ? (int)w.length : SHOWN;
}

static const struct command *
find(const struct command *table, struct word name)
{
	for (; table->name != NULL; table++)
		if (strlen(table->name) == name.length &&
		    memcmp(table->name, name.at, name.length) == 0)
			return table;
	return NULL;
}

/* " N", of a command that has such an argument. */
static const char *
placeholder(enum command_argument argument)
{
	switch (argument) {
	case COMMAND_COUNT:
		return " N";
	case COMMAND_RATE:
		return " RATE";
	case COMMAND_NONE:
		break;
	}
	return "";
}

/* "count, close N, quit" */
static void
list_names(const struct command *table, char names[NAMES_SIZE])
{
	size_t length = 0;

	names[0] = '\0';
	for (; table->name != NULL && length < NAMES_SIZE; table++)
		length += (size_t)snprintf(names + length, NAMES_SIZE - length,
		    "%s%s%s", length > 0 ? ", " : "", table->name,
		    placeholder(table->argument));
}

/* NULL, or what is wrong with the argument and what would be right. */
static const char *
read_argument(
    enum command_argument kind, struct word w, union command_value *value)
{
	char text[CONTROL_LINE + 1];

	memcpy(text, w.at, w.length);
	text[w.length] = '\0';
	if (kind == COMMAND_COUNT)
		return parse_count(text, 0, INT_MAX, &value->count);
	return parse_rate(text, &value->rate);
}

static void
refuse_name(const struct command *table, struct control_request *request,
    struct word name)
{
	char names[NAMES_SIZE];

	list_names(table, names);
	if (name.length == 0)
		control_refuse(request, "no command: %s", names);
	else
		control_refuse(request, "unknown command '%.*s': %s",
		    shown(name), name.at, names);
}

/* With as many words as it takes. */
static void
run(const struct command *c, struct control_request *request,
    struct word argument, void *arg)
{
	union command_value value = {0};
	const char *why = NULL;

	if (c->argument != COMMAND_NONE)
		why = read_argument(c->argument, argument, &value);
	if (why != NULL)
		control_refuse(request, "%s %.*s: %s", c->name, shown(argument),
		    argument.at, why);
	else
		c->run(request, value, arg);
}

void
command_run(const struct command *table, struct control_request *request,
    const char *line, void *arg)
{
	struct word name = next_word(&line), argument = next_word(&line),
		    more = next_word(&line);
	const struct command *c = find(table, name);

	if (c == NULL) {
		refuse_name(table, request, name);
		return;
	}
	if (c->argument == COMMAND_NONE)
		more = argument;
	if (more.length > 0)
		control_refuse(request, "'%.*s' is too much: %s%s", shown(more),
		    more.at, c->name, placeholder(c->argument));
	else if (c->argument != COMMAND_NONE && argument.length == 0)
		control_refuse(request, "%s alone is too little: %s%s", c->name,
		    c->name, placeholder(c->argument));
	else
		run(c, request, argument, arg);
}
