"""Real scans that tests and benchmarks look at where they are at hand; they are not ours to ship."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parents[2] / "shared" / "data"
SIEMENS_B = DATA / "scanner-exports" / "siemens-b"
RECORDED = DATA / "recorded-session"


def siemens_b() -> tuple[NDArray[np.uint16], NDArray[np.float64], NDArray[np.float64]]:
    """30 volumes (i, j, k, t), their affine, and SPM's six parameters for each (30, 6)."""
    with warnings.catch_warnings(action="ignore"):  # nibabel calls its reader experimental
        from nibabel.nicom.dicomwrappers import wrapper_from_file

        files = [wrapper_from_file(file) for file in sorted(SIEMENS_B.glob("*.dcm"))]
        data = np.stack([file.get_data() for file in files], axis=-1)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ files[0].affine  # DICOM's axes to NIfTI's
    spm = np.loadtxt(SIEMENS_B.parent / "siemens-b-spm-motion.tsv", skiprows=1)
    return np.asfortranarray(data), affine, spm


def recorded_run(number: int) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """209 volumes (i, j, k, t) of the recorded session, and their affine."""
    import nibabel

    image = nibabel.load(next(RECORDED.rglob(f"*run-{number}_bold.nii.gz")))
    return np.asarray(image.dataobj), image.affine
