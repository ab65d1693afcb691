"""The simulated person: who sees what, how noisily, and how the head moves."""

from copy import copy
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.processing import resample_from_to
from numpy.typing import NDArray

from simulator import scenes
from simulator.acquisition import RunPlan, scan
from simulator.anatomy import MARGIN, load_anatomy
from simulator.brain import Brain, Haemodynamics, slice_times_s
from simulator.motion import MovingHead, rigid, session_poses
from simulator.noise import NoiseLevels
from simulator.plan import Design
from simulator.reliability import correlation, measure
from simulator.scenes import SCENES
from simulator.vision import standard_images, standard_pictures

SILENT = NoiseLevels(
    autoregressive=0, drift=0, cardiac=0, respiratory=0, thermal=0, saturation=()
)  # fmt: skip


@pytest.fixture(scope="module")
def brain() -> Brain:
    return Brain(0)


@pytest.fixture(scope="module")
def shown() -> list[scenes.Scene]:
    rng = np.random.default_rng(5)
    return [scenes.sample_scene(rng) for _ in range(8)]


@pytest.fixture(scope="module")
def images(shown: list[scenes.Scene]) -> NDArray[np.uint8]:
    return np.stack([scenes.render(scene, 64).image for scene in shown])


def plan(brain: Brain, responses: NDArray[np.float32], n_volumes: int = 24) -> RunPlan:
    onsets_s = tuple(4.3 + 10.0 * np.arange(len(responses)))
    return RunPlan(1, 2.0, 6.0, n_volumes, onsets_s, responses, np.zeros((n_volumes, 6)), 0)


def disc(x: float, y: float) -> NDArray[np.uint8]:
    """A coloured disc on grey; x and y from -1 to 1, right and down positive."""
    at = (np.arange(64) + 0.5) / 32 - 1
    image = np.full((64, 64, 3), 128, np.uint8)
    image[np.hypot(at - x, at[:, None] - y) < 0.25] = (250, 60, 20)
    return image


def test_regions_are_grey_apart_and_large_enough() -> None:
    anatomy = load_anatomy()
    assert not (anatomy.early & anatomy.ventral).any()
    for region in (anatomy.early, anatomy.ventral):
        assert 1500 <= region.sum() <= 2000
        assert anatomy.grey[region].min() > 0.3
    assert np.median(anatomy.mni_mm[anatomy.early][:, 1]) < -80  # the back of the head


def test_early_voxels_see_pixels_and_ventral_voxels_see_things(
    brain: Brain, shown: list[scenes.Scene], images: NDArray[np.uint8]
) -> None:
    first = brain.responses(shown, images)
    other_scenes = brain.responses(shown[::-1], images)
    other_pixels = brain.responses(shown, images[::-1])
    early, ventral = np.s_[:, : brain.n_early], np.s_[:, brain.n_early :]
    np.testing.assert_array_equal(first[early], other_scenes[early])
    np.testing.assert_array_equal(first[ventral], other_pixels[ventral])
    assert np.abs(first[early] - other_pixels[early]).mean() > 0.1
    assert np.abs(first[ventral] - other_scenes[ventral]).mean() > 0.1


def test_early_activity_follows_the_disc(brain: Brain) -> None:
    places = [(-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)]
    grey = np.full((1, 64, 64, 3), 128, np.uint8)
    vision = brain._early
    change = np.abs(vision(np.stack([disc(*p) for p in places])) - vision(grey)) ** 2
    seen_at = change @ vision.centre / change.sum(1, keepdims=True)
    assert seen_at[0, 0] < -0.25
    assert seen_at[1, 0] > 0.25
    assert seen_at[2, 1] < -0.2
    assert seen_at[3, 1] > 0.2


def test_each_half_of_the_picture_is_seen_by_the_other_hemisphere(brain: Brain) -> None:
    early = brain.anatomy.mni_mm[brain.anatomy.early]
    centre, size = brain._early.centre, brain._early.size
    right = centre[:, 0] > 0.1
    assert (early[right, 0] < 0).all()
    eccentricity = np.hypot(*centre.T)
    assert np.corrcoef(eccentricity, size)[0, 1] > 0.9


def test_retinotopy_is_smooth(brain: Brain) -> None:
    early = brain.anatomy.mni_mm[brain.anatomy.early]
    left = early[:, 0] < -4
    place, centre = early[left], brain._early.centre[left]
    apart_mm = np.linalg.norm(place[:, None] - place[None], axis=-1)
    apart = np.linalg.norm(centre[:, None] - centre[None], axis=-1)
    near, far = (apart_mm > 0) & (apart_mm < 4), apart_mm > 20
    assert np.median(apart[near]) < 0.2 * np.median(apart[far])


