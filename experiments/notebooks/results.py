"""What the notebooks share: the recorded results, the newest of each name, and how pictures look."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import Markdown

FOLDER = Path(__file__).resolve().parent.parent / "results"
plt.rcParams.update({"figure.figsize": (8, 3.4), "figure.dpi": 90, "axes.grid": True, "axes.axisbelow": True, "grid.alpha": 0.3,
                     "axes.spines.top": False, "axes.spines.right": False, "savefig.bbox": "tight"})


def load(program):
    """The results of a program by name, the newest of each name, in the order of their dates."""
    found = {}
    records = [(path, json.loads(path.read_text())) for path in FOLDER.glob("*.json")]
    for path, record in sorted(records, key=lambda r: (r[1]["date"], r[0].name)):
        if record["command"].split()[0] == program:
            found[path.stem.split("-", 3)[3]] = record
    return found


def table(header, rows):
    """A table as Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return Markdown("\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines))


def source(records):
    """Where the numbers come from."""
    rows = []
    for name, r in records.items():
        machine = f"{r['machine']['cores']} cores of {r['machine']['cpu']}"
        rows.append([name, f"`{r['command']}`", r["commit"][:7] + (" with changes" if r["dirty"] else ""), r["date"][:10], machine])
    return table(["result", "command", "commit", "date", "machine"], rows)
