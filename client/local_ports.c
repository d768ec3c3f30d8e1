#include "client/local_ports.h"
#include "client/random.h"
#include "lib/limits.h"

static uint32_t
range_size(const struct local_ports *p)
{
	return (uint32_t)p->last - p->first + 1;
}

static bool
is_reserved(const struct local_ports *p, uint16_t port)
{
	return (p->reserved[port / 8] >> (port % 8) & 1) != 0;
}

void
local_ports_read(struct local_ports *p, enum local_ports_how how)
{
	unsigned long first, last;

	*p = (struct local_ports){.how = LOCAL_PORTS_ANY};
	if (!limits_port_range(&first, &last) || first == 0 ||
	    last > UINT16_MAX)
		return;
	p->how = how;
	p->first = (uint16_t)first;
	p->last = (uint16_t)last;
	limits_reserved_ports(p->reserved);
}

/* At random, or the windows of several programs would move in step. */
uint32_t
local_ports_start(
    const struct local_ports *p, unsigned int index, unsigned int workers)
{
	uint64_t size, part;

	if (p->how == LOCAL_PORTS_ANY)
		return 0;
	size = range_size(p);
	part = size / workers;
	return (uint32_t)(index * size / workers +
	    (part > 0 ? random_any() % part : 0));
}

static void
move_to(
    const struct local_ports *p, struct local_ports_cursor *c, uint32_t port)
{
	c->next = port > p->last ? p->first : (uint16_t)port;
}

/* bind() would take a reserved port; connect() leaves it out by itself. */
static void
step_over_reserved(const struct local_ports *p, struct local_ports_cursor *c)
{
	uint32_t tries = range_size(p);

	while (is_reserved(p, c->next) && tries-- > 0) {
		move_to(p, c, (uint32_t)c->next + 1);
		c->missed++;
	}
}

void
local_ports_window(const struct local_ports *p, struct local_ports_cursor *c,
    uint32_t start, uint16_t *low, uint16_t *high)
{
	uint32_t end;

	if (c->next == 0)
		c->next = (uint16_t)(p->first + start % range_size(p));
	if (p->how == LOCAL_PORTS_BIND)
		step_over_reserved(p, c);
	end = (uint32_t)c->next + LOCAL_PORTS_WIDTH - 1;
	*low = c->next;
	*high = p->how == LOCAL_PORTS_BIND ? c->next :
	    end > p->last		   ? p->last :
					     (uint16_t)end;
}

void
local_ports_found(const struct local_ports *p, struct local_ports_cursor *c)
{
	move_to(p, c, (uint32_t)c->next + 1);
	c->missed = 0;
}

bool
local_ports_missed(
    const struct local_ports *p, struct local_ports_cursor *c, uint16_t high)
{
	c->missed += (uint32_t)high - c->next + 1;
	move_to(p, c, (uint32_t)high + 1);
	if (c->missed < range_size(p))
		return false;
	c->missed = 0;
	return true;
}
