/*
 * What the fuzz targets share. A target is one file, NAME_fuzz.c, with
 * LLVMFuzzerTestOneInput(): it states what must be true of any input, and ends
 * the program where that is not so. libFuzzer calls it with inputs of its own
 * (`make fuzz`), replay.c with those of corpus/NAME (`make check`).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer's own mutation, for targets that have a mutation of their own. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(
    uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* A property: ends the program and names it where it does not hold. */
#define FUZZ_CHECK(holds) \
	((holds) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #holds))

void fuzz_broken(const char *file, int line, const char *property)
    __attribute__((noreturn));

/* What is left of an input. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

/* The next byte, 0 behind the end. */
uint8_t fuzz_byte(struct fuzz_input *);

/* A copy that ends where its allocation ends, so that ASan sees what is read
 * behind it; owned by the caller. */
uint8_t *fuzz_copy(const uint8_t *data, size_t size);

/* The same as a string, cut at the first NUL byte. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Whether text is printable ASCII and not empty, as every message must be. */
bool fuzz_is_message(const char *text);

/*
 * Runs code that may end the program. Returns its exit status, or FUZZ_RETURNED
 * if it returned. What an ended run had allocated or opened is freed; what a run
 * that returned has allocated is the caller's, as always.
 */
#define FUZZ_RETURNED (-1)
int fuzz_run(void (*run)(void *arg), void *arg);

/* What err(), errx() or errc() would have printed at the last exit; "" if the
 * program ended by exit(). */
const char *fuzz_message(void);

/* An empty directory, removed at the end of the process. A constant string. */
const char *fuzz_directory(void);

/* While root is not NULL, fopen() of "/proc/..." opens root/... instead. */
void fuzz_proc(const char *root);

/* Standard output goes nowhere from now on, standard input is empty. */
void fuzz_silence(void);

#endif
