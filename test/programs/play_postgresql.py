"""PostgreSQL: psql asks it, pgbench loads it. initdb and postgres refuse root, so as root an ordinary user runs them."""
import glob

from lab import program

BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]


@program("postgresql", "psql reads back what it wrote and is told its address by the server; pgbench's transactions and the balances of "
         "its accounts agree")
def postgresql(lab):
    folder = f"{lab.home('pg')}/data"
    made = lab.run("server", *lab.ordinary(f"{BIN[0]}/initdb", "-D", folder, "-A", "trust", "-U", "berth", "-E", "UTF8", "--no-sync"))
    lab.check("initdb makes a cluster", "Success" in made.stdout, made)
    lab.file("pg/data/pg_hba.conf", "host all all all trust\n")
    # parallel workers, and the statistics of libpq's own connections, run beside the clients
    lab.start("server", *lab.ordinary(f"{BIN[0]}/postgres", "-D", folder, "-h", "*", "-k", "", "-c", "fsync=off"))
    lab.ready(5432)
    for way in lab.ways():
        at = ["-h", way.address, "-U", "berth"]

        def ask(*words, **more):
            return way.run("psql", *at, "-d", "postgres", "-X", "-q", "-A", "-t", *words, **more)

        table = f"t{way.family}{way.client}"
        done = ask("-c", f"create table {table} as select n, md5(n::text) as m from generate_series(1, 20000) n",
                   "-c", f"select count(*), md5(string_agg(m, '' order by n)) from {table}")
        wanted = ask("-c", "select count(*), md5(string_agg(md5(n::text), '' order by n)) from generate_series(1, 20000) n").stdout
        way.check("a table of 20,000 rows has the hash that it should", done.stdout == wanted and wanted.startswith("20000|"), (done, wanted))
        copied = ask("-c", f"copy {table} to stdout").stdout
        way.check("copy brings all its rows", copied.count("\n") == 20000 and copied.startswith("1\tc4ca4238a0b923820dcc509a6f75849b\n"),
                  copied[-300:])
        said = ask("-c", "select host(inet_server_addr()), inet_server_port(), host(inet_client_addr())").stdout
        client = lab.address("pc", way.family) if way.between else way.address
        way.check("the server says who is connected", said == f"{way.address}|5432|{client}\n", said)
        heard = ask("-c", "listen news", "-c", "notify news, 'hello'").stdout
        way.check("notify reaches who listens", 'notification "news" with payload "hello"' in heard, heard)

        ask("-c", f"create database {table}")
        way.run("pgbench", *at, "-i", "-q", table)
        done = way.run("pgbench", *at, "-c", "4", "-j", "2", "-t", "50", "-n", table)
        sums = way.run("psql", *at, "-d", table, "-X", "-A", "-t", "-c", "select (select count(*) from pgbench_history), "
                       "(select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)").stdout
        way.check("pgbench: 200 transactions, none failed, and the balances agree", "processed: 200/200" in done.stdout and
                  "failed transactions: 0" in done.stdout and sums == "200|t\n", (done, sums))
