"""A generator in a process of its own: the same pictures, and what befalls it stays there."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from rtrecon.budget import out_of_memory
from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, BadInput, GeneratorLost
from rtrecon.generators import Aim, Generator, Step, apart, child, load_generator
from rtrecon.generators.apart import Apart, load_apart
from rtrecon.generators.compute import Compute

FAULTY = "tests.faulty:load"
STEPS = Settings(steps=4, strength=0.6, samples=2)
Load = Callable[..., Apart]


@pytest.fixture
def load(toy_folder: Path, tmp_path: Path) -> Iterator[Load]:
    """Loads the toy, or a faulty one, warmed up as for a session; no process is left."""
    loaded: list[Apart] = []

    def load(fault: str = "", flag: str = "flag", folder: Path = toy_folder) -> Apart:
        name = f"{fault}|{tmp_path / flag}|{folder}" if fault else str(folder)
        one = load_apart(name, FAULTY) if fault else load_apart(name)
        loaded.append(one)
        drawn(one, replace(STEPS, steps=1))
        one.settle()
        return one

    yield load
    for one in loaded:
        one.close()
    assert not [one for one in loaded if one._child and one._child._process.is_alive()]


def process_of(one: Apart) -> psutil.Process:
    assert one._child is not None
    return psutil.Process(one._child._process.pid)


def in_process(there: Apart, folder: Path) -> Generator:
    """The same generator in this process, with the same precision and threads."""
    return load_generator(str(folder), Compute.recorded(there.compute.told()))


def aim_for(generator: Generator | Apart, seed: int = 0) -> Aim:
    rng = np.random.default_rng(seed)
    z, c = (rng.normal(size=shape) for shape in (generator.latent, generator.conditioning))
    return Aim(z.astype(np.float32), c.astype(np.float32), 0.37 + 0.1 * seed)


def drawn(
    generator: Generator | Apart, settings: Settings = STEPS, moves: tuple[int, ...] = ()
) -> list[Step]:
    """Drawn of one aim; moved at the asking of these numbers to others."""
    asked = 0

    def newer() -> Aim | None:
        nonlocal asked
        asked += 1
        return aim_for(generator, asked) if asked in moves else None

    return list(generator.images(aim_for(generator), 7, settings, newer if moves else None))


def assert_same(one: list[Step], other: list[Step]) -> None:
    assert [step[1:] for step in one] == [step[1:] for step in other]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.images, b.images, strict=True)


def test_it_draws_what_is_drawn_in_process_to_the_bit(load: Load, toy_folder: Path) -> None:
    """Each step, with and without previews and z, moved on the way; and all that it says of itself."""
    there = load()
    here = in_process(there, toy_folder)
    facts = "name", "identity", "latent", "conditioning", "size_px", "defaults", "takes"
    assert [getattr(there, fact) for fact in facts] == [getattr(here, fact) for fact in facts]
    assert there.compute.told() == here.compute.told()
    assert there.compute.gpu == here.compute.gpu
    for settings, moves in (
        (STEPS, ()), (replace(STEPS, preview=False), ()), (STEPS, (1,)),
        (replace(STEPS, steps=8, guidance=3.0, preview=False), (1, 3)),
    ):  # fmt: skip
        assert_same(drawn(there, settings, moves), drawn(here, settings, moves))
    moved, still = drawn(there, STEPS, (1,)), drawn(there, STEPS)
    assert (moved[-1].images != still[-1].images).any()
    noise = aim_for(here)._replace(z=None)
    assert_same(*(list(model.images(noise, 3, STEPS)) for model in (here, there)))
    z, captions = aim_for(here).z, ["a dog", "naïve", ""]
    assert z is not None
    picture = there.decode_latents(z)
    assert picture is not None
    np.testing.assert_array_equal(picture, here.decode_latents(z), strict=True)
    for call, given in (("encode_captions", captions), ("encode_images", [picture, picture[:5]])):
        ours, theirs = (getattr(model, call)(given) for model in (there, here))
        np.testing.assert_array_equal(ours, theirs, strict=True)


def test_a_newer_aim_is_asked_for_when_it_would_be_in_process(load: Load, toy_folder: Path) -> None:
    """A frame says what it was drawn of by the order of steps and askings."""

    def order(generator: Generator | Apart) -> list[str]:
        happened: list[str] = []

        def newer() -> None:
            happened.append("newer")

        steps = generator.images(aim_for(generator), 7, replace(STEPS, steps=6), newer)
        happened.extend(f"step {step.step}" for step in steps)
        return happened

    here = load_generator(str(toy_folder))
    assert order(load()) == order(here)
    assert order(here).count("newer") == 3


def test_a_picture_may_be_given_up_for_another(load: Load) -> None:
    one = load()
    wanted = drawn(one)
    pictures = one.images(aim_for(one), 7, STEPS, lambda: None)
    next(pictures)
    pictures.close()  # type: ignore[attr-defined]
    assert_same(drawn(one), wanted)
    left = one.images(aim_for(one), 7, STEPS, lambda: None)
    next(left)
    assert_same(drawn(one), wanted)  # begun while the other one is still held
    with pytest.raises(RuntimeError, match="another picture"):
        next(left)
    with pytest.raises(ZeroDivisionError):
        list(one.images(aim_for(one), 7, STEPS, lambda: 1 // 0))
    assert_same(drawn(one), wanted)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("killed", r"ended \(signal 9: killed, perhaps for want of memory\)"),
        ("crash", r"ended \(signal 11\)"),
        ("exit", r"ended \(exit code 3\)"),
        ("gpu broken", r"had to end, its GPU answers nothing more \(RuntimeError: an illegal .*\)"),
        ("stuck", r"has not answered for [\d.]+ s and was ended"),
        ("stopped", r"has not answered for [\d.]+ s and was ended"),
    ],
)
def test_a_process_that_is_lost_is_begun_again(
    load: Load, fault: str, line: str, toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that asked is told, and the next picture is the one that was wanted."""
    monkeypatch.setattr(apart, "LEAST_S", 0.5)
    one = load(fault)
    lost = process_of(one)
    with pytest.raises(
        GeneratorLost, match=f"^the generator's process {line}; it is started again$"
    ):
        drawn(one)
    assert not lost.is_running()
    assert one.trouble.endswith("; it is started again (restart 1)")
    one.ready()
    assert one.trouble == ""
    assert process_of(one).pid != lost.pid
    assert_same(drawn(one), drawn(in_process(one, toy_folder)))


