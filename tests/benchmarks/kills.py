"""What killed sessions and their keepers leave: kills at random moments, volumes of real size.

Run: `python -m tests.benchmarks.kills [KILLS] [SEED]`.
"""

import os
import sys
import tempfile
import uuid
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
from tests.kills import AFTER, TR_WALL_S, check_whole, kill_one
from tests.toy import artifact_for, save_toy

GEOMETRY = Geometry((64, 64, 34), read_only(np.diag([-3.0, 3, 3, 1])), 2.0, "int16", 2 / TR_WALL_S)


def main(kills: int = 50, seed: int = 0) -> None:
    """Kill sessions and print what each and its keeper left; stops at the first that is not whole."""
    rng, by_keeper = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as folder:
        toy, decoder = Path(folder) / "toy", Path(folder) / "decoder"
        save_toy(toy)
        save_artifact(artifact_for(Diffusion(Preset(str(toy)), "toy"), GEOMETRY), decoder)
        print("| killed after | sent | on disk by the session | by its keeper |\n|---|---|---|---|")
        for n in range(kills):
            after_s = rng.uniform(0.0, 3.0)
            output = Path(folder) / f"session-{n}"
            killed = kill_one(f"kills-{n}", GEOMETRY, decoder, toy, output, after_s)
            check_whole(killed)
            kept = len(killed.volumes) - killed.by_session
            print(
                f"| {after_s:.2f} s | {len(killed.volumes)} | {killed.by_session} | {kept} |",
                flush=True,
            )
            by_keeper += kept - AFTER
    print(f"\nno volume lost in {kills} kills; {by_keeper} were on their way at the kill")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
