"""What comes with languages: Python, node, Go and Java, each a server and a client of its own that check each other's answers."""
import hashlib
import json
import os
import subprocess

from lab import HERE, program

SOURCES = f"{HERE}/sources"


def own_address(lab, way):
    """The client's, as the server must see it."""
    return lab.address(way.client, way.family) if way.between else way.address


def python_play(lab, kind):
    lab.start("server", "/usr/bin/python3", f"{SOURCES}/serve.py", kind, "7000")
    lab.ready(7000)
    lab.ready(7000, protocol="udp")
    for way in lab.ways():
        done = way.run("/usr/bin/python3", f"{SOURCES}/ask.py", way.address, "7000", own_address(lab, way))
        way.check("40 connections at once and datagrams: each answer is its own", done.stdout == "200 lines 20 datagrams\n", done)


@program("python asyncio", "each of 200 lines and 20 datagrams comes back turned round, with the client's address")
def python_asyncio(lab):
    python_play(lab, "asyncio")


@program("python forking", "each of 200 lines and 20 datagrams comes back turned round, with the client's address")
def python_forking(lab):
    python_play(lab, "forking")


@program("python threading", "each of 200 lines and 20 datagrams comes back turned round, with the client's address")
def python_threading(lab):
    python_play(lab, "threading")


@program("python http.server", "the hash of what urllib fetched")
def python_http(lab):
    data = os.urandom(2_000_000)
    lab.file("www/page", data)
    lab.start("server", "/usr/bin/python3", "-m", "http.server", "-d", f"{lab.folder}/www", "--bind", "::", "80")
    lab.ready(80)
    fetch = "import hashlib, sys, urllib.request; print(hashlib.sha256(urllib.request.urlopen(sys.argv[1], timeout=60).read()).hexdigest())"
    for way in lab.ways():
        done = way.run("/usr/bin/python3", "-c", fetch, f"http://{way.literal}/page")
        way.check("the same hash", done.stdout.strip() == hashlib.sha256(data).hexdigest(), done)


@program("node", "hashes of what fetch posted, from all workers of a cluster; datagrams come back with the client's address")
def node(lab):
    lab.start("server", "node", f"{SOURCES}/serve.js", "7000")
    lab.ready(7000)
    lab.ready(7001, protocol="udp")
    for way in lab.ways():
        done = way.run("node", f"{SOURCES}/ask.js", way.literal, way.address, "7000", own_address(lab, way))
        said = json.loads(done.stdout or "{}")
        way.check("24 hashes by fetch, answered by more than one worker, and 20 datagrams",
                  said.get("fetched") == 24 and said.get("workers", 0) > 1 and said.get("datagrams") == 20, done)


def go_play(lab, environment):
    binary = f"{lab.folder}/talk"
    cache = {"GOCACHE": f"{lab.folder}/cache", "GOPATH": f"{lab.folder}/go", "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    built = subprocess.run(["go", "build", "-p", "2", "-o", binary, f"{SOURCES}/talk.go"], env={**os.environ, **cache, **environment},
                           capture_output=True, text=True, timeout=250)
    kind = subprocess.run(["ldd", binary], capture_output=True, text=True)
    static = "not a dynamic" in kind.stdout + kind.stderr
    lab.check("it is built as meant", built.returncode == 0 and static == (environment["CGO_ENABLED"] == "0"), (built, kind))
    lab.start("server", binary, "serve", "7000")
    lab.ready(7000, 7002)
    lab.ready(7001, protocol="udp")
    for way in lab.ways():
        done = way.run(binary, "ask", way.literal, "7000", own_address(lab, way))
        way.check("50 hashes at once, 20 datagrams, a deadline, and a read that Close ends",
                  done.stdout == "50 fetched, 20 datagrams, deadline true, closed true\n", done)


GO_PROOF = "hashes that net/http posted, 50 at once; datagrams; a deadline; a read ended by another goroutine's Close"


@program("Go static", GO_PROOF)
def go_static(lab):
    go_play(lab, {"CGO_ENABLED": "0"})


@program("Go dynamic", GO_PROOF)
def go_dynamic(lab):
    go_play(lab, {"CGO_ENABLED": "1"})


@program("Java", "lines come back turned round with the client's address, by ServerSocket's threads, by an NIO Selector, and by UDP")
def java(lab):
    subprocess.run(["javac", "-J-Xmx256m", "-d", lab.folder, f"{SOURCES}/Talk.java"], check=True, capture_output=True, timeout=250)
    words = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", lab.folder, "Talk"]
    lab.start("server", *words, "serve", "7000")
    lab.ready(7000, 7001)
    lab.ready(7002, protocol="udp")
    for way in lab.ways():
        done = way.run(*words, "ask", way.address, "7000", own_address(lab, way), timeout=120)
        way.check("each answer is its own", done.stdout == "100 by threads, 100 by a selector, 20 datagrams\n", done)
