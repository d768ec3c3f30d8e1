#!/usr/bin/env python3
"""usage: crowd.py PORT[,PORT]... OPEN [SERVED [GO]]

Opens OPEN connections, to the ports in turn, and sends on each. SERVED of them (all, if it is
not given) must be echoed while all are open, and the others neither served nor
closed. Then closes GO (as many as wait, if it is not given) of those that were
served, opens as many new ones as that makes room for, and waits until all that
are open are echoed.
"""
import resource
import select
import socket
import sys
import time

PATIENCE = 20  # seconds for what must happen
QUIET = 0.5  # seconds in which nothing must

ports = list(map(int, sys.argv[1].split(",")))
count = int(sys.argv[2])
served = int(sys.argv[3]) if len(sys.argv) > 3 else count
go = int(sys.argv[4]) if len(sys.argv) > 4 else count - served
resource.setrlimit(resource.RLIMIT_NOFILE,
                   (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
poll = select.poll()
waiting = {}
echoed = []
opened = 0


def open_more(more):
    global opened
    for _ in range(more):
        s = socket.create_connection(
            ("127.0.0.1", ports[opened % len(ports)]), timeout=PATIENCE)
        s.sendall(b"\0\6%06d" % opened)
        waiting[s.fileno()] = (s, opened)
        poll.register(s, select.POLLIN)
        opened += 1


def hear(patience, until):
    end = time.monotonic() + patience
    while len(echoed) < until and time.monotonic() < end:
        for fd, _ in poll.poll(100):
            s, i = waiting.pop(fd)
            poll.unregister(s)
            got = s.recv(100)
            if got != b"\0\6%06d" % i:
                sys.exit(f"connection {i} got {got!r}")
            echoed.append(s)


open_more(count)
hear(PATIENCE, served)
hear(QUIET if served < count else 0, count)
if len(echoed) != served:
    sys.exit(f"{len(echoed)} of {count} were served instead of {served}")
for s in echoed[:go]:
    s.close()
del echoed[:go]
open_more(go - (count - served))
hear(PATIENCE, served)
if len(echoed) != served:
    sys.exit(f"then {len(echoed)} were served instead of {served}")
# none of those that are open has been closed meanwhile
for s in echoed:
    s.setblocking(False)
    try:
        sys.exit(f"an open connection got {s.recv(1)!r}")
    except BlockingIOError:
        pass
