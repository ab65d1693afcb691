"""What was told last, for as long as it holds."""


class Held:
    """The newest of what each person is told, until it is too old. Times in s, of any one clock.

    Parameters
    ----------
    hold_s : float
        A value that no newer one follows for so long is nothing.
    """

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._told: dict[str, tuple[float, float]] = {}

    def tell(self, person: str, told: float, now: float) -> None:
        """Take a value, which is brought to 0 to 1."""
        self._told[person] = (min(1.0, max(0.0, told)), now)

    def forget(self, person: str) -> None:
        """Nothing is told from now on."""
        self._told.pop(person, None)

    def at(self, now: float) -> dict[str, float]:
        """What holds, by person."""
        return {
            person: told for person, (told, since) in self._told.items()
            if now - since <= self._hold_s
        }  # fmt: skip
