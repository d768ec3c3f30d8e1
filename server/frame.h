/*
 * Messages in a stream: each has its length in front, in two bytes (RFC 1035,
 * 4.2.2). Counts where they end; keeps none of them.
 */
#ifndef SERVER_FRAME_H
#define SERVER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in a message a stream is; all zero: between two of them. */
struct frame {
	uint16_t left; /* bytes of the message that is coming */
	uint8_t length_high; /* first byte of the length, once it is there */
	bool length_begun;
};

/*
 * How many messages end in these bytes, which follow those of the last call.
 * Total: any bytes will do, and what is no such stream gives some number. Costs
 * a step for each message, not for each byte.
 */
uint64_t frame_count(struct frame *, const uint8_t *data, size_t length);

#endif
