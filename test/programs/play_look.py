"""What looks into other programs: strace, gdb, and tmux, which holds them."""
import re
import shlex

from harness import until
from lab import program
from web import SMALL, nginx


@program("strace", "curl under strace -f shows the connect() to the port with its result, and curl gets its page; a server that strace is attached "
         "to shows what it accepts and serves on")
def strace(lab):
    nginx(lab)
    for way in lab.ways():
        trace = f"{lab.folder}/trace"
        done = way.run("strace", "-f", "-o", trace, "curl", "-sS", f"http://{way.literal}/small")
        with open(trace) as file:
            said = file.read()
        made = f'inet_pton(AF_INET6, "{way.address}"' if way.ipv6 else f'inet_addr("{way.address}")'
        shown = any("connect(" in line and "htons(80)" in line and made in line and line.endswith(("EINPROGRESS (Operation now in progress)", "= 0"))
                    for line in said.splitlines())
        way.check("curl and its connect()", done.stdout == SMALL and shown, (done, said[-600:]))
    for way in lab.ways():
        workers = lab.run("server", "curl", "-sS", *["http://127.0.0.1/pid"] * 20, "-H", "Connection: close").stdout.split()
        watch = lab.start("server", "strace", "-f", "-e", "trace=accept4,close", *(f"-p{pid}" for pid in set(workers)))
        until(lambda: lab.said(watch).count("attached") == len(set(workers)), 60)
        done = way.run("curl", "-sS", f"http://{way.literal}/small")
        client = lab.address("pc", way.family) if way.between else way.address
        accepted = until(lambda: re.search(rf"accept4\(.*{re.escape(client)}", lab.said(watch)), 60)
        watch.terminate()
        watch.wait()
        again = way.run("curl", "-sS", f"http://{way.literal}/small")
        way.check("a server's accept4(), and it serves on when strace leaves", done.stdout == again.stdout == SMALL and accepted,
                  (done, again, lab.said(watch)))


@program("gdb", "curl stops at connect() with its caller's frames, goes on and gets its page; a server that gdb stops answers when it is let go")
def gdb(lab):
    nginx(lab)
    for way in lab.ways():
        done = way.run("gdb", "-q", "-batch", "-nx", "-iex", "set debuginfod enabled off", "-ex", "set breakpoint pending on", "-ex", "break connect if *(unsigned short *)$rsi != 1",
                       "-ex", "run", "-ex", "bt", "-ex", "delete", "-ex", "continue", "--args", "curl", "-sS", f"http://{way.literal}/small",
                       timeout=120)
        way.check("a breakpoint at connect(), and on", re.search(r"#0 .*connect", done.stdout) and "libcurl.so" in done.stdout and
                  SMALL in done.stdout and "exited normally" in done.stdout, done)
    for way in lab.ways():
        workers = set(lab.run("server", "curl", "-sS", *["http://127.0.0.1/pid"] * 40, "-H", "Connection: close").stdout.split())
        holds = [lab.start("server", "gdb", "-q", "-batch", "-nx", "-iex", "set debuginfod enabled off", "-p", pid, "-ex", "break accept4",
                           "-ex", "continue", "-ex", "bt 3", "-ex", "delete", "-ex", "detach") for pid in workers]
        until(lambda: all("Continuing" in lab.said(hold) or "Breakpoint 1 at" in lab.said(hold) for hold in holds), 60)
        got = [way.run("curl", "-sS", "--retry", "0", "-m", "50", f"http://{way.literal}/small").stdout for _ in range(3)]
        stopped = until(lambda: any(re.search(r"#0 .*accept4", lab.said(hold)) for hold in holds), 60)
        way.check("a server that is stopped in accept4() and let go answers", got == [SMALL] * 3 and stopped,
                  (got, [lab.said(hold) for hold in holds]))
        for hold in holds:
            hold.terminate()
            hold.wait()


@program("tmux", "a session's shell lives on when its client has left, fetches what another computer serves, and serves what others fetch")
def tmux(lab):
    nginx(lab)
    for way in lab.ways():
        socket = f"{lab.home('tmux' + str(way.family) + way.client)}/socket"

        def ask(*words):
            return way.run("tmux", "-f", "/dev/null", "-S", socket, *words)

        def screen():
            return ask("capture-pane", "-p", "-S", "-").stdout

        def type_line(text):
            ask("send-keys", "-l", text)
            ask("send-keys", "Enter")

        begun = ask("new-session", "-d", "-x", "180", "-y", "50", "env", "PS1=", "bash", "--norc", "--noprofile")
        type_line("tty; echo $COLUMNS $LINES; echo on $BERTH_HOST")
        way.check("its shell has a terminal of the size asked for", until(lambda: f"180 50\non {way.client}\n" in screen(), 60) and
                  "/dev/pts/" in screen(), (begun, screen()))
        type_line(f"curl -sS http://{way.literal}/small")
        way.check("and fetches what the server has", until(lambda: f"\n{SMALL}" in screen(), 60), screen())
        port = 9000 + way.family
        folder = shlex.quote(f"{lab.folder}/root-server")
        type_line(f"clear; /usr/bin/python3 -m http.server -b {way.wildcard} -d {folder} {port}")
        lab.ready(port)
        other = "server" if way.between else "pc"
        at = lab.address(way.client, way.family)
        said = lab.run(other, "curl", "-sS", f"http://{f'[{at}]' if way.ipv6 else at}:{port}/small").stdout
        way.check("what it serves another computer fetches", said == SMALL, said)
        ask("send-keys", "C-c")
        way.check("^C ends the server in it", until(lambda: "Keyboard interrupt received" in screen(), 60), screen())
        ask("kill-server")
