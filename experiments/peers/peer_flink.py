"""Flink SQL: the jobs as streaming SQL on a MiniCluster, from the jars of the PyPI package of Apache Flink.

    python peer_flink.py prepare - target/peers/prepared
    python peer_flink.py JOB INPUT OUT

Tuned: one slot, since parallelism only adds exchanges to what is counted here; windows as table functions, which share slices between
overlapping windows; objects reused; state on the heap; checkpoints off; the collector that costs the fewest CPU seconds; integer cents from the
first expression on. The start of the JVM and the planning of the query are in it, some 10 CPU seconds. What cannot be tuned from SQL is that a
window adds its slices anew at each end, 900 of them for R2.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

JOB, INPUT, OUT = sys.argv[1:4]
OUT = Path(OUT)
HERE = Path(__file__).resolve().parent
PREPARED = HERE.parent.parent / "target" / "peers" / "prepared"

SETTINGS = """\
execution.target = local
parallelism.default = 1
pipeline.object-reuse = true
table.local-time-zone = UTC
"""
SOURCE = f"""
CREATE TABLE records (
  sale_date TIMESTAMP_LTZ(3), seller STRING, nm_category STRING, id_product STRING, price DECIMAL(9, 2), quantity INT,
  WATERMARK FOR sale_date AS sale_date - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'file://{Path(INPUT).resolve()}', 'format' = 'json',
        'json.timestamp-format.standard' = 'ISO-8601');;
CREATE TEMPORARY VIEW sales AS SELECT sale_date, seller, nm_category AS category, id_product AS product,
  CAST(quantity AS BIGINT) AS units, CAST(price * 100 AS BIGINT) * quantity AS cents FROM records;;
"""
END = "CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_end) AS BIGINT) * 1000"


def hop(slide, size):
    return f"TABLE(HOP(TABLE sales, DESCRIPTOR(sale_date), INTERVAL {slide}, INTERVAL {size}))"


QUERIES = {
    "r1": (
        "window_end BIGINT, total_sales BIGINT, revenue_cents BIGINT, sellers BIGINT",
        f"""SELECT {END}, COUNT(*), SUM(cents), COUNT(DISTINCT seller)
            FROM {hop("'30' SECOND", "'60' SECOND")} GROUP BY window_start, window_end""",
    ),
    "r2": (
        "window_end BIGINT, total_sales BIGINT, revenue_cents BIGINT, average_cents BIGINT, sellers BIGINT, categories BIGINT,"
        " products BIGINT, biggest_cents BIGINT",
        f"""SELECT {END}, n, cents, (2 * cents + n) / (2 * n), sellers, categories, products, biggest FROM (
              SELECT window_start, window_end, COUNT(*) AS n, SUM(cents) AS cents, COUNT(DISTINCT seller) AS sellers,
                     COUNT(DISTINCT category) AS categories, COUNT(DISTINCT product) AS products, MAX(cents) AS biggest
              FROM {hop("'1' SECOND", "'15' MINUTE")} GROUP BY window_start, window_end)""",
    ),
}
for key, size in [("seller", "'60' MINUTE"), ("category", "'30' MINUTE")]:
    QUERIES[key] = (
        "`key` STRING, window_end BIGINT, `lines` BIGINT, units BIGINT, revenue_cents BIGINT",
        f"""SELECT {key}, {END}, COUNT(*), SUM(units), SUM(cents)
            FROM {hop("'30' SECOND", size)} GROUP BY {key}, window_start, window_end""",
    )
TABLES = {"R1": ["r1"], "R2": ["r2"], "R3": ["seller", "category"], "R4": ["r1", "r2", "seller", "category"]}


def unavailable(why):
    print(why)
    sys.exit(3)


def java(name):
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / name) if home else shutil.which(name)
    if not found or not Path(found).exists():
        unavailable("Flink needs a JDK of Java 11, 17 or 21, and there is none")
    return found


def jars():
    package = importlib.util.find_spec("pyflink")
    if package is None:
        unavailable("the package apache-flink-libraries is not installed")
    flink = Path(next(iter(package.submodule_search_locations)))
    return ":".join(sorted(map(str, flink.glob("lib/*.jar"))))


def prepare():
    """Compiles the program that runs the statements; not part of what is measured."""
    done = subprocess.run([java("javac"), "-cp", jars(), "-d", str(OUT), str(HERE / "RunSql.java")], capture_output=True, text=True)
    if done.returncode != 0:
        unavailable(f"RunSql.java does not compile: {done.stderr.strip().splitlines()[-1]}")


def main():
    work = OUT / "flink"
    work.mkdir(parents=True)
    (work / "log4j.properties").write_text("rootLogger.level = OFF\n")
    (work / "settings").write_text(SETTINGS)
    script = SOURCE
    for table in TABLES[JOB]:
        where = f"'connector' = 'filesystem', 'path' = 'file://{(work / table).resolve()}', 'format' = 'csv'"
        script += f"CREATE TABLE {table}_rows ({QUERIES[table][0]}) WITH ({where});;\n"
    # One statement set is one job, so that the file is read once for all tables.
    inserts = "".join(f"INSERT INTO {table}_rows {QUERIES[table][1]};\n" for table in TABLES[JOB])
    script += f"EXECUTE STATEMENT SET BEGIN\n{inserts}END\n"
    (work / "job.sql").write_text(script)

    opens = ["java.base/java.util", "java.base/java.lang", "java.base/java.time", "java.base/java.net", "java.base/java.nio"]
    command = [java("java"), "-Xms2g", "-Xmx6g", "-XX:+UseSerialGC", f"-Djava.io.tmpdir={work.resolve()}"]
    command += [f"-Dlog4j.configurationFile=file:{(work / 'log4j.properties').resolve()}"]
    command += [word for package in opens for word in ("--add-opens", f"{package}=ALL-UNNAMED")]
    command += ["-cp", f"{PREPARED}:{jars()}", "RunSql", str(work / "settings"), str(work / "job.sql")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout[-3000:], done.stderr[-3000:])
        sys.exit("Flink failed")
    for table in TABLES[JOB]:
        names = [column.split()[0].strip("`") for column in QUERIES[table][0].split(",")]
        with open(OUT / f"{table}.csv", "w") as rows:
            rows.write(",".join(names) + "\n")
            for part in sorted((work / table).iterdir()):
                rows.write(part.read_text())


if JOB == "prepare":
    prepare()
else:
    main()
