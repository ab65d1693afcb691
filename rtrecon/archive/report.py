"""The CRED-nf checklist, filled in as far as the record of a session can.

Ros et al. (2020), "Consensus on the reporting and experimental design of clinical and
cognitive-behavioural neurofeedback studies (CRED-nf checklist)", Brain 143, 1674-1685.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rtrecon.archive import figures
from rtrecon.archive.raw import Names
from rtrecon.archive.runs import RecordedRun
from rtrecon.archive.tables import write_json
from rtrecon.session_folder import SessionFolder

BY_HAND = "to be filled in by hand"

# Item, in short own words, and what the record has to say of it (a function of figures) or None.
ITEMS = (
    ("1a", "Protocol and analyses registered beforehand"),
    ("1b", "Reason for the number of participants"),
    ("2a", "Control groups or conditions"),
    ("2b", "Double blind, where the design allows it"),
    ("2c", "Raters, and if possible statisticians, blind"),
    ("2d", "Whether people stayed blind"),
    ("2e", "Clinical trials: a group with standard care"),
    ("3a", "Psychosocial factors"),
    ("3b", "Whether a strategy was given"),
    ("3c", "Strategies that participants used"),
    ("3d", "Processing and artefact correction online"),
    ("3e", "Artefacts by condition and group"),
    ("4a", "How the feedback's feature was defined"),
    ("4b", "Schedule of reinforcement, and why"),
    ("4c", "Modality and content of the feedback"),
    ("4d", "Variables used for feedback, as displayed to the participant"),
    ("4e", "Hardware and software"),
    ("5a", "Success of regulation, by the feedback signal"),
    ("5b", "Feedback variables over the session and between sessions, plotted"),
    ("5c", "Statistics against the control condition or group"),
    ("6a", "Behavioural or clinical measures, defined beforehand"),
    ("6b", "Correlation of regulation with behaviour"),
    ("7a", "Materials, code and data in an open repository"),
)


def write_report(
    root: Path, session: SessionFolder, runs: Sequence[RecordedRun], names: Names
) -> None:
    """Write the checklist into the derivative data set, as text and as JSON."""
    recorded = {
        "3d": figures.processing(session, runs),
        "3e": figures.artefacts(session, runs),
        "4a": figures.feature(session),
        "4b": figures.schedule(session),
        "4c": figures.content(session),
        "4d": figures.variables(session),
        "4e": figures.machines(session),
        "5a": figures.success(session),
        "5b": figures.course(),
        "7a": figures.data(),
    }
    items: list[dict[str, Any]] = [
        {
            "item": item,
            "asks": asks,
            "recorded": recorded.get(item, {}),
            "by_hand": figures.BY_HAND.get(item, "all of it"),
        }
        for item, asks in ITEMS
    ]
    acquisition = figures.acquisition(session, runs)
    stem = root / names.folder / f"{names.visit}_crednf"
    write_json(Path(f"{stem}.json"), {"acquisition": acquisition, "items": items})
    lines = [_HEAD, "## Acquisition (COBIDAS)", "", *_told(acquisition), "", "## CRED-nf", ""]
    for item in items:
        lines += [f"### {item['item']} {item['asks']}", "", *_told(item["recorded"])]
        lines += [f"- **{BY_HAND}:** {item['by_hand']}"] * bool(item["by_hand"]) + [""]
    Path(f"{stem}.md").write_text("\n".join(lines), encoding="utf-8")


def _told(values: dict[str, Any]) -> list[str]:
    return [f"- {name}: {_text(value)}" for name, value in values.items()]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())


_HEAD = f"""# CRED-nf checklist of this session

Items of Ros et al. (2020), Brain 143, 1674-1685, in short. What is listed under an item is from the
record; what no record can know is marked "{BY_HAND}".
"""
