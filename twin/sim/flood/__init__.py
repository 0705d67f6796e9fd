"""Floods: the shallow-water equations on a grid, and on a city."""

from twin.sim.flood.boundaries import Discharge, Open, Stage, Wall
from twin.sim.flood.solver import ShallowWater

__all__ = ["Discharge", "Open", "ShallowWater", "Stage", "Wall"]
