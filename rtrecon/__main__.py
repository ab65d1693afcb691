"""The command line: what each command does (rtrecon/options.py: what it takes)."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtrecon.bridge.command import bridge
from rtrecon.config import Session, load_session, read_toml
from rtrecon.errors import BadConfig, Error
from rtrecon.memory import few_heaps
from rtrecon.network import confine, keep_offline
from rtrecon.options import CHECKED, parser
from rtrecon.printable import PrintableFormatter, printable, printable_lines
from rtrecon.priority import give_way

if TYPE_CHECKING:
    from rtrecon.check.findings import Finding
    from rtrecon.display.screens import Screens
    from rtrecon.visit import Visit

log = logging.getLogger("rtrecon")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point: 0 done, 1 failed, 2 bad usage."""
    options = parser(_COMMANDS).parse_args(argv)
    few_heaps()
    _log_to_terminal()
    if options.command is not _fetch:
        keep_offline()
    try:
        confine(getattr(options, "peers", None))
        return int(options.command(options))
    except Error as error:
        print(f"rtrecon: {printable_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


_SESSION = (
    "decoder", "stream", "generator", "output", "stimuli", "wait_s", "until_idle_s",
    "free_viewing", "view", "xdf", "xdf_streams", "yoked", "code",
    "steps", "strength", "guidance", "samples", "seed",
)  # fmt: skip


def _run(options: argparse.Namespace) -> int:
    """Load, check that everything fits, and only then start; or begin with the set-up page."""
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
        if options.headless:
            from rtrecon.pipeline import show_headless

            show_headless(visit.open_run(session))
        else:
            _show(visit, session, options, screens)
        visit.end_run()
    if options.finalize:
        from rtrecon.archive import finalize

        for run in visit.runs:
            log.info("the data set is in %s", finalize(run.folder, stimuli=session.stimuli))
    return 1 if any(run.failed for run in visit.runs) else 0


def _show(
    visit: "Visit", session: Session, options: argparse.Namespace, screens: "Screens | None"
) -> None:
    from rtrecon.display.visit import run_visit
    from rtrecon.memory import undisturbed

    with undisturbed():
        pipeline = visit.open_run(session) if session.decoder != Path() else None
        run_visit(
            visit, session, pipeline, screenshots=options.screenshots,
            close_when_ended=options.close, screens=screens,
        )  # fmt: skip


def _configuration(named: Path) -> Path:
    """A file, or one that comes with the program, by its name alone."""
    from rtrecon.eeg.protocols import PROTOCOLS

    return named if named.exists() else PROTOCOLS.get(str(named), named)


def _run_eeg(options: argparse.Namespace) -> int:
    """A session whose score comes from EEG; it needs no decoder."""
    from rtrecon.eeg.opening import open_eeg_session
    from rtrecon.eeg.plan import read_plan

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
    if options.role != "participant":  # whose screen has to be on time
        give_way()
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
    from rtrecon.check.volumes import fits
    from rtrecon.streams import Sources

    artifact = None
    if options.decoder:
        from rtrecon.artifact import load_artifact

        artifact = load_artifact(options.decoder)
    with closing(Sources()) as sources:
        found = sources.after(options.wait)
    for source in found:
        print(
            "\t".join(
                map(printable, (source.name, source.host, source.told, fits(source, artifact)))
            )
        )
    if not found:
        raise Error(
            f"no volume stream within {options.wait:g} s: start the bridge or the simulator"
        )
    return 0


def _check(options: argparse.Namespace) -> int:
    """Tell each finding as it comes."""
    from rtrecon.check.findings import lines, ready

    findings = []
    for finding in _findings(options):
        print("\n".join(lines(finding)), flush=True)
        findings.append(finding)
    return 0 if ready(findings) else 1


def _findings(options: argparse.Namespace) -> "Iterator[Finding]":
    asked = {key: getattr(options, key.removeprefix("--")) for key in CHECKED}
    given = {key.removeprefix("--"): value for key, value in asked.items()}
    given |= {"wait_s": options.wait_s}
    log.setLevel(logging.ERROR)  # what is done is told by the findings
    config = options.config and _configuration(options.config)
    if config and "eeg" in read_toml(config):
        from rtrecon.check.eeg import check_eeg
        from rtrecon.eeg.plan import read_plan

        yield from check_eeg(read_plan(config, given), _stop_on_signals())
        return
    session = load_session(config, given, complete=False)
    from rtrecon.check.volumes import check
    from rtrecon.models import Models

    with closing(Models()) as models:
        yield from check(session, models, _stop_on_signals())


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


_COMMANDS = {
    "run": _run,
    "view": _view,
    "bridge": lambda options: bridge(options, _stop_on_signals()),
    "trigger": _trigger,
    "streams": _streams,
    "check": _check,
    "verify": _verify,
    "finalize": _finalize,
    "fetch": _fetch,
}


def _stop_on_signals() -> threading.Event:
    """Ctrl-C and a polite kill end the session as its end marker would."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _require_display() -> None:
    from rtrecon.check.machine import has_display

    if not has_display():
        raise BadConfig(
            "there is no display: use --headless, or QT_QPA_PLATFORM=offscreen with --screenshots"
        )


def _log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("rtrecon: %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
