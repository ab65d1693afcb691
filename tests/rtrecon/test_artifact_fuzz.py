"""Whatever is done to a decoder's folder: it is read whole, or refused in one line."""

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from rtrecon.artifact import ABOUT, ARRAYS, Artifact, load_artifact, save_artifact
from rtrecon.errors import BadArtifact

EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ODD = st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e30])
KINDS = st.sampled_from(["<f2", "<f4", "<f8", "<i8", "<i4", "|u1", "|b1"])


@pytest.fixture(scope="module")
def files(toy_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    save_artifact(toy_artifact, folder)
    return {name: (folder / name).read_bytes() for name in (ABOUT, ARRAYS)}


def write(folder: Path, files: dict[str, bytes], signed: bool = False) -> None:
    """A decoder's folder; signed, the description says that the arrays are as they should be."""
    about = files[ABOUT]
    if signed:
        sha256 = hashlib.sha256(files[ARRAYS]).hexdigest()
        about = json.dumps(json.loads(about) | {"sha256": sha256}).encode()
    (folder / ABOUT).write_bytes(about)
    (folder / ARRAYS).write_bytes(files[ARRAYS])


def read_or_refused(folder: Path) -> None:
    """Read, it has to decode; a warning counts as a failure, too."""
    try:
        artifact = load_artifact(folder)
    except BadArtifact as error:
        assert str(error).startswith("decoder '")
        assert "\n" not in str(error)
        return
    pattern = np.zeros(len(artifact.voxels), np.float32)
    for linear in (artifact.z, artifact.c, artifact.null.z, artifact.null.c):
        if linear is not None:
            assert np.isfinite(linear(pattern)).all()
    tie = artifact.generator
    assert artifact.c(pattern).reshape(tie.conditioning).dtype == np.float32
    probabilities = artifact.confidence(np.zeros(len(artifact.candidates), np.float32), 1.0)
    assert np.isfinite(probabilities).all()
    artifact.preprocess(artifact.affine)


@EXAMPLES
@given(
    name=st.sampled_from([ABOUT, ARRAYS]),
    at=st.floats(0, 1, exclude_max=True),
    length=st.integers(0, 12),
    new=st.binary(max_size=12),
)
def test_any_bytes_changed(
    files: dict[str, bytes], tmp_path: Path, name: str, at: float, length: int, new: bytes
) -> None:
    content = files[name]
    start = int(at * len(content))
    changed = content[:start] + new + content[start + length :]
    write(tmp_path, files | {name: changed})
    if name == ARRAYS and changed != content:
        with pytest.raises(BadArtifact, match="is damaged"):
            load_artifact(tmp_path)
    else:
        read_or_refused(tmp_path)


@EXAMPLES
@given(
    nth=st.integers(0, 40),
    what=st.sampled_from(["gone", "kind", "cut", "odd", "flat"]),
    kind=KINDS,
    kept=st.integers(0, 3),
    odd=ODD,
)
def test_any_array_changed_and_signed(
    files: dict[str, bytes], tmp_path: Path, nth: int, what: str, kind: str, kept: int, odd: float
) -> None:
    arrays: dict[str, Any] = {name: array.copy() for name, array in load(files[ARRAYS]).items()}
    name = sorted(arrays)[nth % len(arrays)]
    array = arrays.pop(name)
    with np.errstate(all="ignore"):
        if what == "kind":
            arrays[name] = array.astype(kind)
        elif what == "cut":
            arrays[name] = array[:kept].copy()
        elif what == "odd":
            array.flat[0] = np.array(odd).astype(array.dtype)
            arrays[name] = array
        elif what == "flat":
            arrays[name] = array.reshape(-1, 1)
    write(tmp_path, files | {ARRAYS: save(arrays)}, signed=True)
    read_or_refused(tmp_path)


@EXAMPLES
@given(start=st.integers(0, 200), new=st.binary(min_size=1, max_size=9))
def test_any_damage_to_the_arrays_header_even_if_signed(
    files: dict[str, bytes], tmp_path: Path, start: int, new: bytes
) -> None:
    content = files[ARRAYS]
    changed = content[:start] + new + content[start + len(new) :]
    write(tmp_path, files | {ARRAYS: changed}, signed=True)
    read_or_refused(tmp_path)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("signed", [False, True])
def test_a_pickle_is_not_opened(files: dict[str, bytes], tmp_path: Path, signed: bool) -> None:
    sprung = tmp_path / "sprung"
    pickled = pickle.dumps(Trap(str(sprung)))
    write(tmp_path, files | {ARRAYS: pickled}, signed)
    with pytest.raises(BadArtifact, match="at odds with itself" if signed else "is damaged"):
        load_artifact(tmp_path)
    (tmp_path / ABOUT).write_bytes(pickled)
    with pytest.raises(BadArtifact, match="not JSON"):
        load_artifact(tmp_path)
    assert not sprung.exists()
