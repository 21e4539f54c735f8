"""The response cache's bench: `python -m bench.cache [--quick] [--out FILE]`. Method and limits: bench/README.md.

First the labelled pairs, then latency and memory at 10, 10,000 and 100,000 kept answers. Exits with 1 if a near miss is
taken for the same.
"""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import report
from bench.cache import latency, pairs
from bench.cache.labelled import HALVES
from bench.cache.latency import Sizes
from bench.processes import ROOT
from bench.running import load, measuring

RESULTS = ROOT / "bench" / "results" / "cache.json"

QUICK = Sizes(entries=(10, 10_000), rounds=3, requests=20, proofs=10)


def main() -> int:
    """Measure, print the tables, write the results."""
    options = _options()
    with measuring() as (progress, before), tempfile.TemporaryDirectory(prefix="mcp_hub_bench_") as folder:
        progress.say("the labelled pairs")
        judged, _ = pairs.measured(HALVES)
        timed = latency.measured(Path(folder), QUICK if options.quick else Sizes(), progress.say)
    document: dict[str, Any] = {
        "command": " ".join(["python -m bench.cache", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": report.machine(),
        "load_average": {"before": before, "after": load()},
        "versions": {name: version(name) for name in ("mcp_hub", "numpy", "wordllama")},
        "pairs": judged,
        "latency": timed,
    }
    print(f"{pairs.text(judged)}\n\n{latency.text(timed)}")
    path = options.out or (None if options.quick else RESULTS)
    if path is not None:
        path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"Written to {path}." if path else "Not written: a quick run is kept only with --out FILE.", file=sys.stderr)
    return 1 if pairs.false_hits(judged) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cache", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 and 10,000 entries only, fewer rounds")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write; by default a whole run is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
