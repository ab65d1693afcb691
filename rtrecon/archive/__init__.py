"""A recorded session turned into a BIDS data set with its derivatives: docs/finalize.md."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from rtrecon.archive.derived import write_derived
from rtrecon.archive.eeg import write_eeg
from rtrecon.archive.raw import Names, write_raw
from rtrecon.archive.report import write_report
from rtrecon.archive.runs import runs_of
from rtrecon.eeg.folder import is_eeg_folder, open_eeg_folder
from rtrecon.errors import BadConfig
from rtrecon.session_folder import damage_told, open_session_folder
from rtrecon.stimuli import find_pictures

__all__ = ["Names", "finalize"]


def finalize(
    folder: Path,
    output: Path | None = None,
    names: Names | None = None,
    stimuli: Path | None = None,
) -> Path:
    """Write a session, however it ended, as a BIDS data set; the session's folder stays as it is.

    Parameters
    ----------
    folder : Path
        What `rtrecon run` wrote.
    output : Path, optional
        The data set (default: `bids` in the session's folder). Complete or not there at all.
    names : Names, optional
        Of the person, the task and the visit.
    stimuli : Path, optional
        Pictures that markers name; those shown are copied into the data set.

    Returns
    -------
    output : Path

    Raises
    ------
    BadConfig
        The output exists, cannot be written, or a name is none of BIDS.
    BadDataset
        It is no session, one without a volume, or damaged.
    """
    names, output = names or Names(), output or folder / "bids"
    _check_names(names)
    if stimuli is not None and not stimuli.is_dir():
        raise BadConfig(f"{stimuli} is no folder: name the one of the pictures with --stimuli")
    write = _eeg(folder, names) if is_eeg_folder(folder) else _fmri(folder, names, stimuli)
    part = output.with_name(output.name + ".part")
    for taken in (output, part):
        if taken.exists():
            raise BadConfig(f"{taken} exists and is never overwritten: delete it, or use --output")
    try:
        part.mkdir(parents=True)
        with damage_told(folder):
            write(part)
        part.rename(output)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BadConfig(
            f"{output} cannot be written: {error.strerror or error}: name another with --output"
        ) from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return output


def _fmri(folder: Path, names: Names, stimuli: Path | None) -> Callable[[Path], None]:
    session = open_session_folder(folder)
    with damage_told(folder):
        runs = runs_of(session)

    def write(part: Path) -> None:
        derived = part / "derivatives" / "rtrecon"
        write_raw(part, session, runs, names, find_pictures(stimuli))
        write_derived(derived, session, runs, names)
        write_report(derived, session, runs, names)

    return write


def _eeg(folder: Path, names: Names) -> Callable[[Path], None]:
    session = open_eeg_folder(folder)
    return lambda part: write_eeg(part, session, names)


def _check_names(names: Names) -> None:
    for option, label in vars(names).items():
        if (label and not re.fullmatch("[A-Za-z0-9]+", label)) or (
            not label and option != "session"
        ):
            raise BadConfig(f"--{option} {label!r}: BIDS takes letters and digits alone")
