#!/usr/bin/env python3
"""usage: no_reader.py PORT CONNECTIONS

Writes on each connection and never reads, until no more is taken for a while;
prints how many bytes were taken.
"""
import select
import socket
import sys

port, count = map(int, sys.argv[1:])
taken = 0
waiting = []
for _ in range(count):
    s = socket.create_connection(("127.0.0.1", port))
    s.setblocking(False)
    waiting.append(s)
block = b"x" * 65536
while True:
    _, writable, _ = select.select([], waiting, [], 0.5)
    if not writable:
        break
    for s in writable:
        taken += s.send(block)
print(taken)
