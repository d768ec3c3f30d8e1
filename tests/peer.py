#!/usr/bin/env python3
"""A DNS-over-TCP peer that behaves in one particular way, for tests.

usage: peer.py MODE [NUMBER | BYTES]

Listens on a free port of 127.0.0.1, prints the port, and serves until it is
ended. A query is a message with two bytes of length in front.

split       echoes, each byte in a packet of its own
glue N      echoes N at a time, in one write
reverse N   answers (QR set) N at a time, the last first
servfail    answers with QR and RCODE 2
upper       answers with the question's name in capitals
garbage     before each echo: a message of 5 bytes, an echo with an ID that was
            never used, one with another question, one with a broken question
drop N      echoes, but never the first of each N
first N     echoes the first N messages of a connection, none after them
desync N    echoes N messages of a connection, then sends ff ff 61 62, and is silent
hold        echoes nothing until SIGUSR1, then all of it, and prints released
late S      echoes after S seconds
slow N      echoes N messages a second, of all connections in the order they came,
            and takes as long for those of connections that have gone
fin N       echoes N messages of a connection, then closes it
rst N       the same, but resets it
close       closes each connection at once
cut N       begins to echo: sends the first N bytes, and is silent
cutfin N    the same, and closes
answer B    sends the bytes B (escapes as in C) for the first bytes that come
flood B     sends them over and over as soon as a connection is there
lie N       answers (QR set) with N as the count of answers, and none of them
zeros       answers each query with a message of twelve zero bytes
sink        reads, never answers
noread      accepts, never reads
"""
import asyncio
import collections
import signal
import socket
import struct
import sys

MODE = sys.argv[1]
BYTES = b""
NUMBER = 0
if MODE in ("answer", "flood"):
    BYTES = sys.argv[2].encode().decode("unicode_escape").encode("latin-1")
elif len(sys.argv) > 2:
    NUMBER = float(sys.argv[2])


HELD = []
QUEUE = collections.deque()


def release():
    for writer, data in HELD:
        writer.write(data)
    HELD.clear()
    print("released", flush=True)


async def work():
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        await asyncio.sleep(0.001)
        if not QUEUE:
            begun = loop.time()
        while QUEUE and begun + 1 / NUMBER <= loop.time():
            begun += 1 / NUMBER
            writer, data = QUEUE.popleft()
            writer.write(data)


def frame(message):
    return struct.pack("!H", len(message)) + message


def respond(message, rcode=0):
    flags = struct.unpack("!H", message[2:4])[0] | 0x8000 | rcode
    return message[:2] + struct.pack("!H", flags) + message[4:]


def garbage(message):
    other_id = struct.pack("!H", struct.unpack("!H", message[:2])[0] ^ 0x8000)
    return b"".join(frame(m) for m in (
        b"\0\0\0\0\0",
        other_id + message[2:],
        message[:13] + b"x" + message[14:],
        message[:12] + b"\xc0\x0c" + message[14:]))


async def send_split(writer, data):
    for i in range(len(data)):
        writer.write(data[i:i + 1])
        await writer.drain()


async def answer(state, message, writer):
    """Returns False when the connection is to be closed."""
    if MODE == "split":
        await send_split(writer, frame(message))
    elif MODE in ("glue", "reverse"):
        state.append(message)
        if len(state) < NUMBER:
            return True
        if MODE == "reverse":
            state[:] = [respond(m) for m in reversed(state)]
        writer.write(b"".join(frame(m) for m in state))
        state.clear()
    elif MODE == "servfail":
        writer.write(frame(respond(message, 2)))
    elif MODE == "lie":
        reply = respond(message)
        writer.write(frame(
            reply[:6] + struct.pack("!H", int(NUMBER)) + reply[8:]))
    elif MODE in ("cut", "cutfin"):
        if not state:
            writer.write(frame(message)[:int(NUMBER)])
        state.append(None)
        return MODE == "cut"
    elif MODE == "zeros":
        writer.write(frame(b"\0" * 12))
    elif MODE == "upper":
        writer.write(frame(respond(message)[:12] + message[12:].upper()))
    elif MODE == "garbage":
        writer.write(garbage(message) + frame(message))
    elif MODE == "drop":
        state.append(None)
        if len(state) % NUMBER != 1:
            writer.write(frame(message))
    elif MODE == "first":
        state.append(None)
        if len(state) <= NUMBER:
            writer.write(frame(message))
    elif MODE == "desync":
        state.append(None)
        if len(state) <= NUMBER:
            writer.write(frame(message))
        if len(state) == NUMBER:
            writer.write(b"\xff\xffab")
    elif MODE == "hold":
        HELD.append((writer, frame(message)))
    elif MODE == "late":
        asyncio.get_running_loop().call_later(
            NUMBER, writer.write, frame(message))
    elif MODE == "slow":
        QUEUE.append((writer, frame(message)))
    elif MODE in ("fin", "rst"):
        state.append(None)
        writer.write(frame(message))
        return len(state) < NUMBER
    return True


async def serve(reader, writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    state = []
    try:
        if MODE == "noread":
            writer.transport.pause_reading()
            await asyncio.Event().wait()
        if MODE == "flood":
            while True:
                writer.write(BYTES * 1000)
                await writer.drain()
                await asyncio.sleep(0)
        if MODE == "answer":
            await reader.read(1)
            writer.write(BYTES)
            while await reader.read(65536):
                pass
        while MODE not in ("answer", "close"):
            head = await reader.readexactly(2)
            body = await reader.readexactly(struct.unpack("!H", head)[0])
            if not await answer(state, body, writer):
                break
        await writer.drain()
        if MODE == "rst":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            # what is still unread would turn the FIN into a reset
            writer.write_eof()
            await reader.read()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, release)
    worker = asyncio.create_task(work() if MODE == "slow" else asyncio.sleep(0))
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(server.serve_forever(), worker)

asyncio.run(main())
