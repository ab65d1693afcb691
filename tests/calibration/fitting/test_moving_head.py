"""A simulated person who moves as much as a restless real one, with spikes and lost volumes."""

from pathlib import Path

import pytest

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.fitting.fit import fit
from rtrecon.generators import load_generator
from simulator.plan import Design
from simulator.session import write_session
from tests.benchmarks.robustness import MOVING, Spoilt
from tests.benchmarks.simulated import MASKS


@pytest.mark.timeout(300)
def test_realignment_saves_most_of_what_motion_costs(tmp_path: Path) -> None:
    """Lying still, z and c are foreseen with r = .14 and .37 here; moving, .04 and .22 unaligned."""
    design = Design(runs=4, trials=16, test_trials=1, motion=MOVING)
    write_session(tmp_path / "data", design, 2, quiet=True)
    runs = load_runs(tmp_path / "data", ["1", "2", "3", "4"])
    masks = [tmp_path / "data" / MASKS.format(region) for region in ("early", "ventral")]
    region = load_region(runs, None, *masks)
    spoilt = [Spoilt(**vars(run), seed=n) for n, run in enumerate(runs)]
    generator = load_generator("miniature")
    aligned, unaligned = (
        fit(spoilt, region, generator, "person", realign).about["held_out_correlation"]
        for realign in (True, False)
    )
    assert aligned["z"] > unaligned["z"] + 0.03
    assert aligned["c"] > unaligned["c"] + 0.05
