"""Floods: the shallow-water equations on a grid, and on a city."""

from twin.sim.flood.boundaries import Discharge, Open, Stage, Wall
from twin.sim.flood.flood import Flood
from twin.sim.flood.forcing import Series, block_storm, chicago_storm
from twin.sim.flood.ground import Gate, Source
from twin.sim.flood.hazard import aidr_class, defra_class, defra_rating
from twin.sim.flood.observed import GaugeMean
from twin.sim.flood.solver import ShallowWater

__all__ = [
    "Discharge",
    "Flood",
    "Gate",
    "GaugeMean",
    "Open",
    "Series",
    "ShallowWater",
    "Source",
    "Stage",
    "Wall",
    "aidr_class",
    "block_storm",
    "chicago_storm",
    "defra_class",
    "defra_rating",
]