def test_what_a_session_needs_is_ready_again_as_it_was(
    load: Load, toy_folder: Path, tmp_path: Path
) -> None:
    """The same precision and threads, warmed up with the newest settings, and settled."""
    notes = tmp_path / "notes"
    one = load_apart(f"{notes}|{toy_folder}", "tests.faulty:load_noting")
    try:
        drawn(one)
        assert one.decode_latents(np.zeros(one.latent, np.float32)) is not None
        one.settle()
        process_of(one).kill()
        with pytest.raises(GeneratorLost) as lost:
            drawn(one)
        lost.value.again(lambda: False)
        wanted = drawn(one)
    finally:
        one.close()
    said = [line.split(",") for line in notes.read_text().splitlines()]
    first, second = sorted({line[1] for line in said}, key=[line[1] for line in said].index)
    calls = [line[0].strip('["') for line in said if line[1] == second]
    assert calls == ["load", "images", "decode_latents", "settle", "images"]
    assert {line[2] for line in said} == {' "MainThread"'}
    lines = notes.read_text().splitlines()
    assert f"{one.compute.told()}".replace("'", '"') in lines[calls.index("load") + 4]
    assert first != second
    assert_same(wanted, drawn(in_process(one, toy_folder)))


def test_errors_cross_as_what_they_are(load: Load) -> None:
    """As far as anybody tells them apart; the process lives on, and each says where it was met."""
    one = load("memory+gpu memory+input+odd")
    before = process_of(one).pid
    for kind, text in (
        (MemoryError, "no room"), (MemoryError, "CUDA out of memory"),
        (BadInput, "z is odd: use another"), (RuntimeError, "ValueError: no such kernel"),
    ):  # fmt: skip
        with pytest.raises(kind) as met:
            drawn(one)
        assert type(met.value) is kind
        assert str(met.value) == text
        assert out_of_memory(met.value) == (kind is MemoryError)
        assert any("faulty.py" in note for note in met.value.__notes__)
    assert len(drawn(one)) == 4
    assert process_of(one).pid == before


def test_what_it_cannot_draw_from_is_refused(load: Load) -> None:
    one = load()
    aim = aim_for(one)
    with pytest.raises(BadInput, match="no numbers: nothing is drawn"):
        list(one.images(aim._replace(c=aim.c * np.nan), 7, STEPS))
    with pytest.raises(BadInput, match="bytes at once are more than"):
        one.encode_images([np.zeros((15_000, 15_000, 3), np.uint8)])
    assert len(drawn(one)) == 4


