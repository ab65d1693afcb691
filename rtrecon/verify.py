"""A recorded session computed anew: the same code on the same machine gives the same, to the bit.

What came is walked through today's preprocessing and decoders; pictures are drawn again of the
*recorded* z and c, so that a change in decoding and one in drawing are told apart. Of EEG, samples are
walked through today's filters and protocol (`rtrecon.rescore_eeg`).
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rtrecon.artifact import ABOUT, Artifact, load_artifact
from rtrecon.compatibility import check_stream
from rtrecon.decode import Decode
from rtrecon.eeg.folder import is_eeg_folder, open_eeg_folder
from rtrecon.errors import BadArtifact, BadConfig
from rtrecon.generators import Generator, load_generator
from rtrecon.memory import undisturbed
from rtrecon.redraw import Aimed, Rows, redraw
from rtrecon.rescore import Rescore, rescored
from rtrecon.rescore_eeg import rescore_eeg
from rtrecon.session_folder import Row, SessionFolder, damage_told, open_session_folder
from rtrecon.session_writer import versions
from rtrecon.types import Decoded, Marker, Pattern
from rtrecon.verdict import Check, Verdict

log = logging.getLogger(__name__)

ARRAYS = ("patterns", "z", "c", "probabilities")


def verify(
    folder: Path, decoder: Path | None = None, generator: str = "", frames: bool = True
) -> Verdict:
    """Compute a recorded session anew and compare.

    Parameters
    ----------
    folder : Path
        The session's.
    decoder : Path, optional
        By default a folder of the recorded name, beside the session or its parent, or here.
    generator : str
        A name or folder; by default the one the decoder was fitted for.
    frames : bool
        Whether pictures are drawn again.

    Raises
    ------
    BadDataset, BadArtifact, BadGenerator, BadInput, BadConfig, Mismatch
        Something is missing or does not fit.
    """
    if is_eeg_folder(folder):
        return _verify_eeg(folder, decoder, generator)
    session = open_session_folder(folder)
    decoder = decoder or _decoder_of(session)
    artifact = load_artifact(decoder)
    check_stream(artifact, session.geometry, folder.name)
    with damage_told(folder):
        verdict = Verdict([*_other_versions(session.about), *_other_decoder(session, decoder)])
    drawer = _generator(session, generator or artifact.generator.name, verdict) if frames else None
    with undisturbed(), damage_told(folder):
        rows = _decoding(session, artifact, rescored(session, artifact, decoder, verdict), verdict)
        if drawer is not None:
            redraw(session, drawer, rows, verdict)
    return verdict


def _decoder_of(session: SessionFolder) -> Path:
    """The folder that the session names, where it still is."""
    told = session.about.get("decoder")
    name = str(told.get("folder", "")) if isinstance(told, dict) else ""
    bare = Path(name).name  # what is read from a file is no path
    here = session.folder.resolve()
    for place in (here.parent, here.parent.parent, Path()):
        if bare and (place / bare / ABOUT).is_file():
            return place / bare
    raise BadArtifact(
        f"decoder '{bare}' of {session.folder} is not beside it: name its folder with --decoder DIR"
    )


def _verify_eeg(folder: Path, decoder: Path | None, generator: str) -> Verdict:
    """Its samples need neither decoder nor generator."""
    for option, given in (("decoder", decoder), ("generator", generator)):
        if given:
            raise BadConfig(f"--{option} is of no use: {folder} is of an EEG session: leave it out")
    with damage_told(folder):
        session = open_eeg_folder(folder)
        verdict = Verdict(_other_versions(session.about))
        rescore_eeg(session, verdict)
    return verdict


def _other_versions(about: dict[str, Any]) -> list[str]:
    recorded = about.get("versions", {})
    today = versions()
    return [
        f"{name} was {recorded[name]}, is {today.get(name, 'missing')}"
        for name in recorded
        if recorded[name] != today.get(name)
    ]


def _other_decoder(session: SessionFolder, decoder: Path) -> list[str]:
    """Its arrays, or what stands beside them: the response, the model, the confidence."""
    told = session.about.get("decoder")
    told = told if isinstance(told, dict) else {}
    content = (decoder / ABOUT).read_bytes()
    arrays = json.loads(content)["sha256"]
    if told.get("sha256", arrays) != arrays:
        recorded = str(told["sha256"])[:12]
        return [f"decoder '{decoder}' is another ({arrays[:12]}) than the session's ({recorded})"]
    if told.get("about_sha256") not in (None, hashlib.sha256(content).hexdigest()):
        return [f"decoder '{decoder}' has the session's weights and another {ABOUT}"]
    return []


def _generator(session: SessionFolder, name: str, verdict: Verdict) -> Generator:
    """Loaded as the session had it: on the same device, in its precision, with as many threads."""
    from rtrecon.generators.compute import Compute

    recorded = session.about.get("compute")
    compute = Compute.recorded(recorded) if isinstance(recorded, dict) else None
    generator = load_generator(name, compute)
    told = session.about.get("generator")
    identity = told.get("identity") if isinstance(told, dict) else None
    if identity not in (None, generator.identity):
        verdict.notes.append(
            f"generator '{name}' is another ({generator.identity[:12]}) than the session's "
            f"({str(identity)[:12]})"
        )
    if recorded and compute is None:
        verdict.notes.append(f"pictures were drawn on {recorded.get('device')}, which is not here")
    return generator


def _again(
    session: SessionFolder, artifact: Artifact, scores: Rescore
) -> Iterator[tuple[Pattern, Decoded]]:
    """What the ingest thread would make of it today."""
    free_viewing = bool(session.about.get("free_viewing"))
    preprocess = artifact.preprocess(session.geometry.affine, free_viewing)
    decode = Decode(artifact)
    for item in tqdm(session.walk(), "decoding", len(session.rows), leave=False, disable=None):
        if isinstance(item, Marker):
            preprocess.mark(item)
            scores.marker(item)
            continue
        try:
            pattern = preprocess.add(item)
            decoded = None if pattern is None else decode(pattern)
        except Exception as error:  # as in a session: it goes on without this volume
            log.warning("volume %d could not be worked on: %s", item.number, error)
            continue
        scores.volume(preprocess.trial, pattern, decoded)
        if pattern is not None and decoded is not None:
            yield pattern, decoded
    scores.finish()


def _decoding(
    session: SessionFolder, artifact: Artifact, scores: Rescore, verdict: Verdict
) -> Rows:
    """Compare what was decoded; returns what pictures can have been drawn of."""
    table = session.table("trials.tsv")
    arrays = {name: array for name in ARRAYS if (array := session.array(name)) is not None}
    checks = {name: Check(f"{name}.npy") for name in arrays}
    text = Check("trials.tsv")
    verdict.checks += [text, *checks.values()]
    rows: Rows = {}
    count = 0
    for row, (pattern, decoded) in enumerate(_again(session, artifact, scores)):
        count += 1
        where = f"row {row} (trial {decoded.trial.number}, volume {decoded.volume})"
        if row < len(table):
            text.cells(where, table[row], _cells(decoded))
        for name, array in arrays.items():
            today = pattern.voxels if name == "patterns" else getattr(decoded, name)
            if row < len(array) and today is not None:
                checks[name].array(where, array[row], today)
        told = table[row].get("reliability") if row < len(table) else None
        reliability = decoded.reliability if told is None else float(told)
        aimed = Aimed(row, decoded.times.received, reliability)
        rows.setdefault((decoded.trial.number, decoded.volume), []).append(aimed)
    _ending(session, len(table), count, text, verdict)
    return rows


def _cells(decoded: Decoded) -> Row:
    """The columns of trials.tsv that are decoded or understood, and no clock's."""
    trial = decoded.trial
    numbers = {
        "onset_s": trial.onset_s, "age_s": decoded.age_s, "confidence": decoded.confidence,
    }  # fmt: skip
    texts = {
        "trial": str(trial.number), "volume": str(decoded.volume), "trial_type": trial.trial_type,
        "predicted": decoded.predicted, "stim_file": trial.stim_file,
        "reliability": repr(float(decoded.reliability)),
    }  # fmt: skip
    written = {name: " ".join(text.split()) or "n/a" for name, text in texts.items()}
    return written | {name: f"{number:.6f}" for name, number in numbers.items()}


def _ending(
    session: SessionFolder, recorded: int, today: int, text: Check, verdict: Verdict
) -> None:
    """Rows too few or too many: a killed session may lack its last, any other may not."""
    if not session.whole:
        verdict.notes.append(
            f"the session was killed: {recorded} decoded volumes are whole on disk, today's are {today}"
        )
    elif recorded != today:
        text.differs(f"has {recorded} rows, today's decoding makes {today}")
