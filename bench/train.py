"""What the optimized build is trained with (scripts/release.sh): programs under `berth run` that open connections and close them, ask on
kept ones, send in bulk, exchange datagrams and bind to free ports, over IPv4 and IPv6, so many times. Usage: train.py BERTH."""
import asyncio
import os
import socket
import subprocess
import sys
import time

SHORT, KEPT, BULK, DATAGRAMS, BINDS, AT_ONCE = 4000, 20000, 256 << 20, 3000, 4000, 50
ANSWER = b"x" * 1024
SIX = "fd00:10::1"


def datagrams_echo(server):
    octets, peer = server.recvfrom(2048)
    server.sendto(octets, peer)


async def serve():
    """Port 80 answers each line with 1 KiB, and closes if the line is "close"; 81 takes all; 82 gives; 7/udp echoes; all until
    standard input ends, which it does with whoever trains, even by kill -9."""
    async def answer(reader, writer):
        while line := await reader.readline():
            writer.write(ANSWER)
            if line == b"close\n":
                break
        writer.close()

    async def take(reader, writer):
        while await reader.read(1 << 20):
            pass
        writer.close()

    async def give(_, writer):
        for _ in range(BULK >> 20):
            writer.write(bytes(1 << 20))
            await writer.drain()
        writer.close()

    for port, serving in ((80, answer), (81, take), (82, give)):
        await asyncio.start_server(serving, "::", port)
        await asyncio.start_server(serving, "0.0.0.0", port)
    echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echo.bind(("0.0.0.0", 7))
    asyncio.get_running_loop().add_reader(echo, datagrams_echo, echo)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def short(address, count):
    for _ in range(count):
        reader, writer = await asyncio.open_connection(address, 80)
        writer.write(b"close\n")
        await reader.read()
        writer.close()


async def kept(address, count):
    reader, writer = await asyncio.open_connection(address, 80)
    for _ in range(count):
        writer.write(b"keep\n")
        await reader.readexactly(len(ANSWER))
    writer.close()


async def bulk(address):
    _, writer = await asyncio.open_connection(address, 81)
    for _ in range(BULK >> 20):
        writer.write(bytes(1 << 20))
        await writer.drain()
    writer.close()
    reader, writer = await asyncio.open_connection(address, 82)
    while await reader.read(1 << 20):
        pass
    writer.close()


def datagrams(address):
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.settimeout(5)
    for _ in range(DATAGRAMS):
        asker.sendto(b"ping", (address, 7))
        asker.recv(2048)


def binds():
    for _ in range(BINDS // AT_ONCE):
        held = [socket.socket() for _ in range(AT_ONCE)]
        for one in held:
            one.bind(("", 0))
        for one in held:
            one.close()


async def ask(address, share):
    await asyncio.gather(*(short(address, SHORT // share // AT_ONCE) for _ in range(AT_ONCE)))
    await asyncio.gather(*(kept(address, KEPT // share // AT_ONCE) for _ in range(AT_ONCE)))
    await kept(address, KEPT // share // 4)


async def ask_all():
    await ask("10.0.0.1", 1)
    await ask(SIX, 8)
    await bulk("10.0.0.1")
    datagrams("10.0.0.1")
    binds()


def running(net):
    """Whether the network's daemon is there: only when it has ended what it was seen to do is written."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                if file.read().rstrip(b"\0") == f"berth daemon {net}".encode():
                    return True
        except OSError:
            continue
    return False


def main():
    berth, net = os.path.abspath(sys.argv[1]), f"train-{os.getpid()}"
    me = [sys.executable, "-B", os.path.abspath(__file__)]
    at = [berth, "run", "--net", net, "--ip"]
    server = subprocess.Popen([*at, "10.0.0.1", "--ip", SIX, "--host", "server", "--", *me, "serve"], stdin=subprocess.PIPE)
    try:
        while server.poll() is None:
            if ":82 " in subprocess.run([berth, "ss", "--net", net, "-tln"], capture_output=True, text=True).stdout:
                break
            time.sleep(0.05)
        done = subprocess.run([*at, "10.0.0.2", "--ip", "fd00:10::2", "--", *me, "ask"], timeout=120).returncode
    finally:
        server.stdin.close()
        server.wait()
    while running(net):
        time.sleep(0.05)
    return done


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve())
    elif sys.argv[1] == "ask":
        asyncio.run(ask_all())
    else:
        sys.exit(main())
