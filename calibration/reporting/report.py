"""One page about a decoder that a laboratory would attach to a paper: `report.html`, `report.json`.

The page holds its pictures itself and needs no network, no script and no other file.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from numpy.typing import NDArray
from PIL import Image

from calibration.reporting import charts
from calibration.reporting.charts import Score
from calibration.reporting.pictures import Drawn, ranked

PAGE, DATA = "report.html", "report.json"
_TEMPLATE = Path(__file__).with_name("report.html.j2")
_COLUMNS = 4  # pictures in a row of the gallery


@dataclass(frozen=True)
class Report:
    """What the page says; everything but the pictures is in the JSON, too.

    Attributes
    ----------
    name : str
        The person's label.
    verdict : str
        The first line: what was decoded, or that nothing was.
    nothing_decoded : bool
    about : str
        What was measured, in a line.
    scores : mapping of label to score
        Each with value, chance, null [lo, hi], p, interval [lo, hi] and n.
    by_age : mapping of label to mapping of age in s to score
    reliability : sequence of mapping
        Bins with said, right and n.
    calibration_error : float or None
        Expected, of the confidence.
    trust : sequence of str
        What else bears on whether it may be believed.
    null : mapping of label to mapping
        Two-way identification by null decoders, as `null_scores` has it.
    limits : sequence of str
        How good it could be, where pictures repeat.
    repeats : mapping of label to score
        How well one showing identifies another.
    ceiling : mapping or None
        Noise ceilings, as `ceilings` returns them.
    learning : sequence of mapping
        Rows with runs, and a score for each of `learned`.
    learned : sequence of str
    left_out : mapping of score to reason
        What could not be computed. The page names the scores; reasons may hold paths.
    facts : mapping of heading to mapping
        Data, settings, versions.
    """

    name: str
    verdict: str
    nothing_decoded: bool
    about: str
    scores: Mapping[str, Score]
    by_age: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    reliability: Sequence[Mapping[str, float]] = ()
    calibration_error: float | None = None
    trust: Sequence[str] = ()
    null: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: Sequence[str] = ()
    repeats: Mapping[str, Score] = field(default_factory=dict)
    ceiling: Mapping[str, Any] | None = None
    learning: Sequence[Mapping[str, Any]] = ()
    learned: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def write_report(
    folder: Path,
    report: Report,
    drawn: Sequence[Drawn] = (),
    maps: Mapping[str, bytes] | None = None,
) -> Path:
    """Write the page and its data; returns the page.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    report : Report
    drawn : sequence of Drawn
        The best, the middle and the worst of them are shown.
    maps : mapping of caption to PNG
    """
    folder.mkdir(parents=True, exist_ok=True)
    scored = [
        {
            "trial": one.decoded.trial.number,
            "kind": one.decoded.trial.trial_type,
            "score": one.score,
        }
        for one in drawn
    ]
    data = json.dumps(asdict(report) | {"pictures": scored}, indent=1)
    (folder / DATA).write_text(data + "\n", encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "p_value": _p_value}
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        vars(report),
        charts=_charts(report),
        gallery=[
            {"name": name, "pictures": [_shown(one) for one in some]}
            for name, some in ranked(drawn, _COLUMNS).items()
            if some
        ],
        gallery_about=_ABOUT_GALLERY,
        maps=[{"caption": name, "image": _embedded(png)} for name, png in (maps or {}).items()],
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


_ABOUT_GALLERY = (
    "Trials that were not fitted on, ranked by how many of the other reconstructions resemble the "
    "stimulus less (correlation of pixels). No brain: the same trial through decoders fitted with "
    "the pictures exchanged between trials; what looks good there does not come from the brain."
)


def _charts(report: Report) -> dict[str, str]:
    made = {"scores": charts.intervals(report.scores)}
    if report.by_age:
        chance = {name: next(iter(c.values()))["chance"] for name, c in report.by_age.items()}
        made["by_age"] = charts.by_age(report.by_age, chance)
    if report.reliability:
        made["reliability"] = charts.reliability(report.reliability)
    if report.ceiling is not None:
        made["ceilings"] = charts.ceilings(report.ceiling["edges"], report.ceiling["regions"])
    if len(report.learning) > 1:
        made["learning"] = charts.learning(report.learning, report.learned)
    return {name: _embedded(png) for name, png in made.items()}


def _shown(one: Drawn) -> dict[str, str]:
    decoded = one.decoded
    said = decoded.trial.trial_type
    if one.known:
        said += f": decoded as {decoded.predicted} ({100 * decoded.confidence:.0f} %)"
    pictures = {
        "stimulus": one.stimulus, "reconstruction": one.reconstruction, "no brain": one.control,
    }  # fmt: skip
    return {"caption": said} | {name: _embedded(_png(p)) for name, p in pictures.items()}


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="png")
    return file.getvalue()


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _number(value: float) -> str:
    return f"{value:.2f}"


def _p_value(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}"
