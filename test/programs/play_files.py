"""What moves files: rsync, git, the FTP clients with vsftpd, TFTP."""
import hashlib
import os
import pwd
import subprocess

from lab import program
from secure_shell import SecureShell

COMMITTER = {name: "tester" for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")}
GIT = {**os.environ, **COMMITTER, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


def digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        return str(error)


def tree_digest(folder):
    """Of names and contents."""
    names = sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)
    return [(name, digest(f"{folder}/{name}")) for name in names]


def tree_make(lab, name):
    for number in range(60):
        lab.file(f"{name}/{number % 7}/file {number}", os.urandom(1000 + 317 * number))
    lab.file(f"{name}/large", os.urandom(4_000_000))
    return f"{lab.folder}/{name}"


def rsync_both_ways(lab, way, source, remote, served, words):
    """To the server and back again; then, nothing is left to be sent."""
    there, back = f"up-{way.family}{way.client}", f"{lab.folder}/back-{way.family}{way.client}"
    done = [way.run("rsync", "-a", *words, f"{source}/", f"{remote}{there}/"), way.run("rsync", "-a", *words, f"{remote}{there}/", back)]
    way.check("the tree is the same there and back", tree_digest(source) == tree_digest(f"{served}/{there}") == tree_digest(back), done)
    with open(f"{back}/large", "r+b") as file:
        file.seek(2_000_000)
        file.write(b"changed")
    os.utime(f"{back}/large", (1e9, 1e9))  # the same second would hide it from rsync: it looks at size and time
    done = way.run("rsync", "-a", "--stats", "--no-whole-file", *words, f"{back}/", f"{remote}{there}/")
    words_of = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    sent = int(words_of.get("Literal data", "9999999 bytes").split()[0].replace(",", ""))
    way.check("of a changed file only what changed is sent, by rsync's own count",
              words_of.get("Number of regular files transferred") == "1" and 0 < sent < 100_000
              and digest(f"{served}/{there}/large") == digest(f"{back}/large"), done)


@program("rsync", "trees are equal there and back; a changed file goes as a difference by rsync's own count (daemon)")
def rsync(lab):
    served, source = lab.home("served"), tree_make(lab, "tree")
    conf = lab.file("rsyncd.conf", f"use chroot = no\nlog file = /dev/null\n[data]\npath = {served}\nread only = no\n")
    lab.start("server", *lab.ordinary("rsync", "--daemon", "--no-detach", f"--config={conf}", "--port=873"))
    lab.ready(873)
    for way in lab.ways():
        rsync_both_ways(lab, way, source, f"rsync://{way.literal}/data/", served, [])


@program("rsync over ssh", "trees are equal there and back; a changed file goes as a difference by rsync's own count")
def rsync_ssh(lab):
    shell, source = SecureShell(lab), tree_make(lab, "tree")
    for way in lab.ways():
        rsync_both_ways(lab, way, source, f"{shell.user.pw_name}@{way.literal}:{shell.folder}/files/", f"{shell.folder}/files",
                        ["-e", shell.line()])


def git_words(folder, *words):
    return ["git", "-C", folder, *words]


def git_repository(lab, path):
    """A bare one with a few commits, made on the machine itself."""
    work = f"{lab.folder}/first-work"
    subprocess.run(["git", "init", "-q", "-b", "main", work], check=True, env=GIT)
    for number in range(5):
        lab.file(f"first-work/file-{number}", os.urandom(200_000))
        subprocess.run(git_words(work, "add", "."), check=True, env=GIT)
        subprocess.run(git_words(work, "commit", "-q", "-m", f"commit {number}"), check=True, env=GIT)
    subprocess.run(["git", "clone", "-q", "--bare", work, path], check=True, env=GIT)


def git_both_ways(lab, way, url, bare, env):
    """Clones, commits, pushes, and clones again: what git says both have."""
    name = f"{way.family}{way.client}"
    work, again = f"{lab.folder}/work-{name}", f"{lab.folder}/again-{name}"
    done = [way.run("git", "clone", "-q", url, work, env=env)]
    lab.file(f"work-{name}/new", os.urandom(1_000_000))
    subprocess.run(git_words(work, "add", "."), env=env, capture_output=True)
    subprocess.run(git_words(work, "commit", "-q", "-m", f"over {way}"), env=env, capture_output=True)
    done += [way.run(*git_words(work, "push", "-q", "origin", "main"), env=env), way.run("git", "clone", "-q", url, again, env=env)]

    def head(folder):
        read = {**env, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        return subprocess.run(git_words(folder, "log", "-1", "--format=%H %s", "main"), env=read, capture_output=True, text=True).stdout

    heads = [head(folder) for folder in (work, bare, again)]
    way.check("after clone, push and clone all have the same commit", f"over {way}" in heads[0] and len(set(heads)) == 1, (heads, done))
    fsck = subprocess.run(git_words(again, "fsck", "--full", "--strict"), env=env, capture_output=True, text=True)
    way.check("git fsck finds the clone whole", fsck.returncode == 0 and digest(f"{work}/new") == digest(f"{again}/new"), fsck)


@program("git daemon", "git fsck, and the commit's hash in clone, server and second clone (clone and push over git://)")
def git_daemon(lab):
    os.mkdir(f"{lab.folder}/repositories")
    bare = f"{lab.folder}/repositories/one.git"
    git_repository(lab, bare)
    lab.start("server", "git", "daemon", f"--base-path={lab.folder}/repositories", "--export-all", "--enable=receive-pack", "--reuseaddr",
              env=GIT)
    lab.ready(9418)
    for way in lab.ways():
        git_both_ways(lab, way, f"git://{way.literal}/one.git", bare, GIT)


@program("git over ssh", "git fsck, and the commit's hash in clone, server and second clone")
def git_ssh(lab):
    shell = SecureShell(lab)
    bare = f"{shell.folder}/files/one.git"
    git_repository(lab, bare)
    shell.own(bare)
    for way in lab.ways():
        git_both_ways(lab, way, f"ssh://{shell.user.pw_name}@{way.literal}{bare}", bare, {**GIT, "GIT_SSH_COMMAND": shell.line()})
