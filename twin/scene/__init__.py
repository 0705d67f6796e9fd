"""Scenes: what exists and what happens, read from a TOML file or built in Python."""

from twin.scene.model import SceneModel
from twin.scene.scene import Scene

__all__ = ["Scene", "SceneModel"]
