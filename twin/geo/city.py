"""The city: the static side of the twin, from GIS and BIM files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.errors import CRSError, GeometryError, InputError, did_you_mean
from twin.geo import burn, findings, ingest, store
from twin.geo.buildings import ground_under
from twin.geo.crs import Bounds, check_bounds, city_crs, same_crs, vertical_datum
from twin.geo.grid import Grid
from twin.geo.ingest import TerrainSource, VectorSource
from twin.geo.layers import LAYERS, empty
from twin.geo.sources import Source
from twin.geo.terrain import Terrain

if TYPE_CHECKING:
    import trimesh

    from twin.geo.indoor import Interior
    from twin.geo.solids import Solids

__all__ = ["City", "Source", "Terrain"]


class City:
    """The static side of a twin: layers, terrain and interiors in one projected system.

    Parameters
    ----------
    crs
        Projected reference system in metres ("EPSG:32651").
    vertical_datum
        What all elevations count from ("EPSG:5737", or a plain name for a local datum). If None,
        that of the terrain, where its file says it.
    bounds
        West, south, east, north of the city, m. Layers are cut there. If None, the terrain's or
        else those of the layers.

    Examples
    --------
    >>> import geopandas, shapely
    >>> house = shapely.box(357000, 3456000, 357010, 3456020)
    >>> frame = geopandas.GeoDataFrame({"height_m": [12]}, geometry=[house], crs="EPSG:32651")
    >>> city = City.from_files(buildings=frame)
    >>> city.check().ok
    True
    >>> city.grid(resolution=5.0).shape
    (4, 2)
    >>> round(city.solid(city.buildings.index[0]).volume)
    2400
    """

    def __init__(
        self, crs: str, *, vertical_datum: str | None = None, bounds: Bounds | None = None
    ) -> None:
        self._bounds = None if bounds is None else _checked_bounds(bounds)
        self.crs = city_crs(crs, bounds=self._bounds)
        if self._bounds is not None:
            check_bounds(self._bounds, self.crs, what="bounds")
        self.vertical_datum = _datum(vertical_datum)
        self.provenance: list[dict[str, Any]] = []
        self._layers: dict[str, gpd.GeoDataFrame] = {}
        self._terrain: Terrain | None = None
        self._interiors: dict[str, Interior] | None = {}
        self._findings: gpd.GeoDataFrame | None = findings.concat([], self.crs)
        self._store: store.Store | None = None

    # --- building ---------------------------------------------------------------------------

    @classmethod
    def from_files(
        cls,
        buildings: VectorSource | None = None,
        terrain: TerrainSource | None = None,
        streets: VectorSource | None = None,
        water: VectorSource | None = None,
        defences: VectorSource | None = None,
        underpasses: VectorSource | None = None,
        assembly_areas: VectorSource | None = None,
        bim: Iterable[str | os.PathLike[str] | Mapping[str, Any]] = (),
        crs: str | None = None,
        vertical_datum: str | None = None,
        bounds: Bounds | None = None,
    ) -> City:
        """Build a city from files, any of them optional.

        Parameters
        ----------
        buildings, streets, water, defences, underpasses, assembly_areas
            A path, a `Source` (layer, column names, reference system) or a GeoDataFrame each.
            `twin.geo.layers.LAYERS` lists the columns that are understood.
        terrain
            A raster, or a `Terrain`.
        bim
            IFC files: paths, or mappings of the arguments of `add_bim`.
        crs
            System of the city. If None, that of the first source that is projected in true metres
            (terrain first), else the UTM zone of the data.
        vertical_datum, bounds
            As for the class.

        Raises
        ------
        InputError, CRSError, GeometryError
            If a source cannot be used; the message says which, why, and how to mend it.
        """
        given = {
            "buildings": buildings,
            "streets": streets,
            "water": water,
            "defences": defences,
            "underpasses": underpasses,
            "assembly_areas": assembly_areas,
        }
        vectors = {name: source for name, source in given.items() if source is not None}
        if crs is None:
            crs = ingest.system_of(terrain, vectors)
        city = cls(crs, vertical_datum=vertical_datum, bounds=bounds)
        if terrain is not None:
            city.add_terrain(terrain)
        for name, source in vectors.items():
            city._add(name, source)
        for model in bim:
            arguments = {"path": model} if isinstance(model, str | os.PathLike) else dict(model)
            city.add_bim(**arguments)
        return city

    def add_terrain(self, source: TerrainSource) -> None:
        """Give the city its terrain, in place of any that it has."""
        terrain, noted, record = ingest.read_terrain(source, crs=self.crs, bounds=self._bounds)
        if not same_crs(terrain.grid.crs, self.crs):
            raise CRSError(
                f"The terrain is in {terrain.grid.crs}, the city in {self.crs}. "
                "Read it with Terrain.from_file(path, crs=city.crs)."
            )
        self._agree_on_datum(_datum(terrain.vertical_datum), "terrain")
        grid = replace(terrain.grid, crs=self.crs)
        self._terrain = Terrain(terrain.elevation, grid, self.vertical_datum)
        self.provenance = [r for r in self.provenance if r["layer"] != "terrain"] + [record]
        before = self._noted()
        self._findings = findings.concat([before[before["layer"] != "terrain"], *noted], self.crs)
        self._stand_on_ground()

    def add_buildings(self, source: VectorSource, *, height: str | None = None) -> None:
        """Add buildings; `height` names the source's column of heights in metres."""
        columns = {} if height is None else {"height_m": height}
        self._add("buildings", source, columns)

    def add_streets(self, source: VectorSource) -> None:
        """Add streets."""
        self._add("streets", source)

    def add_water(self, source: VectorSource) -> None:
        """Add rivers, canals, lakes and docks."""
        self._add("water", source)

    def add_defences(self, source: VectorSource) -> None:
        """Add flood walls and gates."""
        self._add("defences", source)

    def add_underpasses(self, source: VectorSource) -> None:
        """Add underpasses."""
        self._add("underpasses", source)

    def add_assembly_areas(self, source: VectorSource) -> None:
        """Add areas where people are safe."""
        self._add("assembly_areas", source)

    def add_bim(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        georeference: Any = None,
    ) -> None:
        """Add the inside of a building from an IFC model.

        Parameters
        ----------
        name
            Under which it is found in `interiors`; by default the model's own.
        georeference
            Where the model stands, if it does not say it or says it wrongly.
        """
        if name is not None:
            self._name_is_free(name, path)  # before the model is read, which takes its time
        interior, datum, record = ingest.read_model(path, crs=self.crs, georeference=georeference)
        key = name or interior.name
        self._name_is_free(key, path)
        self._agree_on_datum(datum, f"model {path}")
        self.interiors[key] = interior
        self.provenance.append(record | {"layer": f"interiors/{key}"})

    def _name_is_free(self, name: str, path: str | os.PathLike[str]) -> None:
        if name in self.interiors:
            raise InputError(
                f"bim: {path}: there is an interior {name!r} already. Give another with name=."
            )

    def _add(
        self, name: str, source: VectorSource, columns: Mapping[str, str] | None = None
    ) -> None:
        """Read a source into a layer, behind what the layer holds already."""
        frame, noted, record = ingest.read_layer(
            name, source, crs=self.crs, bounds=self._bounds, columns=columns
        )
        before = self._layer(name)
        if len(before):
            clash = frame.index.intersection(before.index)
            if len(clash):
                raise InputError(
                    f"{name}: the city already has {name} with the ids {_some(clash)}. "
                    "Add each source once, or give the ids of one of them a prefix."
                )
            frame = gpd.GeoDataFrame(pd.concat([before, frame]), crs=self.crs)
        self._layers[name] = frame
        self._findings = findings.concat([self._noted(), *noted], self.crs)
        self.provenance.append(record)
        if name == "buildings":
            self._stand_on_ground()

    def _agree_on_datum(self, datum: str | None, what: str) -> None:
        """Take the vertical datum of the first that has one; refuse another."""
        if self.vertical_datum is None:
            self.vertical_datum = datum
        elif datum not in (None, self.vertical_datum):
            raise CRSError(
                f"The {what} counts its heights from {datum}, the city from "
                f"{self.vertical_datum}, and they are never taken for each other unchanged. "
                "Convert its heights (rasters: gdalwarp -s_srs … -t_srs … with both vertical "
                "systems), or give the city that datum."
            )

    def _stand_on_ground(self) -> None:
        terrain, frame = self.terrain, self.buildings
        if terrain is not None and len(frame):
            frame["ground_m"] = ground_under(terrain, frame.geometry)

    # --- what there is ----------------------------------------------------------------------

    def _layer(self, name: str) -> gpd.GeoDataFrame:
        if name not in self._layers:
            stored = None if self._store is None else self._store.layer(name)
            self._layers[name] = empty(LAYERS[name], self.crs) if stored is None else stored
        return self._layers[name]

    def _noted(self) -> gpd.GeoDataFrame:
        """Return what was noted while the city was built."""
        if self._findings is None:
            stored = None if self._store is None else self._store.layer("findings")
            self._findings = findings.concat([], self.crs) if stored is None else stored
        return self._findings

    @property
    def buildings(self) -> gpd.GeoDataFrame:
        """Footprints: name, height_m, height_source, storeys, use, ground_m."""
        return self._layer("buildings")

    @property
    def streets(self) -> gpd.GeoDataFrame:
        """Centre lines: name, kind, width_m, walkable, drivable."""
        return self._layer("streets")

    @property
    def water(self) -> gpd.GeoDataFrame:
        """Water surfaces: name, kind, bed_m, level_m."""
        return self._layer("water")

    @property
    def defences(self) -> gpd.GeoDataFrame:
        """Flood walls and gates: name, kind, crest_m, sill_m."""
        return self._layer("defences")

    @property
    def underpasses(self) -> gpd.GeoDataFrame:
        """Underpasses: name, floor_m."""
        return self._layer("underpasses")

    @property
    def assembly_areas(self) -> gpd.GeoDataFrame:
        """Safe ground for people: name, capacity."""
        return self._layer("assembly_areas")

    @property
    def terrain(self) -> Terrain | None:
        """The bare ground, None if the city has no terrain."""
        if self._terrain is None and self._store is not None:
            self._terrain = self._store.terrain()
        return self._terrain

    @property
    def interiors(self) -> dict[str, Interior]:
        """Buildings known from inside, by name."""
        if self._interiors is None:
            self._interiors = {} if self._store is None else self._store.interiors()
        return self._interiors

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north, m: those asked for, else the terrain's, else the layers'."""
        if self._bounds is not None:
            return self._bounds
        if self.terrain is not None:
            return self.terrain.bounds
        boxes = [frame.total_bounds for name in LAYERS if len(frame := self._layer(name))]
        boxes += [i.levels.total_bounds for i in self.interiors.values() if len(i.levels)]
        if not boxes:
            raise InputError("The city is empty, so it has no bounds. Add a layer or give bounds.")
        low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
        return (float(low[0]), float(low[1]), float(high[2]), float(high[3]))

    def __repr__(self) -> str:
        parts = [f"{len(self._layer(n))} {n}" for n in LAYERS if len(self._layer(n))]
        if self.terrain is not None:
            rows, cols = self.terrain.grid.shape
            parts.append(f"terrain of {cols} × {rows} cells")
        if self.interiors:
            parts.append(f"{len(self.interiors)} interiors")
        crs = self.crs if len(self.crs) < 20 else "a local system"
        return f"<City in {crs}: {', '.join(parts) or 'empty'}>"

    # --- grids ------------------------------------------------------------------------------

    def grid(self, resolution: float, bounds: Bounds | None = None) -> Grid:
        """Cover the city, or `bounds`, with square cells of `resolution` metres."""
        box = self.bounds if bounds is None else _checked_bounds(bounds)
        return Grid.from_bounds(self.crs, box, resolution)

    def bed(
        self, grid: Grid, *, walls: bool = True, gates_open: Iterable[str] = ()
    ) -> npt.NDArray[np.float64]:
        """Return the elevation that water flows over, m in the vertical datum; NaN for no data.

        Terrain, lowered to the floors of underpasses and the beds of waters, then raised to the
        crests of flood walls and closed gates. Walls are rows of cells that share edges, so water
        gets past only at their ends or over their crests.

        Parameters
        ----------
        walls
            Whether walls and gates stand.
        gates_open
            Ids of gates that are open: their cells lie at the sill, or where it is not known, at
            the terrain. A cell that a gate shares with a wall belongs to the gate.

        Raises
        ------
        InputError
            If the city has no terrain, or no such gate.
        """
        if self.terrain is None:
            raise InputError("The city has no terrain to flow over; add it with add_terrain.")
        opened = {gates_open} if isinstance(gates_open, str) else set(gates_open)
        gates = self.defences[self.defences["kind"] == "gate"]
        for unknown in sorted(opened.difference(gates.index)):
            raise InputError(f"There is no gate {unknown!r}. {did_you_mean(unknown, gates.index)}")
        ground = self.terrain.on(grid)
        for frame, level in ((self.underpasses, "floor_m"), (self.water, "bed_m")):
            ground = burn.lower_to(ground, grid, frame.geometry.to_numpy(), frame[level])
        return burn.defend(ground, grid, self.defences, opened) if walls else ground

    def building_cells(self, grid: Grid) -> npt.NDArray[np.int32]:
        """Return for each cell the building over its centre.

        0 for none, k for the building at position k - 1 of `buildings`; where footprints overlap
        the later one wins.
        """
        return burn.owners(grid, self.buildings.geometry.to_numpy())

    # --- solids -----------------------------------------------------------------------------

    def solid(self, building_id: str) -> trimesh.Trimesh:
        """Return a building as a closed block in the city's system, m."""
        if building_id not in self.buildings.index:
            raise InputError(
                f"There is no building {building_id!r}. "
                f"{did_you_mean(building_id, self.buildings.index)}"
            )
        from twin.geo.solids import extrude

        one = self.buildings.loc[[building_id]]
        blocks = extrude(one.geometry.to_numpy(), one["ground_m"].fillna(0.0), one["height_m"])
        if blocks.failed:
            raise GeometryError(
                f"Building {building_id!r} has a footprint that gives no closed solid; "
                "City.check says what is wrong with it."
            )
        return blocks.mesh()

    def solids(self) -> Solids:
        """Return all buildings as closed blocks in one set of arrays."""
        from twin.geo.solids import extrude

        frame = self.buildings
        return extrude(frame.geometry.to_numpy(), frame["ground_m"].fillna(0.0), frame["height_m"])

    # --- checks and storage -----------------------------------------------------------------

    def check(self) -> findings.Report:
        """Look for what may make results wrong; see `twin.geo.check`."""
        from twin.geo.check import check

        return check(self, self._noted())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the city as a directory of GeoParquet and GeoTIFF files, all or nothing."""
        return store.write(
            path,
            crs=self.crs,
            vertical_datum=self.vertical_datum,
            bounds=self._bounds,
            layers={name: self._layer(name) for name in LAYERS} | {"findings": self._noted()},
            terrain=self.terrain,
            interiors=self.interiors,
            provenance=self.provenance,
        )

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> City:
        """Open a city that `save` wrote; its parts are read when they are first used."""
        opened = store.Store.open(path)
        manifest = opened.manifest
        bounds = manifest["bounds"]
        city = cls(manifest["crs"], vertical_datum=manifest["vertical_datum"])
        city._bounds = None if bounds is None else _checked_bounds(bounds)
        city.provenance = list(manifest["provenance"])
        city._store, city._interiors, city._findings = opened, None, None
        return city


def _checked_bounds(bounds: Iterable[float]) -> Bounds:
    values = tuple(float(value) for value in bounds)
    if len(values) != 4 or not (values[2] > values[0] and values[3] > values[1]):
        raise InputError(
            f"bounds must be (west, south, east, north) in metres, each less than its opposite, "
            f"not {values}."
        )
    return (values[0], values[1], values[2], values[3])


def _datum(value: str | None) -> str | None:
    return None if value is None else vertical_datum(value)


def _some(names: Any) -> str:
    shown = ", ".join(repr(name) for name in list(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
