"""A person's own response is found from volumes made with a known one."""

import numpy as np
import pytest

from calibration.data.haemodynamics import fit_response
from calibration.data.tape import Tape
from rtrecon.evidence import Evidence, Model
from rtrecon.response import Response
from rtrecon.types import Trial

TR_S, VOXELS = 2.0, 300
CANONICAL = Response()


def tape_of(true: Response, volumes: int, amplitude: float) -> Tape:
    """A run with a stimulus every 13 s, half of whose voxels respond as said."""
    rng = np.random.default_rng(0)
    trials = [Trial(n, "", 6.3 + 13 * n, 6.0) for n in range(int(volumes * TR_S / 13))]
    strengths = amplitude * rng.normal(size=(len(trials), VOXELS))
    strengths[:, ::2] = 0
    middles_s = (np.arange(volumes) + 0.5) * TR_S
    course = [[true.at(t - trial.onset_s, 6.0) for trial in trials] for t in middles_s]
    y = 800 + np.array(course) @ strengths + rng.normal(size=(volumes, VOXELS))
    tape = Tape()
    tape.restart()
    for row, middle_s in zip(y, middles_s, strict=True):
        while trials and trials[0].onset_s <= middle_s:
            tape.begin(trials.pop(0))
        tape.add(row, middle_s)
    return tape


def found(tape: Tape) -> Response:
    return fit_response(CANONICAL, tape, np.ones(VOXELS, np.float32), Model(coloured=0.0))


@pytest.mark.parametrize("true", [Response(1.0, 1.0), Response(-1.0, 1.1), Response(0.0, 1.25)])
def test_the_response_that_made_the_volumes_is_found(true: Response) -> None:
    own = found(tape_of(true, 300, 2.0))
    assert apart(own, true) < 0.06 < apart(CANONICAL, true)


def test_a_brain_that_responds_to_nothing_keeps_the_canonical_response() -> None:
    assert found(tape_of(Response(1.0, 1.1), 300, 0.0)) == CANONICAL


def apart(one: Response, other: Response) -> float:
    ages_s = np.arange(0, 24, 0.5)
    return max(abs(one.at(age, 6.0) - other.at(age, 6.0)) for age in ages_s)


def test_the_tape_tells_what_the_evidence_would_have_heard() -> None:
    tape, sd = tape_of(CANONICAL, 40, 2.0), np.ones(VOXELS, np.float32)
    whole, part = Evidence(sd, CANONICAL), Evidence(sd[:7], CANONICAL)
    for _ in tape.tell(whole):
        pass
    for _ in tape.tell(part, np.arange(7)):
        pass
    np.testing.assert_allclose(part.log_likelihood, whole.log_likelihood[:7], rtol=1e-9)
    assert tape.volumes == 40
