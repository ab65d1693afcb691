"""The command line of the simulated scanner: `rtrecon-simulate`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from rtrecon.bids_files import is_bold
from rtrecon.errors import Error
from rtrecon.network import PEERS, confine, keep_offline
from rtrecon.printable import printable_lines
from simulator.faults import KINDS, Faults, machine, parse_faults
from simulator.plan import GALLERIES, Design

if TYPE_CHECKING:
    from simulator.cable import Cable
    from simulator.recording import Place


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 1 after one line on standard error."""
    given = _parser().parse_args(argv)
    keep_offline()
    try:
        confine(getattr(given, "peers", None))
        return int(given.work(given))
    except Error as error:
        print(f"rtrecon-simulate: {printable_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rtrecon-simulate: interrupted", file=sys.stderr)
        return 1


def _session(given: argparse.Namespace) -> int:
    from simulator.session import write_session

    names = ("runs", "trials", "test_runs", "test_trials", "noise_trials", "tr_s", "trial_s",
             "stimulus_s", "effect", "ongoing", "motion", "seed", "pictures", "test_repeats")  # fmt: skip
    design = Design(**{name: getattr(given, name) for name in names})
    write_session(given.folder, design, given.processes, given.overwrite, given.quiet)
    return 0


def _play(given: argparse.Namespace) -> int:
    from simulator.faults.drawing import drawn
    from simulator.keys import space_bar
    from simulator.recording import open_recording, seek
    from simulator.scanner import play, scan_of

    recording = open_recording(given.run)
    if given.seek is not None:
        recording = seek(recording, given.seek)
    faults = drawn(given.faults, scan_of(recording, given.speed))
    if given.faults.random is not None:
        print(f"--faults {faults}", flush=True)
    if not given.quiet:
        print(f"stream '{given.stream}' waits up to {given.wait_s:g} s for a receiver", flush=True)
    total = None if given.loop is None else given.loop * recording.n_volumes
    # Not drawn before the first volume: an error is then one line.
    with (
        tqdm(total=total, desc=recording.name, disable=given.quiet, delay=1e-3) as bar,
        space_bar() as paused,
        _cable_of(faults) as cable,
    ):
        play(
            recording, given.stream, given.speed, given.wait_s, faults,
            progress=lambda number: bar.update(), loop=given.loop, paused=paused, cable=cable,
            # A BIDS run stands for a scanner, which waits for nobody; the others for what came of one.
            paced=not is_bold(given.run),
        )  # fmt: skip
    return 0


@contextmanager
def _cable_of(faults: Faults) -> Iterator["Cable | None"]:
    """A cable in front of this process's streams, where it is to be cut. Before liblsl is used."""
    if not faults.of("cut"):
        yield None
        return
    import pylsl

    from simulator.cable import Cable
    from simulator.lsl import behind_a_cable, configured, ports_of

    config = configured()
    behind = behind_a_cable(config)
    pylsl.set_config_content(behind)
    with Cable(ports_of(config), ports_of(behind)) as cable:
        yield cable


def _eeg(given: argparse.Namespace) -> int:
    from simulator.eeg import Plan, Rhythm, send, stream_names

    names = ("people", "channels", "rate_hz", "first_s", "length_s", "every_s", "stagger_s",
             "amplitude_uv", "blinks", "muscle", "mains_uv", "mains_hz", "duration_s", "seed")  # fmt: skip
    plan = Plan(
        **{name: getattr(given, name) for name in names},
        rhythm=Rhythm(given.rhythm), dropouts=tuple(given.dropouts),
    )  # fmt: skip
    streams = ", ".join(f"'{name}'" for name in stream_names(plan, given.stream))
    if not given.quiet:
        print(f"{streams} wait up to {given.wait_s:g} s for receivers", flush=True)
    with tqdm(total=plan.duration_s, unit="s", disable=given.quiet, delay=1e-3) as bar:
        send(plan, given.stream, given.speed, given.wait_s, progress=bar.update)
    return 0


