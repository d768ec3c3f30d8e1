#!/usr/bin/env python3
"""usage: echo_check.py PORT CONNECTIONS BYTES

Sends BYTES random bytes on each connection, all at once, in pieces of random
size, and checks that just those come back.
"""
import asyncio
import os
import random
import sys


async def send(writer, data):
    i = 0
    while i < len(data):
        n = random.randint(1, 100000)
        writer.write(data[i:i + n])
        await writer.drain()
        i += n
    writer.write_eof()


async def check(port, size):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = os.urandom(size)
    sender = asyncio.ensure_future(send(writer, data))
    if await reader.readexactly(size) != data:
        sys.exit("what came back is not what was sent")
    await sender
    if await reader.read() != b"":
        sys.exit("more came back than was sent")
    writer.close()


async def main(port, connections, size):
    random.seed(1)
    await asyncio.gather(*(check(port, size) for _ in range(connections)))

asyncio.run(main(*map(int, sys.argv[1:])))
