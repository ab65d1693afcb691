"""Every fuzz target for a moment, and every input that was a finding once."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.mutate import blind, mutated
from tests.fuzz.target import Target, packed, unpacked
from tests.fuzz.targets import TARGETS
from tests.fuzz.trial import Trial, watched

CORPUS = Path(__file__).parent / "corpus"
INPUTS = {"session-folder": 6, "xdf": 20, "feeder": 25, "dicom": 50, "markers": 60, "config": 80}
INPUTS_OF_OTHERS = 120


@pytest.fixture(scope="module", params=TARGETS)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """In a module's scope with its name, since some take a second to make."""
    folder = tmp_path_factory.mktemp("fuzz")
    with watched(), TARGETS[request.param](folder) as made:
        made.run(made.seeds[0])  # imports are not the first input's time
        yield made


def test_changed_inputs_are_read_or_refused(target: Target, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["target"]
    trial, rng = Trial(target), random.Random(name)
    for _ in range(INPUTS.get(name, INPUTS_OF_OTHERS)):
        parts = rng.choice(target.seeds)
        for _ in range(rng.choice([1, 1, 2, 4])):
            parts = mutated(parts, target.kinds, rng, blind)
        found = trial(packed(parts))
        assert found is None, f"{found.key}\n{found.told}"


def test_inputs_that_were_findings_are_none(target: Target, request: pytest.FixtureRequest) -> None:
    trial = Trial(target)
    for file in sorted((CORPUS / request.node.callspec.params["target"]).glob("*")):
        found = trial(file.read_bytes())
        assert found is None, f"{file.name}: {found.key}\n{found.told}"


def test_an_input_survives_packing_and_any_bytes_are_one() -> None:
    parts = [b"", b"abc", b"\0" * 300]
    assert unpacked(packed(parts), 3) == parts
    assert len(unpacked(b"\xff\xff\xff\xff\1\2", 4)) == 4
