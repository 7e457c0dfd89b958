"""ping, by Linux's sockets for ordinary users (SOCK_DGRAM with IPPROTO_ICMP): raw ones there are none."""
from lab import program


def lost(done, count):
    return f"{count} packets transmitted, {count} received, 0% packet loss" not in done.stdout


@program("ping", "its own statistics: nothing lost of small ones, of 8,000 octets in fragments and of the largest there are; its answers bear the "
         "TTL; a computer with no such address is 100% loss; two at once hear only their own answers",
         differs="works by datagram sockets, as raw ones are refused (EPERM) to any ordinary user")
def ping(lab):
    lab.start("server", "sleep", "300")
    for way in lab.ways():
        ask = ["ping", f"-{way.family}", "-n", "-W", "30"]
        done = way.run(*ask, "-c", "5", "-i", "0.01", way.address)
        way.check("five small ones, their TTL", not lost(done, 5) and done.stdout.count(f"64 bytes from {way.address}: icmp_seq=") == 5 and
                  done.stdout.count("ttl=64") == 5 and "DUP" not in done.stdout, done)
        for size in (0, 8000, 65507):
            done = way.run(*ask, "-c", "3", "-i", "0.01", "-s", str(size), way.address)
            way.check(f"three of {size} octets", not lost(done, 3) and done.stdout.count(f"{size + 8} bytes from") == 3, done)
        two = [way.start(*ask, "-c", "50", "-i", "0.005", "-p", pattern, way.address) for pattern in ("aa", "55")]
        for one in two:
            one.wait(120)
        said = [lab.said(one) for one in two]
        way.check("two at once, each with answers of its own pattern", all(
            "50 packets transmitted, 50 received, 0% packet loss" in text and "wrong data" not in text and "DUP" not in text for text in said), said)
        if way.between:
            done = way.run("ping", f"-{way.family}", "-c", "1", "-W", "30", "server")
            way.check("by name", not lost(done, 1) and f"({way.address})" in done.stdout, done)
            nobody = lab.address("nobody", way.family)
            done = way.run(*ask[:3], "-W", "1", "-c", "1", nobody)
            way.check("nobody there: lost", "1 packets transmitted, 0 received" in done.stdout, done)
