#include <string.h>

#include "dns_reply.h"
#include "server/answer.h"
#include "wire/first_bytes.h"

#define PING_LENGTH 4

static const uint8_t ping[PING_LENGTH] = {'P', 'i', 'n', 'g'};
static const uint8_t pong[PING_LENGTH] = {'P', 'o', 'n', 'g'};

/* How much of a ping there is at data, 0 if it is none. */
static size_t
ping_length(const uint8_t *data, size_t length)
{
	size_t most = length < PING_LENGTH ? length : PING_LENGTH;

	return memcmp(data, ping, most) == 0 ? most : 0;
}

/* A ping has no byte twice: what is none of it can only go on with its first
 * one. */
static size_t
ping_cut(const uint8_t *data, size_t length, bool *noise)
{
	size_t used = 0, found;

	while (used < length) {
		found = ping_length(data + used, length - used);
		if (found > 0 && used == 0)
			return found == PING_LENGTH ? found : 0;
		if (found > 0)
			break;
		used++;
	}
	*noise = used > 0;
	return used;
}

size_t
answer_cut(
    enum service_mode mode, const uint8_t *data, size_t length, bool *noise)
{
	size_t framed;

	*noise = false;
	if (mode == SERVICE_PING)
		return ping_cut(data, length, noise);
	if (length < DNS_PREFIX_LENGTH)
		return 0;
	framed = DNS_PREFIX_LENGTH + dns_get16(data);
	return framed <= length ? framed : 0;
}

size_t
answer_make(
    enum service_mode mode, const uint8_t *message, size_t length, uint8_t *out)
{
	uint8_t reply[DNS_REPLY_MAX];
	size_t made;

	switch (mode) {
	case SERVICE_DNS: /* out need not have room for the largest */
		made = dns_reply_build(reply, message, length);
		memcpy(out, reply, made);
		return made;
	case SERVICE_PING:
		memcpy(out, pong, PING_LENGTH);
		return PING_LENGTH;
	default:
		memcpy(out, message, length);
		return length;
	}
}

bool
answer_is_foreign(enum service_mode mode, const uint8_t *message, size_t length,
    const uint8_t *answer, size_t made)
{
	if (mode != SERVICE_DNS)
		return false;
	if (made == 0)
		return true;
	return dns_get16(answer + DNS_PREFIX_LENGTH + 2) % DNS_RCODES !=
	    DNS_NOERROR &&
	    first_bytes_protocol(message, length) != NULL;
}

uint64_t
answer_count(
    enum service_mode mode, struct frame *f, const uint8_t *data, size_t length)
{
	size_t bytes = f->left + length;

	if (mode != SERVICE_PING)
		return frame_count(f, data, length);
	f->left = (uint16_t)(bytes % PING_LENGTH);
	return bytes / PING_LENGTH;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t
mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
answer_lot_begin(
    struct answer_lot *lot, double share, uint64_t seed, unsigned int worker)
{
	uint64_t stream = seed;

	/* hashed twice, or the streams of two workers were one, shifted */
	stream = mix(&stream) + worker;
	lot->state = mix(&stream);
	lot->always = share >= 1;
	lot->below = lot->always ? 0 : (uint64_t)(share * 0x1p64);
}

bool
answer_lot_drops(struct answer_lot *lot)
{
	return lot->always || (lot->below > 0 && mix(&lot->state) < lot->below);
}
