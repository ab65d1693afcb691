"""The recorded session through calibration and live path as they are: a table of docs/signal.md.

`python -m tests.benchmarks.recorded`. Everything of a decoder comes from its fitting run; ages are
those of volumes that *start* so long after the onset.
"""

import sys
from dataclasses import replace

import numpy as np

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.fitting.fit import fit
from calibration.scoring.held_out import decode_runs
from rtrecon.bids import Run
from rtrecon.generators import Generator, load_generator
from tests.benchmarks.evidence import AGES_S, DATA


def main() -> int:
    """Print the table; where the session is absent, that is said."""
    if not DATA.is_dir():
        print("recorded: the recorded session is not on this machine: no table")
        return 0
    generator = load_generator("miniature")
    one, two = load_runs(DATA, None)
    ages = " | ".join(f"{age} s" for age in AGES_S)
    print(f"| fitted on | delay, stretch | {ages} | mean 8-20 s |\n{'|---' * (len(AGES_S) + 3)}|")
    for fitting, tested in ((one, two), (two, one)):
        row(fitting.name, fitting, tested, generator)
    for fitting, tested in ((one, two), (two, one)):
        for name, half in zip(("first", "last"), halves(fitting), strict=True):
            row(f"{fitting.name}, {name} 9 trials", half, tested, generator)
    return 0


def row(name: str, fitting: Run, tested: Run, generator: Generator) -> None:
    """Fit on one run, decode another: the share of its trials named rightly, by age."""
    artifact = fit([fitting], load_region([fitting], None, None, None), generator, "person")
    decoded = decode_runs(artifact, [tested])
    shares = []
    for age_s in AGES_S:
        young = [d for d in decoded if d.age_s - tested.geometry.tr_s <= age_s]
        newest = {d.trial.number: d.predicted == d.trial.trial_type for d in young}
        shares.append(float(np.mean(list(newest.values()))))
    values = " | ".join(f"{share:.2f}" for share in shares)
    own = f"{artifact.response.delay_s:+g} s, {artifact.response.stretch:g}"
    print(f"| {name} | {own} | {values} | {np.mean(shares[1:]):.3f} |", flush=True)


def halves(run: Run) -> tuple[Run, Run]:
    """The run cut before the trial in its middle."""
    tr_s, middle = run.geometry.tr_s, len(run.trials) // 2
    cut = int(run.trials[middle].onset_s // tr_s)
    later = [replace(t, onset_s=t.onset_s - cut * tr_s) for t in run.trials[middle:]]
    return (
        replace(run, data=run.data[..., :cut], trials=run.trials[:middle]),
        replace(run, data=run.data[..., cut:], trials=tuple(later)),
    )


if __name__ == "__main__":
    sys.exit(main())
