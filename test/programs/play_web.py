"""curl and wget, and the nginx that they ask."""
from harness import until
from lab import program
from web import SMALL, nginx, sha


def peer(lab, way):
    return lab.address("pc", way.family) if way.between else way.address


def read(path):
    with open(path, "rb") as file:
        return file.read()


@program("curl", "8 MiB have their hash, by http and https; what it posts comes back; 20 files in parallel; a name of both families")
def curl(lab):
    put = "location /put/ { dav_methods PUT; create_full_put_path on; }"
    wanted, certificate = nginx(lab, options=put)
    for way in lab.ways():
        base = f"http://{way.literal}"
        got = f"{lab.folder}/got"
        done = way.run("curl", "-sS", "-o", got, "-w", "%{http_code} %{size_download} %{remote_ip} %{local_ip}", f"{base}/big")
        way.check("8 MiB by http have their hash", sha(read(got)) == wanted and
                  done.stdout == f"200 {8 << 20} {way.address} {peer(lab, way)}", done)
        done = way.run("curl", "-sS", "--cacert", certificate, "-o", got, f"https://{way.literal}/big")
        way.check("and by https", sha(read(got)) == wanted, done)
        done = way.run("curl", "-sS", "-r", "1000-1999", f"{base}/small", f"{base}/small", f"{base}/who", f"{base}/who", "-w", "%{num_connects} ",
                       "-o", "/dev/null", "-o", "/dev/null")
        way.check("one connection for what is asked in one go", done.stdout.split()[0] == "1" and "1 0 " in done.stdout, done)
        name = f"{way.family}{way.client}"
        done = way.run("curl", "-sS", "-T", got, "-w", "%{http_code}", f"{base}/put/{name}")
        way.check("8 MiB that it puts arrive", done.stdout == "201" and sha(read(f"{lab.folder}/root-server/put/{name}")) == wanted, done)
        done = way.run("curl", "-sS", "-Z", "--no-progress-meter", *(word for number in range(20) for word in
                       ("-o", f"{lab.folder}/z{number}", f"{base}/{'small' if number % 4 else 'big'}")))
        way.check("20 files at once", [sha(read(f"{lab.folder}/z{number}")) for number in range(20)] ==
                  [sha(SMALL.encode()) if number % 4 else wanted for number in range(20)], done)
        if way.between:
            done = way.run("curl", f"-{way.family}", "-sS", "http://server/who")
            way.check("by name", done.stdout.split()[:2] == [peer(lab, way), f"{way.literal if way.ipv6 else way.address}:80"] or
                      done.stdout.split()[:2] == [peer(lab, way), f"{way.address}:80"], done)
        done = way.run("curl", "-sS", f"http://{way.literal}:81/")
        way.check("nobody at the port: connection refused", done.returncode == 7 and "refused" in done.stderr or
                  "Couldn't connect" in done.stderr, done)


@program("wget", "8 MiB have their hash, by http and https; a part is continued; a page's links are followed")
def wget(lab):
    wanted, certificate = nginx(lab)
    for way in lab.ways():
        got = f"{lab.folder}/got"
        done = way.run("wget", "-q", "-O", got, f"http://{way.literal}/big")
        way.check("8 MiB by http have their hash", sha(read(got)) == wanted, done)
        done = way.run("wget", "-q", f"--ca-certificate={certificate}", "-O", got, f"https://{way.literal}/big")
        way.check("and by https", sha(read(got)) == wanted, done)
        lab.file("got", read(got)[:1000000])
        done = way.run("wget", "-c", "-O", got, f"http://{way.literal}/big")
        way.check("what was fetched in part is continued", sha(read(got)) == wanted and "206 Partial Content" in done.stderr, done)
        tree = lab.home(f"tree{way.family}{way.client}")
        done = way.run("wget", "-r", "-nH", "-P", tree, f"http://{way.literal}/links.html")
        way.check("a page's links are followed", sha(read(f"{tree}/big")) == wanted and read(f"{tree}/small") == SMALL.encode(), done)


@program("nginx", "two workers on one port by SO_REUSEPORT both answer; sendfile's 8 MiB have their hash; TLS 1.3 with HTTP/2 over one "
         "connection; a reload loses no request")
def nginx_serves(lab):
    wanted, certificate = nginx(lab)
    master = lab.programs[-1]
    for way in lab.ways():
        base = f"http://{way.literal}"

        def workers():
            said = way.run("curl", "-sS", *[f"{base}/pid"] * 40, "-H", "Connection: close").stdout.split()
            return set(said) if len(said) == 40 else said

        way.check("both workers answer", until(lambda: len(workers()) == 2), workers())
        done = way.run("sh", "-c", f"curl -sS {base}/big | sha256sum")
        way.check("sendfile's octets have their hash", done.stdout.split()[0] == wanted, done)
        done = way.run("curl", "-sS", "--http2", "--cacert", certificate, "--tlsv1.3", "-w", "%{http_version} %{num_connects}\n",
                       *[f"https://{way.literal}/who"] * 3)
        who = f"{peer(lab, way)} {way.address}:443 HTTP/2.0 TLSv1.3\n"
        way.check("HTTP/2 over TLS 1.3: three questions on one connection", done.stdout == f"{who}2 1\n{who}2 0\n{who}2 0\n", done)
        done = way.run("sh", "-c", f"curl -sS --http2 -Z --cacert {certificate} " + " ".join(
            f"-o {lab.folder}/h{number} https://{way.literal}/big" for number in range(4)))
        way.check("and four files at once on it", [sha(read(f"{lab.folder}/h{number}")) for number in range(4)] == [wanted] * 4, done)
        before = workers()
        asker = way.start("sh", "-c", f"for n in $(seq 60); do curl -sS -H 'Connection: close' {base}/pid || echo lost; done")
        reloaded = lab.run("server", "nginx", "-s", "reload", "-e", "stderr", "-c", f"{lab.folder}/nginx-server/conf")
        asker.wait(60)
        said = lab.said(asker).split()
        way.check("a reload brings new workers and loses no request", len(said) == 60 and all(word.isdigit() for word in said) and
                  until(lambda: not before & set(workers())) and master.poll() is None, (reloaded, said, before, workers()))
