#include "server/frame.h"

uint64_t
frame_count(struct frame *f, const uint8_t *data, size_t length)
{
	uint64_t messages = 0;
	size_t step;

	while (length > 0) {
		if (f->left > 0) {
			step = f->left < length ? f->left : length;
			f->left = (uint16_t)(f->left - step);
			messages += f->left == 0;
		} else {
			step = 1;
			if (f->length_begun) {
				f->left =
				    (uint16_t)(f->length_high << 8 | *data);
				messages += f->left == 0;
			} else
				f->length_high = *data;
			f->length_begun = !f->length_begun;
		}
		data += step;
		length -= step;
	}
	return messages;
}
