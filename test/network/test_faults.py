"""Faults on demand, under unmodified programs: what links do, and what is said when the words are wrong."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
from harness import Net, check, finish  # noqa: E402


def words():
    """netem's words: merged, replaced, deleted; errors name the nearest."""
    with Net("faults") as net:
        net.web("web")
        said = net.berth("netem", "web", "delay", "50ms", "10ms", "loss", "2%")
        check("netem says what the link does now", said.stdout == "web delay 50ms jitter 10ms loss 2%\n", said)
        said = net.berth("netem", "web", "dealy", "50ms")
        check("a word that is none: the nearest", 'did you mean "delay"' in said.stderr and said.returncode == 2, said)


words()
finish()
