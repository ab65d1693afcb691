"""Everything from nothing: a simulated person, calibration, a live run over LSL, its scores."""

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pylsl

from rtrecon.errors import Error
from simulator.lsl import isolated

ROOT = Path(__file__).resolve().parent.parent
STREAM = "demo-scanner"
PICTURES = {"miniature": "scenes", "faces": "faces"}  # what each generator draws


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns its exit code."""
    options = _parser().parse_args(argv)
    try:
        Demo(options).run()
    except Error as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("out/demo"), metavar="DIR")
    parser.add_argument(
        "--generator", choices=sorted(PICTURES), default="miniature",
        help="what draws the pictures [miniature]",
    )  # fmt: skip
    parser.add_argument("--speed", type=float, default=4.0, help="of the live run [4]")
    parser.add_argument("--effect", type=float, default=1.0, help="0: a brain that sees nothing")
    parser.add_argument("--seed", type=int, default=0, help="of the person")
    parser.add_argument("--headless", action="store_true", help="no window at all")
    return parser


class Demo:
    """The stages of the demo, each the program that a user would call.

    The person and the decoders are kept beside the session's folder and used again as long as
    neither the code they came from nor the options change.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._session: Path = options.output
        who = "person" if options.generator == "miniature" else f"person-{options.generator}"
        self._cache = options.output.with_name(f"{options.output.name}-{who}")
        self._data, self._decoder = self._cache / "data", self._cache / "decoder"
        self._started = time.monotonic()
        self._started_lsl = pylsl.local_clock()

    def run(self) -> None:
        """Calibrate if need be, stream and reconstruct, score and say where the results are."""
        self._set_aside()
        self._calibrate()
        runs = sorted((self._data / "sub-01" / "func").glob("*_bold.nii.gz"))
        self._live(runs[-1])
        self._report()

    def _calibrate(self) -> None:
        made_of = _fingerprint(self._options)
        known = self._cache / "made_of.txt"
        if known.is_file() and known.read_text() == made_of:
            self._say("the person and the decoders of an earlier demo are used again (cached)")
            return
        shutil.rmtree(self._cache, ignore_errors=True)
        self._cache.mkdir(parents=True)
        self._say("1/3  a simulated person looks at pictures in a simulated scanner")
        effect, seed = str(self._options.effect), str(self._options.seed)
        pictures = PICTURES[self._options.generator]
        _call(
            "simulator", "session", self._data, "--pictures", pictures,
            "--effect", effect, "--seed", seed,
        )  # fmt: skip
        self._say("2/3  the person's decoders are fitted")
        masks = self._data / "derivatives" / "masks" / "sub-01" / "func"
        labels = [str(n + 1) for n in range(len(list(self._data.rglob("*_bold.nii.gz"))) - 1)]
        _call(
            "calibration", "fit", self._data, "--runs", *labels, "--output", self._decoder,
            "--generator", self._options.generator,
            "--early", masks / "sub-01_task-view_desc-early_mask.nii.gz",
            "--ventral", masks / "sub-01_task-view_desc-ventral_mask.nii.gz",
        )  # fmt: skip
        known.write_text(made_of)

    def _live(self, run: Path) -> None:
        self._say("3/3  a live run of pictures that the decoders have never seen")
        environment = self._environment()
        speed = str(self._options.speed)
        scanner = subprocess.Popen(
            _command("simulator", "play", run, "--stream", STREAM, "--speed", speed),
            env=environment,
        )
        try:
            _call(
                "rtrecon", "run", "--decoder", self._decoder, "--stream", STREAM,
                "--stimuli", self._data / "stimuli", "--output", self._session,
                "--until-idle", "60", *self._display(environment), environment=environment,
            )  # fmt: skip
        finally:
            scanner.terminate()
            scanner.wait()

    def _display(self, environment: dict[str, str]) -> list[str | Path]:
        if self._options.headless:
            return ["--headless"]
        if environment.get("QT_QPA_PLATFORM") != "offscreen":
            return []
        return ["--screenshots", self._session / "screenshots", "--close"]

    def _environment(self) -> dict[str, str]:
        """LSL kept on this machine and in a session of its own; no display means offscreen."""
        environment = dict(os.environ)
        shown = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
        if sys.platform == "linux" and not any(environment.get(name) for name in shown):
            environment["QT_QPA_PLATFORM"] = "offscreen"
        if "LSLAPICFG" not in environment:
            config = self._cache / "lsl_api.cfg"
            config.write_text(isolated(f"rtrecon-demo-{os.getpid()}"))
            environment["LSLAPICFG"] = str(config.resolve())
        return environment

    def _report(self) -> None:
        from simulator.scoring import score_session, table

        scores = score_session(self._session, self._decoder, self._data / "stimuli")
        scores["first_frame_s"] = first = round(self._first_frame_s(), 1)
        (self._session / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
        print(f"\n{table(scores)}\n")
        judged = scores["judged_kind"]
        self._say(
            f"kind of the final images as an independent classifier sees it: {judged:.0%} right"
        )
        self._say(f"the first live reconstruction was on screen {first:.0f} s after the start")
        self._say(f"session, pictures and scores: {self._session}")
        for picture in sorted(self._session.glob("contact_sheet.png")):
            self._say(f"look at {picture}")
        for folder in sorted(self._session.glob("screenshots")):
            self._say(f"look at {folder}")

    def _first_frame_s(self) -> float:
        with (self._session / "frames.tsv").open(encoding="utf-8") as file:
            first = next(csv.DictReader(file, delimiter="\t"))
        return float(first["painted"]) - self._started_lsl

    def _set_aside(self) -> None:
        """An earlier session is kept under a name of its own."""
        if (self._session / "session.json").is_file():
            made = time.localtime((self._session / "session.json").stat().st_mtime)
            kept = self._session.with_name(
                time.strftime(f"{self._session.name}-%Y%m%d-%H%M%S", made)
            )
            self._session.rename(kept)
            self._say(f"the earlier session is kept in {kept}")

    def _say(self, text: str) -> None:
        print(f"demo [{time.monotonic() - self._started:4.0f} s]: {text}", flush=True)


def _fingerprint(options: argparse.Namespace) -> str:
    """What the person and the decoders depend on: the options and the code."""
    digest = hashlib.sha256(f"{options.effect} {options.seed} {options.generator}".encode())
    for package in ("simulator", "calibration", "rtrecon"):
        for file in sorted((ROOT / package).rglob("*")):
            if file.suffix in {".py", ".safetensors"} and "display" not in file.parts:
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _command(module: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _call(module: str, *arguments: str | Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(_command(module, *arguments), env=environment, check=False)
    if done.returncode:
        raise Error(f"{module} {arguments[0]} failed with exit code {done.returncode}: see above")


if __name__ == "__main__":
    sys.exit(main())
