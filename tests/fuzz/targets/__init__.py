"""What can be fuzzed, by name."""

from collections.abc import Mapping

from tests.fuzz.target import Opening
from tests.fuzz.targets import (
    bridge,
    decoder,
    eeg,
    eeg_folder,
    feeder,
    markers,
    receiver,
    session_config,
    session_folder,
    view,
    wire,
    xdf,
)

TARGETS: Mapping[str, Opening] = {
    "wire": wire.opened,
    "receiver": receiver.opened,
    "markers": markers.opened,
    "config": session_config.opened,
    "decoder": decoder.opened,
    "dicom": bridge.dicom,
    "par-rec": bridge.par_rec,
    "nifti": bridge.nifti,
    "afni": bridge.afni,
    "feeder": feeder.opened,
    "xdf": xdf.opened,
    "session-folder": session_folder.opened,
    "view": view.opened,
    "eeg": eeg.opened,
    "eeg-folder": eeg_folder.opened,
}