def test_responses_are_standardised_over_the_standard_pictures(brain: Brain) -> None:
    for responses in (
        brain._early(standard_images(SCENES)[:100]),
        brain._ventral(standard_pictures(SCENES)[:100]),
    ):
        assert abs(responses.mean()) < 0.1
        assert responses.std(0).mean() == pytest.approx(1, abs=0.1)


def test_ventral_cortex_tells_kinds_apart_and_noise_from_things(brain: Brain) -> None:
    rng = np.random.default_rng(0)
    dogs, houses = ([scenes.sample_scene(rng, k) for _ in range(20)] for k in ("dog", "house"))
    patterns = [brain._ventral(group).mean(0) for group in (dogs[:10], dogs[10:], houses[10:])]
    assert np.corrcoef(patterns)[0, 1] > np.corrcoef(patterns)[0, 2] + 0.2
    noise = [scenes.sample_scene(rng, scenes.NOISE)]
    seen = np.stack([scenes.render(scene, 64).image for scene in (dogs[0], noise[0])])
    response = brain.responses([dogs[0], *noise], seen)[:, brain.n_early :].mean(1)
    assert response[1] < response[0]


def test_haemodynamic_response_rises_late_peaks_once_and_undershoots() -> None:
    at_s = np.arange(0, 40, 0.1)
    response = Haemodynamics()(at_s, 6.0)
    assert response.max() == pytest.approx(1, abs=1e-3)
    assert 7 < at_s[response.argmax()] < 10
    assert response[at_s < 1].max() < 0.01
    assert response[at_s > 18].min() < -0.02
    assert abs(response[-1]) < 0.02


def test_evoked_response_is_a_sum_over_trials_at_each_slice_s_time(brain: Brain) -> None:
    responses = np.zeros((2, len(brain.voxels[0])), np.float32)
    responses[0], responses[1] = 1, 2
    evoked = brain.evoked(responses, (3.0, 15.0), 6.0, 2.0, 20)
    voxel = 100
    time_s = np.arange(20) * 2.0 + slice_times_s(34, 2.0)[brain.voxels[2][voxel]]
    response = brain.haemodynamics[0]
    expected = response(time_s - 3, 6.0) + 2 * response(time_s - 15, 6.0)
    np.testing.assert_allclose(evoked[:, voxel], expected, rtol=1e-5)


def test_effect_0_leaves_no_trace_of_what_is_shown(
    brain: Brain, shown: list[scenes.Scene], images: NDArray[np.uint8]
) -> None:
    blind, seeing = copy(brain), brain
    blind.effect = 0.0
    first = scan(blind, plan(blind, blind.responses(shown[:2], images[:2])))
    second = scan(blind, plan(blind, blind.responses(shown[2:4], images[2:4])))
    np.testing.assert_array_equal(first, second)
    # and at effect 1 the same comparison finds the regions, and nothing else
    first, second = (
        scan(seeing, plan(seeing, seeing.responses(shown[i : i + 2], images[i : i + 2])))
        for i in (0, 2)
    )
    assert (first != second)[seeing.anatomy.regions].mean() > 0.3
    assert not (first != second)[~seeing.anatomy.regions].any()


def test_effect_scales_the_evoked_response(
    brain: Brain, shown: list[scenes.Scene], images: NDArray[np.uint8]
) -> None:
    keen = copy(brain)
    keen.effect = 2.0
    once, twice = (person.responses(shown, images) for person in (brain, keen))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)


def test_signal_to_noise_in_grey_matter(brain: Brain) -> None:
    nothing = np.zeros((0, len(brain.voxels[0])), np.float32)
    still = plan(brain, nothing, 100)
    poses = session_poses([100], 2.0, 1.0, np.random.default_rng(1))[0]
    data = scan(brain, replace(still, poses=poses))
    grey = data[brain.anatomy.grey > 0.5][:, 5:].astype(float)
    assert 60 <= np.median(grey.mean(1) / grey.std(1)) <= 85
    centred = grey - grey.mean(1, keepdims=True)
    lag_1 = (centred[:, 1:] * centred[:, :-1]).sum(1) / (centred**2).sum(1)
    assert 0.2 < np.median(lag_1) < 0.7  # the recorded session has .36 to .55
    first = data[brain.anatomy.grey > 0.5][:, :3].mean(0) / grey.mean()
    assert first[0] > 1.08
    assert first[0] > first[1] > first[2]
    assert data.dtype == np.int16


def test_single_trials_repeat_as_in_good_3_t_data(brain: Brain) -> None:
    quality = measure(brain, Design(motion=0), n_pictures=30)
    assert 0.15 < np.median(quality.retest) < 0.35
    assert 0.35 < np.median(quality.truth) < 0.6


