"""A session's settings: from one TOML file and the command line, checked before anything starts."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rtrecon.errors import BadConfig


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
    xdf: bool = False  # all streams of the session in session.xdf
    xdf_streams: str = ""  # further ones: names or types, separated by commas
    yoked: Path | None = None  # list that says of codes whether feedback is real or another's
    code: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)  # of `Settings`, as the user chose

    def settings(self, defaults: Settings) -> Settings:
        """What the user chose, and for the rest what the generator draws best with."""
        return replace(defaults, **self.fixed)

    def __post_init__(self) -> None:
        _require(self.wait_s > 0, "wait_s", self.wait_s, "above 0")
        idle = self.until_idle_s
        _require(idle is None or idle > 0, "until_idle_s", idle, "above 0")
        if (self.yoked is None) != (self.code == ""):
            raise BadConfig("yoked feedback needs both: name --yoked LIST.toml and --code CODE")


def load_session(toml: Path | None, options: Mapping[str, Any]) -> Session:
    """Settings from a TOML file, overruled by the options that are not None.

    Keys of the file are the fields of `Session` and, in a table `[settings]`, of `Settings`.

    Raises
    ------
    BadConfig
        Unreadable file, unknown key, wrong type or value out of range.
    """
    table = _read(toml) if toml else {}
    pictures = table.pop("settings", {})
    if not isinstance(pictures, dict):
        raise BadConfig(f"{toml}: 'settings' must be a table: write [settings] above its keys")
    given = {k: v for k, v in options.items() if v is not None}
    names = {f.name for f in fields(Settings)}
    pictures |= {k: given.pop(k) for k in list(given) if k in names}
    session = _checked(Session, table | given, toml)
    chosen = _checked(Settings, pictures, toml)
    return replace(session, fixed={key: getattr(chosen, key) for key in pictures})


def _read(toml: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(toml.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"cannot read the configuration {toml}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{toml} is not TOML: {error}") from error


_TYPES: dict[str, type] = {
    "decoder": Path, "output": Path, "stimuli": Path, "yoked": Path, "code": str, "stream": str, "generator": str,
    "wait_s": float, "until_idle_s": float, "free_viewing": bool,
    "xdf": bool, "xdf_streams": str,
    "steps": int, "strength": float, "by_evidence": bool, "guidance": float, "samples": int, "preview": bool,
    "fast_decoder": bool, "seed": int,
}  # fmt: skip


def _checked(cls: type, table: Mapping[str, Any], toml: Path | None) -> Any:
    known = {f.name for f in fields(cls)} - {"fixed"}
    if unknown := sorted(set(table) - known):
        where = toml or "the command line"
        raise BadConfig(
            f"{where}: unknown key '{unknown[0]}': known are {', '.join(sorted(known))}"
        )
    if cls is Session and "decoder" not in table:
        raise BadConfig("no decoder given: name its folder with --decoder DIR")
    return cls(**{key: _typed(key, value) for key, value in table.items()})


def _typed(key: str, value: Any) -> Any:
    wanted = _TYPES[key]
    accepted: dict[type, tuple[type, ...]] = {Path: (str, Path), float: (int, float)}
    wrong_bool = isinstance(value, bool) and wanted is not bool
    if wrong_bool or not isinstance(value, accepted.get(wanted, (wanted,))):
        raise BadConfig(f"{key} = {value!r}: must be of type {wanted.__name__.lower()}")
    return wanted(value)


def _require(holds: bool, key: str, value: object, range_: str) -> None:
    if not holds:
        raise BadConfig(f"{key} = {value}: must be {range_}")