def test_what_cannot_be_loaded_is_said_as_it_is() -> None:
    badly = "tests.faulty:load_badly"
    with pytest.raises(BadGenerator) as damaged:
        load_apart("x", badly)
    assert str(damaged.value) == "generator 'x' is damaged: copy it anew"
    with pytest.raises(BadGenerator, match="neither a folder nor a known name"):
        load_apart("no-such-thing")
    with pytest.raises(MemoryError, match="CUDA out of memory"):
        load_apart("memory", badly)
    with pytest.raises(GeneratorLost, match="signal 9.*try again, or choose another"):
        load_apart("killed", badly)


def test_it_is_not_begun_again_for_ever(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost so often without a picture in between, drawing or warming up; each is told once."""
    monkeypatch.setattr(apart, "MOST_IN_A_ROW", 3)
    one = load("killed", "always")
    told = []
    for _ in range(apart.MOST_IN_A_ROW):
        with pytest.raises(GeneratorLost) as lost:
            drawn(one)
        lost.value.again(lambda: False)
        told.append("it is started again" in str(lost.value))
    assert told == [True, True, False]
    assert one._child is None
    assert one.trouble == str(lost.value)
    assert one.trouble.endswith("3 times in a row; it is not started again")
    one._settings = replace(STEPS, steps=1)  # that much it can do; and somebody asks it to
    one.ready()
    assert len(drawn(one, replace(STEPS, steps=1))) == 1
    assert one.trouble == ""


def test_a_process_that_cannot_come_back_is_told_to_whoever_asks_next(
    load: Load, toy_folder: Path, tmp_path: Path
) -> None:
    """And `again` itself raises nothing: the thread that draws goes on."""
    folder = tmp_path / "toy"
    folder.symlink_to(toy_folder)
    one = load("killed", folder=folder)
    with pytest.raises(GeneratorLost) as lost:
        drawn(one)
    folder.unlink()
    lost.value.again(lambda: False)
    with pytest.raises(GeneratorLost, match="cannot be started again .BadGenerator: ") as refused:
        drawn(one)
    folder.symlink_to(toy_folder)
    refused.value.again(lambda: False)
    assert len(drawn(one)) == 4


def test_nobody_waits_for_it_longer_than_wanted(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = load("killed")
    with pytest.raises(GeneratorLost) as lost:
        drawn(one)
    monkeypatch.setattr(child, "_LOOK_S", 0.001)
    lost.value.again(lambda: True)
    assert one.trouble
    monkeypatch.undo()
    assert len(drawn(one)) == 4  # what was begun is waited for now


def test_closed_from_another_thread_it_ends_whoever_waits(load: Load) -> None:
    """The last resort of a program that ends."""
    one = load("stuck")
    met: list[Exception] = []

    def draw() -> None:
        try:
            drawn(one)
        except Exception as error:
            met.append(error)

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join(timeout=0.2)
    one.close()
    thread.join(timeout=10)
    assert isinstance(met[0], GeneratorLost)
    assert "started again" not in str(met[0])


def test_closed_while_its_process_is_begun_it_leaves_none(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun again by the thread that draws, and closed by another before there is anything to end."""
    one = load("killed")
    with pytest.raises(GeneratorLost):
        drawn(one)
    begun: list[child.Child] = []

    def begin(*told: object) -> child.Child:
        one.close()
        begun.append(child.Child(*told))
        return begun[0]

    monkeypatch.setattr(apart, "Child", begin)
    with pytest.raises(GeneratorLost):
        drawn(one)
    assert one._child is None  # and whoever ended it has let go of it
    begun[0].kill()


_PARENT = """
import sys
from rtrecon import children
from rtrecon.generators.apart import load_apart

if __name__ == "__main__":
    children._LOADED.clear()  # what draws here is light
    idle, stuck = (load_apart("8", "tests.light:load") for _ in range(2))
    print(idle._child._process.pid, stuck._child._process.pid, flush=True)
    stuck.encode_captions(["for ever"])
"""


def test_however_the_parent_ends_nothing_is_left(tmp_path: Path) -> None:
    """Ctrl-C and a polite kill do nothing to it; the end of its parent does, stuck or not."""
    program = tmp_path / "parent.py"
    program.write_text(_PARENT)
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, program], text=True, stdout=subprocess.PIPE, env=os.environ | path
    ) as parent:
        try:
            assert parent.stdout is not None
            begun = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
            for process in begun:
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGTERM)
            assert psutil.wait_procs(begun, timeout=0.3)[0] == []
        finally:
            parent.kill()
        assert psutil.wait_procs(begun, timeout=10)[1] == []
    assert len(begun) == 2
