"""What scanners export: DICOM of three kinds, PAR/REC, NIfTI, and AFNI's realtime protocol."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.datadict import DicomDictionary

from rtrecon.bridge.afni import _data_port, _Reader, _volumes, header_of
from rtrecon.bridge.formats import read
from rtrecon.bridge.piece import Piece
from rtrecon.errors import BadStream, Error
from tests import exports
from tests.fuzz.mutate import ODD_NUMBERS, blind, odd_text, text
from tests.fuzz.target import Parts, Target

DATA = exports.noise((6, 5, 4))
_REFUSALS = (Error, OSError)  # as `read` says
_TAGS = sorted(DicomDictionary)
_INSIDE = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def element(content: bytes, rng: Random) -> bytes:
    """One element of a DICOM file changed, taken out or put in, at the top or within frames."""
    try:
        whole = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
        inside = list(_datasets(whole))
        chosen = rng.choice(inside) if rng.random() < 0.5 else whole
        _changed(chosen, rng)
        out = pydicom.filebase.DicomBytesIO()
        whole.save_as(out, enforce_file_format=False)
        return bytes(out.getvalue())
    except Exception:  # it was damaged before, or cannot be written
        return blind(content, rng)


@contextmanager
def dicom(folder: Path) -> Iterator[Target]:
    """One file."""
    path = folder / "a.dcm"
    whole = {
        "mosaic": lambda: exports.write_mosaic(path, DATA, volumes=5),
        "old": lambda: exports.write_mosaic(path, DATA, in_csa=False),
        "enhanced": lambda: exports.write_enhanced(path, DATA),
        "run": lambda: exports.write_enhanced(path, exports.noise((3, 3, 2, 2))),
        "ge": lambda: exports.write_slices(folder / "s", DATA)[1].rename(path),
        "philips": lambda: exports.write_slices(folder / "s", DATA, vendor=exports.PHILIPS)[1].rename(path),
    }  # fmt: skip
    seeds = [[write().read_bytes()] for write in whole.values()]
    yield Target((element,), seeds, _reading(path), _REFUSALS)


@contextmanager
def par_rec(folder: Path) -> Iterator[Target]:
    """The header, then the voxels."""
    par = folder / "a_1.par"

    def run(parts: Parts) -> None:
        rec.write_bytes(parts[1])
        _reading(par)(parts)

    seeds = []
    for options in ({}, {"phase": True}, {"volumes": 5, "volume": 2}, {"slope": 1.0}):
        _, rec = exports.write_par_rec(par, DATA, **options)
        seeds.append([par.read_bytes(), rec.read_bytes()])
    yield Target((text, blind), seeds, run)


@contextmanager
def nifti(folder: Path) -> Iterator[Target]:
    """How it is stored (a byte: plain, compressed here, as it stands), then the content."""
    path = folder / "a_0001.nii"
    runs = [exports.noise((4, 3, 2)), exports.noise((4, 3, 2, 3)).astype(np.float32)]
    plain = [exports.write_nifti(path, run).read_bytes() for run in runs]

    def run(parts: Parts) -> None:
        kind = (parts[0] or b"\0")[0] % 3
        content = gzip.compress(parts[1], 1) if kind == 1 else parts[1]
        stored = path if kind == 0 else path.with_suffix(".nii.gz")
        _reading(stored)([content])

    seeds = [[bytes([kind]), content] for kind in (0, 1) for content in plain]
    yield Target((blind, blind), [*seeds, [b"\2", gzip.compress(plain[0])]], run)


@contextmanager
def afni(_folder: Path) -> Iterator[Target]:
    """What the first connection says, the commands of the second, and its images."""
    commands = (
        "ACQUISITION_TYPE 2D+zt\nNAME faces\nTR 2.0\nXYMATRIX 6 5\nZNUM 4\nXYFOV 18 15 14\n"
        "ZDELTA 3.5\nXYZAXES R-L A-P I-S\nXYZFIRST 9R 8A 7I\nDATUM short\nBYTEORDER LSB_FIRST\n"
    )
    whole = "ACQUISITION_TYPE 3D+t\nTR 1\nXYMATRIX 3 2 2\nDATUM byte\nOBLIQUE_XFORM " + " ".join(
        ["3", "0", "0", "1", "0", "3", "0", "2", "0", "0", "3", "3", "0", "0", "0", "1"]
    )
    first = b"tcp:127.0.0.1:53214\n"
    images = exports.noise((6, 5, 8)).astype("<i2").tobytes("F")
    seeds = [[first, commands.encode(), images], [first, whole.encode(), bytes(range(36))]]
    yield Target((text, text, blind), seeds, _realtime)


def _realtime(parts: Parts) -> None:
    with _said(parts[0] + b"\0") as control, suppress(BadStream):
        assert 1024 <= _data_port(control.text(1.0)) <= 65535
    with _said(parts[1].replace(b"\0", b"") + b"\0" + parts[2]) as data:
        for piece in _volumes(data, header_of(data.text(1.0))):
            whole_piece(piece)


@contextmanager
def _said(content: bytes) -> Iterator[_Reader]:
    """What a sender says before it leaves."""
    sender, ours = socket.socketpair()
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with ours:
        with sender:
            sender.sendall(content)
        yield _Reader(ours, threading.Event())


def _reading(path: Path) -> Callable[[Parts], None]:
    def run(parts: Parts) -> None:
        path.write_bytes(parts[0])
        for piece in read(path):
            whole_piece(piece)

    return run


def whole_piece(piece: Piece) -> None:
    """See that a piece is as its documentation has it."""
    assert piece.data.dtype in (np.int16, np.float32)
    assert piece.data.ndim == 3
    assert min(piece.data.shape) > 0
    assert np.isfinite(piece.affine).all()
    assert isinstance(piece.volume, int)
    assert piece.slices >= 1
    assert piece.echo >= 1
    assert len(piece.slice_times_s) in (0, piece.data.shape[2])


def _datasets(found: Dataset) -> Iterator[Dataset]:
    for name in _INSIDE:
        for item in found.get(name) or ():
            yield item
            for inner in item:
                if inner.VR == "SQ":
                    yield from inner.value


def _changed(found: Dataset, rng: Random) -> None:
    tags = list(found.keys())
    if not tags or rng.random() < 0.1:
        found.add_new(rng.choice(_TAGS), "UN", rng.randbytes(rng.choice([0, 1, 2, 8])))
        return
    tag = rng.choice(tags)
    if rng.random() < 0.15:
        del found[tag]
        return
    one = found[tag]
    if one.VR == "SQ":
        one.value = one.value * rng.choice([0, 2]) if rng.random() < 0.7 else list(one.value)[1:]
    elif one.VR in ("OW", "OB", "UN"):
        one._value = blind(bytes(one.value), rng)
    elif one.VR in ("US", "SS", "UL", "SL", "FD", "FL"):
        one._value = rng.choice([0, 1, 2, 3, 5, 255, 32767, 65535])
    else:
        odd = (
            odd_text(rng).replace("\n", " ")
            if rng.random() < 0.7
            else str(rng.choice(ODD_NUMBERS[:12]))
        )
        kept = str(one.value).strip("[]").replace(", ", "\\").replace("'", "").split("\\")
        kept[rng.randrange(len(kept))] = odd[:200]
        found[tag] = pydicom.DataElement(tag, "UN", "\\".join(kept).encode("latin-1", "replace"))