def test_half_of_the_autoregressive_noise_is_smooth(brain: Brain) -> None:
    nothing = np.zeros((0, len(brain.voxels[0])), np.float32)
    quiet = copy(brain)
    quiet.ongoing = 0.0
    data = scan(quiet, plan(quiet, nothing, 40), replace(SILENT, autoregressive=3.0))
    there = data[24:40, 24:40, 14:26].astype(float).T.reshape(40, 12, 16, 16)
    right, left = there[..., 1:].reshape(40, -1), there[..., :-1].reshape(40, -1)
    assert 0.2 < np.median(correlation(left, right)) < 0.5
    far_right, far_left = there[..., 6:].reshape(40, -1), there[..., :-6].reshape(40, -1)
    assert abs(np.median(correlation(far_left, far_right))) < 0.1


def test_moving_by_one_voxel_shifts_the_volume_by_one(brain: Brain) -> None:
    head = MovingHead(brain.anatomy, brain.voxels)
    percent = np.zeros(len(brain.voxels[0]), np.float32)
    still = head.seen(percent, np.zeros(6))
    pose = np.zeros(6)
    pose[:3] = brain.anatomy.affine[:3, 1]
    moved = head.seen(percent, pose)
    inside = np.s_[5:-5, 6:-6, 5:-5]
    np.testing.assert_allclose(moved[inside], np.roll(still, 1, axis=1)[inside], atol=3)


def test_motion_agrees_with_nibabel_s_resampling(brain: Brain) -> None:
    head = MovingHead(brain.anatomy, brain.voxels)
    pose = np.array([0.8, -1.1, 0.6, 0.03, -0.02, 0.04])
    moved = head.seen(np.zeros(len(brain.voxels[0]), np.float32), pose)
    padded = brain.anatomy.affine.copy()
    padded[:3, 3] -= MARGIN * padded[:3, 2]
    placed = rigid(pose, head.centre_mm) @ padded
    image = nib.Nifti1Image(brain.anatomy.baseline, placed)
    onto = (moved.shape, brain.anatomy.affine)
    expected = resample_from_to(image, onto, order=2, mode="nearest").get_fdata()
    inside = np.zeros(moved.shape, bool)
    inside[:, 5:-5, 5:-5] = True  # further out it matters how the splines end
    inside &= brain.anatomy.in_view > 300
    np.testing.assert_allclose(moved[inside], expected[inside], atol=0.1)


def test_known_motion_is_in_the_volumes(brain: Brain) -> None:
    nothing = np.zeros((0, len(brain.voxels[0])), np.float32)
    poses = np.zeros((24, 6))
    poses[14:] = [0.3, -0.3, 0.2, 0.004, 0.003, -0.004]
    data = scan(brain, replace(plan(brain, nothing), poses=poses))
    change = data[..., 14:].mean(-1) - data[..., 4:14].mean(-1)
    head = MovingHead(brain.anatomy, brain.voxels)
    percent = np.zeros(len(brain.voxels[0]), np.float32)
    expected = head.seen(percent, poses[-1]) - head.seen(percent, poses[0])
    inside = brain.anatomy.in_view > 100
    assert np.corrcoef(change[inside], expected[inside])[0, 1] > 0.8


def test_motion_of_a_session_is_small_with_a_few_jumps() -> None:
    poses = session_poses([190] * 12, 2.0, 1.0, np.random.default_rng(0))
    path = np.concatenate(poses)
    np.testing.assert_array_equal(path[0], 0)
    step_mm = np.linalg.norm(np.diff(path[:, :3], axis=0), axis=1)
    assert 0.15 < step_mm.max() < 0.7
    assert np.median(step_mm) < 0.06
    assert np.linalg.norm(path[:, :3], axis=1).max() < 3
    still = session_poses([10], 2.0, 0.0, np.random.default_rng(0))[0]
    assert not still.any()


def test_silent_scanner_sees_the_head_alone(brain: Brain) -> None:
    nothing = np.zeros((0, len(brain.voxels[0])), np.float32)
    quiet = copy(brain)
    quiet.ongoing = 0.0
    data = scan(quiet, plan(quiet, nothing, 3), SILENT)
    np.testing.assert_allclose(data[..., 2], brain.anatomy.in_view, atol=0.51)
    np.testing.assert_array_equal(data[..., 0], data[..., 2])


def test_a_seed_is_a_person_and_a_run_is_its_own(
    shown: list[scenes.Scene], images: NDArray[np.uint8], brain: Brain
) -> None:
    responses = brain.responses(shown, images)
    again, other = Brain(0).responses(shown, images), Brain(1).responses(shown, images)
    np.testing.assert_array_equal(responses, again)
    assert np.abs(np.corrcoef(responses.ravel(), other.ravel())[0, 1]) < 0.3
    short = plan(brain, responses[:1], 3)
    np.testing.assert_array_equal(scan(brain, short), scan(brain, short))
    assert (scan(brain, short) != scan(brain, replace(short, number=2))).mean() > 0.5
