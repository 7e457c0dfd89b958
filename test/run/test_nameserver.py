"""Names by TCP: what programs ask at port 53 of any nameserver the network answers, unless a program of the network listens there."""
from harness import Net, check, finish, until

PYTHON = "/usr/bin/python3"

# Each connection that says what is no query, or part of one, or one octet a second, is closed; meanwhile others are answered.
HOSTILE = """
import socket, struct, threading, time
query = bytes.fromhex('1234 0100 0001 0000 0000 0000 06') + b'server' + bytes.fromhex('00 0001 0001')
whole = struct.pack('!H', len(query)) + query

def opened(octets):
    s = socket.create_connection(('192.0.2.53', 53))
    s.sendall(octets)
    return s

def ended(s):
    s.settimeout(120)
    try:
        return s.recv(1) == b''
    except ConnectionResetError:
        return True

wrong = [opened(octets) for octets in (b'\\0\\0', b'\\0\\x0b', b'\\xff\\xff', b'\\5\\xdd', whole[:4] + b'\\x81' + whole[5:])]
print('wrong', all(ended(s) for s in wrong))
cut = [opened(whole[:n]) for n in range(len(whole))]
def drip(s):
    try:
        for octet in whole:
            s.sendall(bytes([octet]))
            time.sleep(1)
    except OSError:
        pass
slow = opened(b'')
threading.Thread(target=drip, args=(slow,), daemon=True).start()
good = opened(whole * 100)
got = b''
while len(got) < 100 * (len(whole) + 16):
    more = good.recv(65536)
    if not more:
        break
    got += more
print('good', got == got[:len(whole) + 16] * 100 and got[len(whole) + 12:len(whole) + 16] == bytes([10, 0, 0, 1]))
print('cut', all(ended(s) for s in cut))
print('slow', ended(slow))
many = [opened(b'') for _ in range(200)]
last = opened(whole)
print('many', len(last.recv(100)) > len(whole), sum(ended(s) for s in many))
"""

with Net("names") as net:
    web = net.web(ip="10.0.0.1")
    for server in ([], ["@8.8.8.8"], ["@127.0.0.1"], ["@10.0.0.200"], ["@2001:db8::53"], ["@::1"]):
        done = net.run("pc", "dig", "+tcp", "+tries=1", "+time=30", "+short", *server, "server", "A", "server", "AAAA", "-x", "10.0.0.1")
        check(f"dig +tcp {' '.join(server)}", done.stdout.split() == ["10.0.0.1", "fd00:10::1", "server."], done)
    done = net.run("pc", "dig", "+tcp", "+tries=1", "+time=30", "@10.0.0.1", "server")
    check("a computer's port 53 is its own", "connection refused" in done.stdout, done)
    done = net.run("pc", "dig", "+tcp", "+keepopen", "+tries=1", "+time=30", "+short", "server", "server", "pc", "nobody", "server")
    check("dig +tcp +keepopen asks for one name after the other",
          [line for line in done.stdout.split() if line == "10.0.0.1"] == ["10.0.0.1"] * 3, done)
    done = net.run("pc", "dig", "+tcp", "+tries=1", "+time=30", "+noall", "+comments", "nobody.example")
    check("names that nobody has", "NXDOMAIN" in done.stdout, done)
    done = net.run("pc", "env", "RES_OPTIONS=use-vc", "getent", "ahosts", "server")
    check("the C library by TCP", {line.split()[0] for line in done.stdout.splitlines()} == {"10.0.0.1", "fd00:10::1"}, done)
    done = net.run("pc", PYTHON, "-c", HOSTILE, timeout=300)
    check("hostile queries", done.stdout.split("\n")[:5] == ["wrong True", "good True", "cut True", "slow True", "many True 200"], done)

    listener = net.start("ns", PYTHON, "-u", "-c", """
import socket
s = socket.create_server(('', 53))
while True:
    c, _ = s.accept()
    c.sendall(b'mine')
    c.close()
""", extra=["--ip", "10.0.0.53"])
    if check("a nameserver of the network's own", net.listening(53)):
        done = net.run("pc", PYTHON, "-c", "import socket\nprint(socket.create_connection(('10.0.0.53', 53)).recv(100))")
        check("is asked itself", done.stdout == "b'mine'\n", done)
        done = net.run("pc", "dig", "+tcp", "+tries=1", "+time=30", "+short", "@10.0.0.54", "server")
        check("and only it", done.stdout == "10.0.0.1\n", done)
    listener.terminate()
    check("until it ends", until(lambda: net.run("pc", "dig", "+tcp", "+tries=1", "+time=30", "+short", "@10.0.0.53", "server").stdout
                                 == "10.0.0.1\n", 60))

finish()
