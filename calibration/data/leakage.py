"""The same picture in fitting and in testing: scores would tell of memory, not of decoding."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from calibration.data.dataset import load_stimuli
from rtrecon.bids import Run
from rtrecon.errors import BadDataset
from rtrecon.types import Trial

_TOLD = 5


def picture_hashes(runs: Sequence[Run]) -> dict[str, str]:
    """SHA-256 of each presented picture's pixels, by its `stim_file`.

    Pixels and not files: one picture saved anew is the same picture.

    Raises
    ------
    BadDataset
        Pictures that are missing or cannot be read.
    """
    hashes: dict[str, str] = {}
    for run in runs:
        files = dict.fromkeys(marker.stim_file for marker in run.trials if marker.stim_file)
        shown = [Trial(0, "", 0.0, 0.0, file) for file in files]
        pictures = load_stimuli([run], shown) or []
        for file, picture in zip(files, pictures, strict=True):
            what = hashlib.sha256(str(picture.shape).encode() + picture.tobytes())
            hashes[file] = what.hexdigest()
    return hashes


def refuse_leakage(
    fitted: Mapping[str, str], fitted_runs: Iterable[str], tested: Sequence[Run]
) -> None:
    """See that no run and no picture that decoders were fitted on comes in the runs of a test.

    Parameters
    ----------
    fitted : mapping
        As `picture_hashes` of the runs that were fitted on.
    fitted_runs : names of these runs
    tested : runs of the test

    Raises
    ------
    BadDataset
        Some do; all are told, in one line.
    """
    again = sorted({run.name for run in tested} & set(fitted_runs))
    seen = {value: name for name, value in fitted.items()}
    same = {name: seen[value] for name, value in picture_hashes(tested).items() if value in seen}
    problems = [f"runs {_some(again)}"] if again else []
    if same:
        pairs = [name if name == old else f"{name} (fitted as {old})" for name, old in same.items()]
        problems.append(f"{len(same)} pictures: {_some(sorted(pairs))}")
    if problems:
        raise BadDataset(
            f"the decoder was fitted on what it is tested with, {'; '.join(problems)}: "
            "test with other --runs, or fit without these"
        )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _TOLD
    return ", ".join(names[:_TOLD]) + (f" and {more} more" if more > 0 else "")
