"""Time that the caller owns: the same seed gives the same capture, octet for octet, whatever compiled the library. An hour of 50
computers over links that do all that links can do, built by gcc and clang at every level of optimisation."""
import concurrent.futures
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
from harness import check, finish  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
HOUR = ["50", "3600"]


def build(folder, compiler, level):
    """The program, from nothing but the library's sources. None with what was said when that fails."""
    program = f"{folder}/day-{compiler}-{level}"
    sources = sorted(glob.glob("engine/*/*.c", root_dir=ROOT) + glob.glob("network/*.c", root_dir=ROOT)) + ["examples/day.c"]
    said = subprocess.run([compiler, "-std=c17", f"-{level}", "-I.", "-Iinclude", "-o", program, *sources], cwd=ROOT,
                          capture_output=True, text=True, timeout=800, check=False)
    return program if said.returncode == 0 else None, said.stderr


def day(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False).stdout


def compilers():
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler):
            yield compiler
        else:
            print(f"skip  {compiler} is not here")


with tempfile.TemporaryDirectory(prefix="berth-day-") as place:
    wanted = [(compiler, level) for compiler in compilers() for level in ("O0", "O1", "O2", "O3")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        built = list(pool.map(lambda which: build(place, *which), wanted))
    first = None
    for (compiler, level), (program, error) in zip(wanted, built):
        if not check(f"{compiler} -{level} builds it", program, error):
            continue
        hashes = day(program, *HOUR, "-") + day(program, *HOUR, "new", "rough", "-")
        first = first or hashes
        check(f"{compiler} -{level}: the same captures", hashes == first and hashes.count("hash") == 2, first + hashes)
    if first:
        program = next(program for program, _ in built if program)
        check("another seed, another capture", day(program, *HOUR, "2", "-").split("hash")[1] != first.split("hash")[1])
        day(program, "10", "60", f"{place}/day.pcapng")
        check("the capture is one for tshark", not shutil.which("tshark") or subprocess.run(
            ["tshark", "-r", f"{place}/day.pcapng", "-Y", "_ws.malformed"], capture_output=True, text=True, timeout=120,
            check=False).stdout == "")
finish()
