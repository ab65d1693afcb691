"""What another session told, for sham blocks to tell again."""

from bisect import bisect_right
from math import isfinite, nan
from pathlib import Path

from rtrecon.errors import BadInput
from rtrecon.protocol.blocks import Blocks
from rtrecon.scores import scores_of
from rtrecon.session_folder import read_table
from rtrecon.types import Block, Score


class RecordedScores:
    """What a session told at each moment of its runs' schedules.

    Parameters
    ----------
    scores : list of Score
        In the order in which they came, at least one.
    """

    def __init__(self, scores: list[Score]) -> None:
        self._runs: dict[int, list[Score]] = {}
        for score in scores:
            self._runs.setdefault(score.run, []).append(score)

    def told(self, run: int, elapsed: float) -> float:
        """The newest that it told by then in the same run, or in its last where it has fewer."""
        of_run = self._runs.get(run) or self._runs[max(self._runs)]
        place = bisect_right(of_run, elapsed, key=lambda score: score.elapsed)
        return of_run[place - 1].told if place else nan

    def silent_blocks(self, blocks: Blocks) -> list[int]:
        """Numbers of the sham blocks in which one of its runs told nothing."""
        return [
            moment.number
            for moment in blocks.of_kind(Block.SHAM)
            if not all(
                any(moment.since <= s.elapsed < moment.until and isfinite(s.told) for s in of_run)
                for of_run in self._runs.values()
            )
        ]


def recorded_scores(folder: Path, blocks: Blocks, person: str = "") -> RecordedScores:
    """Open what a session told.

    Parameters
    ----------
    folder : Path
        Its folder.
    blocks : Blocks
        Whose sham blocks it is for.
    person : str
        Whose scores, where it had several people; empty: all there are.

    Raises
    ------
    BadInput
        It has no scores, is damaged, or told nothing where a sham block needs it.
    """
    try:
        scores = scores_of(read_table(folder / "scores.tsv"))
    except (OSError, ValueError, LookupError) as error:
        raise BadInput(f"session {folder} is damaged ({error}): choose another") from error
    own = [score for score in scores if person in ("", score.person)]
    if not own:
        raise BadInput(f"session {folder} has no scores: name a session that ran with a protocol")
    recorded = RecordedScores(own)
    if silent := recorded.silent_blocks(blocks):
        raise BadInput(
            f"session {folder} told nothing in the time of sham block {silent[0]}: "
            "choose one of the same protocol"
        )
    return recorded