def _rehearse(given: argparse.Namespace) -> int:
    return machine.rehearse(given.faults, [word for word in given.session if word != "--"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rtrecon-simulate", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_session(commands.add_parser("session", help="write a simulated person's BIDS dataset"))
    _add_play(commands.add_parser("play", help="replay what was recorded over LSL"))
    _add_eeg(commands.add_parser("eeg", help="people with electrodes, each an EEG stream"))
    _add_rehearse(commands.add_parser("rehearse", help="a session whose own machine has faults"))
    return parser


def _add_session(parser: argparse.ArgumentParser) -> None:
    default = Design()
    parser.set_defaults(work=_session)
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument(
        "--pictures", choices=sorted(GALLERIES), default=default.pictures,
        help=f"what the person is shown [{default.pictures}]",
    )  # fmt: skip
    for name, kind, about in (
        ("runs", _count, "calibration runs"),
        ("trials", _count, "pictures of a calibration run"),
        ("test-runs", _count, "test runs, the last of the dataset, with pictures of their own"),
        ("test-trials", _count, "pictures of a test run"),
        ("test-repeats", _positive, "how often each of them is shown in its run"),
        ("noise-trials", _count, "noise patterns among a run's pictures; none among faces"),
        ("effect", _amount, "scale of what pictures evoke; 0: a brain that sees nothing"),
        ("ongoing", _amount, "scale of spontaneous activity, which limits decoding"),
        ("motion", _amount, "scale of head motion; 0: none"),
        ("seed", _count, "drives everything random"),
    ):
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=kind, default=value, help=f"{about} [{value}]")
    for name, value, about in (
        ("tr", default.tr_s, "repetition time"),
        ("trial-s", default.trial_s, "from one picture to the next"),
        ("stimulus-s", default.stimulus_s, "how long a picture is on"),
    ):
        dest = f"{name.removesuffix('-s').replace('-', '_')}_s"
        parser.add_argument(
            f"--{name}", dest=dest, type=_seconds, default=value, metavar="SECONDS",
            help=f"{about} [{value:g}]",
        )  # fmt: skip
    parser.add_argument("--processes", type=_positive, help="workers [one for each core]")
    parser.add_argument("--overwrite", action="store_true", help="replace a simulated session")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def _add_play(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(work=_play)
    parser.add_argument(
        "run", type=Path, metavar="RUN",
        help="a BIDS run (..._bold.nii.gz), an XDF file, or a folder that rtrecon run wrote",
    )  # fmt: skip
    parser.add_argument("--stream", default="rtrecon", help="name of the LSL stream [rtrecon]")
    parser.add_argument(
        "--speed", type=_speed, default=1.0, metavar="X",
        help="times faster than life, or max: as fast as the receiver takes it, without loss [1]",
    )  # fmt: skip
    parser.add_argument(
        "--seek", type=_place, metavar="PLACE",
        help="begin there: 40 (volumes from the start) or 80s; numbers and times count from there",
    )  # fmt: skip
    parser.add_argument(
        "--loop", type=_positive, nargs="?", const=None, default=1, metavar="N",
        help="again from the start, as new runs: N times in all, or until Ctrl-C",
    )  # fmt: skip
    parser.add_argument(
        "--wait", dest="wait_s", type=_seconds, default=60.0, metavar="SECONDS",
        help="how long to wait for a receiver [60]",
    )  # fmt: skip
    parser.add_argument(
        "--faults", type=_faults, default=Faults(), metavar="LIST",
        help="what goes wrong, as name=volume or name=volume:amount: lose=5,late=9:3 (TRs), or "
        f"random=SEED:N; names: {', '.join(KINDS)} (docs/replay.md)",
    )  # fmt: skip
    parser.add_argument("--peers", **PEERS)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_eeg(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(work=_eeg)
    parser.add_argument(
        "--stream", default="eeg", help="streams are STREAM-1, STREAM-2 and so on [eeg]"
    )
    parser.add_argument(
        "--rhythm", choices=("alpha", "beta"), default="alpha",
        help="what comes in bursts: alpha (relaxed) or beta (concentrated) [alpha]",
    )  # fmt: skip
    for name, kind, value, about in (
        ("people", _positive, 1, "how many, in step"),
        ("channels", _positive, 8, "of each"),
        ("rate", _amount, 250.0, "samples a second"),
        ("first", _amount, 30.0, "when the first burst begins, s"),
        ("length", _seconds, 8.0, "of a burst, s"),
        ("every", _seconds, 20.0, "from one burst to the next, s"),
        ("stagger", _amount, 0.0, "how much later each next person's bursts begin, s"),
        ("amplitude", _amount, 20.0, "of the rhythm in a burst, microvolts"),
        ("blinks", _amount, 4.0, "a minute"),
        ("muscle", _amount, 1.0, "twitches a minute"),
        ("mains", _amount, 5.0, "amplitude of the mains, microvolts"),
        ("mains-hz", _amount, 50.0, "their frequency"),
        ("duration", _seconds, 1000.0, "of it all, s of the people's time"),
        ("seed", _count, 0, "drives everything random"),
    ):
        units = {"rate": "rate_hz", "first": "first_s", "length": "length_s", "every": "every_s",
                 "stagger": "stagger_s", "amplitude": "amplitude_uv", "mains": "mains_uv",
                 "duration": "duration_s", "mains-hz": "mains_hz"}  # fmt: skip
        parser.add_argument(
            f"--{name}", dest=units.get(name, name), type=kind, default=value, metavar="X",
            help=f"{about} [{value:g}]",
        )  # fmt: skip
    parser.add_argument(
        "--dropouts", type=_spans, default=(), metavar="LIST",
        help="what is never sent: ONSET+LENGTH in s, several as 30+2,60+1",
    )  # fmt: skip
    parser.add_argument(
        "--speed", type=_eeg_speed, default=1.0, metavar="X", help="times faster than life [1]"
    )
    parser.add_argument(
        "--wait", dest="wait_s", type=_seconds, default=60.0, metavar="SECONDS",
        help="how long to wait for receivers [60]",
    )  # fmt: skip
    parser.add_argument("--peers", **PEERS)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_rehearse(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(work=_rehearse)
    kinds = "; ".join(
        f"{name}{'' if kind.seconds is None else f' [:{kind.seconds:g}]'}: {kind.about}"
        for name, kind in machine.KINDS.items()
    )
    parser.add_argument(
        "--faults", type=_machine_faults, default=(), metavar="LIST",
        help=f"name=volume or name=volume:seconds, several as kill=20,suspend=40:5. {kinds}",
    )  # fmt: skip
    parser.add_argument(
        "session",
        nargs=argparse.REMAINDER,
        metavar="-- run ...",
        help="as rtrecon takes it: run --decoder DIR ...",
    )


def _machine_faults(text: str) -> tuple[machine.MachineFault, ...]:
    try:
        return machine.parse_machine_faults(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _spans(text: str) -> tuple[tuple[float, float], ...]:
    spans = []
    for span in text.split(","):
        onset, _, length = span.partition("+")
        try:
            spans.append((float(onset), float(length)))
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"'{span}': write ONSET+LENGTH, as in 30+2") from error
    return tuple(spans)


def _eeg_speed(text: str) -> float:
    if not 0.1 <= (value := float(text)) <= 100:
        raise argparse.ArgumentTypeError(f"{value:g}: 0.1 to 100")
    return value


def _faults(text: str) -> Faults:
    try:
        return parse_faults(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _place(text: str) -> "Place":
    from simulator.recording import parse_place

    try:
        return parse_place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _speed(text: str) -> float:
    if text == "max":
        return inf
    if not 0.01 <= (value := float(text)) <= 1000:
        raise argparse.ArgumentTypeError(f"{value:g}: 0.01 to 1000, or max")
    return value


def _count(text: str) -> int:
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{value}: 0 or more")
    return value


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{value}: 1 or more")
    return value


def _amount(text: str) -> float:
    if not 0 <= (value := float(text)) <= 1000:
        raise argparse.ArgumentTypeError(f"{value:g}: 0 to 1000")
    return value


def _seconds(text: str) -> float:
    if not 0.1 <= (value := float(text)) <= 1000:
        raise argparse.ArgumentTypeError(f"{value:g}: 0.1 to 1000 s")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
