"""People in a corridor as in the HERMES experiments, against what was measured there.

Uni-directional flow in a corridor of 1.8 m with entrances and exits of several widths: Zhang,
Klingsch, Schadschneider and Seyfried 2011, J. Stat. Mech. P06004 (Jülich data archive, CC BY 4.0).
Our people stand before the entrance and walk through; density, speed and flow are measured in the
same area and at the same line as theirs. Nothing is fitted to these runs but the free speed of the
volunteers, 1.45 ± 0.2 m/s.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import box

from twin.sim.crowd import CrowdModel, Normal

VOLUNTEERS = Normal(1.45, 0.2, 0.8, 2.2)


def walk(run: str, people: int, seed: int = 1) -> tuple[float, float, float, int]:
    """Return density (1/m²), speed (m/s), specific flow (1/(m s)) and how many did not arrive.

    `run` is "uo-<entrance>-<corridor>-<exit>", widths in cm.
    """
    entrance, corridor, way_out = (int(w) / 100 for w in run.split("-")[1:])
    back = 8 + max(4.0, people / 11.4)
    place = (
        box(0, -4, corridor, 4)
        .union(box(-1, 4.2, 2.8, back))
        .union(box(0.9 - entrance / 2, 4, 0.9 + entrance / 2, 4.2))
        .union(box(0.9 - way_out / 2, -4.2, 0.9 + way_out / 2, -4))
        .union(box(-1, -6.5, 2.8, -4.2))
    )
    crowd = CrowdModel(place, {"out": box(-1, -6.5, 2.8, -5.5)}, seed=seed, record_every=2)
    crowd.add(people, area=box(-1, 4.4, 2.8, back), desired_speed=VOLUNTEERS)
    crowd.advance(people / (1.3 * min(entrance, way_out)) + 40.0)
    path = crowd.trajectories.sort_values(["id", "frame"])
    by_person = path.groupby("id")
    # over 1.2 s, as the reference
    dx = by_person["x"].shift(-6) - by_person["x"].shift(6)
    dy = by_person["y"].shift(-6) - by_person["y"].shift(6)
    path["speed"] = np.hypot(dx, dy) / 1.2
    crossing = np.sort(path[path["y"] < 0].groupby("id")["frame"].min())
    first, last = np.quantile(crossing, [0.3, 0.85])
    steady = path[path["frame"].between(first, last) & path["y"].between(-2, 0)].dropna()
    density = len(steady) / (last - first + 1) / (2 * corridor)
    passed = ((crossing >= first) & (crossing <= last)).sum()
    flow = passed / ((last - first) / crowd.frame_rate) / corridor
    return density, float(steady["speed"].mean()), flow, crowd.remaining


@pytest.fixture(scope="module")
def compared(shared_data: Path) -> np.ndarray:
    """Return for each run density, speed and flow measured, and the same of ours."""
    folder = shared_data / "uni_corridor_uo"
    if not folder.is_dir():
        pytest.skip(f"no measured corridor: {folder} is missing")
    rows = []
    with (folder / "uo_fd_reference.csv").open() as file:
        for row in csv.DictReader(file):
            people = np.unique(np.loadtxt(folder / f"{row['run']}.txt", usecols=0)).size
            density, speed, flow, left = walk(row["run"], people)
            assert left == 0
            measured = [float(row[c]) for c in ("rho_1_m2", "v_m_s", "Js_line_1_ms")]
            rows.append([*measured, density, speed, flow])
    return np.array(rows)


def test_speed_at_equal_density(compared: np.ndarray) -> None:
    order = np.argsort(compared[:, 0])
    within = compared[:, 3] < compared[:, 0].max()  # ours may be denser than what was measured
    expected = np.interp(compared[:, 3], compared[order, 0], compared[order, 1])
    error = (compared[:, 4] - expected)[within]
    assert within.sum() >= 8
    assert np.sqrt(np.mean(error**2)) < 0.10


def test_flow_of_each_run(compared: np.ndarray) -> None:
    """Entrances and exits of 0.5 to 1.8 m: what the corridor passes, to a fifth."""
    assert compared[:, 5] == pytest.approx(compared[:, 2], rel=0.2)


def test_density_of_each_run(compared: np.ndarray) -> None:
    assert compared[:, 3] == pytest.approx(compared[:, 0], rel=0.3)
