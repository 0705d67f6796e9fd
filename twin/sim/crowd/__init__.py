"""People on foot: a microscopic model on polygons, and a crowd on a city."""

from twin.sim.crowd.crowd import Crowd
from twin.sim.crowd.demand import WEIDMANN, LogNormal, Normal, Uniform
from twin.sim.crowd.model import CrowdModel
from twin.sim.crowd.surfaces import Link, Surface
from twin.sim.crowd.velocity import CollisionFreeSpeed, HeadingSpeed

__all__ = [
    "WEIDMANN",
    "CollisionFreeSpeed",
    "Crowd",
    "CrowdModel",
    "HeadingSpeed",
    "Link",
    "LogNormal",
    "Normal",
    "Surface",
    "Uniform",
]
