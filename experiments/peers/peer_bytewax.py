"""Bytewax: the jobs as a dataflow of Python functions over the lines of the file.

    python peer_bytewax.py JOB INPUT OUT

Tuned: its sliding windower would hand a sale to each of its windows, 900 times in Python for R2; so sales are folded into tumbling windows of one
slide, and a stateful step adds what enters and takes away what leaves. One worker. Its clock may wait 10 s of event time, since its watermark
also moves with the clock on the wall; nothing of the result depends on that.
"""

import json
import sys
from collections import Counter, deque
from datetime import datetime, timedelta, timezone
from pathlib import Path

try:
    import bytewax.operators as op
    import bytewax.operators.windowing as win
    from bytewax.connectors.files import FileSink, FileSource
    from bytewax.dataflow import Dataflow
    from bytewax.testing import run_main
except ImportError as e:
    print(f"Bytewax does not load: {e}")
    sys.exit(3)

JOB, INPUT, OUT = sys.argv[1:4]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
CLOCK = win.EventClock(lambda sale: sale[0], wait_for_system_duration=timedelta(seconds=10))
HEADERS = {
    "r1": "window_end,total_sales,revenue_cents,sellers",
    "r2": "window_end,total_sales,revenue_cents,average_cents,sellers,categories,products,biggest_cents",
}


def parsed(line):
    """Time, cents, units, seller, category, product."""
    sale = json.loads(line)
    at = datetime.fromisoformat(sale["sale_date"][:-1] + "+00:00")
    cents = round(sale["price"] * 100) * sale["quantity"]
    return at, cents, sale["quantity"], sale["seller"], sale["nm_category"], sale["id_product"]


class Sliding(op.StatefulLogic):
    """Panes in, windows out: what enters is added, what leaves is taken away."""

    def __init__(self, size):
        self.size, self.end, self.panes = size, None, deque()
        self.start()

    def on_item(self, item):
        pane, entering = item
        rows = [] if self.end is None else self.upto(pane)
        self.panes.append((pane, entering))
        self.add(entering, 1)
        rows += self.upto(pane + 1, first=self.end is None)
        return rows, False

    def on_eof(self):
        return ([] if self.end is None else self.upto(self.end + self.size)), True

    def upto(self, last, first=False):
        rows = []
        for end in range(last if first else self.end + 1, last + 1):
            gone = False
            while self.panes and self.panes[0][0] < end - self.size:
                self.add(self.panes.popleft()[1], -1)
                gone = True
            if gone or self.panes:
                rows += self.row(end, gone or bool(self.panes) and self.panes[-1][0] == end - 1)
        self.end = last
        return rows

    def snapshot(self):
        return None


class Windows(Sliding):
    def start(self):
        self.n = self.cents = 0
        self.keys = [Counter() for _ in range(1 if self.size == 2 else 3)]

    def add(self, pane, sign):
        n, cents, _, keys = pane
        self.n += sign * n
        self.cents += sign * cents
        for counts, names in zip(self.keys, keys):
            for name in names:
                counts[name] += sign
                if not counts[name]:
                    del counts[name]

    def row(self, end, _changed):
        if not self.n:
            return []
        distinct = [len(counts) for counts in self.keys]
        if self.size == 2:
            return [f"{end * 30_000},{self.n},{self.cents},{distinct[0]}"]
        average = (2 * self.cents + self.n) // (2 * self.n)
        biggest = max(pane[2] for _, pane in self.panes)
        return [f"{end * 1_000},{self.n},{self.cents},{average},{','.join(map(str, distinct))},{biggest}"]


class Features(Sliding):
    def start(self):
        self.sums = (0, 0, 0)

    def add(self, pane, sign):
        self.sums = tuple(a + sign * b for a, b in zip(self.sums, pane))

    def row(self, end, changed):
        entered = bool(self.panes) and self.panes[-1][0] == end - 1
        return [(end * 30_000, entered, self.sums)] if changed else []


def windows(flow_sales, name, slide, size, kinds):
    def fold(state, sale):
        state[0] += 1
        state[1] += sale[1]
        state[2] = max(state[2], sale[1])
        for names, value in zip(state[3], sale[3:]):
            names.add(value)
        return state

    keyed = op.key_on(f"{name}_all", flow_sales, lambda _: "all")
    windower = win.TumblingWindower(length=timedelta(seconds=slide), align_to=EPOCH)
    panes = win.fold_window(f"{name}_panes", keyed, CLOCK, windower, lambda: [0, 0, 0, [set() for _ in range(kinds)]], fold, None)
    rows = op.stateful(f"{name}_windows", panes.down, lambda _: Windows(size))
    op.output(f"{name}_out", rows, FileSink(Path(OUT) / f"{name}.rows"))


def features(flow_sales, name, column, size):
    def fold(state, sale):
        return (state[0] + 1, state[1] + sale[2], state[2] + sale[1])

    keyed = op.key_on(f"{name}_key", flow_sales, lambda sale: sale[column])
    windower = win.TumblingWindower(length=timedelta(seconds=30), align_to=EPOCH)
    panes = win.fold_window(f"{name}_panes", keyed, CLOCK, windower, lambda: (0, 0, 0), fold, None)
    rows = op.stateful(f"{name}_features", panes.down, lambda _: Features(size))
    lines = op.map(f"{name}_lines", rows, lambda kv: (kv[0], f"{int(kv[1][1])},{kv[0]},{kv[1][0]},{','.join(map(str, kv[1][2]))}"))
    op.output(f"{name}_out", lines, FileSink(Path(OUT) / f"{name}.rows"))


flow = Dataflow("sales")
sales = op.map("parse", op.input("read", flow, FileSource(Path(INPUT))), parsed)
if JOB in ("R1", "R4"):
    windows(sales, "r1", 30, 2, 1)
if JOB in ("R2", "R4"):
    windows(sales, "r2", 1, 900, 3)
if JOB in ("R3", "R4"):
    features(sales, "seller", 3, 120)
    features(sales, "category", 4, 60)
run_main(flow)

for rows in Path(OUT).glob("*.rows"):
    name, lines = rows.stem, rows.read_text().splitlines()
    if name in HEADERS:
        rows.with_suffix(".csv").write_text("\n".join([HEADERS[name], *lines]) + "\n")
        continue
    # Keys do not know when the others end: what leaves after the last sale of all is not asked for.
    at = [int(line.rsplit(",", 4)[1]) for line in lines]
    last = max(t for t, line in zip(at, lines) if line.startswith("1,"))
    kept = [line[2:] for t, line in zip(at, lines) if t <= last]
    rows.with_suffix(".csv").write_text("\n".join(["key,as_of,lines,units,revenue_cents", *kept]) + "\n")
