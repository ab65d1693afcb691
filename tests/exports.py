"""Files as scanners export them, made from known voxels: Siemens, GE and Philips, and NIfTI.

All take `data` (i, j, k) and `affine` (4, 4) in NIfTI's terms, with j against DICOM's rows and k along
their normal, as `AFFINE` is: what a reader gives back should be the same.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR_IMAGE, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
GE, PHILIPS, SIEMENS = "GE MEDICAL SYSTEMS", "Philips Medical Systems", "SIEMENS"


def oblique(spacing: Sequence[float] = (3.0, 2.5, 4.0), degrees: float = 20.0) -> np.ndarray:
    """Affine (4, 4) of an axial grid tilted about x and turned about z: i to the left, k upwards."""
    tilt, turn = np.deg2rad([degrees, degrees / 3])
    about_x = [
        [1, 0, 0],
        [0, np.cos(tilt), -np.sin(tilt)],
        [0, np.sin(tilt), np.cos(tilt)],
    ]
    about_z = [
        [np.cos(turn), -np.sin(turn), 0],
        [np.sin(turn), np.cos(turn), 0],
        [0, 0, 1],
    ]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ about_x @ np.diag([-1, 1, 1]) @ np.diag(spacing)
    affine[:3, 3] = 80, -70, -30
    return affine


AFFINE = oblique()


def noise(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """int16 voxels that are all different where they can be."""
    return np.random.default_rng(seed).permutation(np.prod(shape)).reshape(shape).astype(np.int16)


def write_mosaic(
    path: Path,
    data: np.ndarray,
    affine: np.ndarray = AFFINE,
    volume: int = 0,
    *,
    series_uid: str = "1.2.3",
    echo: int = 1,
    echo_s: float = 0.03,
    tr_s: float = 1.5,
    acquired: str = "120000.000000",
    image_type: Sequence[str] = ("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"),
    slice_times_s: Sequence[float] | None = None,
    downwards: bool = False,
    in_csa: bool = True,
    volumes: int | None = None,
) -> Path:
    """Siemens mosaic of volume number `volume`, from 0.

    `downwards` lays the tiles against the normal; without `in_csa` the number of slices and their
    times are in (0019,xxxx) alone.
    """
    frames, steps, corner = _dicom_order(data, affine)
    times = slice_times_s if slice_times_s is not None else np.arange(len(frames)) * 0.05
    normal = np.cross(steps[:, 0], steps[:, 1])
    normal /= np.linalg.norm(normal)
    if downwards:
        frames, times, normal = frames[::-1], times[::-1], -normal
        corner = corner + steps[:, 2] * (len(frames) - 1)
    side = int(np.ceil(np.sqrt(len(frames))))
    rows, columns = frames.shape[1:]
    tiles = np.zeros((side * side, rows, columns), frames.dtype)
    tiles[: len(frames)] = frames
    picture = tiles.reshape(side, side, rows, columns).swapaxes(1, 2).reshape(side * rows, -1)
    shift = steps[:, :2] @ (np.array([columns, rows]) * (side - 1) / 2)
    image = _classic(
        picture, steps, corner - shift, SIEMENS, volume, series_uid, echo, echo_s, tr_s
    )
    image.ImageType, image.AcquisitionTime = list(image_type), acquired
    image.InstanceNumber = volume + 1
    if in_csa:
        image.add_new((0x0029, 0x0010), "LO", "SIEMENS CSA HEADER")
        image.add_new((0x0029, 0x1008), "CS", "IMAGE NUM 4")
        csa = {
            "NumberOfImagesInMosaic": [str(len(frames))],
            "SliceNormalVector": [f"{part:.8f}" for part in normal],
            "MosaicRefAcqTimes": [f"{1000 * time:.8f}" for time in times],
        }
        image.add_new((0x0029, 0x1010), "OB", csa_bytes(csa))
        if volumes is not None:
            text = f"### ASCCONV BEGIN ###\nlRepetitions\t = \t{volumes - 1}\n### ASCCONV END ###"
            image.add_new((0x0029, 0x1020), "OB", csa_bytes({"MrPhoenixProtocol": [text]}))
    else:
        image.add_new((0x0019, 0x0010), "LO", "SIEMENS MR HEADER")
        image.add_new((0x0019, 0x100A), "US", len(frames))
        image.add_new((0x0019, 0x1029), "FD", [1000 * float(time) for time in times])
    return _save(path, image)


def csa_bytes(texts: dict[str, list[str]]) -> bytes:
    """Siemens's own header of texts by name, in its second layout."""
    out = b"SV10\x04\x03\x02\x01" + struct.pack("<II", len(texts), 77)
    for name, items in texts.items():
        out += struct.pack("<64si4siii", name.encode(), len(items), b"LO\0\0", 0, len(items), 77)
        for item in items:
            raw = item.encode() + b"\0"
            out += struct.pack("<4i", len(raw), len(raw), 77, len(raw)) + raw + bytes(-len(raw) % 4)
    return out


