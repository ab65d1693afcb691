"""Where a session stands, whoever changes it."""

from rtrecon.standing import Standing
from rtrecon.types import Phase


def test_nothing_follows_a_participants_stop() -> None:
    """Another thread may have looked just before it came, and say only then what it found."""
    told: list[Phase] = []
    standing = Standing("scanner", lambda: told.append(standing.now.phase))
    for phase in (Phase.WAITING, Phase.WITHDRAWN, Phase.RUNNING, Phase.FAILED, Phase.ENDED):
        standing.change(phase=phase)
    standing.change(message="something else")
    assert standing.now.phase is Phase.WITHDRAWN
    assert told == [Phase.WAITING, Phase.WITHDRAWN, Phase.WITHDRAWN]
