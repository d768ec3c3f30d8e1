/*
 * Lists of TCP ports as people type them. No port is in a list twice.
 */
#ifndef LIB_PORT_LIST_H
#define LIB_PORT_LIST_H

#include <stddef.h>
#include <stdint.h>

/* Empty when zeroed. The list owns what at points to. */
struct port_list {
	uint16_t *at;
	size_t count;
};

/*
 * Appends the ports that text says, in its order: "4242", "7000-7199" or
 * "53,853,7000-7199", each from 1 to 65535, a range including both its ends. If
 * min is 0 and not 1, an item may also be "0", but no range begins there.
 *
 * Returns NULL, or a constant string with what is wrong and what would be
 * right; the list is then as it was. Wrong is also what would bring a port into
 * the list twice. Any bytes may be in text. Ends the program where memory runs
 * out.
 */
const char *port_list_parse(
    const char *text, unsigned int min, struct port_list *list);

/* Appends a port, unless the list has it. Exits on lack of memory. */
void port_list_add(struct port_list *list, uint16_t port);

/* Frees what the list owns, and leaves it empty. */
void port_list_free(struct port_list *list);

#endif
