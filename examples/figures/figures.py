"""The figures of ports and sockets, played by real programs on virtual computers, and checked.

Usage: figures.py BERTH. Prints what happens, the table of sockets, the four numbers of each session as its datagrams carry
them, and what was checked; exits non-zero if anything was not so. Leaves nothing behind, whoever is killed."""
import hashlib
import os
import secrets
import shutil
import sys
import tempfile

import pcapng
import servers
import socket
import stage

CLIENT_PORT = 40023  # the one port that each of pc1, pc2, pc3 may give to a client
SIZE = 64 * 1024 * 1024 + 12345
YAML = f"""networks:
  lan: {{subnet: 10.0.0.0/24}}
hosts:
  server: {{ipv4_address: 10.0.0.1}}
  pc:
    count: 3
    sysctls: {{net.ipv4.ip_local_port_range: "{CLIENT_PORT} {CLIENT_PORT}"}}
  pc4: {{}}
"""


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(
            file.read()).hexdigest()


def random_file(path, size):
    with open(path, "wb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, 1 << 20)))
    return path


class Figures:
    def __init__(self, berth, folder, name):
        self.net, self.folder, self.checks = stage.Network(berth, name), folder, []
        self.pub, self.web, self.home = f"{folder}/ftp/pub", f"{folder}/web", f"{folder}/pc4"
        for path in (self.pub, self.web, self.home):
            os.makedirs(path, 0o755)
        os.chmod(folder, 0o755)

    def check(self, what, holds, detail=""):
        self.checks.append((what, bool(holds)))
        if not holds:
            print(f"NOT SO: {what} {detail}")

    # ---- the stage is set ----

    def set_up(self):
        self.net.command("up", "-d", "-f", servers.write(f"{self.folder}/berth.yaml", YAML))
        self.capture = f"{self.folder}/figures.pcapng"
        self.net.command("dump", "-d", "-B", "1048576", "-w", self.capture)
        self.files = {name: random_file(f"{self.pub}/{name}", SIZE + at) for at, name in enumerate(("passive", "active"))}
        for at, name in enumerate(self.files):
            random_file(f"{self.home}/{name}.put", SIZE + 100 + at)
        random_file(f"{self.web}/index.html", 1 << 20)
        os.mkdir(f"{self.folder}/inetd", 0o755)
        self.net.start("server", *servers.inetd(f"{self.folder}/inetd"))
        self.net.start("server", *servers.ftp(self.folder, self.pub))
        os.mkdir(f"{self.folder}/nginx", 0o755)
        self.net.start("server", *servers.nginx(f"{self.folder}/nginx", self.web, "limit_rate 150k;"))
        wanted = {("tcp", 7), ("udp", 7), ("tcp", 21), ("tcp", 23), ("tcp", 80)}
        self.net.wait("the servers", lambda table: wanted <= {(row["netid"], row["local"]["port"]) for row in table})

    # ---- the sessions ----

    def telnets(self):
        self.tokens, self.telnet = {}, {}
        for pc in ("pc1", "pc2", "pc3"):
            self.tokens[pc] = "".join(secrets.choice("abcdefghijklm") for _ in range(16))
            self.telnet[pc] = self.net.start(pc, "inetutils-telnet", "server", terminal=True)
        for pc, program in self.telnet.items():
            program.expect("this is the server; say something> ")
            program.type(self.tokens[pc])
        for pc, program in self.telnet.items():
            program.expect(f"you said {self.turned(pc)}")

    def turned(self, pc):
        return "".join(chr(ord(letter) + 13) for letter in self.tokens[pc])

    def transfers(self):
        self.ftp = {}
        for name in self.files:
            # -p: passive; -A: active. Throttled, as the web page is, so that all are under way while the table is printed.
            program = self.net.start("pc4", "tnftp", "-A" if name == "active" else "-p", "-n", "-v", "-i", "server", cwd=self.home)
            self.ftp[name] = program
            for line in ("user anonymous berth@example.org", "binary", "rate all 30000000", f"get pub/{name} {name}.got",
                         f"put {name}.put pub/{name}.put"):
                program.type(line)

    def small_talk(self):
        self.curl = self.net.start("pc4", "curl", "-sS", "-o", f"{self.home}/index.html", "-w",
                                   "%{http_code}", "http://server/")
        self.echo = {}
        for protocol, options in (("tcp", ["-n"]), ("udp", ["-n", "-u"])):
            self.echo[protocol] = self.net.start("pc4", "nc", *options, "10.0.0.1", "7")
            self.echo[protocol].type(f"one number, two sockets: {protocol}")
        for protocol, program in self.echo.items():
            program.expect(f"one number, two sockets: {protocol}")

    def both_ways(self, table):
        """Both FTP clients hold their control connection and a data connection now, and the web page is on its way. No
        connection is half open or half closed: between two datagrams, one end knows more than the other."""
        mine = [row for row in table if row["host"] == "pc4" and row["state"] == "ESTAB"]
        control = [row for row in mine if row["peer"]["port"] == 21]
        active = [row for row in mine if row["peer"]["port"] == 20]
        passive = [row for row in mine if row["peer"]["port"] > 1023]
        return (len(control) == 2 and active and passive and any(row["peer"]["port"] == 80 for row in mine)
                and self.established("tcp", table) == {(p, b, a) for p, a, b in self.established("tcp", table)})

    @staticmethod
    def established(protocol, table):
        return {(protocol, (row["local"]["address"], row["local"]["port"]), (row["peer"]["address"], row["peer"]["port"]))
                for row in table if row["state"] == "ESTAB" and row["netid"] == protocol}

    # ---- what is seen ----

    def print_table(self):
        print("\nThe sockets of the whole network (berth ss), while all of it is open:\n")
        rows = [("HOST", "PROTO", "STATE", "LOCAL", "PEER", "SERVICE", "PROCESS (PID)")]
        for row in self.table:
            ends = [f"{row[end]['address']}:{row[end]['port'] or '*'}" for end in ("local", "peer")]
            port = min(row["local"]["port"], row["peer"]["port"] or 65536)
            try:
                service = socket.getservbyport(port, row["netid"])
            except OSError:
                service = "-"
            who = ", ".join(sorted({f"{p['name']} ({p['pid']})" for p in row["process"]})) or "-"
            rows.append((row["host"], row["netid"], row["state"], *ends, service, who))
        widths = [max(len(row[at]) for row in rows) for at in range(6)]
        for row in rows:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + "  " + row[6])
        print("\nSee: pc1, pc2 and pc3 use the same client port to the same port 23, and only their addresses tell the three"
              "\nsessions apart. The two FTP clients on pc4 talk to the same port 21 from two ports of their own. Port 7 is there"
              "\ntwice, once for each protocol.")

    def sessions(self):
        """Four numbers of each session of the table, seen from the client."""
        rows = [row for row in self.table if row["state"] == "ESTAB" and row["host"] != "server"]
        return [(row["netid"], (row["local"]["address"], row["local"]["port"]), (row["peer"]["address"], row["peer"]["port"]))
                for row in rows]

    def print_datagrams(self):
        print("\nOne datagram each way of every session, from the network's capture, its four numbers marked:\n")
        both = True
        for protocol, local, peer in self.sessions():
            for source, destination in ((local, peer), (peer, local)):
                flow = [d for d in self.datagrams if (d.protocol, d.source, d.destination) == (protocol, source, destination)]
                both = both and bool(flow)
                best = next((d for d in flow if d.payload), flow[0] if flow else None)
                if best:
                    print(f"  {protocol} {source[0]}:{source[1]} > {destination[0]}:{destination[1]}")
                    print(f"      {pcapng.marked(best)}")
        self.check("each session of the table is in the capture, both ways, with the same four numbers", both)

    def compare(self):
        table = self.established("tcp", self.table) | self.established("udp", self.table)
        ends = {(p, a, b) for p, a, b in table} | {(p, b, a) for p, a, b in table}
        seen = {(d.protocol, d.source, d.destination) for d in self.datagrams}
        tcp = {end for end in ends if end[0] == "tcp"}
        self.check("every socket in the table has its other end in the table", tcp <= table)
        self.check("the table's tuples are the capture's", ends <= seen, str(ends - seen))
        self.check("every checksum in the capture is right", all(d.right for d in self.datagrams))
        telnet = [s for s in self.sessions() if s[2][1] == 23]
        self.check("three telnet sessions from three addresses with equal ports at both ends",
                   len(telnet) == 3 and len({s[1][0] for s in telnet}) == 3 and {s[1][1] for s in telnet} == {CLIENT_PORT})
        for pc, program in self.telnet.items():
            mine = self.turned(pc).encode()
            others = [text.encode() for other in self.tokens if other != pc for text in (self.tokens[other], self.turned(other))]
            self.check(f"the session of {pc} has its own token and no other", mine in program.said and
                       not any(token in program.said for token in others))
        answers = {}
        for datagram in self.datagrams:
            if datagram.source[1] == 23:
                answers.setdefault(datagram.destination[0], []).append(datagram.payload)
        streams = [b"".join(parts) for parts in answers.values()]
        tokens = [self.turned(pc).encode() for pc in self.tokens]
        self.check("on the wire, too, each token goes to one computer only",
                   all(sum(token in stream for stream in streams) == 1 for token in tokens))
        ftp = [s for s in self.sessions() if s[2][1] == 21]
        self.check("two processes on pc4 are connected to port 21 from two ports",
                   len(ftp) == 2 and len({s[1] for s in ftp}) == 2 and len({s[1][0] for s in ftp}) == 1)
        pids = {p["pid"] for row in self.table if row["host"] == "pc4" and row["peer"]["port"] == 21 for p in row["process"]}
        self.check("and they are two processes", len(pids) >= 2)
        self.check("active data came from port 20 of the server", any(s[2][1] == 20 for s in self.sessions()))
        echo = {s[0] for s in self.sessions() if s[2][1] == 7}
        self.check("port 7 answered on TCP and on UDP at once", echo == {"tcp", "udp"})
        workers = {p["pid"] for row in self.table if row["local"]["port"] == 80 and row["state"] == "LISTEN" for p in row["process"]}
        self.check("the web server's port 80 is shared by a master and two workers", len(workers) == 3, str(workers))

    # ---- the end ----

    def finish(self):
        for name, program in self.ftp.items():
            program.expect("226 ", seconds=60, count=2)
            program.type("bye")
            program.finish()
            for here, there in ((f"{name}.got", name), (f"{name}.put", f"{name}.put")):
                self.check(f"FTP, {name}: {there} is the same at both ends", digest(f"{self.home}/{here}") == digest(f"{self.pub}/{there}"))
        self.check("curl got the page by name alone", self.curl.finish() == 0 and self.curl.said == b"200" and
                   digest(f"{self.home}/index.html") == digest(f"{self.web}/index.html"), str(self.curl.said))
        for program in self.echo.values():
            program.stop()
        for pc, program in self.telnet.items():
            program.type("bye")
            self.check(f"telnet on {pc} ended well", program.finish() in (0, 1), str(program.status))

    def play(self):
        print("Four computers and a server on one network, 10.0.0.0/24; each has all 65,535 ports.")
        self.set_up()
        self.telnets()
        print(f"pc1, pc2, pc3: telnet server, all from client port {CLIENT_PORT}; each typed a token and got its own answer.")
        self.small_talk()
        print("pc4: curl http://server/, and echo on 7/tcp and 7/udp.")
        self.transfers()
        self.table = self.net.wait("all sessions", self.both_ways)
        print("pc4: two FTP clients fetch and store files of 64 MiB, one passive, one active.")
        self.print_table()
        self.finish()
        self.net.command("dump", "--stop")
        self.datagrams = pcapng.read(self.capture)
        self.print_datagrams()
        self.compare()
        self.net.command("down")
        self.check("no process is left", not self.net.left(), str(self.net.left()))
        print(f"\nChecked ({len(self.datagrams)} datagrams):")
        for what, holds in self.checks:
            print(f"  {'yes' if holds else 'NO '}  {what}")
        return 0 if all(holds for _, holds in self.checks) else 1


def main():
    sys.stdout.reconfigure(line_buffering=True)  # whoever reads it by a pipe sees what happens when it happens
    berth = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="berth-figures-")
    name = f"figures-{os.getpid()}"
    figures = Figures(berth, folder, name)

    def play():
        try:
            return figures.play()
        except stage.Failure as failure:
            print(f"figures: {failure}", file=sys.stderr)
            return 1

    def clean():
        for program in figures.net.programs:
            program.stop()
        figures.net.command("down", check=False)
        shutil.rmtree(folder, ignore_errors=True)

    return stage.watched(play, clean)


if __name__ == "__main__":
    sys.exit(main())
