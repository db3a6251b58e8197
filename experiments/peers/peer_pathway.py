"""Pathway: the jobs as tables with sliding windows over the file, read as a static source.

    python peer_pathway.py JOB INPUT OUT

Tuned: one worker; only the columns that a job asks for; batch mode, which keeps no history. Its sliding windows hand each sale to each of
its windows, so R3 first sums by key and 30 s, which cannot be done for the distinct counts of R2: these would be 900 rows in memory for each
sale, and are not tried.
"""

import os
import sys

os.environ.setdefault("PATHWAY_THREADS", "1")
JOB, INPUT, OUT = sys.argv[1:4]

try:
    import pathway as pw
except ImportError as e:
    print(f"Pathway does not load: {e}")
    sys.exit(3)
if JOB in ("R2", "R4"):
    print("R2 puts each sale into 900 windows, each kept as a row in memory")
    sys.exit(3)


class Sale(pw.Schema):
    sale_date: str
    seller: str
    nm_category: str
    price: float
    quantity: int


sales = pw.io.jsonlines.read(INPUT, schema=Sale, mode="static")
sales = sales.select(
    pw.this.seller,
    category=pw.this.nm_category,
    ms=pw.this.sale_date.dt.strptime("%Y-%m-%dT%H:%M:%S.%fZ").dt.timestamp(unit="ms"),
    units=pw.this.quantity,
    price=pw.this.price,
)
sales = sales.select(
    pw.this.seller, pw.this.category, pw.this.units,
    pane=pw.cast(int, pw.this.ms) // 30_000,
    cents=pw.cast(int, pw.this.price * 100 + 0.5) * pw.this.units,
)


def windows(parts, size, **values):
    return parts.windowby(pw.this.pane, window=pw.temporal.sliding(hop=1, duration=size), **values)


if JOB == "R1":
    parts = sales.groupby(pw.this.pane, pw.this.seller).reduce(
        pw.this.pane, pw.this.seller, n=pw.reducers.count(), cents=pw.reducers.sum(pw.this.cents)
    )
    rows = windows(parts, 2).reduce(
        window_end=pw.this._pw_window_end * 30_000, total_sales=pw.reducers.sum(pw.this.n),
        revenue_cents=pw.reducers.sum(pw.this.cents), sellers=pw.reducers.count(),
    )
    # Seller and window: a seller of both panes counts once.
    both = windows(parts, 2, instance=pw.this.seller).reduce(window_end=pw.this._pw_window_end * 30_000)
    distinct = both.groupby(pw.this.window_end).reduce(pw.this.window_end, sellers=pw.reducers.count())
    rows = rows.join(distinct, pw.left.window_end == pw.right.window_end).select(
        pw.left.window_end, pw.left.total_sales, pw.left.revenue_cents, pw.right.sellers
    )
    pw.io.csv.write(rows, f"{OUT}/r1.raw")
else:
    for key, size in [("seller", 120), ("category", 60)]:
        parts = sales.groupby(pw.this.pane, sales[key]).reduce(
            pw.this.pane, key=sales[key], n=pw.reducers.count(), units=pw.reducers.sum(pw.this.units),
            cents=pw.reducers.sum(pw.this.cents),
        )
        rows = windows(parts, size, instance=pw.this.key).reduce(
            key=pw.this._pw_instance, window_end=pw.this._pw_window_end * 30_000, lines=pw.reducers.sum(pw.this.n),
            units=pw.reducers.sum(pw.this.units), revenue_cents=pw.reducers.sum(pw.this.cents),
        )
        pw.io.csv.write(rows, f"{OUT}/{key}.raw")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)

for name in ["r1", "seller", "category"]:
    if os.path.exists(f"{OUT}/{name}.raw"):
        with open(f"{OUT}/{name}.raw") as raw, open(f"{OUT}/{name}.csv", "w") as rows:
            # Its last two columns are its own time and whether the row came or went.
            rows.writelines(line.rstrip("\n").rsplit(",", 2)[0] + "\n" for line in raw)
