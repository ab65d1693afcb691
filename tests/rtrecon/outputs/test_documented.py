"""The examples of docs/outputs.md are understood."""

import re
import tomllib
from pathlib import Path

import pytest

from rtrecon.outputs.kinds import read_devices
from rtrecon.types import Person

PAGE = (Path(__file__).parents[3] / "docs" / "outputs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_understood(example: str) -> None:
    tables = tomllib.loads(example)
    people = (Person("anna"), Person("ben"))
    found = [
        device
        for key in ("output", "trigger")
        for _, device in read_devices(key, tables, "s", people, None)
    ]
    assert len(found) == sum(map(len, tables.values()))


def test_there_are_examples_of_all_that_have_keys() -> None:
    kinds = {
        table["kind"] for e in EXAMPLES for some in tomllib.loads(e).values() for table in some
    }
    assert kinds == {"osc", "sound", "artnet", "serial", "command"}
