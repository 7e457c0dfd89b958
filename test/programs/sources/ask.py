"""A client of Python's own: ask.py ADDRESS PORT OWN. 40 asyncio connections at once with 5 lines each, then 20 datagrams; each
answer must be what serve.py makes of it, with OWN as the address that it saw. Prints how many were right."""
import asyncio
import socket
import sys

ADDRESS, PORT, OWN = sys.argv[1], int(sys.argv[2]), sys.argv[3]


async def client(number):
    reader, writer = await asyncio.open_connection(ADDRESS, PORT)
    right = 0
    for turn in range(5):
        writer.write(f"line {number} {turn}\n".encode())
        right += (await reader.readline()).decode() == f"line {number} {turn}"[::-1] + f" {OWN}\n"
    writer.close()
    return right


async def main():
    right = sum(await asyncio.gather(*(client(number) for number in range(40))))
    print(f"{right} lines", end=" ")


asyncio.run(main())
family = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as udp:
    udp.settimeout(20)
    right = 0
    for turn in range(20):
        text = f"datagram {turn}"
        udp.sendto(text.encode(), (ADDRESS, PORT))
        said, peer = udp.recvfrom(1000)
        right += said.decode() == f"{text[::-1]} {OWN}\n" and peer[:2] == (ADDRESS, PORT)
    print(f"{right} datagrams")
