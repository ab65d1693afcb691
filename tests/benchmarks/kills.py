"""How much a killed session loses: many kills at random moments of a run, with volumes of real size.

Run: `python -m tests.benchmarks.kills [KILLS] [SEED]`.
"""

import os
import sys
import tempfile
import uuid
from collections import Counter
from pathlib import Path

from simulator.lsl import isolated

if __name__ == "__main__":  # and not in the sessions, which import this and inherit the rest
    os.environ["LSLAPICFG"] = str(Path(tempfile.mkdtemp(prefix="rtrecon-lsl-")) / "lsl_api.cfg")
    Path(os.environ["LSLAPICFG"]).write_text(isolated(f"kills-{uuid.uuid4().hex}"))

import numpy as np

from rtrecon.artifact import save_artifact
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset
from rtrecon.types import Geometry, read_only
from tests.kills import TR_WALL_S, check_whole, kill_one
from tests.toy import artifact_for, save_toy

GEOMETRY = Geometry((64, 64, 34), read_only(np.diag([-3.0, 3, 3, 1])), 2.0, "int16", 2 / TR_WALL_S)


def main(kills: int = 50, seed: int = 0) -> None:
    """Kill sessions and print what each left."""
    rng, lost = np.random.default_rng(seed), Counter[int]()
    oldest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        toy, decoder = Path(folder) / "toy", Path(folder) / "decoder"
        save_toy(toy)
        save_artifact(artifact_for(Diffusion(Preset(str(toy)), "toy"), GEOMETRY), decoder)
        print(
            "| killed after | sent | on disk | lost | sent before the kill |\n|---|---|---|---|---|"
        )
        for n in range(kills):
            after_s = rng.uniform(0.3, 3.0)
            output = Path(folder) / f"session-{n}"
            killed = kill_one(f"kills-{n}", GEOMETRY, decoder, toy, output, after_s)
            check_whole(killed)
            ages = ", ".join(f"{age:.0f} ms" for age in killed.ages_ms) or "-"
            on_disk = len(killed.folder.rows)
            print(
                f"| {after_s:.2f} s | {len(killed.sent)} | {on_disk} "
                f"| {len(killed.ages_ms)} | {ages} |",
                flush=True,
            )
            lost[len(killed.ages_ms)] += 1
            oldest = max([oldest, *killed.ages_ms])
    print(
        f"\nvolumes lost: sessions {dict(sorted(lost.items()))}; the oldest sent {oldest:.0f} ms before"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
