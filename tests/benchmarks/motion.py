"""Head motion: ours beside python-rtspm (OpenNFT's port of SPM's realignment), on the same volumes.

`python -m tests.benchmarks.motion` prints the tables of docs/motion.md. python-rtspm is no
dependency (pip install python-rtspm): where it is missing, ours stand alone. Both work in turn on
each volume, on the cores this process may use (taskset chooses them); with one core the times are
of the processor, so that neighbours do not count.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from threadpoolctl import threadpool_limits

from rtrecon import landmarks, motion
from rtrecon.motion import Realign
from rtrecon.resample import CUBIC, Filter, sample
from tests import phantom, scans

CORES = len(os.sched_getaffinity(0))
clock = time.process_time if CORES == 1 else time.perf_counter
TSNR = 80
WANTED = 10_000  # voxels a decoder reads
HAVE_RTSPM = find_spec("rtspm") is not None
# OpenNFT's own settings
RTSPM_FLAGS = {"quality": 0.9, "fwhm": 5, "sep": 4, "interp": 4, "wrap": np.zeros((3, 1))}


class Ours:
    """`fast` or not; `pose` maps the reference's mm to the volume's."""

    def __init__(self, reference, affine, voxels, fast: bool = False) -> None:
        self.name = "ours, fast" if fast else "ours"
        self._realign = Realign(reference, affine, voxels, fast=fast)
        self.restart = self._realign.restart

    def __call__(self, volume) -> tuple[NDArray, NDArray, float]:
        """The pose, the voxels, and the seconds it took."""
        start = clock()
        voxels, found = self._realign(volume)
        took_s = clock() - start
        if not found.trusted:
            print(f"{self.name}: not trusted: {found.reason}", file=sys.stderr)
        return pose_of(found.translation_mm, found.rotation_rad), voxels, took_s


class Rtspm:
    """SPM as OpenNFT calls it: each volume estimated, then resliced whole."""

    name = "python-rtspm"

    def __init__(self, reference, affine, voxels) -> None:
        self._voxels = voxels
        self._mat = affine.copy()
        self._mat[:3, 3] -= affine[:3, :3].sum(axis=1)  # SPM counts voxels from 1
        self._still = self._image(reference)
        self._prepared: tuple = ([],) * 6
        self._seen = 0
        self._estimate(self._image(reference))

    def restart(self) -> None:
        """Each of its fits starts from the reference anyway."""

    def __call__(self, volume) -> tuple[NDArray, NDArray | None, float]:
        image = self._image(volume)
        start = clock()
        both = self._estimate(image)
        # its reslicing takes volumes with as many columns as rows, others make it fail
        voxels = self._reslice(both) if volume.shape[0] == volume.shape[1] else None
        took_s = clock() - start
        return np.linalg.inv(both[1]["mat"] @ np.linalg.inv(self._mat)), voxels, took_s

    def _image(self, volume) -> dict:
        data = np.array(volume, float, order="F")
        return {"mat": self._mat.copy(), "dim": np.array(volume.shape), "Vol": data}

    def _estimate(self, image: dict) -> list[dict]:
        from rtspm import spm_realign_rt

        self._seen += 1
        flags = RTSPM_FLAGS | {"rtm": 0, "PW": "", "lkp": np.arange(6)}
        both = [self._still, image]
        both, *prepared = spm_realign_rt(both, flags, self._seen, 1, *self._prepared)
        self._prepared = tuple(prepared[:6])
        return both

    def _reslice(self, both: list[dict]) -> NDArray:
        from rtspm import spm_reslice_rt

        whole = spm_reslice_rt(both, RTSPM_FLAGS | {"mask": 1, "mean": 0, "which": 2})
        return whole.ravel(order="F")[self._voxels]


def all_of(reference, affine, voxels) -> list:
    """Everybody who is here."""
    ours = [Ours(reference, affine, voxels), Ours(reference, affine, voxels, fast=True)]
    return [Rtspm(reference, affine, voxels), *ours] if HAVE_RTSPM else ours


def pose_of(translation_mm, rotation_rad) -> NDArray[np.float64]:
    """SPM's six numbers as the map from the reference's mm to the volume's."""
    return np.linalg.inv(phantom.spm_matrix(translation_mm, rotation_rad))


