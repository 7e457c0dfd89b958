"""Two sessions with examples/figures/ftpd.py at once: what one does next leaves the other's data connection alone, though that
has the number which the first one's had in the server. ftp_sessions.py SERVER ADDRESS, on a virtual computer."""
import socket
import sys

LIMIT = 10  # seconds


class Session:
    def __init__(self, server):
        self.control = socket.create_connection((server, 21), LIMIT)
        self.replies = self.control.makefile("r", newline="\r\n")
        self.expect("220")
        self.ask("USER anonymous", "331")
        self.ask("PASS me", "230")
        self.ask("TYPE I", "200")

    def expect(self, code):
        while not (line := self.replies.readline()).startswith(f"{code} "):
            if not line.startswith(f"{code}-"):
                sys.exit(f"{code} was expected: {line!r}")
        return line

    def ask(self, command, code):
        self.control.sendall(f"{command}\r\n".encode())
        return self.expect(code)


def fetch_actively(session, address):
    listener = socket.create_server((address, 0))
    listener.settimeout(LIMIT)
    session.ask(f"EPRT |1|{address}|{listener.getsockname()[1]}|", "200")
    session.ask("RETR small", "125")
    with listener.accept()[0] as data:
        while data.recv(65536):
            pass
    session.expect("226")
    return listener


def main():
    server, address = sys.argv[1:]
    active, passive = Session(server), Session(server)
    port = int(passive.ask("EPSV", "229").split("|")[3])
    listener = fetch_actively(active, address)
    with socket.create_connection((server, port), LIMIT) as data:
        passive.ask("STOR stored", "125")
        data.sendall(b"the first half, ")
        active.ask(f"EPRT |1|{address}|{listener.getsockname()[1]}|", "200")
        data.sendall(b"and the second")
    passive.expect("226")


main()
