"""Many HTTP clients in one program, each with a connection of its own that stays open: clients.py COUNT FIRST SERVER,...
Client k binds port 40000 + k and talks to server FIRST + k, by IPv4 and IPv6 in turn. At each line of standard input all ask
once, at the same time; what was wrong with an answer is printed, then "asked N"."""
import asyncio
import socket
import sys

COUNT, FIRST, SERVERS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")


def family(number):
    return socket.AF_INET6 if number % 2 else socket.AF_INET


class Client:
    def __init__(self, number):
        self.number = number
        self.server = SERVERS[(FIRST + number) % len(SERVERS)]

    async def connect(self):
        any_address = "::" if self.number % 2 else "0.0.0.0"
        self.reader, self.writer = await asyncio.open_connection(
            self.server, 80, family=family(self.number), local_addr=(any_address, 40000 + self.number))
        self.mine, self.theirs = (self.writer.get_extra_info(what)[:2] for what in ("sockname", "peername"))

    async def ask(self, turn):
        """None, or what was wrong."""
        token = f"{self.mine[0]}-{self.number}-{turn}"
        self.writer.write(f"GET /{token} HTTP/1.1\r\nHost: {self.server}\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        said = (await self.reader.readexactly(length)).decode()
        wanted = f"{self.server} at {self.theirs[0]} port {self.theirs[1]} to {self.mine[0]} port {self.mine[1]}: /{token}\n"
        return None if said == wanted else f"client {self.number} wanted {wanted!r}, got {said!r}"


async def main():
    clients = [Client(number) for number in range(COUNT)]
    await asyncio.gather(*(client.connect() for client in clients))
    print("connected", COUNT, flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    turn = 0
    while await lines.readline():
        turn += 1
        wrong = [text for text in await asyncio.gather(*(client.ask(turn) for client in clients)) if text]
        print("\n".join([*wrong, f"asked {COUNT}"]), flush=True)
    for client in clients:
        client.writer.close()


asyncio.run(main())
