"""The command line: rtrecon run | view | bridge | trigger | streams | check | verify | finalize | fetch."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtrecon import __version__
from rtrecon.bridge.command import add_arguments as bridge_arguments
from rtrecon.bridge.command import bridge as run_bridge
from rtrecon.config import Session, load_session, read_toml
from rtrecon.errors import BadConfig, Error
from rtrecon.remote.follower import ROLES

if TYPE_CHECKING:
    from rtrecon.display.screens import Screens
    from rtrecon.pipeline import Pipeline
    from rtrecon.visit import Visit

log = logging.getLogger("rtrecon")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point: 0 done, 1 failed, 2 bad usage."""
    options = _parser().parse_args(argv)
    _log_to_terminal()
    try:
        return int(options.command(options))
    except Error as error:
        print(f"rtrecon: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rtrecon", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"rtrecon {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="the live session")
    run.set_defaults(command=_run)
    for name, options in _CHECKED.items():
        run.add_argument(name, **options)
    run.add_argument(
        "--config", type=Path, metavar="TOML", help="settings; the command line overrules them"
    )
    run.add_argument("--headless", action="store_true", help="no window")
    monitor = "name or number of the monitor for the {} screen (docs/participant.md)"
    run.add_argument("--participant", metavar="SCREEN", help=monitor.format("participant's"))
    run.add_argument("--spectators", metavar="SCREEN", help=monitor.format("spectators'"))
    run.add_argument(
        "--screenshots", type=Path, metavar="DIR", help="keep pictures of the window here"
    )
    run.add_argument(
        "--no-view",
        dest="view",
        action="store_false",
        default=None,
        help="tell remote screens (rtrecon view) nothing",
    )
    run.add_argument("--close", action="store_true", help="close the window when the run has ended")
    run.add_argument(
        "--wait", type=float, dest="wait_s", metavar="SECONDS", help="for the stream (default: 60)"
    )
    run.add_argument(
        "--until-idle",
        type=float,
        dest="until_idle_s",
        metavar="SECONDS",
        help="end after so long without a volume",
    )
    run.add_argument(
        "--free-viewing",
        action="store_true",
        default=None,
        help="needs no markers: shows what was seen about 5 s ago",
    )
    run.add_argument(
        "--xdf",
        action="store_true",
        default=None,
        help="record all streams of the session to session.xdf (docs/xdf.md)",
    )
    run.add_argument(
        "--xdf-streams",
        metavar="LIST",
        help="further streams to record there: names or types, separated by commas",
    )
    run.add_argument(
        "--yoked",
        type=Path,
        metavar="LIST.toml",
        help="of codes: whose feedback is real and whose another session's",
    )
    run.add_argument("--code", metavar="CODE", help="this participant's on that list")
    best = "default: what the generator draws best with, as far as it fits the TR"
    run.add_argument(
        "--steps", type=int, metavar="N", help=f"denoising steps for an image ({best})"
    )
    run.add_argument(
        "--strength", type=float, metavar="X", help="how far z is noised, 0 to 1 (the generator's)"
    )
    run.add_argument(
        "--guidance",
        type=float,
        metavar="X",
        help="classifier-free guidance; 1 is none (the generator's)",
    )
    run.add_argument(
        "--samples", type=int, metavar="N", help="pictures drawn at once from different noise"
    )
    run.add_argument("--seed", type=int, metavar="N", help="of the noise (default: 0)")
    run.add_argument(
        "--finalize", action="store_true", help="afterwards, as rtrecon finalize on its folder"
    )
    _add_view(commands.add_parser("view", help="a screen for a session that runs elsewhere"))
    bridge = commands.add_parser("bridge", help="publish what a scanner exports to a folder")
    bridge_arguments(bridge)
    bridge.set_defaults(command=lambda options: run_bridge(options, _stop_on_signals()))
    archive = commands.add_parser("finalize", help="a recorded session as a BIDS data set")
    archive.add_argument("folder", type=Path, metavar="DIR", help="what rtrecon run wrote")
    archive.add_argument("--output", type=Path, metavar="BIDS_DIR", help="default: DIR/bids")
    archive.add_argument("--subject", default="01", metavar="LABEL", help="default: 01")
    archive.add_argument("--task", default="view", metavar="LABEL", help="default: view")
    archive.add_argument("--session", default="", metavar="LABEL", help="of the visit")
    archive.add_argument(
        "--stimuli", type=Path, metavar="DIR", help="pictures that markers name, to be copied"
    )
    archive.set_defaults(command=_finalize)
    streams = commands.add_parser("streams", help="the volume streams on the network")
    streams.add_argument("--wait", type=float, default=2.0, metavar="SECONDS")
    streams.add_argument("--decoder", type=Path, metavar="DIR", help="say whether they fit it")
    streams.set_defaults(command=_streams)
    check = commands.add_parser("check", help="is everything ready for a session")
    for name, options in _CHECKED.items():
        check.add_argument(name, **options)
    check.add_argument("--config", type=Path, metavar="TOML", help="as rtrecon run would read it")
    check.add_argument(
        "--wait", type=float, default=5.0, dest="wait_s", metavar="SECONDS",
        help="for the stream (default: 5)",
    )  # fmt: skip
    check.set_defaults(command=_check)
    fetch = commands.add_parser("fetch", help="download a generator's weights before a session")
    fetch.add_argument("generator", metavar="NAME", help="a preset or a hub id (owner/name)")
    fetch.set_defaults(command=_fetch)
    _add_trigger(commands.add_parser("trigger", help="send the scanner's pulses as markers"))
    verify = commands.add_parser("verify", help="compute a recorded session anew and compare")
    verify.add_argument("session", type=Path, metavar="DIR", help="the session's folder")
    verify.add_argument(
        "--decoder", type=Path, metavar="DIR", help="by default the one it names, if beside it"
    )
    verify.add_argument(
        "--generator", default="", metavar="NAME_OR_DIR", help="by default the decoder's own"
    )
    verify.add_argument(
        "--no-frames", dest="frames", action="store_false", help="draw no pictures again"
    )
    verify.set_defaults(command=_verify)
    return parser


def _add_view(view: argparse.ArgumentParser) -> None:
    view.set_defaults(command=_view)
    view.add_argument(
        "--role", required=True, choices=ROLES, help="whose screen it is: what it may show"
    )
    view.add_argument(
        "--stream", default="rtrecon", metavar="NAME", help="the session's volume stream"
    )
    view.add_argument(
        "--config",
        type=Path,
        metavar="TOML",
        help="the session's: its [participant] or [spectators] says how the screen looks",
    )
    view.add_argument(
        "--screen", metavar="SCREEN", help="name or number of the monitor, but for operators"
    )
    view.add_argument("--close", action="store_true", help="close when the session has ended")


_CHECKED: dict[str, dict[str, Any]] = {
    "--decoder": {
        "type": Path, "metavar": "DIR", "help": "folder that rtrecon-calibrate fit wrote",
    },
    "--stream": {"metavar": "NAME", "help": "the volume stream (default: rtrecon)"},
    "--generator": {
        "metavar": "NAME_OR_DIR",
        "help": "a preset, a folder or a hub id (default: the one the decoder was fitted for)",
    },
    "--output": {
        "type": Path, "metavar": "DIR", "help": "the session's folder (default: sessions/DATE_TIME)",
    },
    "--stimuli": {
        "type": Path, "metavar": "DIR", "help": "pictures that markers name, for the operator to see",
    },
}  # fmt: skip
"""What `run` and `check` are both told."""


def _add_trigger(trigger: argparse.ArgumentParser) -> None:
    trigger.set_defaults(command=_trigger)
    trigger.add_argument("--stream", default="rtrecon", metavar="NAME", help="the volume stream")
    trigger.add_argument("--key", default="5", help="that the scanner's box presses (default: 5)")
    where = trigger.add_mutually_exclusive_group()
    where.add_argument(
        "--keyboard-device",
        type=Path,
        metavar="DEVICE",
        help="read keys here (/dev/input/eventN) and not from this terminal",
    )
    where.add_argument("--serial", metavar="PORT", help="read a serial line (/dev/ttyUSB0, COM3)")
    trigger.add_argument("--baud", type=int, default=115200, help="of the line (default: 115200)")
    trigger.add_argument(
        "--pulse", metavar="BYTE", help="a character or 0xNN (default: any byte is a pulse)"
    )
    trigger.add_argument(
        "--refractory",
        type=float,
        default=0.05,
        metavar="SECONDS",
        help="after a pulse in which none counts, for lines that bounce (default: 0.05)",
    )


_SESSION = (
    "decoder", "stream", "generator", "output", "stimuli", "wait_s", "until_idle_s",
    "free_viewing", "view", "xdf", "xdf_streams", "yoked", "code",
    "steps", "strength", "guidance", "samples", "seed",
)  # fmt: skip


def _run(options: argparse.Namespace) -> int:
    """Load, check that everything fits, and only then start."""
    options.config = options.config and _configuration(options.config)
    if options.config and "eeg" in read_toml(options.config):
        return _run_eeg(options)
    session = load_session(
        options.config,
        {key: getattr(options, key) for key in _SESSION},
        complete=options.headless,
    )
    if not options.headless:
        _require_display()
    screens = None if options.headless else _screens(options, session.tables)
    stop = _stop_on_signals()
    # Imported here, so that a mistake on the command line is told before torch has loaded.
    from rtrecon.visit import Visit

    with closing(Visit(stop)) as visit:
        pipeline = visit.open_run(session) if session.decoder != Path() else None
        if pipeline is not None and options.headless:
            from rtrecon.pipeline import show_headless

            show_headless(pipeline)
        else:
            _show(visit, session, pipeline, options, screens)
        visit.end_run()
    if options.finalize:
        from rtrecon.archive import finalize

        for run in visit.runs:
            log.info("the data set is in %s", finalize(run.folder, stimuli=session.stimuli))
    return 1 if any(run.failed for run in visit.runs) else 0


def _show(
    visit: "Visit",
    session: Session,
    pipeline: "Pipeline | None",
    options: argparse.Namespace,
    screens: "Screens | None",
) -> None:
    import rtrecon.generators.diffusion  # noqa: F401  (in these seconds a window would stand still)
    from rtrecon.display.visit import run_visit

    run_visit(
        visit, session, pipeline, screenshots=options.screenshots, close_when_ended=options.close,
        screens=screens,
    )  # fmt: skip


def _configuration(named: Path) -> Path:
    """A file, or one that comes with the program, by its name alone."""
    from rtrecon.eeg.protocols import PROTOCOLS

    return named if named.exists() else PROTOCOLS.get(str(named), named)


def _run_eeg(options: argparse.Namespace) -> int:
    """A session whose score comes from EEG; it needs no decoder."""
    from rtrecon.eeg.opening import open_eeg_session, read_plan

    plan = read_plan(options.config, {key: getattr(options, key) for key in _SESSION})
    if not options.headless:
        _require_display()
    screens = None if options.headless else _screens(options, plan.options.tables)
    folder = plan.options.output
    if folder is None:
        from rtrecon.session import default_output

        folder = default_output()
    with open_eeg_session(plan, folder, _stop_on_signals()) as session:
        if options.headless:
            session.start()
            session.wait()
        else:
            from rtrecon.display.eeg import run_eeg_window

            run_eeg_window(
                session, screenshots=options.screenshots, close_when_ended=options.close,
                screens=screens,
            )  # fmt: skip
    return 1 if session.failed else 0


def _screens(options: argparse.Namespace, tables: Mapping[str, Any]) -> "Screens | None":
    """The screens beside the window; Qt is loaded for these only where there are any."""
    named = (options.participant, options.spectators)
    if named == (None, None) and not {"participant", "spectators"} & tables.keys():
        return None
    from rtrecon.display.screens import read_screens

    return read_screens(tables, str(options.config or ""), *named)


def _view(options: argparse.Namespace) -> int:
    """Whatever becomes of the session, the view stays until it is closed."""
    _require_display()
    from rtrecon.display.view import run_view, screens_of
    from rtrecon.remote import Follower

    tables = read_toml(options.config) if options.config else {}
    screens = screens_of(options.role, tables, str(options.config or ""), options.screen)
    with closing(Follower(options.stream, options.role)) as follower:
        run_view(follower, screens, _stop_on_signals(), options.close)
    return 0


def _finalize(options: argparse.Namespace) -> int:
    from rtrecon.archive import Names, finalize

    names = Names(options.subject, options.task, options.session)
    print(finalize(options.folder, options.output, names, options.stimuli))
    return 0


def _streams(options: argparse.Namespace) -> int:
    from rtrecon.check import fits
    from rtrecon.streams import Sources, plain

    artifact = None
    if options.decoder:
        from rtrecon.artifact import load_artifact

        artifact = load_artifact(options.decoder)
    with closing(Sources()) as sources:
        found = sources.after(options.wait)
    for source in found:
        print(
            "\t".join(map(plain, (source.name, source.host, source.told, fits(source, artifact))))
        )
    if not found:
        raise Error(
            f"no volume stream within {options.wait:g} s: start the bridge or the simulator"
        )
    return 0


def _check(options: argparse.Namespace) -> int:
    """Tell each finding as it comes."""
    asked = {key: getattr(options, key.removeprefix("--")) for key in _CHECKED}
    given = {key.removeprefix("--"): value for key, value in asked.items()}
    given |= {"wait_s": options.wait_s}
    session = load_session(options.config, given, complete=False)
    from rtrecon.check import check, lines, ready
    from rtrecon.models import Models

    log.setLevel(logging.ERROR)  # what is done is told by the findings
    findings = []
    with closing(Models()) as models:
        for finding in check(session, models, _stop_on_signals()):
            print("\n".join(lines(finding)), flush=True)
            findings.append(finding)
    return 0 if ready(findings) else 1


def _fetch(options: argparse.Namespace) -> int:
    from rtrecon.generators import find_generator
    from rtrecon.generators.weights import fetch

    preset = find_generator(options.generator)
    if preset.licence:
        print(f"licence of {preset.repository}: {preset.licence}")
    for folder in fetch(preset, options.generator):
        print(f"complete: {folder}")
    return 0


def _trigger(options: argparse.Namespace) -> int:
    from rtrecon import trigger

    stop = _stop_on_signals()
    if options.serial:
        pulse = trigger.byte_of(options.pulse)
        stamps = trigger.received(options.serial, options.baud, pulse, stop)
    elif options.keyboard_device:
        stamps = trigger.struck(options.key, options.keyboard_device, stop)
    else:
        stamps = trigger.typed(options.key, stop)
    trigger.publish(stamps, options.stream, options.refractory)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from rtrecon.verify import verify

    verdict = verify(options.session, options.decoder, options.generator, options.frames)
    print("\n".join([*verdict.notes, verdict.table()]))
    if verdict.first:
        print(f"rtrecon: {options.session} is not the same today: {verdict.first}", file=sys.stderr)
    return 1 if verdict.first else 0


def _stop_on_signals() -> threading.Event:
    """Ctrl-C and a polite kill end the session as its end marker would."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _require_display() -> None:
    from rtrecon.check import has_display

    if not has_display():
        raise BadConfig(
            "there is no display: use --headless, or QT_QPA_PLATFORM=offscreen with --screenshots"
        )


def _log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("rtrecon: %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
