"""What the bridge reads of exported files is what dcm2niix and nibabel make of them."""

import subprocess
import sys
from dataclasses import replace
from math import isnan
from pathlib import Path

import nibabel
import numpy as np
import pytest

from rtrecon.bridge.formats import read, slice_times_s, volume_of
from rtrecon.bridge.piece import Foreign, Piece, Unfinished
from rtrecon.errors import BadInput
from tests import exports

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "scanner-exports"
DCM2NIIX = Path(sys.executable).with_name("dcm2niix")


def samples(name: str) -> list[Path]:
    folder = SAMPLES / name
    if not folder.is_dir():
        pytest.skip(f"no sample of a scanner's export at {folder}")
    return sorted(folder.iterdir())


def converted(folder: Path, out: Path) -> list[nibabel.Nifti1Image]:
    """What dcm2niix makes of a folder."""
    out.mkdir(exist_ok=True)
    command = [str(DCM2NIIX), "-b", "n", "-z", "n", "-f", "%s_%e", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return [nibabel.load(path) for path in sorted(out.glob("*.nii"))]


def by_volume(pieces: list[Piece]) -> dict[int, list[Piece]]:
    numbers = sorted({piece.volume for piece in pieces})
    return {number: [p for p in pieces if p.volume == number] for number in numbers}


def require_as_converted(pieces: list[Piece], image: nibabel.Nifti1Image) -> None:
    """Shape, voxels, order of volumes, affine and TR."""
    wanted = np.asanyarray(image.dataobj)
    wanted = wanted.reshape((*wanted.shape, 1)[:4])
    volumes = by_volume(pieces)
    assert list(volumes) == list(range(wanted.shape[3]))
    for number, of_one in volumes.items():
        data, affine = volume_of(of_one)
        assert data.shape == wanted.shape[:3]
        np.testing.assert_array_equal(data, wanted[..., number])
        np.testing.assert_allclose(affine, image.affine, atol=1e-4)
    if wanted.shape[3] > 1:
        assert pieces[0].tr_s == pytest.approx(image.header.get_zooms()[3], abs=1e-6)


@pytest.mark.parametrize("name", ["siemens-b", "siemens-c", "ge"])
def test_a_real_export_is_read_as_dcm2niix_converts_it(name: str, tmp_path: Path) -> None:
    paths = samples(name)
    (image,) = converted(paths[0].parent, tmp_path)
    require_as_converted([piece for path in reversed(paths) for piece in read(path)], image)


def test_the_odd_one_of_eleven_is_a_volume_exported_twice(tmp_path: Path) -> None:
    paths = samples("siemens-a")
    (image,) = converted(paths[0].parent, tmp_path)
    (twin,), (last,) = read(paths[0]), read(paths[10])
    assert (twin.series, twin.volume, twin.echo) == (last.series, last.volume, last.echo)
    assert twin.volume == 9
    np.testing.assert_array_equal(twin.data, last.data)
    require_as_converted([piece for path in paths[1:] for piece in read(path)], image)


def test_headers_of_real_exports_are_told() -> None:
    (piece,) = read(samples("siemens-b")[2])
    assert (piece.volume, piece.echo, piece.echo_s, piece.tr_s) == (2, 1, 0.03, 1.97)
    assert (piece.acquired_date, piece.acquired_s) == ("20170216", pytest.approx(49465.9225))
    assert piece.slice_times_s[-1] == 0  # this protocol goes down from the head's top
    assert len(piece.slice_times_s) == 36
    (piece,) = read(samples("siemens-c")[0])
    assert (piece.volumes, piece.slice_times_s[1]) == (60, 0)
    assert isnan(piece.acquired_s)


def test_ge_slices_have_times_of_their_own() -> None:
    second = [piece for path in samples("ge") for piece in read(path) if piece.volume == 1]
    times = slice_times_s(second)
    assert len(times) == 18
    assert np.argsort(times).tolist() == [*range(0, 18, 2), *range(1, 18, 2)]


@pytest.mark.parametrize("suffix", [".par", ".rec"])
def test_a_philips_pair_is_read_as_nibabel_does(suffix: str) -> None:
    paths = [path for path in samples("philips") if path.suffix == suffix]
    pieces = [piece for path in paths for piece in read(path)]
    assert [piece.volume for piece in pieces] == [0, 1, 2, 3]
    assert len({piece.series for piece in pieces}) == 1
    for path, piece in zip(paths, pieces, strict=True):
        image = as_nibabel_reads(path.with_suffix(".par"))
        labels = list(image.header.get_volume_labels()["image_type_mr"])
        wanted = image.get_fdata()[..., labels.index(16)]
        np.testing.assert_allclose(piece.data, wanted, rtol=1e-6)
        assert isnan(piece.tr_s)  # its header says 1 ms
        assert piece.echo_s == pytest.approx(0.025, abs=1e-6)
        # each slice lies where its own line says: its centre in (ap, fh, rl)
        centres = piece.affine @ np.array([[39.5, 39.5, k, 1] for k in range(15)]).T
        stated = image.header.image_defs["image offcentre"][:15]
        np.testing.assert_allclose(-centres[[1, 2, 0]].T * [1, -1, 1], stated, atol=0.11)


DATA = exports.noise((8, 6, 5))


def as_nibabel_reads(par: Path) -> nibabel.parrec.PARRECImage:
    """The image with its voxels read, and its file closed, which nibabel leaves open."""
    image = nibabel.load(par, strict_sort=True, mmap=False)
    image.get_fdata()
    image.dataobj.file_like.close()
    return image


@pytest.mark.parametrize("in_csa", [True, False])
@pytest.mark.parametrize("downwards", [True, False])
def test_mosaic(tmp_path: Path, downwards: bool, in_csa: bool) -> None:
    downwards = downwards and in_csa  # (0019,xxxx) does not tell
    path = exports.write_mosaic(
        tmp_path / "in" / "a.dcm", DATA, volume=4, downwards=downwards, in_csa=in_csa, volumes=9
    )
    (piece,) = read(path)
    (image,) = converted(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(piece.data, np.asanyarray(image.dataobj))
    np.testing.assert_allclose(piece.affine, image.affine, atol=1e-4)
    # tiles against the normal stay in their order, and the affine says so
    kept = slice(None, None, -1 if downwards else 1)
    np.testing.assert_array_equal(piece.data[..., kept], DATA)
    np.testing.assert_allclose(piece.slice_times_s[kept], np.arange(5) * 0.05)
    flip = np.diag([1.0, 1, -1, 1]) if downwards else np.eye(4)
    flip[2, 3] = 4 if downwards else 0
    np.testing.assert_allclose(piece.affine, exports.AFFINE @ flip, atol=1e-4)
    assert (piece.volume, piece.volumes, piece.field_t) == (4, 9 if in_csa else None, 3.0)
    assert (piece.acquired_s, piece.acquired_date) == (43200.0, "20260102")
    assert piece.data.dtype == np.int16


@pytest.mark.parametrize("degrees", [0.0, 50.0, 85.0, 110.0, 170.0])
def test_slices_run_along_the_normal_whatever_the_tilt(tmp_path: Path, degrees: float) -> None:
    affine = exports.oblique(degrees=degrees)
    for volume in range(2):
        exports.write_mosaic(tmp_path / "m" / f"{volume}.dcm", DATA + volume, affine, volume)
        exports.write_slices(tmp_path / "s", DATA + volume, affine, volume, volumes=2)
    for kind in ("m", "s"):
        (image,) = converted(tmp_path / kind, tmp_path / f"{kind}-out")
        pieces = [piece for path in (tmp_path / kind).iterdir() for piece in read(path)]
        require_as_converted(pieces, image)


@pytest.mark.parametrize("vendor", [exports.GE, exports.PHILIPS])
@pytest.mark.parametrize("downwards", [True, False])
def test_slices(tmp_path: Path, vendor: str, downwards: bool) -> None:
    pieces = []
    for volume in range(3):
        pieces += [
            piece
            for path in exports.write_slices(
                tmp_path / "in", DATA + 300 * volume, volume=volume, vendor=vendor,
                downwards=downwards, volumes=3,
            )
            for piece in read(path)
        ]  # fmt: skip
    (image,) = converted(tmp_path / "in", tmp_path / "out")
    require_as_converted(pieces[::-1], image)
    assert {piece.slices for piece in pieces} == {5}
    assert [piece.slice for piece in pieces] == [*range(5)] * 3
    np.testing.assert_array_equal(volume_of(pieces[5:10])[0], DATA + 300)


def test_slices_that_make_no_volume_are_told(tmp_path: Path) -> None:
    pieces = [piece for path in exports.write_slices(tmp_path, DATA) for piece in read(path)]
    with pytest.raises(BadInput, match="4 of 5"):
        volume_of(pieces[1:])
    with pytest.raises(BadInput, match="evenly"):
        volume_of([pieces[0], *pieces[:4]])
    with pytest.raises(BadInput, match="differ"):
        volume_of([replace(pieces[0], data=pieces[0].data[1:]), *pieces[1:]])


def test_ge_slices_counted_by_slice_are_refused(tmp_path: Path) -> None:
    import pydicom

    paths = exports.write_slices(tmp_path, DATA, volume=3, volumes=10)
    image = pydicom.dcmread(paths[2])
    image.InStackPositionNumber, image.InstanceNumber = 3, 2 * 10 + 3 + 1
    image.save_as(paths[2])
    with pytest.raises(Foreign, match="slice by slice"):
        read(paths[2])


@pytest.mark.parametrize("vendor", [exports.SIEMENS, exports.PHILIPS])
@pytest.mark.parametrize("n_volumes", [1, 3])
def test_multi_frame(tmp_path: Path, n_volumes: int, vendor: str) -> None:
    run = np.stack([DATA + 300 * volume for volume in range(n_volumes)], axis=-1)
    order = np.random.default_rng(1).permutation(5 * n_volumes)
    path = exports.write_enhanced(tmp_path / "in" / "a.dcm", run, order=order, vendor=vendor)
    pieces = read(path)
    for piece in pieces:
        np.testing.assert_array_equal(piece.data, run[..., piece.volume])
        np.testing.assert_allclose(piece.affine, exports.AFFINE, atol=1e-4)
        np.testing.assert_allclose(piece.slice_times_s, np.arange(5) * 0.05, atol=1e-6)
    assert [piece.acquired_s for piece in pieces] == [43200 + 1.5 * v for v in range(n_volumes)]
    assert (pieces[-1].acquired_date, pieces[-1].tr_s) == ("20260102", 1.5)
    if n_volumes == 1 or vendor == exports.PHILIPS:  # dcm2niix mixes up Siemens's runs in one file
        (image,) = converted(tmp_path / "in", tmp_path / "out")
        require_as_converted(pieces, image)


def test_multi_frame_one_volume_a_file(tmp_path: Path) -> None:
    pieces = [
        piece
        for volume in range(3)
        for piece in read(
            exports.write_enhanced(
                tmp_path / f"{volume}" / "a.dcm", DATA + 300 * volume, volume=volume
            )
        )
    ]
    assert [piece.volume for piece in pieces] == [0, 1, 2]
    for piece in pieces:
        (image,) = converted(tmp_path / f"{piece.volume}", tmp_path / f"out{piece.volume}")
        require_as_converted([replace(piece, volume=0)], image)


@pytest.mark.parametrize("n_volumes", [1, 2])
def test_multi_frame_with_several_echoes(tmp_path: Path, n_volumes: int) -> None:
    run = exports.noise((8, 6, 5, n_volumes, 3))
    times = (0.012, 0.03, 0.048)
    pieces = read(exports.write_enhanced(tmp_path / "a.dcm", run, echoes_s=times))
    assert len(pieces) == 3 * n_volumes
    for piece in pieces:
        np.testing.assert_array_equal(piece.data, run[..., piece.volume, piece.echo - 1])
        assert piece.echo_s == times[piece.echo - 1]


def test_mosaic_echoes_and_series_are_told_apart(tmp_path: Path) -> None:
    pieces = [
        read(exports.write_mosaic(tmp_path / f"{uid}{echo}.dcm", DATA, echo=echo, series_uid=uid,
                                  image_type=["ORIGINAL", "PRIMARY", "M", "ND", *moco, "MOSAIC"]))[0]
        for uid, moco in (("1.2", []), ("1.3", ["MOCO"]))
        for echo in (1, 2)
    ]  # fmt: skip
    assert [(piece.series, piece.echo) for piece in pieces] == [
        ("1.2", 1), ("1.2", 2), ("1.3", 1), ("1.3", 2),
    ]  # fmt: skip


def test_rescaled_and_large_values_are_floats(tmp_path: Path) -> None:
    (piece,) = read(exports.write_enhanced(tmp_path / "in" / "a.dcm", DATA, slope=0.5))
    assert piece.data.dtype == np.float32
    np.testing.assert_array_equal(piece.data, DATA * 0.5)
    (image,) = converted(tmp_path / "in", tmp_path / "out")
    np.testing.assert_allclose(piece.data, image.get_fdata())
    large = DATA.astype(np.uint16) + 40000
    (piece,) = read(exports.write_mosaic(tmp_path / "large.dcm", large))
    assert piece.data.dtype == np.float32
    np.testing.assert_array_equal(piece.data, large)
    (piece,) = read(exports.write_mosaic(tmp_path / "small.dcm", DATA.astype(np.uint16)))
    assert piece.data.dtype == np.int16


@pytest.mark.parametrize("names", [("x_3_1.PAR", "X"), ("Dump-0007.par", "X")])
@pytest.mark.parametrize("phase", [True, False])
def test_par_rec_of_one_volume(tmp_path: Path, names: tuple[str, str], phase: bool) -> None:
    name = names[0]
    par, rec = exports.write_par_rec(tmp_path / name, DATA, phase=phase)
    (piece,) = read(par)
    image = as_nibabel_reads(par)
    wanted = image.get_fdata()
    np.testing.assert_allclose(piece.data, wanted[..., 0] if phase else wanted, rtol=1e-6)
    np.testing.assert_allclose(piece.data, DATA * 0.5)
    np.testing.assert_allclose(piece.affine, image.affine, atol=1e-9)
    assert (piece.volume, piece.tr_s, piece.echo_s) == (7 if "7" in name else 1, 1.5, 0.03)
    np.testing.assert_array_equal(read(rec)[0].data, piece.data)


def test_par_rec_of_a_run_and_of_one_time_point_of_many(tmp_path: Path) -> None:
    run = exports.noise((8, 6, 5, 4, 2))
    par, _ = exports.write_par_rec(tmp_path / "a.par", run, echoes_s=(0.01, 0.03))
    pieces = read(par)
    assert len(pieces) == 8
    for piece in pieces:
        np.testing.assert_allclose(piece.data, run[..., piece.volume, piece.echo - 1] * 0.5)
    par, _ = exports.write_par_rec(tmp_path / "b_3.par", DATA, volume=5, volumes=200)
    (piece,) = read(par)
    assert (piece.volume, piece.volumes) == (5, 200)


@pytest.mark.parametrize("name", ["run1_0013.nii", "run1_0013.nii.gz", "0013 run1-.NII"])
def test_nifti(tmp_path: Path, name: str) -> None:
    (piece,) = read(exports.write_nifti(tmp_path / name, DATA))
    np.testing.assert_array_equal(piece.data, DATA)
    np.testing.assert_allclose(piece.affine, exports.AFFINE, atol=1e-5)
    assert (piece.tr_s, piece.volume) == (1.5, 1 if name[0] == "0" else 13)
    assert "13" not in piece.series or name[0] == "0"


def test_nifti_run(tmp_path: Path) -> None:
    run = exports.noise((8, 6, 5, 4))
    pieces = read(exports.write_nifti(tmp_path / "run1.nii.gz", run.astype(np.float32)))
    assert [(piece.volume, piece.volumes) for piece in pieces] == [(v, 4) for v in range(4)]
    np.testing.assert_array_equal(pieces[3].data, run[..., 3])
    assert pieces[0].data.dtype == np.float32


def foreign_files(folder: Path) -> list[tuple[Path, str]]:
    """Files that are none of a run's volumes, and a word of why."""
    texts = {"a.txt": "words", "scan.json": "{}" * 200, "log": "x" * 500}
    for name, text in texts.items():
        (folder / name).write_text(text)
    phase = ["ORIGINAL", "PRIMARY", "P", "ND", "MOSAIC"]
    scout = exports.write_slices(folder / "scout", DATA, volumes=1)[0]
    return [
        *((folder / name, "neither") for name in texts),
        (exports.write_mosaic(folder / "p.dcm", DATA, image_type=phase), "says P"),
        (exports.write_enhanced(folder / "e.dcm", DATA, component="PHASE"), "magnitude"),
        (exports.write_enhanced(folder / "one.dcm", DATA[:, :, :1]), "one slice"),
        (scout, "one volume"),
        (exports.write_nifti(folder / "flat.nii", DATA[:, :, 0]), "shape"),
    ]


def test_what_is_no_volume_is_foreign_and_says_why(tmp_path: Path) -> None:
    for path, why in foreign_files(tmp_path):
        with pytest.raises(Foreign, match=why) as told:
            read(path)
        assert path.name in str(told.value)
        assert "\n" not in str(told.value)


def test_a_pair_is_read_once_both_are_there(tmp_path: Path) -> None:
    par, rec = exports.write_par_rec(tmp_path / "a1.PAR", DATA)
    rec = rec.rename(tmp_path / "later")
    with pytest.raises(Unfinished, match="REC"):
        read(par)
    par = par.rename(tmp_path / "header")
    with pytest.raises(Unfinished, match="PAR"):
        read(rec.rename(tmp_path / "a1.REC"))
    par.rename(tmp_path / "a1.PAR")
    assert len(read(tmp_path / "a1.REC")) == 1


def test_nobody_is_named(tmp_path: Path) -> None:
    kinds = [
        exports.write_mosaic(tmp_path / "m.dcm", DATA),
        exports.write_slices(tmp_path / "s", DATA)[0],
        exports.write_enhanced(tmp_path / "e.dcm", DATA),
        exports.write_par_rec(tmp_path / "SECRET_3_1.PAR", DATA)[0],
    ]
    for path in kinds:
        assert "SECRET" not in repr(read(path))
