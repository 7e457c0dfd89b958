"""wrk and ab, against nginx, whose log counts what they say they asked."""
import re

from harness import until
from lab import program
from web import SMALL, nginx


def logged(lab, what):
    with open(f"{lab.folder}/nginx-server/access") as file:
        return sum(what in line for line in file)


@program("wrk", "no socket errors and no other status with 50 connections kept alive and with Connection: close; nginx's log has as many "
         "requests as it counted")
def wrk(lab):
    nginx(lab)
    for way in lab.ways():
        for words in ([], ["-H", "Connection: close"]):
            path = f"/small?{way.family}{way.client}{len(words)}"
            done = way.run("wrk", "-t2", "-c50", "-d1s", *words, f"http://{way.literal}{path}")
            counted = re.search(r"(\d+) requests in", done.stdout)
            # what was under way when the second was over is in the log only
            full = counted and until(lambda: 0 <= logged(lab, path) - int(counted[1]) <= 100, 30)
            way.check(f"50 connections {'closed after each' if words else 'kept'}", full and "Socket errors" not in done.stdout and
                      "Non-2xx" not in done.stdout, (done, logged(lab, path)))


@program("ab", "2,000 requests of 20 at once, each its length, none failed, with and without -k; nginx's log has them all")
def ab(lab):
    nginx(lab)
    for way in lab.ways():
        for words in ([], ["-k"]):
            path = f"/small?{way.family}{way.client}{len(words)}"
            done = way.run("ab", "-q", "-n", "2000", "-c", "20", *words, f"http://{way.literal}{path}")
            said = dict(re.findall(r"^([A-Z][\w -]+): +(\S+)", done.stdout, re.M))
            way.check(f"2,000 requests {'on 20 connections' if words else 'on as many connections'}",
                      said.get("Complete requests") == "2000" and said.get("Failed requests") == "0" and
                      said.get("HTML transferred") == str(2000 * len(SMALL)) and until(lambda: logged(lab, path) == 2000, 30) and
                      said.get("Keep-Alive requests", "0") == ("2000" if words else "0"), (done, logged(lab, path)))
