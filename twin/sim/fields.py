"""Fields that several simulations know: one definition for whoever writes or reads them.

Standard names are those of the CF standard name table, with their canonical units.
"""

from __future__ import annotations

from twin.sim.simulation import FieldSpec

__all__ = ["FLOOD_DEPTH", "FLOOD_SPEED"]

FLOOD_DEPTH = FieldSpec("flood.depth", "m", "Water depth", "flood_water_thickness")
FLOOD_SPEED = FieldSpec("flood.speed", "m s-1", "Speed of the water", "flood_water_speed")
