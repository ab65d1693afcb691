"""A session's settings: from one TOML file and the command line, checked before anything starts."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rtrecon.bounded import bounded_text
from rtrecon.errors import BadConfig

T = TypeVar("T")

TABLES = ("protocol", "block", "output", "trigger", "participant", "spectators", "person", "eeg")
"""Tables of the file that other rooms read for themselves, with `read_table`."""


@dataclass(frozen=True)
class Settings:
    """How pictures are made; swapped whole while a session runs, taken at the next image.

    Attributes
    ----------
    steps : int
        Denoising steps really done for one image.
    strength : float
        How far along the diffusion process z is noised: 0 keeps z, 1 forgets it.
    by_evidence : bool
        Whether `strength` is for complete evidence only, and with less z is noised further, up to
        1 with none.
    guidance : float
        Classifier-free guidance; 1 is none and costs half as much.
    samples : int
        Pictures drawn at once from different noise.
    preview : bool
        Whether each step is shown, and not the last alone.
    fast_decoder : bool
        Whether the finished picture, too, is made by the small decoder, where there is one.
    seed : int
        Of the noise, which is fixed within a trial.
    """

    steps: int = 4
    strength: float = 0.75
    by_evidence: bool = True
    guidance: float = 1.0
    samples: int = 1
    preview: bool = True
    fast_decoder: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _require(1 <= self.steps <= 50, "steps", self.steps, "1 to 50")
        _require(0 < self.strength <= 1, "strength", self.strength, "above 0 and up to 1")
        _require(1 <= self.guidance <= 30, "guidance", self.guidance, "1 to 30")
        _require(1 <= self.samples <= 16, "samples", self.samples, "1 to 16")
        _require(self.seed >= 0, "seed", self.seed, "0 or more")


@dataclass(frozen=True)
class Session:
    """Everything a live session is told at its start."""

    decoder: Path
    stream: str = "rtrecon"
    generator: str = ""  # a name or a folder; empty: the one the decoder was fitted for
    output: Path | None = None
    stimuli: Path | None = None  # pictures that markers name, for the operator to see
    wait_s: float = 60.0
    until_idle_s: float | None = None
    free_viewing: bool = False  # what was seen about 5 s ago, without markers
    view: bool = True  # tells remote screens (`rtrecon view`) what it shows
    xdf: bool = False  # all streams of the session in session.xdf
    xdf_streams: str = ""  # further ones: names or types, separated by commas
    yoked: Path | None = None  # list that says of codes whether feedback is real or another's
    code: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)  # of `Settings`, as the user chose
    tables: Mapping[str, Any] = field(default_factory=dict)  # of the file: those of `TABLES`

    def settings(self, defaults: Settings) -> Settings:
        """What the user chose, and for the rest what the generator draws best with."""
        return replace(defaults, **self.fixed)

    def __post_init__(self) -> None:
        _require(self.wait_s > 0, "wait_s", self.wait_s, "above 0")
        idle = self.until_idle_s
        _require(idle is None or idle > 0, "until_idle_s", idle, "above 0")
        if (self.yoked is None) != (self.code == ""):
            raise BadConfig("yoked feedback needs both: name --yoked LIST.toml and --code CODE")


def load_session(toml: Path | None, options: Mapping[str, Any], complete: bool = True) -> Session:
    """Settings from a TOML file, overruled by the options that are not None.

    Keys of the file are the fields of `Session` and, in a table `[settings]`, of `Settings`.
    Where it need not be `complete`, a decoder that is not named is `Path()`.

    Raises
    ------
    BadConfig
        Unreadable file, unknown key, wrong type or value out of range.
    """
    table = read_toml(toml) if toml else {}
    where = str(toml or "the command line")
    tables = {key: table.pop(key) for key in TABLES if key in table}
    pictures = table.pop("settings", {})
    if not isinstance(pictures, dict):
        raise BadConfig(f"{toml}: 'settings' must be a table: write [settings] above its keys")
    given = {k: v for k, v in options.items() if v is not None}
    names = {f.name for f in fields(Settings)}
    pictures |= {k: given.pop(k) for k in list(given) if k in names}
    given = table | given
    if not complete:
        given.setdefault("decoder", Path())
    if "decoder" not in given:
        raise BadConfig("no decoder given: name its folder with --decoder DIR")
    session = read_table(Session, given, where, hidden=("fixed", "tables"))
    chosen = read_table(Settings, pictures, where)
    return replace(session, fixed={key: getattr(chosen, key) for key in pictures}, tables=tables)


def read_toml(toml: Path) -> dict[str, Any]:
    """A TOML file as it stands.

    Raises
    ------
    BadConfig
        Unreadable, or not TOML.
    """
    try:
        return tomllib.loads(bounded_text(toml))
    except OSError as error:
        raise BadConfig(f"cannot read the configuration {toml}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # no TOML, no text, endless numbers or tables
        raise BadConfig(f"{toml} is not TOML: {error}") from error


def read_table(cls: type[T], table: Any, where: str, hidden: tuple[str, ...] = ()) -> T:
    """One table of a TOML file as a dataclass whose annotations say what each key must be.

    Understood are str, int, float, bool, Path, enumerations by their values, tuples of these,
    dataclasses as tables within, and `| None` for what may be left out.

    Parameters
    ----------
    cls : type
        A dataclass; what it refuses in `__post_init__` it says with `BadConfig`.
    table : mapping
    where : str
        Begins the message, such as "session.toml [protocol]".
    hidden : tuple of str
        Fields that are no keys.

    Raises
    ------
    BadConfig
        Unknown or missing key, wrong type, or what `cls` refuses.
    """
    assert is_dataclass(cls)
    if not isinstance(table, Mapping):
        raise BadConfig(f"{where}: must be a table of keys and values, not {table!r}")
    hints = {key: hint for key, hint in get_type_hints(cls).items() if key not in hidden}
    if unknown := sorted(set(table) - set(hints)):
        known = ", ".join(sorted(hints))
        raise BadConfig(f"{where}: unknown key '{unknown[0]}': known are {known}")
    needed = [f.name for f in fields(cls) if f.default is f.default_factory is MISSING]
    if missing := [key for key in needed if key not in table]:
        raise BadConfig(f"{where}: the key '{missing[0]}' is missing")
    values = {key: _typed(key, value, hints[key], where) for key, value in table.items()}
    return cls(**values)


_ACCEPTED: dict[type, tuple[type, ...]] = {Path: (str, Path), float: (int, float)}


def _typed(key: str, value: Any, hint: Any, where: str) -> Any:
    if isinstance(hint, UnionType):
        (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise BadConfig(f"{key} = {value!r}: must be a list, such as [1, 2]")
        return tuple(_typed(key, one, get_args(hint)[0], where) for one in value)
    if is_dataclass(hint):
        return read_table(hint, value, f"{where} {key}")  # type: ignore[arg-type]
    if issubclass(hint, Enum):
        choices = [member.value for member in hint]
        if value not in choices:
            raise BadConfig(f"{key} = {value!r}: must be one of {', '.join(map(str, choices))}")
        return hint(value)
    wrong_bool = isinstance(value, bool) and hint is not bool
    if wrong_bool or not isinstance(value, _ACCEPTED.get(hint, (hint,))):
        raise BadConfig(f"{key} = {value!r}: must be of type {hint.__name__.lower()}")
    try:
        return hint(value)
    except OverflowError as error:  # a whole number where there may be a broken one
        raise BadConfig(f"{key} is a number of {len(str(value))} digits: too large") from error


def _require(holds: bool, key: str, value: object, range_: str) -> None:
    if not holds:
        raise BadConfig(f"{key} = {value}: must be {range_}")
