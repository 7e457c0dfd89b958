"""Reads a pcapng file of Ethernet frames into datagrams: addresses, ports, payload, and whether its checksums are right."""
import struct
from collections import namedtuple

Datagram = namedtuple("Datagram", "interface time protocol source destination flags payload ip right")
# source, destination: (address, port). flags: TCP's, or None. ip: the octets from the IP header on. right: checksums hold.


def blocks(data):
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length < 12 or at + length > len(data):
            return  # the writer is at work on this one
        yield kind, data[at + 8:at + length - 4]
        at += length


def options(data):
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            return
        yield code, data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def text(address):
    return ".".join(str(octet) for octet in address)


def parse(frame, interface, time):
    """The datagram in an Ethernet frame, or None if it is no TCP or UDP over IPv4."""
    if len(frame) < 34 or frame[12:14] != b"\x08\x00":
        return None
    header = (frame[14] & 15) * 4
    total = struct.unpack_from(">H", frame, 16)[0]
    ip = frame[14:14 + total]
    protocol, transport = ip[9], ip[header:]
    if protocol not in (6, 17) or len(transport) < 8:
        return None
    pseudo = ip[12:20] + struct.pack(">BBH", 0, protocol, len(transport))
    right = checksum(ip[:header]) == 0xffff and checksum(pseudo + transport) == 0xffff
    ports = struct.unpack_from(">HH", transport)
    offset = (transport[12] >> 4) * 4 if protocol == 6 else 8
    return Datagram(interface, time, "tcp" if protocol == 6 else "udp", (text(ip[12:16]), ports[0]),
                    (text(ip[16:20]), ports[1]), transport[13] if protocol == 6 else None, transport[offset:], ip, right)


def read(path):
    """All TCP and UDP datagrams of the file, in order."""
    with open(path, "rb") as file:
        data = file.read()
    interfaces, found = [], []
    for kind, body in blocks(data):
        if kind == 1:
            name = [value for code, value in options(body[8:]) if code == 2]
            interfaces.append(name[0].decode() if name else str(len(interfaces)))
        elif kind == 6:
            number, high, low, kept, _ = struct.unpack_from("<IIIII", body)
            datagram = parse(body[20:20 + kept], interfaces[number], high << 32 | low)
            if datagram:
                found.append(datagram)
    return found


def marked(datagram, count=28):
    """The datagram's first octets from the IP header on, in hexadecimal, its four numbers marked."""
    header = (datagram.ip[0] & 15) * 4
    marks = {12: "[source ", 16: "[destination ", header: "[port ", header + 2: "[port "}
    ends = {15, 19, header + 1, header + 3}
    out = []
    for at, octet in enumerate(datagram.ip[:max(count, header + 4)]):
        out.append(f"{marks.get(at, '')}{octet:02x}{']' if at in ends else ''}")
    return " ".join(out)
