/*
 * The other end of dns_query: what a name server says, as bytes.
 */
#ifndef DNS_REPLY_H
#define DNS_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "dns_query.h"

/* The question, an A record and an OPT. */
#define DNS_REPLY_MAX (DNS_QUERY_MAX + 16 + 11)

/*
 * Writes, with its length in front, what a small authoritative name server says
 * to the framed message at the start of data, to which every name belongs: for
 * type A in class IN it has one record, 192.0.2.1 with a TTL of 0, so that no
 * resolver keeps it; for anything else NOERROR and no record, with AA set, RD
 * and the question as they came. An OPT is answered with one (RFC 6891), with
 * BADVERS to a version above 0. Other opcodes than QUERY get NOTIMP; no question
 * or several, one that dns_message_read() calls malformed, and records that do
 * not fit in the message or have two OPTs, FORMERR: these are a header only.
 *
 * Returns the number of bytes, less than twice those of the query; 0 where there
 * is nothing to answer: a message that is not whole, is shorter than a header, or
 * is a response. Total, as dns_message_read() is.
 */
size_t dns_reply_build(
    uint8_t out[DNS_REPLY_MAX], const uint8_t *framed, size_t length);

#endif
