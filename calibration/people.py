"""The same command for several people: whose data are meant, and their work fanned out."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from calibration.cluster import outcomes, where
from calibration.nsd.files import is_nsd, parse_subject, people_of
from rtrecon.bids_files import find_people, same_label
from rtrecon.errors import BadDataset, Error

ALL = "all"
_PLACE = "{subject}"  # in names of files, where a person's label comes
_FILES = ("mask", "early", "ventral", "explained")

Options = argparse.Namespace


def for_each(
    options: Options, work: Callable[[Options], str], check: Callable[[Options], None]
) -> None:
    """Do the work for each person, and print what it says of each as soon as it is done.

    One person's goes on as it likes, cluster included. Several people's is fanned out, and each one
    then stays in one process. Whoever cannot be done keeps no other from it.

    Parameters
    ----------
    options : argparse.Namespace
        `subject` is a list of labels, or None.
    work : from one person's options to what there is to say
        A function of a module; `subject` is then one label, and `output` the person's own folder.
    check : of one person's options
        Raises all that can be found wrong before the work, which begins when everyone is checked.

    Raises
    ------
    BadDataset
        Labels that nobody has, or several people where none is named.
    Error
        What went wrong, one line for each person; the others are done.
    """
    everyone = persons(options)
    if len(everyone) == 1:
        print(work(everyone[0]))
        return
    failed = {one.subject: error for one in everyone if (error := _wrong(check, one)) is not None}
    for label, error in failed.items():
        print(f"rtrecon-calibrate: sub-{label} is left out: {error}", file=sys.stderr)
    able = [one for one in everyone if one.subject not in failed]
    for n, outcome in outcomes(work, able, where(options)):
        if isinstance(outcome, Error):
            failed[able[n].subject] = outcome
        else:
            tqdm.write(f"sub-{able[n].subject}: {outcome}", file=sys.stdout)
    if failed:
        head = f"{len(failed)} of {len(everyone)} people failed:"
        lines = [f"sub-{label}: {_one_line(error)}" for label, error in sorted(failed.items())]
        raise Error("\n- ".join([head, *lines]))


def persons(options: Options) -> list[Options]:
    """Each person's own options, in the order of their labels.

    Raises
    ------
    BadDataset
        As `for_each`.
    """
    labels = _labels(options.dataset, options.subject, getattr(options, "space", None))
    if len(labels) > 1 and options.name:
        raise BadDataset(f"--name {options.name} is for one person: leave it out")
    return [_of(options, label, alone=len(labels) == 1) for label in labels]


def _labels(dataset: Path, wanted: Sequence[str] | None, space: str | None) -> list[str]:
    nsd = is_nsd(dataset)
    known = people_of(dataset) if nsd else find_people(dataset, space)
    if wanted is None and len(known) > 1:
        raise BadDataset(
            f"{dataset} has several people ({', '.join(known)}): name them with --subject, which "
            f"takes several, or --subject {ALL}"
        )
    if wanted is None or list(wanted) == [ALL]:
        if not known:
            raise BadDataset(f"{dataset} has no betas of anybody below nsddata_betas: fetch them")
        return known
    names = [f"{parse_subject(w):02d}" if nsd else w.removeprefix("sub-") for w in wanted]
    if unknown := [name for name in names if not any(same_label(name, k) for k in known)]:
        raise BadDataset(
            f"{dataset} has no subject {', '.join(unknown)}: it has {', '.join(known) or 'none'}"
        )
    return [label for label in known if any(same_label(name, label) for name in names)]


def _of(options: Options, label: str, alone: bool) -> Options:
    one = argparse.Namespace(**vars(options))
    one.subject = label
    for name in _FILES:
        if (text := getattr(options, name, None)) is not None:
            setattr(one, name, text.replace(_PLACE, label))
    if not alone:
        one.output = options.output / f"sub-{label}"
        one.scheduler, one.workers = None, 1  # no cluster inside a cluster
    return one


def _wrong(check: Callable[[Options], None], one: Options) -> Error | None:
    try:
        check(one)
    except Error as error:
        return error
    return None


def _one_line(error: Error) -> str:
    return str(error).replace("\n- ", " ")
