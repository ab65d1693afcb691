"""The protocols that the documentation offers are read by the program itself."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from rtrecon.artifact import Artifact
from rtrecon.config import load_session, read_toml
from rtrecon.protocol.blocks import BlockPlan
from rtrecon.protocol.opening import open_protocol
from rtrecon.protocol.scale import Baseline, Scaling
from rtrecon.protocol.settings import ProtocolSettings
from rtrecon.protocol.threshold import Crossing
from rtrecon.types import Block

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = DOCS / "examples"
REFERENCE = (DOCS / "protocols.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["neurofeedback", "trial-feedback"])
def test_an_example_is_ready_for_a_decoder(name: str, toy_artifact: Artifact) -> None:
    session = load_session(EXAMPLES / f"{name}.toml", {"decoder": Path("decoder")})
    opening = open_protocol(session, toy_artifact)
    assert opening is not None
    assert opening.told


def test_four_times_rest_and_regulation_with_a_trigger(toy_artifact: Artifact) -> None:
    session = load_session(EXAMPLES / "neurofeedback.toml", {"decoder": Path("decoder")})
    opening = open_protocol(session, toy_artifact)
    assert opening is not None
    assert opening.told == "similarity of a dog, 8 blocks in 4:00 min"
    assert opening.captions == ("a dog",)
    kinds = [opening.blocks.at(time).kind for time in np.arange(0, 240, 10.0)]
    assert kinds == ([Block.REST] * 2 + [Block.REGULATE] * 4) * 4
    assert opening.settings.threshold == Crossing(0.8, 4.0, 20.0)
    for key in ("output", "trigger"):
        assert [table["kind"] for table in session.tables[key]] == ["osc"]


def test_the_reference_shows_the_example_itself() -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
    example = read_toml(EXAMPLES / "neurofeedback.toml")
    example["protocol"].pop("when")  # the default, written out for whoever edits the file
    assert tomllib.loads(shown) == example


@pytest.mark.parametrize("table", [ProtocolSettings, Baseline, Scaling, Crossing, BlockPlan])
def test_the_reference_names_every_key(table: type) -> None:
    nested = {"baseline", "scale", "threshold"}
    for key in set(table.__dataclass_fields__) - nested:  # type: ignore[attr-defined]
        assert re.search(rf"^\|.*`{key}`.*\|", REFERENCE, re.MULTILINE), key
