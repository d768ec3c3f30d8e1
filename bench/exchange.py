#!/usr/bin/env python3
"""Service times of a capture, and of a result of the same run.

usage: exchange.py CAPTURE RESULT.json

CAPTURE is tcpdump's, of Ethernet and IPv4, with one query and one answer on each
connection, to and from port 5300. Exit status 1 unless the p99 of both are within
1 ms, or the verdict names the delay; and unless the delay of reading explains by
how much the client's times are longer.
"""
import json
import struct
import sys

PORT = 5300
UNEXPLAINED = 1  # ms, of an average: from the client's clock to the wire
NAMES_DELAY = ("late", "read", "delay")


def packets(path):
    """(time, the client's address and port, whether it sent this) with data."""
    with open(path, "rb") as file:
        head = file.read(24)
        unit = 1e-9 if head[:4] == b"\x4d\x3c\xb2\xa1" else 1e-6
        while len(head := file.read(16)) == 16:
            seconds, part, length, _ = struct.unpack("<IIII", head)
            ip = file.read(length)[14:]
            start = (ip[0] & 15) * 4
            source, target = struct.unpack("!HH", ip[start:start + 4])
            tcp = (ip[start + 12] >> 4) * 4
            if struct.unpack("!H", ip[2:4])[0] > start + tcp:
                sent = target == PORT
                client = (ip[12:16], source) if sent else (ip[16:20], target)
                yield seconds + part * unit, client, sent


def exchanges(path):
    begun = {}
    for time, client, sent in packets(path):
        if sent:
            begun[client] = time
        elif client in begun:
            yield time - begun.pop(client)


def main():
    times = sorted(exchanges(sys.argv[1]))
    with open(sys.argv[2], encoding="utf-8") as file:
        result = json.load(file)
    service = result["service_ns"]
    print("%-10s %8s %10s %10s %10s" % ("ms", "count", "p50", "p99", "max"))
    mine = [service[key] / 1e6 for key in ("p50", "p99", "max")]
    dumped = [1000 * times[int(q * (len(times) - 1))] for q in (.5, .99, 1)]
    for name, count, row in (("tcpclient", service["count"], mine),
                             ("tcpdump", len(times), dumped)):
        print("%-10s %8d %10.3f %10.3f %10.3f" % (name, count, *row))
    close = abs(mine[1] - dumped[1]) <= 1
    named = any(word in reason for reason in result["verdict"]["reasons"]
                for word in NAMES_DELAY)
    if not close:
        print("the p99 are more than 1 ms apart, and the verdict " +
              ("names the delay" if named else "does not say why"))
    difference = service["mean"] / 1e6 - 1000 * sum(times) / len(times)
    read_delay = result["read_delay_ns"]["mean"] / 1e6
    explained = difference <= read_delay + UNEXPLAINED
    print("on the average %.3f ms apart, of which reading late explains %.3f: %s"
          % (difference, read_delay, "enough" if explained else "TOO LITTLE"))
    return 0 if explained and (close or named) else 1


sys.exit(main())
