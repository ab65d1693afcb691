"""Head motion: ours beside python-rtspm (OpenNFT's port of SPM's realignment), on the same volumes.

`python -m tests.benchmarks.motion` prints the tables of docs/motion.md. python-rtspm is no
dependency (pip install python-rtspm): where it is missing, ours stand alone. Both work in turn on
each volume, on the cores this process may use (taskset chooses them); with one core the times are
of the processor, so that neighbours do not count.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rtrecon import landmarks, motion
from rtrecon.resample import CUBIC, Filter, sample
from tests import scans
from tests.benchmarks.heads import WANTED, Head, have_siemens_b, heads, phantom_head
from tests.benchmarks.realigners import CORES, HAVE_RTSPM, Ours, Rtspm, all_of, pose_of


def known_motions(found: list[Head], count: int = 30) -> None:
    """Table: error and time, motions up to 3 mm and 3 degrees, each from the reference's position."""
    print(
        "| head | voxels | who | error, mm: rms | largest | the noise allows "
        "| ms a volume | of rtspm's time |\n|---|---|---|---|---|---|---|---|"
    )
    for head in found:
        least = f"{head.least_mm():.4f}"
        errors, times = single_motions(head, head.voxels, count)
        for name in errors:
            rms, most = np.sqrt(np.mean(np.square(errors[name]))), max(errors[name])
            cells = (head.name, by(head.still.shape), name, f"{rms:.4f}", f"{most:.4f}", least)
            print("| " + " | ".join((*cells, *time_cells(times, name))) + " |")


