"""Live readings: from MQTT into a store of observations, without loss.

`SensorHub` ingests, `Store` keeps, `Replay` plays a record through a broker, `EmbeddedBroker` is a
broker of one's own, `SceneObservations` gives readings to simulations on the scene's clock.
"""

from twin.sensors.broker import EmbeddedBroker
from twin.sensors.datastream import Datastream, read_fleet
from twin.sensors.hub import HubStats, SensorHub
from twin.sensors.observations import SceneObservations
from twin.sensors.quality import QualityLimits
from twin.sensors.replay import Record, Replay, read_record
from twin.sensors.store import Store

__all__ = [
    "Datastream",
    "EmbeddedBroker",
    "HubStats",
    "QualityLimits",
    "Record",
    "Replay",
    "SceneObservations",
    "SensorHub",
    "Store",
    "read_fleet",
    "read_record",
]
