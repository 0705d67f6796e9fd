"""The scene: what exists and what happens, as frozen models that a scene file is read into.

Quantities are SI floats inside and carry their units in the file. Unknown keys are refused. The
models hold no behaviour: `twin.scene.build` makes a City, sensors and simulations of them, and
`twin.scene.execute` runs them.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from twin.errors import did_you_mean
from twin.scene.quantity import (
    Discharge,
    Duration,
    Length,
    Manning,
    PositiveDuration,
    PositiveLength,
    Speed,
)
from twin.units import UNITS

__all__ = [
    "BimSource",
    "CitySources",
    "Clock",
    "CrowdSimulation",
    "Datastream",
    "Domain",
    "FloodSimulation",
    "Output",
    "Replay",
    "SceneModel",
    "Sensors",
    "TerrainSource",
    "VectorSource",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]


class Table(BaseModel):
    """A table of the scene file: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class Domain(Table):
    """Where the scene lies."""

    crs: str = Field(description="Projected reference system in metres, as in 'EPSG:32651'.")
    vertical_datum: str = Field(description="What heights count from, as in 'EPSG:5737'.")
    bounds: tuple[Length, Length, Length, Length] | None = Field(
        None, description="West, south, east, north in the CRS; by default the terrain's."
    )

    @field_validator("bounds")
    @classmethod
    def _ordered(
        cls, value: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if value is not None and not (value[0] < value[2] and value[1] < value[3]):
            raise ValueError("bounds are west, south, east, north, and these are not in order.")
        return value


class VectorSource(Table):
    """A file of features, with its layer and names of columns where they are not twin's own."""

    file: Path
    layer: str | None = None
    columns: dict[str, str] = Field(
        default_factory=dict, description="twin's name of a column = the file's name of it"
    )
    crs: str | None = Field(None, description="The file's CRS, where it does not say it.")


class TerrainSource(Table):
    """Bare-earth elevation: a raster, or one level everywhere."""

    file: Path | None = None
    level: Length | None = Field(
        None, description="One elevation everywhere, for want of a raster."
    )
    crs: str | None = Field(None, description="The raster's CRS, where the file does not say it.")

    @model_validator(mode="after")
    def _one(self) -> TerrainSource:
        if (self.file is None) == (self.level is None):
            raise ValueError("terrain needs either a file or a level.")
        if self.level is not None and self.crs is not None:
            raise ValueError("crs is that of a file; a level has none.")
        return self


class Placement(Table):
    """Where an IFC model without usable georeference stands."""

    easting: Length
    northing: Length
    height: Length
    bearing_deg: float = Field(0.0, description="Clockwise from grid north to the model's y axis.")


class BimSource(Table):
    """An IFC model."""

    file: Path
    name: Name | None = Field(None, description="How simulations call the place.")
    placement: Placement | None = None


class CitySources(Table):
    """The files that the City is made of; all of them optional but the terrain."""

    terrain: TerrainSource
    buildings: VectorSource | None = None
    streets: VectorSource | None = None
    water: VectorSource | None = None
    defences: VectorSource | None = None
    underpasses: VectorSource | None = None
    assembly_areas: VectorSource | None = None
    bim: tuple[BimSource, ...] = ()

    @field_validator(
        "buildings", "streets", "water", "defences", "underpasses", "assembly_areas", mode="before"
    )
    @classmethod
    def _file_alone(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, (str, Path)) else value

    @field_validator("terrain", mode="before")
    @classmethod
    def _raster_alone(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, (str, Path)) else value


class Clock(Table):
    """When it happens."""

    start: datetime = Field(description="With its offset from UTC.")
    duration: PositiveDuration
    sync: PositiveDuration = Field(30.0, description="Time between exchanges of fields.")

    @field_validator("start")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("start needs its offset from UTC, as in 2026-07-01T08:00:00+08:00.")
        return value


class Datastream(Table):
    """One property of one thing at a place."""

    id: Name
    topic: str = Field(min_length=1)
    property: str
    unit: str
    name: str = ""
    location: tuple[float, float] | None = Field(None, description="Easting and northing, m.")
    minimum: float | None = None
    maximum: float | None = None


class Replay(Table):
    """Recorded readings that are sent through the broker as if they came in now."""

    file: Path
    speed: float | Literal["max"] = Field(
        "max", description="How many recorded seconds go by in one second."
    )

    @field_validator("speed")
    @classmethod
    def _positive(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and not value > 0:
            raise ValueError("speed must be above 0.")
        return value


class Sensors(Table):
    """The fleet and where its readings come from."""

    broker: str = Field("embedded", description="'embedded', or a URL such as 'mqtt://host:1883'.")
    fleet: Path | None = Field(None, description="CSV table of datastreams.")
    datastreams: tuple[Datastream, ...] = ()
    replay: Replay | None = None

    @field_validator("broker")
    @classmethod
    def _url(cls, value: str) -> str:
        if value != "embedded" and not value.startswith(("mqtt://", "mqtts://")):
            raise ValueError(
                f"{value!r} is no broker: write 'embedded', or a URL such as 'mqtt://host:1883'."
            )
        return value


class DesignStorm(Table):
    """A storm made from its depth and duration."""

    design: Literal["chicago", "block"]
    depth: PositiveLength
    duration: PositiveDuration
    peak: float = Field(0.4, gt=0, lt=1, description="Where the peak lies, as a share of duration.")
    begins: Duration = 0.0

    @model_validator(mode="after")
    def _peaks(self) -> DesignStorm:
        if self.design == "block" and "peak" in self.model_fields_set:
            raise ValueError("a block storm has no peak; leave it out, or choose 'chicago'.")
        return self


class GaugeRain(Table):
    """Rain as the rain gauges read it: the mean of the ones named, or of all in the fleet."""

    gauges: Literal[True] | tuple[Name, ...]


class SeriesFile(Table):
    """Values over time from a CSV file: time in s since the scene's start, value in `unit`."""

    file: Path
    unit: str

    @field_validator("unit")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in UNITS:
            raise ValueError(f"{value!r} is no unit. {did_you_mean(value, UNITS)}")
        return value


class StageBoundary(Table):
    """Water level outside one side: a level, or the level gauge that reads it."""

    stage: Length | Name | SeriesFile


class DischargeBoundary(Table):
    """Discharge in over one side."""

    discharge: Discharge | SeriesFile


class Gate(Table):
    """A gate of the flood wall and when it opens; otherwise it stays shut."""

    id: str
    opens: Duration
    takes: Duration = Field(60.0, description="Time from shut to open.")


class PointSource(Table):
    """Water that comes in at a point."""

    location: tuple[Length, Length]
    discharge: Discharge | SeriesFile


Boundary = Literal["wall", "open"] | StageBoundary | DischargeBoundary


class FloodSimulation(Table):
    """Shallow water over the city's ground."""

    kind: Literal["flood"]
    name: Name = "flood"
    resolution: PositiveLength = 4.0
    order: Literal[1, 2] = 1
    precision: Literal["float32", "float64"] = "float64"
    rain: Speed | DesignStorm | GaugeRain | SeriesFile | None = None
    infiltration: Speed = 0.0
    initial_level: Length | None = Field(
        None, description="Level of the water bodies at the start; by default the stage outside."
    )
    boundaries: dict[Literal["north", "east", "south", "west"], Boundary] = Field(
        default_factory=dict
    )
    gates: tuple[Gate, ...] = ()
    sources: tuple[PointSource, ...] = ()
    buildings: Literal["blocks", "raised", "none"] = "blocks"
    manning: Manning | None = Field(None, description="By default by land cover.")


class CrowdSimulation(Table):
    """People who leave a place for safe ground."""

    kind: Literal["crowd"]
    name: Name = "crowd"
    place: str | tuple[Length, Length, Length, Length] = Field(
        description="Name of a BIM model, or the bounds in which people stand outdoors."
    )
    people: int = Field(gt=0, le=1_000_000)
    begins: Duration = Field(0.0, description="When the alarm is given.")
    pre_movement: tuple[Duration, Duration] = Field(
        (0.0, 120.0), description="Shortest and longest time until a person sets off."
    )
    reach: PositiveLength = Field(400.0, description="How far the streets around are walked.")
    model: Literal["heading", "collision_free_speed"] = "heading"
    time_step: PositiveDuration = 0.05
    reroute: PositiveDuration = Field(
        10.0, description="How often people look around for a quicker way."
    )
    reads: tuple[str, ...] | None = Field(
        None, description="Fields of others that count; by default all that there are."
    )


AnySimulation = Annotated[FloodSimulation | CrowdSimulation, Field(discriminator="kind")]


class Output(Table):
    """What is written, and how often."""

    every: PositiveDuration = 60.0
    fields: tuple[str, ...] = Field(("depth", "speed"), description="Gridded quantities over time.")
    frames: int = Field(
        36, ge=0, le=600, description="Frames of the animation; fewer than 2 for none."
    )
    checkpoint: PositiveDuration = Field(
        15.0, description="Wall time between checkpoints, the most that a crash can cost."
    )


class SceneModel(Table):
    """The whole scene file."""

    schema_version: Literal["1"] = Field(alias="schema", description="Version of this format.")
    name: Name
    title: str = ""
    description: str = ""
    notice: str = Field("", description="Shown wherever results are shown.")
    seed: int = Field(0, ge=0, lt=2**63)
    domain: Domain
    city: CitySources
    clock: Clock
    sensors: Sensors | None = None
    simulation: tuple[AnySimulation, ...] = Field(min_length=1)
    output: Output = Field(default_factory=Output)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _consistent(self) -> SceneModel:
        names = [s.name for s in self.simulation]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two simulations are called {name!r}; give one another name.")
        places = {b.name or b.file.stem for b in self.city.bim}
        for simulation in self.simulation:
            place = simulation.place if isinstance(simulation, CrowdSimulation) else None
            if isinstance(place, str) and place not in places:
                known = ", ".join(repr(p) for p in sorted(places)) or "none"
                raise ValueError(
                    f"simulation {simulation.name!r}: place {place!r} is no BIM model of [city]; "
                    f"known: {known}."
                )
        return self
