"""A decoder folder comes back as it was, or is refused with one line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rtrecon.artifact import (
    ABOUT,
    ARRAYS,
    FORMAT,
    Artifact,
    load_artifact,
    save_artifact,
)
from rtrecon.compatibility import check_generator, check_stream
from rtrecon.errors import BadArtifact, Mismatch
from rtrecon.types import Geometry


def test_what_is_saved_is_loaded(toy_artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(toy_artifact, tmp_path)
    read = load_artifact(tmp_path)
    assert (read.name, read.shape, read.candidates) == (
        "sub-toy",
        (6, 5, 4),
        toy_artifact.candidates,
    )
    assert (read.response, read.generator) == (toy_artifact.response, toy_artifact.generator)
    assert read.z is not None
    assert toy_artifact.z is not None
    np.testing.assert_array_equal(read.z.weights, toy_artifact.z.weights)
    np.testing.assert_array_equal(read.c.voxels, toy_artifact.c.voxels)
    np.testing.assert_array_equal(read.null.c.weights, toy_artifact.null.c.weights)


def test_captions_alone_make_a_decoder_without_z(toy_artifact: Artifact, tmp_path: Path) -> None:
    null = replace(toy_artifact.null, z=None)
    save_artifact(replace(toy_artifact, z=None, null=null), tmp_path)
    read = load_artifact(tmp_path)
    assert read.z is read.null.z is None


def test_a_flipped_byte_is_found(toy_artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(toy_artifact, tmp_path)
    content = bytearray((tmp_path / ARRAYS).read_bytes())
    content[-7] ^= 1
    (tmp_path / ARRAYS).write_bytes(content)
    with pytest.raises(BadArtifact, match="is damaged"):
        load_artifact(tmp_path)


@pytest.mark.parametrize("missing", [ABOUT, ARRAYS])
def test_a_missing_file_is_named(toy_artifact: Artifact, tmp_path: Path, missing: str) -> None:
    save_artifact(toy_artifact, tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(BadArtifact, match=missing):
        load_artifact(tmp_path)


def test_a_newer_format_is_refused(toy_artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(toy_artifact, tmp_path)
    about = json.loads((tmp_path / ABOUT).read_text())
    (tmp_path / ABOUT).write_text(json.dumps(about | {"format": FORMAT + 1}))
    with pytest.raises(BadArtifact, match=f"format {FORMAT + 1}, this program reads {FORMAT}"):
        load_artifact(tmp_path)


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"growth": -1.0}, {"doubt": 1.5}])
def test_a_confidence_that_gives_no_probabilities_is_refused(
    toy_artifact: Artifact, tmp_path: Path, wrong: dict[str, float]
) -> None:
    save_artifact(
        replace(toy_artifact, confidence=replace(toy_artifact.confidence, **wrong)), tmp_path
    )
    with pytest.raises(BadArtifact, match="gives no probabilities"):
        load_artifact(tmp_path)


_JSON = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=3), st.lists, max_leaves=3
)


@example(key="shape", value=[float("inf")])
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    key=st.sampled_from(
        ["shape", "tr_s", "response", "generator", "candidates", "confidence", "name"]
    ),
    value=_JSON,
)
def test_any_other_json_is_read_or_refused(
    toy_artifact: Artifact, tmp_path: Path, key: str, value: object
) -> None:
    save_artifact(toy_artifact, tmp_path)
    about = json.loads((tmp_path / ABOUT).read_text())
    (tmp_path / ABOUT).write_text(json.dumps(about | {key: value}))
    try:
        load_artifact(tmp_path)
    except BadArtifact as error:
        assert "\n" not in str(error)


def test_other_shape_position_and_tr_are_refused(
    toy_artifact: Artifact, toy_geometry: Geometry
) -> None:
    check_stream(toy_artifact, toy_geometry, "x")
    moved = toy_geometry.affine.copy()
    moved[0, 3] += 2
    for other, said in (
        (replace(toy_geometry, shape=(6, 5, 5)), "expects volumes of 6 x 5 x 4 .* 6 x 5 x 5"),
        (replace(toy_geometry, affine=moved), "another slice position, .* 2 mm away"),
        (replace(toy_geometry, tr_s=1.5), "a TR of 2 s, .* has 1.5 s"),
    ):
        with pytest.raises(Mismatch, match=said):
            check_stream(toy_artifact, other, "x")


def test_slices_that_lie_otherwise_are_taken_where_volumes_are_realigned(
    toy_artifact: Artifact, toy_geometry: Geometry
) -> None:
    still = np.ones(toy_geometry.shape, np.float32)
    realigning = replace(toy_artifact, reference=still)
    for mm, taken in ((15.0, True), (60.0, False)):
        moved = toy_geometry.affine.copy()
        moved[1, 3] += mm
        there = replace(toy_geometry, affine=moved)
        if taken:
            check_stream(realigning, there, "x")
        else:
            with pytest.raises(Mismatch, match="another slice position, .* 60 mm away"):
                check_stream(realigning, there, "x")


def test_another_generator_is_refused(toy_artifact: Artifact) -> None:
    check_generator(toy_artifact, "toy", toy_artifact.generator.identity)
    with pytest.raises(Mismatch, match="fitted for generator 'toy' .* 'sd15' is another"):
        check_generator(toy_artifact, "sd15", "f" * 64)
