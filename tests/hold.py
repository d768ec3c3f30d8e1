#!/usr/bin/env python3
"""usage: hold.py PORT CONNECTIONS

Opens the connections, sends on each, and then, in the order of opening, waits
for each one's echo and closes it: a server that cannot hold them all must
serve the first, and the others when these are gone.
"""
import socket
import sys

port, count = map(int, sys.argv[1:])
held = []
for i in range(count):
    s = socket.create_connection(("127.0.0.1", port), timeout=20)
    s.sendall(b"\0\4%04d" % i)
    held.append(s)
for i, s in enumerate(held):
    got = b""
    while len(got) < 6:
        piece = s.recv(6 - len(got))
        if not piece:
            sys.exit(f"connection {i} was closed")
        got += piece
    if got != b"\0\4%04d" % i:
        sys.exit(f"connection {i} got {got!r}")
    s.close()