def write_slices(
    folder: Path,
    data: np.ndarray,
    affine: np.ndarray = AFFINE,
    volume: int = 0,
    *,
    vendor: str = GE,
    series_uid: str = "1.2.3",
    echo: int = 1,
    echo_s: float = 0.03,
    tr_s: float = 1.5,
    volumes: int = 10,
    downwards: bool = False,
) -> list[Path]:
    """GE's or Philips's classic DICOM, a slice a file, of volume number `volume`, from 0.

    `downwards` numbers the slices against the normal.
    """
    frames, steps, corner = _dicom_order(data, affine)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place in range(len(frames)):
        k = len(frames) - 1 - place if downwards else place
        at = corner + steps[:, 2] * k
        image = _classic(frames[k], steps, at, vendor, volume, series_uid, echo, echo_s, tr_s)
        image.AcquisitionNumber = 1
        image.NumberOfTemporalPositions = volumes
        image.InstanceNumber = volume * len(frames) + place + 1
        image.ImageType = ["ORIGINAL", "PRIMARY", "EPI", "NONE"]
        if vendor == GE:
            image.ImagesInAcquisition = len(frames)
            image.add_new((0x0021, 0x0010), "LO", "GEMS_RELA_01")
            image.add_new((0x0021, 0x104F), "SS", len(frames))
            image.add_new((0x0021, 0x105E), "DS", f"{volume * tr_s + 0.01 + 0.05 * place:.4f}")
        else:
            image.ImageType = ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]
            image.InstanceNumber = place * volumes + volume + 1
            image.TemporalPositionIdentifier = volume + 1
            image.add_new((0x2001, 0x0010), "LO", "Philips Imaging DD 001")
            image.add_new((0x2001, 0x100A), "IS", str(place + 1))
            image.add_new((0x2001, 0x1018), "SL", len(frames))
        paths.append(_save(folder / f"i{volume:04d}_{echo}_{place:03d}.dcm", image))
    return paths


def write_enhanced(
    path: Path,
    data: np.ndarray,
    affine: np.ndarray = AFFINE,
    volume: int = 0,
    *,
    vendor: str = SIEMENS,
    series_uid: str = "1.2.3",
    echoes_s: Sequence[float] = (0.03,),
    tr_s: float = 1.5,
    acquired: str = "20260102120000.000000",
    slice_times_s: Sequence[float] | None = None,
    component: str = "MAGNITUDE",
    order: Sequence[int] | None = None,
    slope: float = 1.0,
) -> Path:
    """Enhanced multi-frame DICOM of one volume (i, j, k), or of a run (i, j, k, volumes[, echoes]).

    `order` permutes the frames in the file.
    """
    run = data.reshape((*data.shape, 1, 1)[: max(5, data.ndim)])
    n_slices, n_volumes, n_echoes = run.shape[2:]
    grids = [
        [_dicom_order(run[..., v, e], affine) for e in range(n_echoes)] for v in range(n_volumes)
    ]
    _, steps, corner = grids[0][0]
    times = slice_times_s if slice_times_s is not None else np.arange(n_slices) * 0.05
    frames, headers = [], []
    for v in range(n_volumes):
        for e in range(n_echoes):
            for k in range(n_slices):
                frames.append(grids[v][e][0][k])
                start = float(acquired[8:]) + v * tr_s + times[k]  # within one minute
                content = Dataset()
                content.StackID, content.InStackPositionNumber = "1", k + 1
                content.TemporalPositionIndex = v + 1
                content.FrameAcquisitionNumber = volume + v + 1
                content.DimensionIndexValues = [1, v + 1, e + 1, k + 1]  # slowest first
                content.FrameAcquisitionDateTime = f"{acquired[:8]}{start:013.6f}"
                header = Dataset()
                header.FrameContentSequence = Items([content])
                header.PlanePositionSequence = _item(
                    ImagePositionPatient=[float(x) for x in corner + steps[:, 2] * k]
                )
                header.MREchoSequence = _item(EffectiveEchoTime=1000 * echoes_s[e])
                headers.append(header)
    order = order if order is not None else range(len(frames))
    image = _image(ENHANCED_MR, np.stack([frames[at] for at in order]), vendor, series_uid)
    image.NumberOfFrames = len(frames)
    image.ImageType = ["ORIGINAL", "PRIMARY", "FMRI", "NONE"]
    image.ComplexImageComponent = component
    image.InstanceNumber, image.AcquisitionNumber = volume + 1, volume + 1
    image.AcquisitionDateTime = acquired
    image.SoftwareVersions = "syngo MR XA30"
    shared = Dataset()
    shared.PixelMeasuresSequence = _item(
        PixelSpacing=_spacing(steps),
        SliceThickness=float(np.linalg.norm(steps[:, 2])),
        SpacingBetweenSlices=float(np.linalg.norm(steps[:, 2])),
    )
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=_orientation(steps))
    shared.MRTimingAndRelatedParametersSequence = _item(RepetitionTime=1000 * tr_s)
    shared.MRImageFrameTypeSequence = _item(
        FrameType=["ORIGINAL", "PRIMARY", "FMRI", "NONE"], ComplexImageComponent=component
    )
    shared.PixelValueTransformationSequence = _item(
        RescaleIntercept=0.0, RescaleSlope=slope, RescaleType="US"
    )
    image.SharedFunctionalGroupsSequence = Items([shared])
    image.PerFrameFunctionalGroupsSequence = Items([headers[at] for at in order])
    image.DimensionIndexSequence = Items(
        [
            _dimension(0x00209056, 0x00209111),
            _dimension(0x00209128, 0x00209111),
            _dimension(0x00189082, 0x00189114),
            _dimension(0x00209057, 0x00209111),
        ]
    )
    return _save(path, image)


