"""openssh's server as an ordinary user, and what goes through it."""
import hashlib
import os

from lab import HERE, program
from secure_shell import SecureShell


def digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        return str(error)


def sent_by_scp_and_sftp(lab, shell, way, number):
    data = lab.file(f"up-{number}", os.urandom(3_000_000))
    there, back = f"{shell.folder}/files/{number}", f"{lab.folder}/back-{number}"
    target = f"{shell.user.pw_name}@{way.literal}:{there}"
    done = [way.run("scp", *shell.options, data, f"{target}-scp"), way.run("scp", *shell.options, f"{target}-scp", f"{back}-scp")]
    way.check("scp there and back: the same hash", digest(data) == digest(f"{there}-scp") == digest(f"{back}-scp"), done)
    batch = lab.file(f"batch-{number}", f"put {data} {there}-sftp\nget {there}-sftp {back}-sftp\nls -l {there}-sftp\n")
    done = way.run("sftp", *shell.options, "-b", batch, f"{shell.user.pw_name}@{way.literal}")
    way.check("sftp puts and gets: the same hash, and lists its size",
              digest(data) == digest(f"{there}-sftp") == digest(f"{back}-sftp") and "3000000" in done.stdout, done)


@program("openssh", "hashes of what ssh, scp and sftp carried; SSH_CONNECTION; what servers behind -L, -R and -D saw")
def openssh(lab):
    shell = SecureShell(lab)
    for number, way in enumerate(lab.ways()):
        data = os.urandom(2_000_000)
        done = way.run(*shell.words(way), "sha256sum", input=data, text=False)
        way.check("2 MB through ssh: the server's hash", hashlib.sha256(data).hexdigest().encode() in done.stdout, done)
        done = way.run(*shell.words(way), "echo $SSH_CONNECTION; exit 7")
        client = lab.address("pc", way.family) if way.between else way.address
        ends = done.stdout.split()
        way.check("SSH_CONNECTION names both ends, and the command's status comes back",
                  len(ends) == 4 and (ends[0], *ends[2:]) == (client, way.address, "22") and done.returncode == 7, done)
        sent_by_scp_and_sftp(lab, shell, way, number)


@program("openssh forwarding", "a server behind -L, -R and -D (SOCKS) names itself and from whom it was asked")
def forwarding(lab):
    shell = SecureShell(lab)
    for name, port in (("server", 7000), ("pc", 7001), ("third", 7002)):
        lab.start(name, "/usr/bin/python3", f"{HERE}/answer.py", name, str(port))
    lab.ready(7000, 7001, 7002)
    third = [lab.address("third", family) for family in (4, 6)]
    for number, way in enumerate(lab.ways()):
        ports = {what: 8000 + 10 * number + add for add, what in enumerate("LRD")}
        own = (way.client, 7001) if way.between else ("server", 7000)
        way.start(*shell.words(way, "-N", "-L", f"{ports['L']}:localhost:7000", "-R", f"{ports['R']}:localhost:{own[1]}",
                               "-D", str(ports["D"])))
        lab.ready(*ports.values())
        for local in ("127.0.0.1", "[::1]"):
            done = way.run("curl", "-sS", "--max-time", "30", f"http://{local}:{ports['L']}/left{number}")
            way.check(f"-L, asked at {local}: the server's own", done.stdout.startswith(f"server heard /left{number} from "), done)
        done = lab.run("server", "curl", "-sS", "--max-time", "30", f"http://127.0.0.1:{ports['R']}/right{number}")
        way.check("-R, asked on the server: the client's", done.stdout.startswith(f"{own[0]} heard /right{number} from "), done)
        for address, seen in zip(third, (lab.address("server", 4), lab.address("server", 6))):
            literal = f"[{address}]" if ":" in address else address
            done = way.run("curl", "-sS", "--max-time", "30", "--socks5", f"127.0.0.1:{ports['D']}", f"http://{literal}:7002/dyn{number}")
            way.check(f"-D: {address} was asked by the server", done.stdout == f"third heard /dyn{number} from {seen}\n", done)
        done = way.run("curl", "-sS", "--max-time", "30", "--socks5-hostname", f"127.0.0.1:{ports['D']}", f"http://third:7002/name{number}")
        way.check("-D: the server looks names up", done.stdout.startswith(f"third heard /name{number} from "), done)
