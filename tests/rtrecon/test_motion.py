"""Known motions recovered from a head that is a formula; resampling against scipy's own."""

import numpy as np
import pytest
from scipy import ndimage

from rtrecon.errors import BadInput
from rtrecon.motion import Motion, Realign
from rtrecon.resample import CUBIC, LINEAR, Filter, sample
from tests import phantom, scans

NOISE = phantom.BRIGHT / 80
OBLONG = (44, 56, 28), phantom.centred((44, 56, 28), (3.6, 3.2, 4.0), tilt_deg=18)
PLAIN = (52, 52, 30), phantom.centred((52, 52, 30), (3.2, 3.2, 4.0))
GEOMETRIES = pytest.mark.parametrize(("shape", "affine"), [OBLONG, PLAIN], ids=["oblong", "plain"])


def noisy(volume: np.ndarray, seed: int, sd: float = NOISE) -> np.ndarray:
    """As a scanner sends it: whole numbers, i fastest."""
    got = volume + np.random.default_rng(seed).normal(0, sd, volume.shape)
    return np.asfortranarray(np.clip(got, 1, 32767).round().astype(np.int16))


def within(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Voxels of the inner head, flat, i fastest."""
    x = (affine @ phantom.grid(shape))[:3] - phantom.CENTRE_MM[:, None]
    inner = np.linalg.norm(x / phantom.RADII_MM[:, None], axis=0).reshape(shape) < 0.8
    return np.flatnonzero(inner.ravel(order="F"))


def places_of(voxels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    at = np.array(np.unravel_index(voxels, shape, order="F"))
    return np.concatenate([at, np.ones((1, at.shape[1]))])


class Scan:
    """A realigner, and volumes of the phantom to give it."""

    def __init__(self, shape: tuple[int, ...], affine: np.ndarray, **options: object) -> None:
        self.shape, self.affine = shape, affine
        self.voxels = within(shape, affine)
        self.places = places_of(self.voxels, shape)
        self.still = phantom.volume(shape, affine)
        self.realign = Realign(
            noisy(self.still, 99).astype(np.float32), affine, self.voxels, **options
        )

    def moved(self, pose: np.ndarray, seed: int = 1) -> np.ndarray:
        return noisy(phantom.volume(self.shape, self.affine, pose), seed)

    def error_mm(self, motion: Motion, pose: np.ndarray) -> float:
        return phantom.error_mm(motion, pose, self.affine @ self.places)


@GEOMETRIES
@pytest.mark.parametrize("fast", [False, True], ids=["cubic", "fast"])
def test_motions_up_to_3_mm_and_3_degrees_are_found(
    shape: tuple[int, ...], affine: np.ndarray, fast: bool
) -> None:
    scan = Scan(shape, affine, fast=fast)
    errors = []
    for seed, pose in enumerate(phantom.poses(4, seed=3)):
        _, motion = scan.realign(scan.moved(pose, seed))  # each starts from the one before
        assert motion.trusted, motion.reason
        assert motion.likeness > 0.99
        errors.append(scan.error_mm(motion, pose))
    assert max(errors) < (0.05 if fast else 0.03)


def test_the_six_numbers_are_spms() -> None:
    """Tissue that moved by +2 mm along x is brought back by SPM's -2; turns likewise."""
    scan = Scan(*PLAIN)
    pose = phantom.spm_matrix(np.array([2.0, -1.0, 0.5]), np.radians([2.0, -1.0, 1.5]))
    _, motion = scan.realign(scan.moved(np.linalg.inv(pose)))
    np.testing.assert_allclose(motion.translation_mm, [2.0, -1.0, 0.5], atol=0.05)
    np.testing.assert_allclose(np.degrees(motion.rotation_rad), [2.0, -1.0, 1.5], atol=0.05)


def test_slices_of_another_session_are_brought_to_the_reference() -> None:
    """Turned by 12 degrees and moved by 9 mm on the scanner's console; the head moved as well."""
    shape, affine = PLAIN
    turned = phantom.pose(np.array([4.0, -6.0, 5.0]), np.radians([12.0, 0.0, 4.0])) @ affine
    still = phantom.volume(shape, affine)
    voxels = within(shape, affine)
    realign = Realign(noisy(still, 99).astype(np.float32), affine, voxels, moving=turned)
    pose = phantom.pose(np.array([1.5, -0.8, 1.0]), np.radians([1.0, 0.5, -1.0]))
    found, motion = realign(noisy(phantom.volume(shape, turned, pose), 1))
    assert motion.trusted, motion.reason
    assert phantom.error_mm(motion, pose, affine @ places_of(voxels, shape)) < 0.05
    there = still.ravel(order="F")[voxels]
    assert np.corrcoef(found, there)[0, 1] > 0.98


@GEOMETRIES
@pytest.mark.parametrize(("fast", "order"), [(False, 3), (True, 1)])
def test_voxels_are_interpolated_once_as_scipy_does_it(
    shape: tuple[int, ...], affine: np.ndarray, fast: bool, order: int
) -> None:
    scan = Scan(shape, affine, fast=fast)
    volume = scan.moved(phantom.poses(1, seed=5)[0])
    voxels, motion = scan.realign(volume)
    forth = np.linalg.inv(phantom.spm_matrix(motion.translation_mm, motion.rotation_rad))
    at = (np.linalg.inv(affine) @ forth @ affine @ scan.places)[:3]
    wanted = ndimage.map_coordinates(volume.astype(float), at, order=order, mode="mirror")
    assert voxels.dtype == np.float32
    assert voxels.shape == scan.voxels.shape
    np.testing.assert_allclose(voxels, wanted, atol=0.02)


def test_realigned_voxels_show_the_head_where_the_reference_has_it() -> None:
    scan = Scan(*OBLONG)
    volume = scan.moved(phantom.poses(1, seed=6)[0])
    truth = scan.still.ravel(order="F")[scan.voxels]
    voxels, _ = scan.realign(volume)
    as_it_came = volume.ravel(order="F")[scan.voxels]
    assert np.std(voxels - truth) < NOISE  # interpolation smooths a little
    assert np.std(as_it_came - truth) > 1.6 * NOISE


@pytest.mark.parametrize("fast", [False, True], ids=["cubic", "fast"])
def test_background_that_the_scanner_zeroed_does_not_hold_the_head_back(fast: bool) -> None:
    shape, affine = PLAIN
    scan = Scan(shape, affine, fast=fast)
    empty = scan.still < 0.15 * phantom.BRIGHT
    reference = np.where(empty, 0, noisy(scan.still, 99))
    realign = Realign(reference, affine, scan.voxels, fast=fast)
    for seed, pose in enumerate(phantom.poses(2, seed=8)):
        _, motion = realign(np.where(empty, 0, scan.moved(pose, seed)))
        assert motion.trusted, motion.reason
        assert scan.error_mm(motion, pose) < 0.06


def bad_volumes(scan: Scan) -> dict[str, tuple[np.ndarray, str]]:
    still = scan.moved(np.eye(4), seed=2)
    holed = still.astype(np.float32)
    holed[3, 4, 5] = np.nan
    blank = np.where(np.arange(scan.shape[2]) < 0.6 * scan.shape[2], 0, still)
    away = phantom.pose(np.array([0.0, 20.0, 0.0]), np.zeros(3))
    random = np.random.default_rng(4)
    return {
        "nan": (holed, "not numbers"),
        "constant": (np.full(scan.shape, 500, np.int16), "no fit"),
        "zeros": (np.zeros(scan.shape, np.int16), "in the volume"),
        "half": (blank, "in the volume"),
        "noise": (random.integers(1, 1000, scan.shape).astype(np.int16), ""),
        "20 mm away": (scan.moved(away), "mm away"),
        "upside down": (still[..., ::-1], ""),
    }


BAD = ("nan", "constant", "zeros", "half", "noise", "20 mm away", "upside down")


@pytest.mark.parametrize("kind", BAD)
def test_a_volume_that_cannot_be_fitted_is_flagged_and_changes_nothing(kind: str) -> None:
    scan = Scan(*PLAIN)
    first, second = phantom.poses(2, seed=9, most_mm=1.0, most_deg=1.0)
    scan.realign(scan.moved(np.eye(4)))
    _, good = scan.realign(scan.moved(first))
    volume, reason = bad_volumes(scan)[kind]
    voxels, bad = scan.realign(volume)
    assert not bad.trusted
    assert bad.reason
    assert reason in bad.reason
    assert np.isnan(bad.framewise_mm)
    np.testing.assert_array_equal(bad.translation_mm, good.translation_mm)
    np.testing.assert_array_equal(bad.rotation_rad, good.rotation_rad)
    if kind == "nan":
        assert np.isnan(voxels).all()
    else:
        last = np.linalg.inv(phantom.spm_matrix(good.translation_mm, good.rotation_rad))
        at = (np.linalg.inv(scan.affine) @ last @ scan.affine @ scan.places)[:3]
        wanted = ndimage.map_coordinates(volume.astype(float), at, order=3, mode="mirror")
        np.testing.assert_allclose(voxels, wanted, atol=0.02)
    _, again = scan.realign(scan.moved(second, seed=3))
    assert again.trusted
    assert scan.error_mm(again, second) < 0.03
    assert again.framewise_mm == pytest.approx(again.since(good))


def test_before_a_trusted_volume_a_bad_one_is_taken_where_the_reference_lies() -> None:
    scan = Scan(*PLAIN)
    volume, _ = bad_volumes(scan)["20 mm away"]
    voxels, motion = scan.realign(volume)
    assert not motion.trusted
    assert not motion.translation_mm.any()
    np.testing.assert_allclose(voxels, volume.ravel(order="F")[scan.voxels], atol=0.02)


def test_how_far_is_too_far_can_be_said() -> None:
    scan = Scan(*PLAIN, limit_mm=2.0)
    near, far = (phantom.pose(np.array([mm, 0.0, 0.0]), np.zeros(3)) for mm in (1.8, 2.2))
    assert scan.realign(scan.moved(near))[1].displacement_mm == pytest.approx(1.8, abs=0.03)
    assert "2.2 mm away" in scan.realign(scan.moved(far))[1].reason


def test_displacement_and_framewise_displacement() -> None:
    scan = Scan(*PLAIN)
    one = phantom.pose(np.array([0.4, 0.0, 0.0]), np.zeros(3))
    other = np.linalg.inv(
        phantom.spm_matrix(np.array([0.0, -0.3, 0.0]), np.array([0.0, 0.0, 0.01]))
    )
    first, second = (scan.realign(scan.moved(p, seed))[1] for seed, p in enumerate((one, other)))
    assert np.isnan(first.framewise_mm)  # nothing to compare with yet
    assert first.displacement_mm == pytest.approx(0.4, abs=0.02)
    assert second.framewise_mm == pytest.approx(0.4 + 0.3 + 50 * 0.01, abs=0.08)


def test_a_new_run_forgets_the_last() -> None:
    scan, fresh = Scan(*OBLONG), Scan(*OBLONG)
    first, second = phantom.poses(2, seed=11)
    scan.realign(scan.moved(first))
    scan.realign.restart()
    voxels, motion = scan.realign(scan.moved(second))
    wanted, same = fresh.realign(scan.moved(second))
    assert np.isnan(motion.framewise_mm)
    assert voxels.tobytes() == wanted.tobytes()
    assert motion.translation_mm.tobytes() == same.translation_mm.tobytes()


def test_type_and_memory_order_of_a_volume_do_not_matter() -> None:
    scan = Scan(*OBLONG)
    volume = scan.moved(phantom.poses(1, seed=12)[0])
    voxels, _ = scan.realign(volume)
    scan.realign.restart()
    same, _ = scan.realign(np.ascontiguousarray(volume, np.float32))
    assert voxels.tobytes() == same.tobytes()


@pytest.mark.parametrize("times", [0.25, 1.4, 4.0])
def test_intensity_is_free(times: float) -> None:
    """A run's first volumes are brighter (T1 saturation), another run may be scaled otherwise."""
    scan = Scan(*PLAIN)
    pose = phantom.poses(1, seed=13)[0]
    _, motion = scan.realign(times * scan.moved(pose).astype(np.float32))
    assert motion.trusted
    assert scan.error_mm(motion, pose) < 0.03


@pytest.mark.parametrize("value", [0.0, 500.0])
def test_a_reference_without_a_head_is_refused(value: float) -> None:
    shape, affine = PLAIN
    with pytest.raises(BadInput, match=r"has 0 voxels in a head.*use another"):
        Realign(np.full(shape, value, np.float32), affine, np.arange(9))


@pytest.mark.parametrize("order", [LINEAR, CUBIC])
def test_the_matrix_products_are_scipys_filters(order: int) -> None:
    volume = np.random.default_rng(14).normal(500, 90, (11, 9, 7))
    sd = (0.7, 0.9, 0.5)
    wanted = ndimage.gaussian_filter(volume, sd, mode="mirror")
    if order == CUBIC:
        wanted = ndimage.spline_filter(wanted, 3, mode="mirror")
    np.testing.assert_allclose(Filter(volume.shape, order, sd)(volume), wanted, rtol=1e-5)


def test_outside_of_the_volume_its_edge_goes_on() -> None:
    volume = np.random.default_rng(15).normal(500, 90, (11, 9, 7))
    coefficients = Filter(volume.shape, CUBIC)(volume)
    at = np.array([[-3.0, 4.0, 20.0], [2.0, 99.0, -1.0], [3.0, 1.0, 6.5]])
    wanted = [volume[0, 2, 3], volume[4, 8, 1], volume[10, 0, 6]]
    np.testing.assert_allclose(sample(coefficients, at, CUBIC), wanted, rtol=1e-5)


@pytest.fixture(scope="module")
def siemens_b() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """30 real volumes (i, j, k, t), their affine, and SPM's parameters for them."""
    if not scans.SIEMENS_B.is_dir():
        pytest.skip("the scanner exports (real data) are not on this machine")
    pytest.importorskip("pydicom", reason="pydicom, which reads the scanner exports, is missing")
    return scans.siemens_b()


@pytest.mark.parametrize("fast", [False, True], ids=["cubic", "fast"])
def test_real_volumes_move_as_spm_says(
    siemens_b: tuple[np.ndarray, np.ndarray, np.ndarray], fast: bool
) -> None:
    data, affine, spm = siemens_b
    bright = np.flatnonzero(data[..., 0].ravel(order="F") > np.percentile(data[..., 0], 80))
    places_mm = affine @ places_of(bright, data.shape[:3])
    realign = Realign(data[..., 0].astype(np.float32), affine, bright[:100], fast=fast)
    apart = []
    for n in range(data.shape[3]):
        _, motion = realign(data[..., n])
        assert motion.trusted, motion.reason
        ours, theirs = (
            np.linalg.inv(phantom.spm_matrix(*parameters))
            for parameters in ((motion.translation_mm, motion.rotation_rad), np.split(spm[n], 2))
        )
        apart.append(((ours - theirs) @ places_mm)[:3])
    steady = np.mean(apart, axis=0)
    assert np.linalg.norm(apart, axis=1).mean() < 0.06
    assert np.linalg.norm(apart - steady, axis=1).mean() < 0.035
