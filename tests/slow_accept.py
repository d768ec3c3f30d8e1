#!/usr/bin/env python3
"""A server that accepts RATE connections a second, and answers nothing.

slow_accept.py RATE BACKLOG: prints its port. What it has accepted stays open.
"""

import socket
import sys
import time

rate, backlog = float(sys.argv[1]), int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
print(listener.getsockname()[1], flush=True)
accepted = []
begin = time.monotonic()
while True:
    accepted.append(listener.accept()[0])
    time.sleep(max(0.0, begin + len(accepted) / rate - time.monotonic()))
