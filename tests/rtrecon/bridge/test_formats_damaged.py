"""Files that are cut off, still being written or made up: one clear error, and no memory spent."""

import gzip
import resource
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon.bridge.formats import read
from rtrecon.bridge.mosaic import csa_header
from rtrecon.bridge.piece import Foreign, Unfinished
from tests import exports

DATA = exports.noise((6, 5, 4))
WRITERS: dict[str, Callable[[Path], Path]] = {
    "mosaic.dcm": lambda path: exports.write_mosaic(path, DATA, volumes=5),
    "old.IMA": lambda path: exports.write_mosaic(path, DATA, in_csa=False),
    "frames.dcm": lambda path: exports.write_enhanced(path, DATA),
    "slice": lambda path: exports.write_slices(path.parent / "s", DATA)[1].rename(path),
    "one.nii": lambda path: exports.write_nifti(path, DATA),
    "one.nii.gz": lambda path: exports.write_nifti(path, DATA),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_cut_anywhere_is_unfinished(name: str, tmp_path: Path) -> None:
    whole = WRITERS[name](tmp_path / name)
    content, (wanted,) = whole.read_bytes(), read(whole)
    cuts = {*range(0, len(content), 7), *range(120, 140), *range(len(content) - 12, len(content))}
    for cut in sorted(cuts):
        whole.write_bytes(content[:cut])
        with pytest.raises(Unfinished) as told:
            read(whole)
        assert "\n" not in str(told.value), cut
    whole.write_bytes(content)
    np.testing.assert_array_equal(read(whole)[0].data, wanted.data)


@pytest.mark.parametrize("name", WRITERS)
def test_room_made_for_a_file_is_unfinished(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(5000))
    with pytest.raises(Unfinished):
        read(path)


@pytest.mark.parametrize("suffix", [".par", ".rec"])
def test_a_pair_cut_anywhere_is_unfinished(suffix: str, tmp_path: Path) -> None:
    par, rec = exports.write_par_rec(tmp_path / "a_1.par", DATA, phase=True)
    path = par if suffix == ".par" else rec
    content = path.read_bytes()
    # all that follows the last line's END is decoration
    length = len(content.rstrip(b"=\n ")) if suffix == ".par" else len(content)
    for cut in {*range(0, length, 31), *range(length - 12, length)}:
        path.write_bytes(content[:cut])
        for handed in (par, rec):
            with pytest.raises(Unfinished):
                read(handed)
    path.write_bytes(content)
    assert len(read(par)) == 1


def outcome(path: Path) -> str:
    """What reading gives; anything but pieces and the two errors is a failure."""
    try:
        return f"{len(read(path))} pieces"
    except (Foreign, Unfinished) as error:
        assert "\n" not in str(error)
        return type(error).__name__


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    return {name: write(folder / name).read_bytes() for name, write in WRITERS.items()}


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(WRITERS)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1),
)
def test_bytes_changed_anywhere_never_end_in_another_error(
    name: str,
    changes: list[tuple[float, bytes]],
    originals: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("fuzz", numbered=True) / name
    content = bytearray(originals[name])
    for fraction, put in changes:
        at = int(fraction * (len(content) - 1))
        content[at : at + len(put)] = put
    path.write_bytes(content)
    outcome(path)


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), put=st.text("0123456789-. e#\nx", min_size=1, max_size=6))
def test_par_text_changed_anywhere_never_ends_in_another_error(
    at: float, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    par, _ = exports.write_par_rec(tmp_path_factory.mktemp("par", numbered=True) / "a.par", DATA)
    text = par.read_text()
    where = int(at * len(text))
    par.write_text(text[:where] + put + text[where + len(put) :])
    outcome(par)


@pytest.mark.parametrize("name", ["mosaic.dcm", "frames.dcm", "slice"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Rows", 65535),
        ("Columns", 65535),
        ("NumberOfFrames", 2**31 - 1),
        ("Rows", 0),
        ("NumberOfFrames", -3),
        ("BitsAllocated", 8),
        ("BitsAllocated", 32),
        ("SamplesPerPixel", 3),
    ],
)
def test_header_that_promises_much_costs_nothing(
    name: str, key: str, value: int, tmp_path: Path
) -> None:
    path = WRITERS[name](tmp_path / name)
    image = pydicom.dcmread(path)
    setattr(image, key, value)
    image.save_as(path)
    tracemalloc.start()
    result = outcome(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result in ("Unfinished", "Foreign")
    assert peak < 4 << 20


def test_elements_longer_than_the_file_cost_nothing(tmp_path: Path) -> None:
    path = exports.write_mosaic(tmp_path / "a.dcm", DATA)
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00OW") + 8
    path.write_bytes(content[:at] + struct.pack("<I", 0xFFFFFF00) + content[at + 4 :])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


def test_nifti_that_promises_much_costs_nothing(tmp_path: Path) -> None:
    path = exports.write_nifti(tmp_path / "a.nii", DATA)
    header = nibabel.load(path).header
    header.set_data_shape((32000, 32000, 32000, 32000))
    header["vox_offset"] = 352
    content = path.read_bytes()
    path.write_bytes(header.binaryblock + content[348:])
    with pytest.raises(Unfinished, match="lacks the last"):
        read(path)


def test_gz_that_inflates_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtrecon.bridge.nifti._MAX_BYTES", 1 << 20)
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(bytes(8 << 20)))
    with pytest.raises(Foreign, match="inflates"):
        read(path)


def test_gz_is_inflated_no_further_than_its_header_promises(tmp_path: Path) -> None:
    path = exports.write_nifti(tmp_path / "bomb.nii.gz", DATA)
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole + bytes(64 << 20)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Foreign, match="inflates"):
        read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 << 10  # KiB


