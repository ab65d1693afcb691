"""Fits fanned out over real worker processes, one of which is killed, against fits made here."""

import argparse
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import LocalCluster

from calibration import cluster
from calibration.cluster import Where, fan_out
from calibration.fitting.ridge import fit_ridge, leave_out
from rtrecon.errors import BadDataset, Error

Task = tuple[Path, int, str]  # folder, which targets, what goes wrong there


def fit(task: Task) -> tuple[int, dict[str, np.ndarray]]:
    """Some targets of the folder, and the process that fitted them."""
    folder, of, trouble = task
    X, Y = np.load(folder / "x.npy"), np.load(folder / "y.npy", mmap_mode="r")
    fitted = fit_ridge(X, Y[:, of : of + 5], leave_out(np.arange(len(X)) // 10, 5))
    if trouble == "bad data":
        raise BadDataset("sub-07 has no runs")
    if trouble == "killed always" or (trouble == "killed once" and not (folder / "dead").exists()):
        (folder / "dead").write_text(str(os.getpid()), encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid(), {"weights": fitted.weights, "held_out": fitted.held_out}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    once = {"distributed.scheduler.allowed-failures": 1}
    with (
        dask.config.set(once),
        LocalCluster(2, threads_per_worker=1, dashboard_address=cluster.ANY_PORT) as workers,
    ):
        yield workers.scheduler_address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(150, 300)).astype(np.float32))
    np.save(tmp_path / "y.npy", rng.normal(size=(150, 40)).astype(np.float32))
    return tmp_path


def test_a_killed_worker_costs_a_retry_and_not_a_bit_of_the_result(
    scheduler: str, folder: Path
) -> None:
    calm = [(folder, of, "") for of in range(0, 40, 5)]
    here = list(fan_out(fit, calm, Where(workers=1)))
    assert {pid for pid, _ in here} == {os.getpid()}
    tasks = [(*task[:2], "killed once" if n == 3 else "") for n, task in enumerate(calm)]
    there = list(fan_out(fit, tasks, Where(scheduler)))
    dead = int((folder / "dead").read_text(encoding="utf-8"))
    assert os.getpid() not in {pid for pid, _ in there}
    assert there[3][0] != dead
    for (_, ours), (_, theirs) in zip(here, there, strict=True):
        for name, array in ours.items():
            assert array.tobytes() == theirs[name].tobytes(), name


def test_what_a_fit_says_comes_through_and_a_deadly_one_is_named(
    scheduler: str, folder: Path
) -> None:
    with pytest.raises(BadDataset, match="sub-07 has no runs"):
        list(fan_out(fit, [(folder, 0, ""), (folder, 5, "bad data")], Where(scheduler)))
    with pytest.raises(Error, match="fit 1: its worker died each time"):
        list(fan_out(fit, [(folder, 0, "killed always")], Where(scheduler)))


def test_workers_of_ones_own_where_they_pay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [(folder, of, "") for of in (0, 5, 10)]
    assert {pid for pid, _ in fan_out(fit, tasks)} == {os.getpid()}
    monkeypatch.setattr(cluster, "START_UP_S", 0.0)
    monkeypatch.setattr("dask.system.cpu_count", lambda: 2)
    first, *others = fan_out(fit, tasks)
    assert first[0] == os.getpid()
    assert os.getpid() not in {pid for pid, _ in others}


def test_a_cluster_pays_only_for_long_work() -> None:
    assert not cluster.pays(left_s=20, workers=2)
    assert cluster.pays(left_s=60, workers=2)
    assert not cluster.pays(left_s=600, workers=1)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER_S", 1)
    with pytest.raises(Error, match="scheduler 'tcp://127.0.0.1:9': none answers"):
        list(fan_out(fit, [(Path(), 0, "")], Where("tcp://127.0.0.1:9")))


def test_options_say_where() -> None:
    parser = argparse.ArgumentParser()
    cluster.add_options(parser)
    given = ["--scheduler", "tcp://node:8786", "--workers", "3", "--threads", "2"]
    assert cluster.where(parser.parse_args(given)) == Where("tcp://node:8786", 3, 2)
    assert cluster.where(parser.parse_args([])) == Where()
