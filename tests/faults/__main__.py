"""Every fault at the start, in the middle and at the end of a run; or several at once, by chance.

Run: `python -m tests.faults [--only NAME] [--plans COUNT --seed N] [--jobs N]`, or `make faults`.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # before the first use of LSL; all that is started inherits it
    os.environ["LSLAPICFG"] = "lsl_api.cfg"  # of the folder in which a case works
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["OMP_NUM_THREADS"] = "1"

import pylsl

from simulator.lsl import isolated
from tests.faults.cases import CASES
from tests.faults.document import write
from tests.faults.matrix import run_matrix


def main() -> int:
    """Run what is asked for; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=[case.name for case in CASES],
        help="this fault; several times",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=8, metavar="N", help="sessions at once [8]")
    parser.add_argument("--plans", type=int, metavar="COUNT", help="so many plans drawn by chance")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first plan [0]")
    parser.add_argument(
        "--document", action="store_true", help="write the tables of docs/promises.md, and no more"
    )
    parser.add_argument("--output", type=Path, default=Path("out/faults"), metavar="DIR")
    given = parser.parse_args()
    if given.document:
        write()
        return 0
    given.output = given.output.resolve()
    pylsl.set_config_content(isolated("faults"))  # for this process, which sends and hears nothing
    began = time.monotonic()
    shutil.rmtree(given.output, ignore_errors=True)
    if given.plans:
        from tests.faults.plans import run_plans

        seeds = range(given.seed, given.seed + given.plans)
        done, again, broken = run_plans(given.output, seeds, given.jobs)
    else:
        chosen = [case for case in CASES if not given.only or case.name in given.only]
        lines = run_matrix(given.output, chosen, given.jobs)
        done, again = len(lines), sum(line.tries > 1 for line in lines)
        broken = sum(bool(line.broken) for line in lines)
    what, took_s = "plans" if given.plans else "cases", time.monotonic() - began
    print(
        f"{done} {what} in {took_s:.0f} s: {broken or 'none'} broken, {again or 'none'} done again"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
