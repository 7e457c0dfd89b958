"""`berth dump`: tcpdump's filters with the network's names, several at a time, pcapng that tshark has nothing against, and dumps
whose disk is full, whose reader goes away or who are killed."""
import os
import signal
import subprocess
import time

from harness import BERTH, Net, check, finish, until

SEND = "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor i in range(int(sys.argv[1])): s.sendto(b'x'*1000,(sys.argv[2],9))"


def tshark(path, *words):
    done = subprocess.run(["tshark", "-r", path, *words], capture_output=True, text=True, timeout=120)
    errors = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    check(f"tshark opens {os.path.basename(path)} without a complaint", done.returncode == 0 and not errors, errors)
    return done.stdout.splitlines()


def send(net, host, count, to="10.0.0.1"):
    done = net.berth("exec", host, "--", "/usr/bin/python3", "-c", SEND, str(count), to)
    check(f"{host} sends {count} datagrams", done.returncode == 0, done)


def begin(net, *words, **more):
    """A dump, once it runs."""
    program = subprocess.Popen([BERTH, "dump", "--net", net.name, *words], stderr=subprocess.PIPE, **more)
    first = program.stderr.readline()
    check(f"it says that it has begun: {' '.join(words)}", b"dumping" in first, first)
    return program


def end(program):
    program.send_signal(signal.SIGINT)
    said = program.stderr.read().decode()
    check("a dump ends by SIGINT", program.wait(20) == 0, said)
    return said


def descriptors(net):
    daemon = subprocess.run(["pgrep", "-f", f"berth daemon {net.name}$"], capture_output=True, text=True).stdout.split()
    return len(os.listdir(f"/proc/{daemon[0]}/fd")) if daemon else -1


