"""Polars: the jobs as lazy frames over the whole file.

    python peer_polars.py JOB INPUT OUT

Tuned as the DuckDB script is: only the columns that a job asks for, with their types; sums by pane first; running sums of what
enters and leaves instead of 900 copies of a sale. Prices are read as floats, which hold cents exactly at this size, and are integer
cents from then on. One thread, which costs the fewest CPU seconds.
"""

import os
import sys

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import polars as pl  # noqa: E402  (reads the setting when it is imported)

JOB, INPUT, OUT = sys.argv[1:4]

SCHEMA = {
    "sale_date": pl.String,
    "seller": pl.String,
    "nm_category": pl.String,
    "id_product": pl.String,
    "price": pl.Float64,
    "quantity": pl.Int64,
}
NEEDS = {
    "R1": ["sale_date", "seller", "price", "quantity"],
    "R3": ["sale_date", "seller", "nm_category", "price", "quantity"],
}


def sales():
    """The sales of the file: time in ms, cents, and the columns that the job needs."""
    needed = NEEDS.get(JOB, list(SCHEMA))
    frame = pl.scan_ndjson(INPUT, schema={name: SCHEMA[name] for name in needed})
    keys = {"seller": "seller", "nm_category": "category", "id_product": "product"}
    return frame.select(
        ms=pl.col("sale_date").str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ", time_unit="ms").cast(pl.Int64),
        cents=(pl.col("price") * 100).round().cast(pl.Int64) * pl.col("quantity"),
        units=pl.col("quantity"),
        **{keys[name]: pl.col(name) for name in needed if name in keys},
    )


def write(frame, name):
    frame.write_csv(f"{OUT}/{name}.csv")


def r1(sales):
    parts = sales.group_by(pane=pl.col("ms") // 30_000, seller="seller").agg(n=pl.len(), cents=pl.col("cents").sum())
    parts = parts.collect(engine="streaming")
    wide = pl.concat([parts.with_columns(w=pl.col("pane") + 1), parts.with_columns(w=pl.col("pane") + 2)])
    rows = wide.group_by("w").agg(
        total_sales=pl.col("n").sum(), revenue_cents=pl.col("cents").sum(), sellers=pl.col("seller").n_unique()
    )
    write(rows.sort("w").select(pl.col("w").alias("window_end") * 30_000, pl.exclude("w")), "r1")


def presence(raw, key):
    """By how much the number of keys that are present changes at each end of a window."""
    seen = raw.select("sec", key).unique().sort(key, "sec").select(
        "sec", before=pl.col("sec") - pl.col("sec").shift(1).over(key), behind=pl.col("sec").shift(-1).over(key) - pl.col("sec")
    )
    comes = seen.filter(pl.col("before").is_null() | (pl.col("before") > 900)).select(w=pl.col("sec") + 1, d=pl.lit(1))
    goes = seen.filter(pl.col("behind").is_null() | (pl.col("behind") > 900)).select(w=pl.col("sec") + 901, d=pl.lit(-1))
    return pl.concat([comes, goes]).group_by("w").agg(pl.col("d").sum().alias(key))


def r2(sales):
    raw = sales.select("seller", "category", "product", "cents", sec=pl.col("ms") // 1_000).collect(engine="streaming")
    panes = raw.group_by("sec").agg(n=pl.len(), cents=pl.col("cents").sum(), biggest=pl.col("cents").max())
    ends = pl.DataFrame({"w": pl.int_range(raw["sec"].min() + 1, raw["sec"].max() + 901, eager=True)})
    rows = ends.join(panes.with_columns(w=pl.col("sec") + 1), on="w", how="left")
    for key in ["seller", "category", "product"]:
        rows = rows.join(presence(raw, key), on="w", how="left")
    summed = [pl.col(name).fill_null(0).cast(pl.Int64) for name in ["n", "cents"]]
    rows = rows.sort("w").select(
        "w",
        *[column.rolling_sum(900, min_samples=1) for column in summed],
        pl.col("biggest").rolling_max(900, min_samples=1),
        *[pl.col(key).fill_null(0).cast(pl.Int64).cum_sum() for key in ["seller", "category", "product"]],
    )
    n, cents = pl.col("n"), pl.col("cents")
    rows = rows.filter(n > 0).select(
        window_end=pl.col("w") * 1_000, total_sales=n, revenue_cents=cents, average_cents=(2 * cents + n) // (2 * n),
        sellers="seller", categories="category", products="product", biggest_cents="biggest",
    )
    write(rows, "r2")


def r3(sales):
    for key, panes in [("seller", 120), ("category", 60)]:
        numbers = ["lines", "units", "revenue_cents"]
        parts = sales.group_by(key, t=pl.col("ms") // 30_000 + 1).agg(
            lines=pl.len().cast(pl.Int64), units=pl.col("units").sum(), revenue_cents=pl.col("cents").sum()
        )
        parts = parts.collect(engine="streaming")
        gone = parts.select(key, pl.col("t") + panes, *[-pl.col(name) for name in numbers])
        gone = gone.filter(pl.col("t") <= parts["t"].max())
        steps = pl.concat([parts, gone]).group_by(key, "t").agg(pl.col(numbers).sum()).sort(key, "t")
        rows = steps.select(pl.col(key).alias("key"), pl.col("t").alias("as_of") * 30_000, pl.col(numbers).cum_sum().over(key))
        write(rows, key)


lazy = sales()
if JOB in ("R3", "R4"):
    # These jobs read the sales more than once: they are read from the file once.
    lazy = lazy.collect(engine="streaming").lazy()
if JOB in ("R1", "R4"):
    r1(lazy)
if JOB in ("R2", "R4"):
    r2(lazy)
if JOB in ("R3", "R4"):
    r3(lazy)
