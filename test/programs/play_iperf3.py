"""iperf3: TCP, the other way round, four streams, UDP."""
import json

from harness import until
from lab import program


@program("iperf3", "by its own report: TCP and -R move 40 MB, -P 4 on four streams, --bidir both ways, UDP some 200 datagrams each way with none lost "
         "and none out of order; sender and receiver agree")
def iperf3(lab):
    lab.start("server", "iperf3", "-s")
    lab.ready(5201)
    for way in lab.ways():
        def ask(*words):
            # the server takes one test at a time, tells the next one that it is busy, and opens its port anew after each
            said = {}

            def done():
                if not said:
                    said.update(json.loads(way.run("iperf3", "-c", way.address, "-J", *words).stdout or '{"error": "silent"}'))
                again = "busy" in said.get("error", "") or "Connection refused" in said.get("error", "")
                return not again or said.clear()

            until(done, 60)
            return said

        for name, words, streams in (("TCP", ["-n", "40M"], 1), ("-R", ["-n", "40M", "-R"], 1), ("-P 4", ["-n", "40M", "-P", "4"], 4),
                                     ("--bidir", ["-t", "1", "--bidir"], 2)):
            said = ask(*words)
            end = said.get("end", {})
            each = [stream["receiver"]["bytes"] for stream in end.get("streams", [])]
            sent = end.get("sum_sent", {}).get("bytes", 0)
            got = end.get("sum_received", {}).get("bytes", 0)
            way.check(f"{name}: {streams} streams that all moved octets", "error" not in said and len(each) == streams and min(each) > 0 and
                      0 < got <= sent and (name == "--bidir" or sent >= 40_000_000) and
                      end["sender_tcp_congestion"] == end["receiver_tcp_congestion"] == "cubic", (said.get("error"), end))
        for name, words in (("UDP", []), ("UDP -R", ["-R"])):
            said = ask("-u", "-b", "4M", "-l", "1200", "-k", "200", *words)
            stream = said.get("end", {}).get("streams", [{}])[0].get("udp", {})
            # a few less, or with -R more, are there when the two agree that the test is over
            way.check(f"{name}: some 200 datagrams, none lost, none out of order", stream.get("packets", 0) >= 150 and
                      stream["lost_packets"] == stream["out_of_order"] == 0, said.get("error") or stream)