with Net("dump") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts: {server: {ipv4_address: 10.0.0.1}, a: {ipv4_address: 10.0.0.2}, b: {ipv4_address: 10.0.0.3}}\n")
    check("a network is up", net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml").returncode == 0)
    before = descriptors(net)

    path = {name: f"{net.folder}/{name}.pcapng" for name in ("all", "a", "from-b", "cut", "three", "odd", "lossy", "pipe")}
    every = begin(net, "-w", path["all"])
    of_a = begin(net, "a", "-w", path["a"], "udp")
    from_b = begin(net, "any", "-w", path["from-b"], "udp and src b and dst host (server or a)")
    cut = begin(net, "-i", "server:lan", "-s", "60", "-w", path["cut"], "udp", "port", "9")
    three = begin(net, "-c", "3", "-w", path["three"], "src host b")
    send(net, "a", 5)
    send(net, "b", 7)
    check("one ends by itself when it has its count", three.wait(20) == 0 and "3 frames" in three.stderr.read().decode())
    for program in (every, of_a, from_b, cut):
        said = end(program)
        check("it says how many frames, and loses none", "frames dumped" in said and "lost" not in said, said)
    rows = tshark(path["all"], "-Y", "udp.port == 9 && !icmp", "-T", "fields", "-e", "frame.interface_name", "-e", "ip.src")
    check("everything, at its sender's interface", rows == ["a\t10.0.0.2"] * 5 + ["b\t10.0.0.3"] * 7, rows)
    rows = tshark(path["a"], "-T", "fields", "-e", "frame.interface_name", "-e", "udp.dstport")
    check("a computer's own frames", rows == ["a\t9"] * 5, rows)
    rows = tshark(path["from-b"], "-T", "fields", "-e", "ip.src", "-e", "udp.dstport")
    check("a filter with the network's names", rows and set(rows) == {"10.0.0.3\t9"} and len(rows) == 7, rows)
    rows = tshark(path["cut"], "-T", "fields", "-e", "frame.interface_name", "-e", "frame.cap_len", "-e", "frame.len")
    check("cut frames at one link", rows == ["server\t60\t1042"] * 12, rows)
    rows = tshark(path["cut"], "-N", "nd", "-T", "fields", "-e", "ip.src_host", "-e", "ip.dst_host")
    check("names for the addresses", set(rows) == {"a\tserver", "b\tserver"}, set(rows))
    check("three frames", len(tshark(path["three"])) == 3)
    times = tshark(path["all"], "-T", "fields", "-e", "frame.time_epoch")
    check("nanoseconds, in order, of now", times == sorted(times) and abs(float(times[0]) - time.time()) < 600 and
          all(len(stamp.split(".")[1]) == 9 for stamp in times) and any(not stamp.endswith("000") for stamp in times), times[:3])

    lossy = begin(net, "a", "-w", path["lossy"], "udp")
    check("a's link loses all", net.berth("netem", "a", "loss", "100%").returncode == 0)
    send(net, "a", 4)
    check("and is whole again", net.berth("netem", "a", "loss", "0%").returncode == 0)
    end(lossy)
    rows = tshark(path["lossy"], "-T", "fields", "-e", "frame.comment")
    check("what is dropped is there with its cause", len(rows) == 4 and all("loss" in row for row in rows), rows)

    for words, said in [(("tcp prot 80",), 'at "prot"'), (("server", "tcp[13] & = 2"), 'at "="'), (("port nosuchport",), 'at "nosuchport"'),
                        (("(tcp",), "at its end"), (("-i", "servr", "tcp"), 'did you mean "server"'), (("sevrer", "udp"), "first word is no computer"),
                        (("server:lan7",), "lan7"), (("not " * 3000 + "tcp",), "more than")]:
        done = net.berth("dump", "-w", path["odd"], *words)
        check(f"refused: {' '.join(words)[:40]}", done.returncode == 1 and said in done.stderr and not os.path.exists(path["odd"]), done)
    for words in (("-w", "x", "--stop"), (), ("-c", "many", "-w", "x")):
        check(f"misuse: {words}", net.berth("dump", *words).returncode == 2)

    full = begin(net, "-w", "/dev/full")
    send(net, "a", 50)
    check("a full disk ends a dump, with a message", full.wait(20) == 1 and "No space left" in (text := full.stderr.read().decode()), text)

    killed = begin(net, "-w", path["odd"])
    send(net, "a", 5)
    killed.kill()
    killed.wait()
    killed.stderr.close()

    reader, writer = os.pipe()
    gone = begin(net, "-w", "-", stdout=writer)
    os.close(writer)
    send(net, "a", 5)
    check("a reader gets frames as they come", len(os.read(reader, 100)) == 100)
    os.close(reader)
    send(net, "a", 5)
    check("a reader that goes ends it", gone.wait(20) == 0, gone.stderr.read())

    # Nobody reads: the network goes on, and what did not fit is counted.
    reader, writer = os.pipe()
    slow = begin(net, "-B", "200", "-w", "-", stdout=writer)
    os.close(writer)
    send(net, "a", 3000)
    with open(path["pipe"], "wb") as file:
        slow.send_signal(signal.SIGINT)
        while data := os.read(reader, 65536):
            file.write(data)
    os.close(reader)
    said = slow.stderr.read().decode()
    check("frames that have no room are lost and counted", slow.wait(20) == 0 and "lost" in said, said)
    kept = int(said.split()[1])
    check("what is there is whole", len(tshark(path["pipe"])) == kept and 100 < kept < 3000, said)
    check("nothing stays open for dumps that have ended", until(lambda: descriptors(net) == before), (before, descriptors(net)))

    reader, writer = os.pipe()
    source = begin(net, "-c", "4", "-w", "-", "udp", stdout=writer)
    os.close(writer)
    live = subprocess.Popen(["tshark", "-l", "-r", "-", "-T", "fields", "-e", "udp.dstport"], stdin=reader, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    os.close(reader)
    send(net, "b", 4)
    check("into tshark by a pipe", live.communicate(timeout=60)[0].split() == ["9"] * 4)
    check("which ends with it", source.wait(20) == 0)
    source.stderr.close()
    last = begin(net, "-w", path["odd"], "udp")
    send(net, "a", 3)
    check("down", net.berth("down").returncode == 0)
    check("the network's end ends a dump", last.wait(20) == 0, last.stderr.read())
    check("and all is written", len(tshark(path["odd"])) == 3)

finish()
