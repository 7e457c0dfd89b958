"""nginx as the server of the programs of the web, with files to fetch."""
import hashlib
import os

BIG = 8 << 20
SMALL = "hello from nginx\n"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def nginx(lab, host="server", port=80, tls_port=443, options=""):
    """nginx with two workers that share the port by SO_REUSEPORT, sendfile, and TLS with HTTP/2; the hash of /big, the certificate."""
    root = lab.home(f"root-{host}")
    data = os.urandom(BIG)
    lab.file(f"root-{host}/big", data)
    lab.file(f"root-{host}/small", SMALL)
    lab.file(f"root-{host}/links.html", '<a href="small">small</a> <a href="big">big</a>')
    work = lab.home(f"nginx-{host}")
    certificate, key = lab.certificate(host)
    user = "user root;" if os.getuid() == 0 else ""
    conf = lab.file(f"nginx-{host}/conf", f"""
{user} daemon off; worker_processes 2; pid {work}/pid;
events {{ worker_connections 512; }}
http {{ access_log {work}/access; sendfile on; tcp_nopush on; keepalive_requests 1000000;
        client_body_temp_path {work}/b; client_max_body_size 64m; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;
        uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
        server {{ listen {port} reuseport; listen [::]:{port} reuseport; listen {tls_port} ssl http2; listen [::]:{tls_port} ssl http2;
                 ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {certificate}; ssl_certificate_key {key};
                 root {root}; default_type application/octet-stream; {options}
                 location = /who {{ return 200 "$remote_addr $server_addr:$server_port $server_protocol $ssl_protocol\\n"; }}
                 location = /pid {{ return 200 "$pid\\n"; }} }} }}
""")
    lab.start(host, "nginx", "-e", "stderr", "-c", conf)
    lab.ready(port, tls_port)
    return sha(data), certificate