def test_counts_of_no_scanner_are_refused(tmp_path: Path) -> None:
    """Echoes are counted by making a set of them."""
    path = exports.write_slices(tmp_path / "s", DATA)[1]
    image = pydicom.dcmread(path)
    for tag, what in (((0x0019, 0x107E), "echoes"), ((0x0021, 0x104F), "slices")):
        had = image[tag].value if tag in image else None
        image.add_new(tag, "DS", "9e15")
        image.save_as(path)
        with pytest.raises(Foreign, match=what):
            read(path)
        image.add_new(tag, "DS", str(had or 1))


def test_a_small_gz_makes_no_room_for_the_largest(tmp_path: Path) -> None:
    path = exports.write_nifti(tmp_path / "a.nii.gz", DATA)
    tracemalloc.start()
    result = outcome(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result == "1 pieces"
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "syntax", [pydicom.uid.DeflatedExplicitVRLittleEndian, pydicom.uid.JPEG2000Lossless]
)
def test_compressed_dicom_is_refused_with_the_way_out(tmp_path: Path, syntax: str) -> None:
    path = exports.write_mosaic(tmp_path / "a.dcm", DATA)
    image = pydicom.dcmread(path)
    if syntax == pydicom.uid.JPEG2000Lossless:
        image.PixelData = pydicom.encaps.encapsulate([b"\0\0" * 8])
        image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = syntax
    image.save_as(path)
    with pytest.raises(Foreign, match="without compression"):
        read(path)


@given(raw=st.binary(max_size=400))
def test_csa_header_of_any_bytes(raw: bytes) -> None:
    csa_header(raw)
    csa_header(b"SV10\x04\x03\x02\x01\xff\xff\xff\xff\x4d\0\0\0" + raw)


def test_csa_header_keeps_to_its_bounds() -> None:
    good = exports.csa_bytes({"A": ["1", "2"], "B": ["3"]})
    assert csa_header(good) == {"A": ["1", "2"], "B": ["3"]}
    assert csa_header(good[:-30]) == {"A": ["1", "2"]}
    many = good[:8] + struct.pack("<I", 2**31) + good[12:]
    assert csa_header(many) == csa_header(good)
