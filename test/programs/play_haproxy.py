"""haproxy before two nginx on computers of their own."""
import os

from harness import until
from lab import program
from web import nginx


@program("haproxy", "it shares requests out to two nginx, the client's address in X-Forwarded-For; 8 MiB have "
         "their hash by http, by https and through tcp mode; one nginx is killed, and no request is lost")
def haproxy(lab):
    backs = ("web1", "web2")
    who = "location = /name { return 200 \"NAME $http_x_forwarded_for $remote_addr\\n\"; }"
    wanted = {}
    for name in backs:
        wanted[name], certificate = nginx(lab, name, options=who.replace("NAME", name))
    servers = {back: lab.programs[number] for number, back in enumerate(backs)}
    with open(f"{lab.folder}/cert.pem") as cert, open(f"{lab.folder}/key.pem") as key:
        both = lab.file("both.pem", cert.read() + key.read())
    os.chmod(both, 0o644)
    at = {name: (lab.address(name, 4), lab.address(name, 6)) for name in backs}
    lines = "\n".join(f"    server {name}v{family} [{at[name][family == 6]}]:80 check inter 500ms" if family == 6 else
                      f"    server {name}v{family} {at[name][0]}:80 check inter 500ms" for name in backs for family in (4, 6))
    conf = lab.file("haproxy.cfg", f"""
global
    maxconn 500
    nbthread 2
    stats socket {lab.folder}/stats.sock level admin
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    retries 5
    option redispatch 1
    retry-on conn-failure empty-response response-timeout
frontend web
    bind 0.0.0.0:80
    bind [::]:80 v6only
    bind 0.0.0.0:443 ssl crt {both} alpn h2,http/1.1
    bind [::]:443 v6only ssl crt {both} alpn h2,http/1.1
    option forwardfor
    default_backend nginx
backend nginx
    balance roundrobin
    option httpchk GET /small
{lines}
frontend through
    mode tcp
    bind 0.0.0.0:8000
    bind [::]:8000 v6only
    default_backend one
backend one
    mode tcp
    server only {at['web1'][0]}:80
""")
    lab.start("server", "haproxy", "-db", "-f", conf)
    lab.ready(80, 443, 8000)
    for way in lab.ways():
        client = lab.address("pc", way.family) if way.between else way.address
        base = f"http://{way.literal}"
        said = way.run("curl", "-sS", *[f"{base}/name"] * 8).stdout.splitlines()
        proxies = {lab.address("server", 4), lab.address("server", 6)}
        way.check("eight requests go to both in turn, with the client's address", len(said) == 8 and
                  sorted(line.split()[0] for line in said) == ["web1"] * 4 + ["web2"] * 4 and
                  {line.split()[1] for line in said} == {client} and {line.split()[2] for line in said} == proxies, said)
        for words in ([f"{base}/big"], ["--http2", "--cacert", certificate, f"https://{way.literal}/big"], [f"http://{way.literal}:8000/big"]):
            got = way.run("sh", "-c", " ".join(["curl", "-sS", *words, "| sha256sum"])).stdout.split()[0]
            way.check(f"8 MiB by {words[-1].split(':')[0]}{' through tcp mode' if '8000' in words[-1] else ''}",
                      got in ([wanted["web1"]] if "8000" in words[-1] else wanted.values()), (got, wanted))
    asker = lab.start("pc", "sh", "-c", "for n in $(seq 40); do curl -sS http://10.0.0.1/name || echo lost; done; echo end")
    until(lambda: lab.said(asker).count("web2"), 60)
    servers["web2"].terminate()
    asker.wait(120)
    said = lab.said(asker).splitlines()
    lab.check("one nginx ends, and no request is lost", len(said) == 41 and all(line.startswith("web") for line in said[:-1]), said)
