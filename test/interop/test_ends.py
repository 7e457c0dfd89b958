"""Ends of connections that do odd things, Linux at one and `berth run` at the other, over a TAP device: half-closes, resets, octets that
nobody reads, urgent ones, windows that stay closed, and telnet's Synch. test_ends.py BUILD/tool/berth. Needs root."""
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from test_tap import DEVICE, LINUX, OURS, PYTHON, Space, check, finish, tshark
from harness import BERTH, Net, until
import ends
import servers
import stage

ENDS = f"{os.path.dirname(os.path.abspath(__file__))}/ends.py"


def scenarios(net, space):
    net.start("server", PYTHON, "-B", ENDS, "serve")
    space.start(PYTHON, "-B", ENDS, "serve")
    check("both ends serve", net.listening(ends.REPORT) and space.listening(ends.REPORT))
    sides = (("Linux", OURS, space.run), ("berth run", LINUX, lambda *words, **more: net.run("pc", *words, **more)))
    # The scenarios of a side mostly wait: all at once.
    with ThreadPoolExecutor(2) as pool:
        for who, address, run in sides:
            asked = {name: pool.submit(run, PYTHON, "-B", ENDS, "ask", name, address, timeout=120) for name in ends.SERVERS}
            for name, done in asked.items():
                check(f"{who}: {name}", done.result().returncode == 0, done.result())


def telnet(net, space):
    """`send synch` is urgent towards the server, and its answer to `send ao` towards the client; the session goes on."""
    for where, start in (("ours", lambda *words: net.start("server", *words)), ("theirs", space.start)):
        os.mkdir(f"{net.folder}/{where}")
        start(*servers.inetd(f"{net.folder}/{where}"))
    check("telnetd listens on both sides", net.listening(23) and space.listening(23))
    for who, address, words in (("Linux", OURS, space.words("inetutils-telnet", OURS)),
                                ("berth run", LINUX, net.words("pc", ["inetutils-telnet", LINUX]))):
        capture = f"{net.folder}/{who.split()[0]}.pcapng"
        net.berth("dump", "-d", "-B", "1048576", "-w", capture)
        client = stage.Program("telnet", words, terminal=True)
        try:
            client.expect("say something> ")
            client.type("hello")
            client.expect("you said uryyb> ")
            for count, signal_sent in enumerate(("synch", "ao"), 1):
                os.write(client.input, b"\x1d")
                client.expect("telnet> ", count=count)
                client.type(f"send {signal_sent}")
            os.write(client.input, b"\r")
            client.type("again")
            client.expect("you said ntnva> ")
            client.type("bye")
            check(f"{who}: telnet goes on after synch and ao", client.finish() in (0, 1), client.said)
        except stage.Failure as failure:
            check(f"{who}: telnet goes on after synch and ao", False, failure)
            os.kill(client.pid, signal.SIGKILL)
        net.berth("dump", "--stop")
        urgent = set(tshark(capture, "-Y", "tcp.flags.urg == 1", "-T", "fields", "-e", "ip.src"))
        check(f"{who}: urgent segments went both ways", len(urgent) == 2 and LINUX in urgent, urgent)


def main():
    with Net("ends") as net, Space() as space:
        net.start("server", "sleep", "1000", extra=["--ip", OURS])
        until(lambda: OURS in net.berth("hosts").stdout)
        check("berth tap", space.run(BERTH, "tap", "--net", net.name, DEVICE).returncode == 0)
        scenarios(net, space)
        telnet(net, space)
    finish()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
