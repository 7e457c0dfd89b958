"""memcached, asked by libmemcached's tools and by its text protocol."""
from lab import program


@program("memcached", "memccat prints what memccp stored, and memcached's statistics count both")
def memcached(lab):
    lab.start("server", *lab.ordinary("memcached", "-l", "0.0.0.0,[::]", "-m", "16", "-t", "2"))
    lab.ready(11211)
    for count, way in enumerate(lab.ways(), 1):
        value = lab.file(f"{way.family}{way.client}", f"stored over {way}\n" * 1000)
        name = value.rsplit("/", 1)[1]
        servers = f"--servers={way.literal}:11211"
        way.run("memccp", servers, value)
        done = way.run("memccat", servers, name)
        way.check("memccat fetches what memccp stored", done.stdout.rstrip("\n") == (f"stored over {way}\n" * 1000).rstrip("\n"), done)
        stats = way.run("memcstat", servers).stdout
        way.check("the statistics count them", f"cmd_set: {count}" in stats and f"get_hits: {count}" in stats, stats)
