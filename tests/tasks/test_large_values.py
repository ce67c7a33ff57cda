"""Arguments and results that are too large to travel inline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import laminar

env = laminar.TaskEnvironment("large")


@dataclass
class Measured:
    name: str
    table: pd.DataFrame


@env.task
def twice(values: np.ndarray) -> np.ndarray:
    return values * 2


@env.task
def measured(table: pd.DataFrame, name: str) -> Measured:
    return Measured(name, table * 2)


@env.task
async def parent(size: int) -> float:
    first = await twice(np.ones(size))
    second = await measured(pd.DataFrame({"a": np.ones(size)}), "ones")
    third = await twice(second.table.a.to_numpy())
    return float(first.sum() + third.sum())


def run(task, *args):
    return laminar.with_runcontext(quiet=True).run(task, *args)


def test_large_arrays_and_tables_are_passed_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(parent, 100_000).result() == 600_000.0


def test_a_large_array_is_an_argument_of_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(twice, np.ones(100_000)).result().sum() == 200_000.0
