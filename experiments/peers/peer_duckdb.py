"""DuckDB: the jobs as batch SQL over the whole file.

    python peer_duckdb.py JOB INPUT OUT

Tuned: only the columns that a job asks for are read, with their types given; sales are summed by pane before anything else is done
with them; a window of 900 panes is a running sum of what enters and leaves, not 900 copies of a sale; a key counts as present from
its first sale until it has had none for a window's length. One thread, which costs the fewest CPU seconds.
"""

import sys

import duckdb

JOB, INPUT, OUT = sys.argv[1:4]

COLUMNS = {
    "sale_date": "TIMESTAMP",
    "seller": "VARCHAR",
    "nm_category": "VARCHAR",
    "id_product": "VARCHAR",
    "price": "DECIMAL(9, 2)",
    "quantity": "INTEGER",
}
NEEDS = {
    "R1": ["sale_date", "seller", "price", "quantity"],
    "R3": ["sale_date", "seller", "nm_category", "price", "quantity"],
}


def sales():
    """The sales of the file: time in ms, cents, and the columns that the job needs."""
    needed = NEEDS.get(JOB, list(COLUMNS))
    columns = ", ".join(f"{name}: '{COLUMNS[name]}'" for name in needed)
    renamed = {"seller": "seller", "nm_category": "category", "id_product": "product"}
    keys = "".join(f", {name} AS {renamed[name]}" for name in needed if name in renamed)
    return f"""SELECT epoch_ms(sale_date) AS ms, CAST(price * 100 AS BIGINT) * quantity AS cents, quantity AS units{keys}
               FROM read_json('{INPUT}', format = 'newline_delimited', columns = {{{columns}}})"""


def copy(query, name):
    db.execute(f"COPY ({query}) TO '{OUT}/{name}.csv' (HEADER)")


def r1():
    copy(
        """WITH parts AS (SELECT ms // 30000 AS pane, seller, count(*) AS n, sum(cents) AS cents FROM sales GROUP BY ALL),
                wide AS (SELECT pane + unnest([1, 2]) AS w, seller, n, cents FROM parts)
           SELECT w * 30000 AS window_end, sum(n)::BIGINT AS total_sales, sum(cents)::BIGINT AS revenue_cents,
                  count(DISTINCT seller) AS sellers
           FROM wide GROUP BY w ORDER BY w""",
        "r1",
    )


def r2():
    present = []
    for key in ["seller", "category", "product"]:
        present.append(
            f"""{key}_seen AS (SELECT DISTINCT sec, {key} FROM raw),
                {key}_near AS (SELECT sec, lag(sec) OVER w AS before, lead(sec) OVER w AS behind
                               FROM {key}_seen WINDOW w AS (PARTITION BY {key} ORDER BY sec)),
                {key}_steps AS (SELECT sec + 1 AS w, 1 AS d FROM {key}_near WHERE before IS NULL OR sec - before > 900
                                UNION ALL
                                SELECT sec + 901, -1 FROM {key}_near WHERE behind IS NULL OR behind - sec > 900),
                {key}_step AS (SELECT w, sum(d) AS d FROM {key}_steps GROUP BY w)"""
        )
    db.execute("CREATE TEMP TABLE raw AS SELECT ms // 1000 AS sec, seller, category, product, cents FROM sales")
    copy(
        f"""WITH panes AS (SELECT sec, count(*) AS n, sum(cents) AS cents, max(cents) AS biggest FROM raw GROUP BY sec),
                 ends AS (SELECT unnest(generate_series(min(sec) + 1, max(sec) + 900)) AS w FROM raw),
                 {", ".join(present)},
                 windows AS (SELECT w, sum(n) OVER size AS n, sum(cents) OVER size AS cents, max(biggest) OVER size AS biggest,
                                    sum(s.d) OVER all_before AS sellers, sum(c.d) OVER all_before AS categories,
                                    sum(p.d) OVER all_before AS products
                             FROM ends LEFT JOIN panes ON panes.sec = w - 1
                                  LEFT JOIN seller_step s USING (w) LEFT JOIN category_step c USING (w)
                                  LEFT JOIN product_step p USING (w)
                             WINDOW size AS (ORDER BY w ROWS BETWEEN 899 PRECEDING AND CURRENT ROW),
                                    all_before AS (ORDER BY w ROWS UNBOUNDED PRECEDING))
            SELECT w * 1000 AS window_end, n::BIGINT AS total_sales, cents::BIGINT AS revenue_cents,
                   ((2 * cents + n) // (2 * n))::BIGINT AS average_cents, sellers::BIGINT AS sellers,
                   categories::BIGINT AS categories, products::BIGINT AS products, biggest AS biggest_cents
            FROM windows WHERE n > 0 ORDER BY w""",
        "r2",
    )


def r3():
    for key, panes in [("seller", 120), ("category", 60)]:
        copy(
            f"""WITH parts AS (SELECT {key}, ms // 30000 AS pane, count(*) AS n, sum(units) AS units, sum(cents) AS cents
                               FROM sales GROUP BY ALL),
                     upto AS (SELECT max(pane) + 1 AS last FROM parts),
                     steps AS (SELECT {key}, pane + 1 AS t, n, units, cents FROM parts
                               UNION ALL SELECT {key}, pane + 1 + {panes}, -n, -units, -cents FROM parts, upto
                               WHERE pane + 1 + {panes} <= last),
                     step AS (SELECT {key}, t, sum(n) AS n, sum(units) AS units, sum(cents) AS cents FROM steps GROUP BY ALL)
                SELECT {key} AS key, t * 30000 AS as_of, (sum(n) OVER w)::BIGINT AS lines, (sum(units) OVER w)::BIGINT AS units,
                       (sum(cents) OVER w)::BIGINT AS revenue_cents
                FROM step WINDOW w AS (PARTITION BY {key} ORDER BY t)""",
            key,
        )


db = duckdb.connect()
db.execute("SET threads = 1")
db.execute("SET preserve_insertion_order = false")
# R3 and R4 read the sales more than once: they are read from the file once.
kept = "TEMP TABLE" if JOB in ("R3", "R4") else "TEMP VIEW"
db.execute(f"CREATE {kept} sales AS {sales()}")
if JOB in ("R1", "R4"):
    r1()
if JOB in ("R2", "R4"):
    r2()
if JOB in ("R3", "R4"):
    r3()
