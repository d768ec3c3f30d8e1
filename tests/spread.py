#!/usr/bin/env python3
"""A peer that tells over which pairs connections come, for tests.

usage: spread.py ADDRESS PORTS

Listens on so many free ports of an address (0.0.0.0: of each), prints them with
commas between, then a line "SOURCE TARGET PORT" for each connection.
"""
import selectors
import socket
import sys

ADDRESS, PORTS = sys.argv[1], int(sys.argv[2])
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
ready = selectors.DefaultSelector()


def listen():
    s = socket.socket(FAMILY)
    s.bind((ADDRESS, 0))
    s.listen(4096)
    s.setblocking(False)
    ready.register(s, selectors.EVENT_READ, True)
    return s.getsockname()[1]


def accept(listener):
    s, source = listener.accept()
    target = s.getsockname()
    ready.register(s, selectors.EVENT_READ, False)
    print(source[0], target[0], target[1], flush=True)


def read(s):
    try:
        more = s.recv(65536)
    except ConnectionError:
        more = b""
    if not more:
        ready.unregister(s)
        s.close()


print(",".join(str(listen()) for _ in range(PORTS)), flush=True)
while True:
    for key, _ in ready.select():
        (accept if key.data else read)(key.fileobj)