def single_motions(
    head: Head, voxels: np.ndarray, count: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Errors in mm and seconds by name, each motion sought from the reference's position."""
    who = all_of(head.scan(np.eye(4), 999).astype(np.float32), head.affine, voxels)
    errors, times = {w.name: [] for w in who}, {w.name: [] for w in who}
    for seed, pose in enumerate(head.poses(count)):
        volume = head.scan(pose, seed)
        for w in who:
            w.restart()
            guess, _, took_s = w(volume)
            errors[w.name].append(head.error_mm(guess, pose))
            times[w.name].append(took_s)
    return errors, times


def large_volumes(count: int = 8) -> None:
    """Table: 104 x 90 x 72 voxels of 2 mm, as in the Human Connectome Project; estimates alone."""
    head = phantom_head((104, 90, 72), (2.0, 2.0, 2.0))
    print("| who | error, mm: rms | ms for the estimate | of rtspm's time |\n|---|---|---|---|")
    errors, times = single_motions(head, head.voxels[:1], count)
    for name in errors:
        rms = np.sqrt(np.mean(np.square(errors[name])))
        print("| " + " | ".join((name, f"{rms:.3f}", *time_cells(times, name))) + " |")


def against_spm() -> None:
    """Table: how far from the positions that SPM itself found."""
    data, affine, spm = scans.siemens_b()
    reference = data[..., 0].astype(np.float32)
    bright = np.flatnonzero(reference.ravel(order="F") > np.percentile(reference, 80))
    at = np.array(np.unravel_index(bright, reference.shape, order="F"))
    places_mm = landmarks.places_mm(affine, at)
    print("| who | mm from SPM's position, mean | its fluctuating part |\n|---|---|---|")
    for w in all_of(reference, affine, bright[:WANTED]):
        found = [w(data[..., n])[0] for n in range(data.shape[3])]
        theirs = [pose_of(*np.split(p, 2)) for p in spm]
        apart = np.array([((a - b) @ places_mm)[:3] for a, b in zip(found, theirs, strict=True)])
        rest = apart - apart.mean(axis=0)
        mean_mm = [np.linalg.norm(x, axis=1).mean() for x in (apart, rest)]
        print(f"| {w.name} | {mean_mm[0]:.3f} | {mean_mm[1]:.3f} |")


def recorded_session() -> None:
    """Table: variance over a run that is left after realignment to one volume of run 1."""
    print(
        "| run | who | variance left | with our cubic resampling for all | ms | of rtspm's time |"
    )
    print("|---|---|---|---|---|---|")
    reference, who = None, []
    for run in (1, 2):
        data, affine = scans.recorded_run(run)
        if reference is None:
            reference = data[..., 10].astype(np.float32)
            level = np.median(reference[reference > reference.mean()])
            inside = np.flatnonzero(reference.ravel(order="F") > level / 2)
            voxels = np.random.default_rng(0).choice(inside, WANTED, replace=False)
            who = all_of(reference, affine, voxels)
            at = np.array(np.unravel_index(voxels, reference.shape, order="F"))
            places_mm, to_voxels = landmarks.places_mm(affine, at), np.linalg.inv(affine)
            spline = Filter(reference.shape, CUBIC)
        left, alike, times = ({w.name: [] for w in who} for _ in range(3))
        for w in who:
            w.restart()
        for n in range(3, data.shape[3]):
            for w in who:
                pose, voxel_values, took_s = w(data[..., n])
                left[w.name].append(voxel_values)
                positions = (to_voxels @ pose)[:3] @ places_mm
                alike[w.name].append(sample(spline(data[..., n]), positions, CUBIC))
                times[w.name].append(took_s)
        kept = np.all([np.all(np.array(x) != 0, axis=0) for x in left.values()], axis=0)
        base = who[0].name
        for name in left:
            shares = [
                variance(x[name])[kept].mean() / variance(x[base])[kept].mean()
                for x in (left, alike)
            ]
            cells = (str(run), name, f"{shares[0]:.3f}", f"{shares[1]:.3f}")
            print("| " + " | ".join((*cells, *time_cells(times, name))) + " |")


def variance(series) -> NDArray[np.float64]:
    """Of each voxel over time, less a straight line."""
    x = np.array(series, np.float64)
    line = np.stack([np.ones(len(x)), np.linspace(-1, 1, len(x))], axis=1)
    rest = x - line @ np.linalg.lstsq(line, x, rcond=None)[0]
    return (rest**2).sum(axis=0) / (len(x) - 2)


CHOICES = {
    "as it is": {},
    "points at the voxels' centres": {"SPREAD": 0.0},
    "border and background count": {"MEASURED": -1.0},
    "smoothing 4 mm": {"SMOOTHING_MM": 4.0},
    "smoothing 6 mm": {"SMOOTHING_MM": 6.0},
    "smoothing 8 mm": {"SMOOTHING_MM": 8.0},
    "4000 fine points": {"POINTS": (3000, 4000)},
    "16000 fine points": {"POINTS": (3000, 16000)},
    "last step below 0.003 mm": {"ENOUGH_MM": (0.5, 0.003)},
}


def choices(found: list[Head], count: int = 12) -> None:
    """Table: what each choice is worth; rms error in mm."""
    print("| | " + " | ".join(f"{head.name}: cubic, fast" for head in found) + " |")
    print("|---" * (len(found) + 1) + "|")
    posed = [[(p, h.scan(p, n)) for n, p in enumerate(h.poses(count))] for h in found]
    for name, settings in CHOICES.items():
        cells = []
        for head, volumes in zip(found, posed, strict=True):
            reference = head.scan(np.eye(4), 999).astype(np.float32)
            with changed(settings):
                rms = [error_of(head, reference, volumes, fast) for fast in (False, True)]
            cells.append(f"{rms[0]:.3f}, {rms[1]:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def error_of(head: Head, reference, volumes, fast: bool) -> float:
    """Root mean square over motions."""
    ours = Ours(reference, head.affine, head.voxels[:1], fast)
    errors = []
    for pose, volume in volumes:
        ours.restart()
        errors.append(head.error_mm(ours(volume)[0], pose))
    return float(np.sqrt(np.mean(np.square(errors))))


@contextmanager
def changed(settings: dict[str, object]) -> Iterator[None]:
    """The same code with other constants."""
    places = {name: motion if hasattr(motion, name) else landmarks for name in settings}
    before = {name: getattr(places[name], name) for name in settings}
    for name, value in settings.items():
        setattr(places[name], name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(places[name], name, value)


def time_cells(times: dict[str, list[float]], name: str) -> tuple[str, str]:
    """Median ms, and as a share of the peer's, of whom there may be none."""
    typical = {who: float(np.median(values)) for who, values in times.items()}
    peer = typical.get(Rtspm.name)
    share = f"1/{peer / typical[name]:.1f}" if peer and name != Rtspm.name else "-"
    return f"{1e3 * typical[name]:.1f}", share


def by(shape) -> str:
    return " x ".join(map(str, shape))


def main() -> int:
    """Print all tables; what is not on this machine is said."""
    if not HAVE_RTSPM:
        print("python-rtspm is not installed (pip install python-rtspm): ours alone\n")
    kind = "processor time" if CORES == 1 else "wall-clock time"
    print(f"{CORES} core{'s' * (CORES > 1)}, {kind}, medians\n\n## Known motions\n")
    found = heads()
    known_motions(found)
    print("\n## Large volumes\n")
    large_volumes()
    print("\n## Against SPM\n")
    if have_siemens_b():
        against_spm()
    else:
        print("The scanner exports, or pydicom to read them, are not on this machine: no table")
    print("\n## Recorded session\n")
    if scans.RECORDED.is_dir():
        recorded_session()
    else:
        print("The recorded session is not on this machine: no table")
    print("\n## Choices\n")
    choices(found)
    return 0


if __name__ == "__main__":
    with threadpool_limits(CORES):
        sys.exit(main())
