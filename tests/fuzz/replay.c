/*
 * usage: NAME_fuzz DIRECTORY
 *
 * Gives a target the files of a directory, in place of libFuzzer: builds with any
 * compiler. Prints one line of TAP. Where a property does not hold, the target
 * ends the process, and the last file named on stderr is why.
 */
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MOST (1 << 20)

size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	(void)data;
	(void)max_size;
	return size;
}

static void
replay(const char *directory, const char *name)
{
	char path[4096];
	uint8_t *data = malloc(INPUT_MOST);
	size_t size;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	in = fopen(path, "re");
	if (data == NULL || in == NULL)
		err(1, "%s", path);
	size = fread(data, 1, INPUT_MOST, in);
	fclose(in);
	fprintf(stderr, "# %s\n", path);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	struct dirent **entries;
	int count, i, report;

	if (argc != 2)
		errx(2, "usage: %s DIRECTORY", argv[0]);
	count = scandir(argv[1], &entries, is_visible, alphasort);
	if (count <= 0)
		errx(1, "%s: no inputs", argv[1]);
	report = dup(STDOUT_FILENO); /* a target may give its own away */
	for (i = 0; i < count; i++) {
		replay(argv[1], entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	dprintf(report, "1..1\nok 1 - %s holds for %d inputs\n",
	    strrchr(argv[0], '/') + 1, count);
	return 0;
}
