"""Settings are checked before anything starts, and one line says what to mend."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from rtrecon.config import Settings, load_session, read_table
from rtrecon.errors import BadConfig


def write(folder: Path, text: str) -> Path:
    file = folder / "session.toml"
    file.write_text(text)
    return file


def test_the_command_line_overrules_the_file(tmp_path: Path) -> None:
    toml = write(tmp_path, 'decoder = "d"\nstream = "a"\n[settings]\nsteps = 2\nstrength = 0.5\n')
    session = load_session(toml, {"stream": "b", "steps": 3, "strength": None})
    assert (session.decoder, session.stream) == (Path("d"), "b")
    assert session.fixed == {"steps": 3, "strength": 0.5}


def test_what_the_user_did_not_choose_is_the_generators_best() -> None:
    session = load_session(None, {"decoder": "d", "steps": 3, "samples": None})
    best = Settings(steps=40, guidance=5.0, samples=5)
    assert session.settings(best) == Settings(steps=3, guidance=5.0, samples=5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('decoder = "d"\ncolour = 1', "unknown key 'colour'"),
        ('decoder = "d"\n[settings]\nstep = 1', "unknown key 'step'"),
        ('decoder = "d"\n[settings]\nsteps = 0', "steps = 0: must be 1 to 50"),
        ('decoder = "d"\n[settings]\nsteps = true', "steps = True: must be of type int"),
        ('decoder = "d"\n[settings]\nstrength = 0', "strength = 0.0: must be above 0"),
        ('decoder = "d"\nwait_s = -1', "wait_s = -1.0: must be above 0"),
        ('decoder = "d"\nsettings = 3', "'settings' must be a table"),
        ("decoder = ", "is not TOML"),
        ('stream = "x"', "no decoder given"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said) as caught:
        load_session(write(tmp_path, text), {})
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot read the configuration .*none.toml"):
        load_session(tmp_path / "none.toml", {})


class Way(Enum):
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Limit:
    level: float
    hold_s: float = 1.0


@dataclass(frozen=True)
class Table:
    name: str
    way: Way = Way.UP
    file: Path | None = None
    words: tuple[str, ...] = ()
    limit: Limit | None = None
    limits: tuple[Limit, ...] = ()


def test_a_table_is_read_by_its_types() -> None:
    given = {
        "name": "a", "way": "down", "file": "x.wav", "words": ["b", "c"],
        "limit": {"level": 1}, "limits": [{"level": 2, "hold_s": 3}],
    }  # fmt: skip
    read = read_table(Table, given, "it")
    limits = (Limit(2.0, 3.0),)
    assert read == Table("a", Way.DOWN, Path("x.wav"), ("b", "c"), Limit(1.0), limits)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([1], "session.toml .thing.: must be a table of keys and values"),
        ({}, "session.toml .thing.: the key 'name' is missing"),
        ({"name": "a", "colour": 1}, "session.toml .thing.: unknown key 'colour'"),
        ({"name": 1}, "name = 1: must be of type str"),
        ({"name": "a", "way": "left"}, "way = 'left': must be one of up, down"),
        ({"name": "a", "way": ["up"]}, r"way = \['up'\]: must be one of up, down"),
        ({"name": "a", "words": "b"}, "words = 'b': must be a list"),
        ({"name": "a", "words": [1]}, "words = 1: must be of type str"),
        ({"name": "a", "limit": 3}, "session.toml .thing. limit: must be a table"),
        ({"name": "a", "limit": {"hold_s": 1}}, "limit: the key 'level' is missing"),
        ({"name": "a", "limit": {"level": "x"}}, "level = 'x': must be of type float"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(table: object, said: str) -> None:
    with pytest.raises(BadConfig, match=said) as caught:
        read_table(Table, table, "session.toml [thing]")
    assert "\n" not in str(caught.value)


def test_tables_of_other_rooms_are_kept_as_they_stand(tmp_path: Path) -> None:
    text = 'decoder = "d"\n[protocol]\nmeasure = "region"\n[[output]]\nkind = "osc"\n'
    session = load_session(write(tmp_path, text), {})
    assert session.tables == {"protocol": {"measure": "region"}, "output": [{"kind": "osc"}]}
