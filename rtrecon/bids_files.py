"""Which files of a BIDS dataset belong to which run: names, inheritance, derivatives."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtrecon.errors import BadDataset

_BOLD = re.compile(r"^sub-[^_]+_(.+_)?bold\.nii(\.gz)?$")
_DERIVED = ("space", "desc", "res", "den")  # entities that only derivatives have
_OF_ONE_RUN = (*_DERIVED, "echo", "part", "rec")  # in which files of the same run may differ


@dataclass(frozen=True)
class Selection:
    """Which runs of a dataset are meant. None: all of them, as long as that is one person's.

    Labels are compared without leading zeros. `space` also asks for preprocessed runs
    (fMRIPrep's `*_space-X_desc-preproc_bold.nii.gz`) below the dataset's `derivatives/`.
    """

    runs: Sequence[str] | None = None
    sessions: Sequence[str] | None = None
    tasks: Sequence[str] | None = None
    subject: str | None = None
    space: str | None = None


def is_bold(path: Path) -> bool:
    """Whether the name is one of a run's volumes."""
    return _BOLD.match(path.name) is not None


def entities(path: Path) -> dict[str, str]:
    """`sub-01_task-view_bold.nii.gz` -> {"sub": "01", "task": "view"}."""
    parts = (part.partition("-") for part in path.name.split(".")[0].split("_"))
    return {key: label for key, dash, label in parts if dash}


def find_runs(
    dataset: Path, runs: Sequence[str] | None = None, select: Selection | None = None
) -> list[Path]:
    """The dataset's `_bold` files in order; `runs` keeps those with these `run-` labels.

    Raises
    ------
    BadDataset
        No folder, no run, several people's or spaces' runs, or labels that no run has.
    """
    select = select or Selection(runs)
    found = _every_run(dataset, select.space)
    subject = None if select.subject is None else [select.subject.removeprefix("sub-")]
    asked = (
        ("subject", _entity("sub"), subject),
        ("session", _entity("ses"), select.sessions),
        ("task", _entity("task"), select.tasks),
        ("run", _entity("run", "1"), select.runs),
    )
    problems = [p for name, label, wanted in asked for p in _unknown(name, label, wanted, found)]
    if problems:
        raise BadDataset.listing(dataset, [f"{dataset} has no {problem}" for problem in problems])
    for _, label, wanted in asked:
        found = [p for p in found if wanted is None or label(p) in {_plain(w) for w in wanted}]
    _check_unambiguous(dataset, found)
    return found


def find_people(dataset: Path, space: str | None = None) -> list[str]:
    """Labels of all who have runs, as their files are named (`01`).

    Raises
    ------
    BadDataset
        No folder, or no run.
    """
    return sorted({entities(path)["sub"] for path in _every_run(dataset, space)})


def same_label(one: str, other: str) -> bool:
    """Whether two labels are the same but for leading zeros."""
    return _plain(one) == _plain(other)


def inherited(bold: Path, ending: str) -> Path | None:
    """The file with this ending (`events.tsv`) that holds for a run, by BIDS's inheritance.

    Beside the run or in a folder above it up to the dataset's; its entities are among the run's.
    For a preprocessed run the raw dataset is searched, too. The nearest and closest wins.
    """
    own = set(entities(bold).items())
    for folder in _folders(bold):
        near = [p for p in folder.glob(f"*{ending}") if _fits(p, ending, own)]
        if near:
            return max(near, key=lambda p: (len(entities(p)), p.name))
    return None


def root_of(bold: Path) -> Path:
    """The folder of the dataset that a run's stimuli are in: for derivatives that of the raw one."""
    root = _own_root(bold)
    return _raw(root) or root


def _fits(path: Path, ending: str, own: set[tuple[str, str]]) -> bool:
    named = path.name == ending or path.name.endswith(f"_{ending}")
    return named and set(entities(path).items()) <= own


def _folders(bold: Path) -> list[Path]:
    """Where a run's files may lie, the nearest first."""
    root = _own_root(bold)
    above = [folder for folder in bold.parents if folder == root or root in folder.parents]
    raw = _raw(root)
    return above + [raw / folder.relative_to(root) for folder in above if raw is not None]


def _own_root(bold: Path) -> Path:
    """The parent of the outermost sub- folder."""
    return next(
        (p.parent for p in reversed(bold.parents) if p.name.startswith("sub-")), bold.parent
    )


def _raw(root: Path) -> Path | None:
    """RAW of RAW/derivatives/NAME."""
    parent = root.resolve().parent
    return parent.parent if parent.name == "derivatives" else None


def _bold_files(dataset: Path, space: str | None) -> list[Path]:
    pattern = "sub-*/**/func/*_bold.nii*"
    found = sorted(p for p in dataset.glob(pattern) if is_bold(p))
    if space is None:
        return found

    def derived(paths: Iterable[Path]) -> list[Path]:
        return sorted(p for p in paths if is_bold(p) and entities(p).get("space") == space)

    return derived(found) or derived(dataset.glob(f"derivatives/*/{pattern}"))


def _every_run(dataset: Path, space: str | None) -> list[Path]:
    if not dataset.is_dir():
        raise BadDataset(f"{dataset} is no folder: name a BIDS dataset")
    found = _bold_files(dataset, space)
    if not found:
        raise BadDataset(
            f"{dataset} has no sub-*/func/*_bold.nii.gz"
            + (f" in space {space}" if space else "")
            + ": is it a BIDS dataset?"
        )
    return found


def _entity(key: str, default: str = "") -> Callable[[Path], str]:
    return lambda path: _plain(entities(path).get(key, default))


def _plain(label: str) -> str:
    return label.lstrip("0") or label[-1:]


def _unknown(
    name: str, label: Callable[[Path], str], wanted: Sequence[str] | None, found: Sequence[Path]
) -> list[str]:
    known = sorted({label(path) for path in found}, key=lambda text: (len(text), text))
    told = ", ".join(known) if known != [""] else f"runs without a {name}"
    return [f"{name} {w}: it has {told}" for w in wanted or () if _plain(w) not in known]


def _check_unambiguous(dataset: Path, found: Sequence[Path]) -> None:
    if not found:
        raise BadDataset(f"{dataset} has no run with all of the labels asked for together")
    ways = {"sub": "people: choose one with --subject", "space": "spaces: choose one with --space"}
    for key, way in ways.items():
        labels = sorted({entities(path).get(key, "native") for path in found})
        if len(labels) > 1:
            raise BadDataset(f"{dataset} has runs of several {way} ({', '.join(labels)})")
    seen: dict[tuple[tuple[str, str], ...], Path] = {}
    for path in found:
        of_run = tuple(item for item in entities(path).items() if item[0] not in _OF_ONE_RUN)
        if of_run in seen:
            raise BadDataset(
                f"{path.name} and {seen[of_run].name} are of one run: leave one of them in the folder"
            )
        seen[of_run] = path
