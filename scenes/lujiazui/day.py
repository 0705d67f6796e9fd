"""The fleet of sensors and the day they recorded: tide and surge, a cloudburst, an open gate.

Nothing here was measured. River, rain and the water in the streets come from `inundation`; here
they become readings, with the noise and the flaws that readings have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import numpy.typing as npt
from twin.scenes.lujiazui.inundation import rain, stage, street_levels
from twin.scenes.lujiazui.landmarks import Building
from twin.scenes.lujiazui.plan import FLOOR, ORIGIN, SILL, Plan
from twin.scenes.lujiazui.terrain import HOLLOWS

__all__ = ["DAY", "Sensor", "fleet", "readings"]

FloatArray = npt.NDArray[np.float64]

#: Midnight at which the recorded day begins.
DAY = datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=8)))

_SEED = 7
_FINE = (7.5, 12.0)  # hours between which levels and rain are read each minute


@dataclass(frozen=True, slots=True)
class Sensor:
    """A row of the fleet; `x` and `y` in scene coordinates, m."""

    id: str
    name: str
    property: str
    unit: str
    topic: str
    x: float
    y: float
    minimum: float
    maximum: float

    def row(self) -> list[str]:
        """Format the row of ``fleet.csv``, in EPSG:32651."""
        return [
            *(self.id, self.name, self.property, self.unit, self.topic),
            *(f"{self.x + ORIGIN[0]:.1f}", f"{self.y + ORIGIN[1]:.1f}"),
            *(f"{self.minimum:g}", f"{self.maximum:g}"),
        ]


def fleet(plan: Plan) -> list[Sensor]:
    """List all sensors."""
    gate = plan.gates["gate-2"].centroid
    hollow = {name: (x, y) for name, (x, y, _, _) in HOLLOWS.items()}
    under = plan.underpass.centroid
    pond = plan.pond.centroid

    levels = {
        "gauge-01": ("Huangpu River, northern reach 黄浦江北段", 1200.0, 1940.0),
        "gauge-02": ("Huangpu River at the ferry gate 东昌路渡口", gate.x - 52, gate.y - 23),
        "gauge-03": ("Century Avenue at the ring 世纪大道环路口", *hollow["Century Avenue"]),
        "gauge-04": ("Dongchang Road at the ring 东昌路环路口", *hollow["Dongchang Road"]),
        "gauge-05": ("Lane 210, Pucheng Road 浦城路210弄", *hollow["Lane 210"]),
        "gauge-06": ("Pudong South Road underpass 浦东南路下立交", under.x, under.y),
        "gauge-07": ("Huangpu River, western edge 黄浦江西侧", 40.0, 1000.0),
        "gauge-08": ("Dongchang Road inside the gate 东昌路闸内", 715.0, 514.0),
        "gauge-09": ("Riverside Promenade 滨江步道", 203.0, 1400.0),
        "gauge-10": ("Yincheng Middle Road 银城中路", *hollow["Yincheng Middle Road"]),
        "gauge-11": ("Pond of the Central Green 中心绿地水池", pond.x, pond.y),
    }  # fmt: skip
    raining = {
        "rain-01": ("Pearl Plaza 明珠广场", 470.0, 1430.0),
        "rain-02": ("Century Avenue 世纪大道", 830.0, 1225.0),
        "rain-03": ("Central Green 中心绿地", 1110.0, 1400.0),
        "rain-04": ("Ferry 东昌路渡口", 690.0, 560.0),
        "rain-05": ("Dongchang Hospital 东昌医院", 1150.0, 470.0),
        "rain-06": ("Pucheng School 浦城学校", 1530.0, 310.0),
        "rain-07": ("Laoshan School 崂山学校", 1800.0, 1340.0),
        "rain-08": ("Qixia Road 栖霞路", 1500.0, 1640.0),
    }
    counted = {
        **{
            f"people-{i:02d}": (f"Station exit {i} 地铁{i}号口", x, y)
            for i, (x, y) in enumerate(plan.exits, start=1)
        },
        "people-05": ("Pearl Plaza 明珠广场", 455.0, 1405.0),
        "people-06": ("Central Green 中心绿地", 1080.0, 1345.0),
        "people-07": ("Tower Plaza 中心广场", 975.0, 1100.0),
        "people-08": ("Ferry gate 东昌路渡口", round(gate.x, 1), round(gate.y, 1)),
        "people-09": ("Riverside Promenade 滨江步道", 203.0, 1430.0),
        "people-10": ("IFC Mall 国金中心商场", 745.0, 1196.0),
    }
    found = []
    for sid, (name, x, y) in levels.items():
        low, high = (-1.0, 6.5) if name.startswith("Huangpu") else (0.0, 6.5)
        if sid == "gauge-06":
            low = FLOOR - 0.2
        found.append(_sensor(sid, name, "water_level", "m", "level", x, y, low, high))
    for sid, (name, x, y) in raining.items():
        found.append(_sensor(sid, name, "rainfall", "mm/h", "rain", x, y, 0, 300))
    for sid, (name, x, y) in counted.items():
        found.append(_sensor(sid, name, "people_flow", "persons/min", "people", x, y, 0, 400))
    return found


def _sensor(
    sid: str,
    name: str,
    prop: str,
    unit: str,
    branch: str,
    x: float,
    y: float,
    low: float,
    high: float,
) -> Sensor:
    topic = f"sh/pudong/{branch}/{sid.rsplit('-', 1)[1]}"
    return Sensor(sid, name, prop, unit, topic, round(x, 1), round(y, 1), low, high)


def readings(
    plan: Plan, ground: FloatArray, buildings: list[Building], sensors: list[Sensor]
) -> list[tuple[str, str, str]]:
    """Write up the day as (time, datastream, value), in the order in which it arrived."""
    rng = np.random.default_rng(_SEED)
    on_land = [s for s in sensors if s.property == "water_level" and not _in_river(s)]
    street = street_levels(plan, ground, buildings, {s.id: (s.x, s.y) for s in on_land})
    arrived: list[tuple[int, int, int, str, str]] = []
    for order, sensor in enumerate(sensors):
        at = _sampled(sensor)
        values = _values(sensor, at / 60.0, street, rng)
        form = "{:.3f}" if sensor.property == "water_level" else "{:.1f}"
        for minute, value in zip(at.tolist(), values.tolist(), strict=True):
            for arrival, text in _flawed(sensor.id, minute, form.format(value)):
                arrived.append((arrival, order, minute, sensor.id, text))
    return [
        ((DAY + timedelta(minutes=minute)).isoformat(), sid, text)
        for _, _, minute, sid, text in sorted(arrived)
    ]


def _in_river(sensor: Sensor) -> bool:
    return sensor.name.startswith("Huangpu")


def _sampled(sensor: Sensor) -> npt.NDArray[np.int64]:
    """Minutes after midnight at which a sensor reads."""
    coarse = np.arange(0, 24 * 60 + 1, 5)
    if sensor.property == "people_flow":
        return coarse
    fine = np.arange(int(_FINE[0] * 60), int(_FINE[1] * 60) + 1)
    return np.union1d(coarse, fine)


def _values(
    sensor: Sensor,
    hour: FloatArray,
    street: dict[str, tuple[FloatArray, FloatArray]],
    rng: np.random.Generator,
) -> FloatArray:
    if sensor.property == "rainfall":
        true = rain(hour, sensor.x, sensor.y)
        return np.asarray(np.where(true > 0, true * rng.normal(1.0, 0.06, hour.size), 0.0)).clip(0)
    if sensor.property == "people_flow":
        wet = np.interp(hour, *street["gauge-03"]) - street["gauge-03"][1][0]
        expected = _people(sensor, hour) * np.where(wet > 0.25, 0.25, 1.0)
        return rng.poisson(5 * expected) / 5.0
    noise = rng.normal(0.0, 0.004, hour.size)
    if _in_river(sensor):
        # high water reaches the northern reach a little earlier
        lag = {"gauge-01": -4.0, "gauge-02": 2.0}.get(sensor.id, 0.0) / 60
        return stage(hour - lag) + noise
    times, level = street[sensor.id]
    return np.maximum(np.interp(hour, times, level) + noise, level.min())


def _people(sensor: Sensor, hour: FloatArray) -> FloatArray:
    """Persons in a minute on a rainy working day."""

    def peak(at: float, width: float) -> FloatArray:
        return np.exp(-(((hour - at) / width) ** 2))

    served = (hour > 5.5) & (hour < 23.2)
    size = {"people-01": 46, "people-02": 38, "people-03": 30, "people-04": 34}.get(sensor.id)
    if size is not None:
        curve = 0.18 + peak(8.4, 0.9) + 0.35 * peak(12.4, 1.0) + 0.9 * peak(18.2, 1.2)
        return np.where(served, size * curve, 0.0)
    curve = 0.15 + 0.5 * peak(8.6, 0.8) + 0.6 * peak(12.5, 1.2) + 0.8 * peak(19.0, 2.0)
    wet = np.where((hour > 7.9) & (hour < 11.2), 0.3, 1.0)
    if sensor.id in {"people-08", "people-09"}:  # the waterside is closed at high water
        wet = np.where(stage(hour) > SILL + 0.2, 0.0, wet)
    return np.where(served, 16.0 * curve * wet, 0.0)


def _flawed(sid: str, minute: int, text: str) -> Iterator[tuple[int, str]]:
    """Yield what arrives for one reading: when, and which value. The flaws of the day are here."""
    h = 60
    if sid == "gauge-10" and 8 * h + 50 <= minute < 9 * h + 20:
        return  # the modem was down, nothing was kept
    if sid == "gauge-04" and minute == 9 * h + 17:
        text = "12.750"  # a spike, above what the sensor can measure
    if sid == "gauge-09" and 10 * h <= minute <= 10 * h + 20:
        text = "4.290"  # frozen float
    arrival = minute
    if sid == "gauge-05" and 10 * h <= minute < 10 * h + 30:
        arrival = 10 * h + 45  # a block of half an hour came late
    yield arrival, text
    if sid == "rain-03" and 9 * h <= minute < 9 * h + 5:
        yield minute, text  # sent twice