def _dimension(pointer: int, group: int) -> Dataset:
    one = Dataset()
    one.DimensionOrganizationUID = "1.2.3.4"
    one.DimensionIndexPointer, one.FunctionalGroupPointer = pointer, group
    return one


def _item(**values: Any) -> Items:
    one = Dataset()
    for key, value in values.items():
        setattr(one, key, value)
    return Items([one])


def _dicom_order(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames (slices, rows, columns), steps (3, 3) of column, row, slice and the first corner, LPS."""
    lps = np.diag([-1.0, -1.0, 1.0])
    steps = lps @ affine[:3, :3] @ np.diag([1, -1, 1])
    corner = lps @ (affine @ [0, data.shape[1] - 1, 0, 1])[:3]
    return np.ascontiguousarray(data.transpose(2, 1, 0)[:, ::-1]), steps, corner


def _orientation(steps: np.ndarray) -> list[float]:
    return [float(x) for way in steps[:, :2].T for x in np.round(way / np.linalg.norm(way), 12)]


def _spacing(steps: np.ndarray) -> list[float]:
    return [float(np.linalg.norm(steps[:, 1])), float(np.linalg.norm(steps[:, 0]))]


def _image(sop_class: str, pixels: np.ndarray, vendor: str, series_uid: str) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = sop_class
    image.SOPClassUID, image.SOPInstanceUID = sop_class, generate_uid()
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.Modality, image.Manufacturer, image.SeriesInstanceUID = "MR", vendor, series_uid
    image.StudyInstanceUID, image.SeriesNumber = "1.2", 3
    image.StudyDate, image.StudyTime = "20260102", "110000"
    image.PatientName, image.PatientID = "SECRET^NAME", "SECRET"
    image.SeriesDescription, image.ProtocolName = "faces run 1", "faces"
    image.MagneticFieldStrength = 3.0
    image.ScanningSequence, image.MRAcquisitionType = "EP", "2D"
    image.Rows, image.Columns = pixels.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OW"
    return image


def _classic(
    pixels: np.ndarray,
    steps: np.ndarray,
    corner: np.ndarray,
    vendor: str,
    volume: int,
    series_uid: str,
    echo: int,
    echo_s: float,
    tr_s: float,
) -> Dataset:
    image = _image(MR_IMAGE, pixels, vendor, series_uid)
    image.AcquisitionNumber, image.AcquisitionDate = volume + 1, "20260102"
    image.AcquisitionTime = "120000.000000"
    image.EchoNumbers, image.EchoTime, image.RepetitionTime = echo, 1000 * echo_s, 1000 * tr_s
    image.ImagePositionPatient = [round(float(x), 6) for x in corner]
    image.ImageOrientationPatient = _orientation(steps)
    image.PixelSpacing = _spacing(steps)
    image.SliceThickness = image.SpacingBetweenSlices = float(np.linalg.norm(steps[:, 2]))
    return image


def _save(path: Path, image: Dataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
    return path


_PAR_HEAD = """\
# === DATA DESCRIPTION FILE ======================================================
#
# Dataset name: {name}
#
# CLINICAL TRYOUT             Research image export tool     V4.2
#
# === GENERAL INFORMATION ========================================================
#
.    Patient name                       :   SECRET^NAME
.    Examination name                   :   exam
.    Protocol name                      :   faces
.    Examination date/time              :   2026.01.02 / 12:00:00
.    Series Type                        :   Image   MRSERIES
.    Acquisition nr                     :   3
.    Reconstruction nr                  :   1
.    Scan Duration [sec]                :   10
.    Max. number of cardiac phases      :   1
.    Max. number of echoes              :   {n_echoes}
.    Max. number of slices/locations    :   {n_slices}
.    Max. number of dynamics            :   {n_dynamics}
.    Max. number of mixes               :   1
.    Patient position                   :   Head First Supine
.    Preparation direction              :   Anterior-Posterior
.    Technique                          :   FEEPI
.    Scan resolution  (x, y)            :   {columns}  {rows}
.    Scan mode                          :   MS
.    Repetition time [ms]               :   {tr_ms}
.    FOV (ap,fh,rl) [mm]                :   {fov[1]}  {fov[2]}  {fov[0]}
.    Water Fat shift [pixels]           :   10
.    Angulation midslice(ap,fh,rl)[degr]:   {angles}
.    Off Centre midslice(ap,fh,rl) [mm] :   {centre}
.    Flow compensation <0=no 1=yes> ?   :   0
.    Presaturation     <0=no 1=yes> ?   :   0
.    Phase encoding velocity [cm/sec]   :   0  0  0
.    MTC               <0=no 1=yes> ?   :   0
.    SPIR              <0=no 1=yes> ?   :   0
.    EPI factor        <0,1=no EPI>     :   37
.    Dynamic scan      <0=no 1=yes> ?   :   1
.    Diffusion         <0=no 1=yes> ?   :   0
.    Diffusion echo time [ms]           :   0
.    Max. number of diffusion values    :   1
.    Max. number of gradient orients    :   1
.    Number of label types   <0=no ASL> :   0
#
# === IMAGE INFORMATION ==========================================================
#
"""
_PAR_END = "# === END OF DATA DESCRIPTION FILE ===============================================\n"


def write_par_rec(
    par: Path,
    data: np.ndarray,
    volume: int = 0,
    *,
    angles: Sequence[float] = (-3.0, 4.0, 10.0),
    centre: Sequence[float] = (-15.0, 14.0, 2.0),
    spacing: Sequence[float] = (3.0, 3.0, 4.0),
    tr_s: float = 1.5,
    echoes_s: Sequence[float] = (0.03,),
    volumes: int = 1,
    slope: float = 0.5,
    phase: bool = False,
) -> tuple[Path, Path]:
    """Philips pair of one volume (i, j, k) or a run (i, j, k, volumes[, echoes]); PAR and REC paths.

    `angles` and `centre` are (ap, fh, rl) in degrees and mm. `volumes` is how many dynamics the
    header promises, `volume` the number of the first there is, from 0. With `phase`, a phase image
    follows each magnitude.
    """
    run = data.reshape((*data.shape, 1, 1)[: max(5, data.ndim)])
    columns, rows, n_slices, n_volumes, n_echoes = run.shape
    words = [" ".join(f"{x:g}" for x in three) for three in (angles, centre)]
    text = _PAR_HEAD.format(
        name=par.stem, n_echoes=n_echoes, n_slices=n_slices, n_dynamics=max(volumes, n_volumes),
        columns=columns, rows=rows, tr_ms=1000 * tr_s, angles=words[0], centre=words[1],
        fov=np.multiply(run.shape[:3], spacing),
    )  # fmt: skip
    lines, images = [], []
    for v in range(n_volumes):
        for e in range(n_echoes):
            for kind in (0, 3) if phase else (0,):
                for k in range(n_slices):
                    scale = "-3142 1.5 650" if kind == 3 else f"0 {slope} 0.006"
                    lines.append(
                        f"{k + 1} {e + 1} {volume + v + 1} 1 {kind} 2 {len(images)} 16 100"
                        f" {columns} {rows} {scale} 100 200 {words[0]} {words[1]} {spacing[2]} 0 0 1 1 2"
                        f" {spacing[0]} {spacing[1]} {1000 * echoes_s[e]:g} {v * tr_s} 0 0 1 70"
                        " 0 0 0 37 0 1 1 11 0 0 0 0 1\n"
                    )
                    images.append(run[:, :, k, v, e].astype("<u2").tobytes("F"))
    rec = par.with_suffix(".REC" if par.suffix.isupper() else ".rec")
    par.write_text(text + "".join(lines) + _PAR_END)
    rec.write_bytes(b"".join(images))
    return par, rec


def write_nifti(
    path: Path, data: np.ndarray, affine: np.ndarray = AFFINE, *, tr_s: float = 1.5
) -> Path:
    """One volume (i, j, k) or a run (i, j, k, volumes), .nii or .nii.gz by the name."""
    image = nibabel.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = tr_s
    nibabel.save(image, path)
    return path
