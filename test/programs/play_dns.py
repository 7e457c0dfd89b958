"""dnsmasq with dig: a nameserver of the user's own, which asks another one for what it does not know."""
import re

from lab import program


@program("dnsmasq", "dig gets A, AAAA, MX, SRV, TXT and PTR as they were written, by UDP and TCP; a long answer is truncated and comes by TCP; what "
         "it does not know it asks another; NXDOMAIN",
         differs="works; now and then its socket() is ended by the signal of a child's end (EINTR), and it resets the TCP connection of a "
         "query, which dig then makes anew")
def dnsmasq(lab):
    long = "".join(f"txt-record=long.test,{'x' * 200}{number}\n" for number in range(17))
    common = "no-hosts\nno-resolv\nlog-facility=-\nedns-packet-max=4096\n"
    conf = lab.file("dnsmasq.conf", f"""{common}
address=/web.test/192.0.2.7
address=/web.test/2001:db8::7
mx-host=test,mail.test,10
srv-host=_sip._tcp.test,sip.test,5060,1,2
ptr-record=7.2.0.192.in-addr.arpa,web.test
cname=alias.test,mail.test
host-record=mail.test,192.0.2.9
server=/far.test/{lab.address('upstream', 4)}
server=/far6.test/{lab.address('upstream', 6)}
{long}""")
    up = lab.file("upstream.conf", f"{common}address=/far.test/198.51.100.1\naddress=/far6.test/198.51.100.6\n")
    for host, file in (("upstream", up), ("server", conf)):
        lab.start(host, *lab.ordinary("dnsmasq", "--keep-in-foreground", "--conf-file=" + file, "--pid-file="))
    lab.ready(53)
    lab.ready(53, protocol="udp")
    for way in lab.ways():
        def ask(*words):
            done = way.run("dig", f"@{way.address}", "+timeout=20", "+tries=4", *words)
            done.stdout = re.sub(r"^;; communications error .* connection reset\n", "", done.stdout, flags=re.M)
            return done

        for proto in ("+notcp", "+tcp"):
            said = ask(proto, "+short", "web.test", "A", "web.test", "AAAA", "test", "MX", "_sip._tcp.test", "SRV", "-x", "192.0.2.7").stdout
            way.check(f"A, AAAA, MX, SRV and PTR by {proto[-3:]}", said.split("\n") ==
                      ["192.0.2.7", "2001:db8::7", "10 mail.test.", "1 2 5060 sip.test.", "web.test.", ""], said)
        said = ask("alias.test").stdout
        way.check("an alias and what it stands for; the answer comes from who was asked", "status: NOERROR" in said and
                  "CNAME\tmail.test." in said and f"SERVER: {way.address}#53({way.address}) (UDP)" in said, said)
        said = ask("+ignore", "+bufsize=512", "long.test", "TXT").stdout
        full = ask("+bufsize=512", "long.test", "TXT").stdout
        way.check("a long answer is truncated, and comes by TCP", " tc" in said.split("flags:")[1].split(";")[0] and
                  full.count("\t0\tIN\tTXT") == 17 and "(TCP)" in full, (said, full))
        said = ask("+bufsize=4096", "long.test", "TXT").stdout
        way.check("or in one datagram of fragments", said.count("\t0\tIN\tTXT") == 17 and "(UDP)" in said, said)
        said = ask("+short", "x.far.test", "x.far6.test").stdout
        way.check("another nameserver is asked over IPv4 and IPv6", said == "198.51.100.1\n198.51.100.6\n", said)
        said = ask("nobody.web9.test").stdout
        way.check("who is not known", "status: NXDOMAIN" in said or "status: REFUSED" in said, said)
