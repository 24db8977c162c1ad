"""Simulates years of nightly looks at the promotion gate, on real days of the research store (docs/promotion.md).

Says in how many years two equal models change places, in how many a model that is .01 AUC worse is promoted, and
after how many nights one that is .01 better is.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from backend import settings as settings_module
from backend.model import gate_simulation, rivals, scoring
from backend.model.gate_simulation import Duel, Usage
from backend.model.rivals import Asked
from jobs import research

SEED = 20130401
EQUAL = (*rivals.HALVES, rivals.SEEDS)
BETTER = rivals.SEEDS[0]  # the model that is weakened
NEVER = gate_simulation.LOOKS + 1  # nights: later than any look
QUANTILES = (0.25, 0.5, 0.75)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0."""
    parser = argparse.ArgumentParser(prog="python -m jobs.gate_simulation", description=__doc__)
    parser.add_argument("--years", type=_positive, default=2000, help="simulated for each pair and way of looking")
    parser.add_argument("--judged", type=_positive, default=100, help="of them with every margin, to say how soon")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(SEED)
    asked = rivals.ask(research.load(settings_module.load()), SEED, lambda said: print(said, file=sys.stderr))
    found = {"models": _models(asked), "years": options.years, "rows": []}
    for name, said in found["models"].items():
        print(f"{name:12} AUC {said['auc']:.4f}  Brier {said['brier']:.4f}")
    print(f"\n{'looks':10}{'pair':32}{'years':>7}{'promoted':>10}{'share':>8}  {'95 % interval':18}nights to promote")
    with tqdm(total=len(gate_simulation.USAGES) * (len(EQUAL) + 6), leave=False) as bar:
        for row in simulated(asked, options.years, options.judged, rng):
            found["rows"].append(row)
            bar.update()
            tqdm.write(_line(row), file=sys.stdout)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


def simulated(asked: Asked, years: int, judged: int, rng: np.random.Generator) -> Iterator[Row]:
    """One row for each way of looking and pair of models: `looks`, `pair`, `kind` (equal, worse or better), `years`,
    `promoted`, `share` and its `interval`, and where one is better its `nights` quantiles (None: not in a year)."""
    strong = asked.answers[BETTER]
    days = int(asked.day[-1]) + 1
    mixed_in = {"schedule": asked.answers["schedule"], "january": asked.answers["january"]}
    mixed_in["noise"] = scoring.sigmoid(rng.normal(size=len(strong)))
    weak = {name: gate_simulation.weakened(asked, BETTER, other) for name, other in mixed_in.items()}
    for usage in gate_simulation.USAGES:
        for one, other in EQUAL:
            drawn = gate_simulation.years(days, years, usage, rng)
            duel = Duel(asked, asked.answers[one], asked.answers[other], gate_simulation.tossed(drawn, rng))
            first = gate_simulation.first_look(gate_simulation.looks(*duel.by_day(drawn), usage))
            yield _row(usage, f"{one}, {other}", "equal", first)
        for name, answers in weak.items():
            drawn = gate_simulation.years(days, years, usage, rng)
            for kind, champion, challenger in (("worse", strong, answers), ("better", answers, strong)):
                duel = Duel(asked, champion, challenger, np.ones(drawn.day.shape))
                passed = gate_simulation.looks(*duel.by_day(drawn), usage)
                first = gate_simulation.first_look(passed)
                if kind == "better":
                    some = range(min(judged, years))
                    first = np.array([gate_simulation.promoted(duel, drawn, passed, usage, year) for year in some])
                yield _row(usage, name, kind, first)


def _row(usage: Usage, pair: str, kind: str, first: Ints) -> Row:
    promoted, years = int((first >= 0).sum()), len(first)
    nights = np.quantile(np.where(first < 0, NEVER, first + 1), QUANTILES, method="higher").tolist()
    return {
        "looks": usage.name,
        "pair": pair,
        "kind": kind,
        "years": years,
        "promoted": promoted,
        "share": promoted / years,
        "interval": gate_simulation.interval(promoted, years),
        "nights": [None if night == NEVER else night for night in nights] if kind == "better" else None,
    }


def _models(asked: Asked) -> dict[str, dict[str, float]]:
    return {
        name: {
            "auc": float(roc_auc_score(asked.truth, answers)),
            "brier": float(np.mean((answers - asked.truth) ** 2)),
        }
        for name, answers in asked.answers.items()
    }


def _line(row: Row) -> str:
    low, high = row["interval"]
    nights = "" if row["nights"] is None else ", ".join("–" if night is None else str(night) for night in row["nights"])
    pair = f"{row['kind']}: {row['pair']}"
    interval = f"{low:.1%} to {high:.1%}"
    return (
        f"{row['looks']:10}{pair:32}{row['years']:>7,}{row['promoted']:>10,}{row['share']:>8.1%}  {interval:18}{nights}"
    )


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
