"""Which volume of a run each one is: by its number, and by its stamp where numbers come again."""

_REMEMBERED = 1000  # volumes of a run whose stamps are known; as many may still come late


class Count:
    """The count of a run's volumes. Owned by one thread.

    A scanner that is started anew counts from 0 again, and a number that comes again may also be a
    volume that comes twice or late. Such a one fits into the run: its stamp is where its neighbours'
    say. One that does not fit is in doubt until the next has come: a new run goes on counting.

    Parameters
    ----------
    tr_s : float
        Seconds from one stamp to the next.
    """

    def __init__(self, tr_s: float) -> None:
        self._tr_s = tr_s
        self.begin(0)

    def begin(self, number: int) -> None:
        """A run begins with this number."""
        self.expected = number  # the next volume's
        self._stamps: dict[int, float] = {}
        self._missing: dict[int, None] = {}  # in their order

    def take(self, number: int, stamp: float) -> int:
        """A volume with the expected number, or one further ahead; returns how many are missing."""
        lost = number - self.expected
        self._missing |= dict.fromkeys(range(max(self.expected, number - _REMEMBERED), number))
        while len(self._missing) > _REMEMBERED:
            del self._missing[next(iter(self._missing))]
        self._remember(number, stamp)
        self.expected = number + 1
        return lost

    def fits(self, number: int, stamp: float) -> bool:
        """Whether a number of before, with this stamp, is a volume of this run."""
        if not self._stamps:
            return False
        near = min(self._stamps, key=lambda known: abs(known - number))
        return abs(stamp - self._stamps[near] - (number - near) * self._tr_s) < self._tr_s / 2

    def begins_anew(self, one: tuple[int, float], other: tuple[int, float]) -> bool:
        """Whether a number that did not fit begins a new run, as the volume after it tells.

        Both are number and stamp. Two that were missing are two that come late; and where the next
        is the one that was expected, this run goes on.
        """
        (number, stamp), (next_number, next_stamp) = one, other
        follows = next_number == number + 1 and next_stamp - stamp > self._tr_s / 2
        return (
            follows
            and next_number < self.expected
            and not {number, next_number} <= self._missing.keys()
        )

    def late(self, number: int, stamp: float) -> bool:
        """Take a number of before; returns whether it was missing until now."""
        if number not in self._missing:
            return False
        del self._missing[number]
        self._remember(number, stamp)
        return True

    def _remember(self, number: int, stamp: float) -> None:
        self._stamps[number] = stamp
        if len(self._stamps) > _REMEMBERED:
            del self._stamps[next(iter(self._stamps))]
