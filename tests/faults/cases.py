"""Every fault and what is promised of it: the page of promises and the matrix are made of these."""

from tests.faults.case import COUNT, Case
from tests.faults.checks import all_recorded, counts, faulty, logged
from tests.faults.outcome import Outcome

NONE = Case("none", "", "", "", "", 0.0, harmless=True, checks=(counts(received=COUNT, lost=0),))
"""Nothing happens: what the others are compared with."""

CASES: list[Case] = [
    Case(
        "lose", "a volume is lost on the way",
        shown="counted among the lost; the log has its number",
        recorded="all the others; the gap in their numbers is the loss",
        recovers="with the next volume", within_s=1.0,
        wire=lambda at: f"lose={at}",
        back=Outcome.volumes_back_s,
        checks=(counts(received=COUNT - 1, lost=1, duplicate=0, rejected=0), logged("1 volume(s) lost")),
    ),
    Case(
        "nan", "a volume full of NaN",
        shown="counted among the rejected",
        recorded="with the fault 'not finite'; the decoder never sees it",
        recovers="with the next volume", within_s=1.0,
        wire=lambda at: f"nan={at}",
        back=Outcome.volumes_back_s,
        checks=(
            counts(received=COUNT - 1, lost=0, duplicate=0, rejected=1),
            faulty("not finite"), all_recorded,
        ),
    ),
    Case(
        "double", "a volume comes twice",
        shown="counted among the duplicates",
        recorded="both; the second with the fault 'came again', and nothing is made of it",
        recovers="at once: what is decoded is as without it, to the bit", within_s=1.0,
        wire=lambda at: f"double={at}",
        back=Outcome.volumes_back_s, harmless=True,
        checks=(
            counts(received=COUNT, lost=0, duplicate=1, rejected=0), faulty("came again"),
            all_recorded,
        ),
    ),
]  # fmt: skip