@dataclass
class Head:
    """Something to move: `moved(pose)` is free of noise and exact, or nearly.

    `empty` (i, j, k): voxels that the scanner sets to zero, wherever the head is.
    """

    name: str
    affine: NDArray[np.float64]
    moved: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    empty: NDArray[np.bool_] | None = None
    still: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.still = self.moved(np.eye(4))
        self.level = float(np.median(self.still[self.still > self.still.mean()]))
        inside = np.flatnonzero(self.still.ravel(order="F") > self.level / 2)
        self.voxels = np.random.default_rng(0).choice(inside, WANTED, replace=False)
        at = np.array(np.unravel_index(self.voxels, self.still.shape, order="F"))
        self.places_mm = landmarks.places_mm(self.affine, at)

    def scan(self, pose: NDArray[np.float64], seed: int) -> NDArray[np.int16]:
        """A volume as the scanner sends it, at the tSNR."""
        noise = np.random.default_rng(seed).normal(0, self.level / TSNR, self.still.shape)
        volume = np.clip(self.moved(pose) + noise, 1, 32767).round()
        volume = volume if self.empty is None else np.where(self.empty, 0, volume)
        return np.asfortranarray(volume.astype(np.int16))

    def poses(self, count: int) -> list[NDArray[np.float64]]:
        """Random motions about this head's centre."""
        shift = np.eye(4)
        shift[:3, 3] = self.places_mm[:3].mean(axis=1) - phantom.CENTRE_MM
        return [shift @ pose @ np.linalg.inv(shift) for pose in phantom.poses(count, seed=1)]

    def error_mm(self, found, true) -> float:
        """Root mean square over the wanted voxels."""
        return float(np.sqrt((((found - true) @ self.places_mm) ** 2).sum(axis=0).mean()))


def phantom_head(shape, size_mm, zeroed: bool = False) -> Head:
    """The formula; nothing in it is interpolated."""
    affine = phantom.centred(shape, size_mm, tilt_deg=12)
    empty = phantom.volume(shape, affine) < 0.15 * phantom.BRIGHT if zeroed else None
    name = "phantom" + ", background zeroed" * zeroed
    return Head(name, affine, lambda pose: phantom.volume(shape, affine, pose), empty)


def real_head(name: str, mean, affine, zeroed: bool = False) -> Head:
    """A mean of real volumes, moved by a spline of 5th degree."""
    spline = ndimage.spline_filter(mean, 5)
    to_voxels, at = np.linalg.inv(affine), phantom.grid(mean.shape)

    def moved(pose) -> NDArray[np.float64]:
        come_from = (to_voxels @ np.linalg.inv(pose) @ affine @ at)[:3]
        values = ndimage.map_coordinates(
            spline, come_from, order=5, prefilter=False, mode="nearest"
        )
        return values.reshape(mean.shape)

    empty = mean < 0.15 * np.median(mean[mean > mean.mean()]) if zeroed else None
    return Head(name + ", background zeroed" * zeroed, affine, moved, empty)


def heads() -> list[Head]:
    """All that can be moved on this machine."""
    size = (64, 64, 34), (3.0, 3.0, 3.5)
    found = [phantom_head(*size), phantom_head(*size, zeroed=True)]
    if scans.RECORDED.is_dir():
        data, affine = scans.recorded_run(2)
        mean = data[..., 10:40].mean(axis=-1)
        found += [real_head("recorded session", mean, affine)]
        found += [real_head("recorded session", mean, affine, zeroed=True)]
    if have_siemens_b():
        data, affine, _ = scans.siemens_b()
        mean = data[..., 2:].mean(axis=-1)
        found += [real_head("siemens-b", mean, affine)]
        found += [real_head("siemens-b", mean, affine, zeroed=True)]
    return found


def have_siemens_b() -> bool:
    """Whether the folder is here and can be read."""
    return scans.SIEMENS_B.is_dir() and find_spec("pydicom") is not None


def known_motions(found: list[Head], count: int = 30) -> None:
    """Table: error and time, motions up to 3 mm and 3 degrees, each from the reference's position."""
    print("| head | voxels | who | error, mm: rms | largest | ms a volume | of rtspm's time |")
    print("|---|---|---|---|---|---|---|")
    for head in found:
        errors, times = single_motions(head, head.voxels, count)
        for name in errors:
            rms, most = np.sqrt(np.mean(np.square(errors[name]))), max(errors[name])
            cells = (head.name, by(head.still.shape), name, f"{rms:.3f}", f"{most:.3f}")
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
