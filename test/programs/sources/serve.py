"""Servers of Python's own: serve.py asyncio|forking|threading PORT. Each connection: lines come back turned round, with the
client's address; over UDP (forking and threading) a datagram does."""
import asyncio
import socket
import socketserver
import sys

KIND, PORT = sys.argv[1], int(sys.argv[2])


def answer(line, address):
    return line.rstrip(b"\n")[::-1] + b" " + address[0].removeprefix("::ffff:").encode() + b"\n"


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(answer(line, self.client_address))


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(answer(self.request[0], self.client_address), self.client_address)


class Both:
    address_family = socket.AF_INET6
    allow_reuse_address = True
    request_queue_size = 128
    max_children = 200


def socketservers(mixin):
    import threading
    tcp = type("Tcp", (Both, mixin, socketserver.TCPServer), {})(("::", PORT), Stream)
    udp = type("Udp", (Both, mixin, socketserver.UDPServer), {})(("::", PORT), Datagram)
    threading.Thread(target=udp.serve_forever, daemon=True).start()
    tcp.serve_forever()


async def asynchronous():
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(answer(line, writer.get_extra_info("peername")))
            await writer.drain()
        writer.close()

    class Protocol(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            self.transport.sendto(answer(data, address), address)

    await asyncio.get_running_loop().create_datagram_endpoint(Protocol, local_addr=("::", PORT))
    async with await asyncio.start_server(serve, ["0.0.0.0", "::"], PORT) as server:
        await server.serve_forever()


if KIND == "asyncio":
    asyncio.run(asynchronous())
else:
    socketservers(socketserver.ForkingMixIn if KIND == "forking" else socketserver.ThreadingMixIn)
