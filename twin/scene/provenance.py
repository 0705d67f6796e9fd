"""How a run was made, as W3C PROV-JSON (W3C Member Submission, 24 April 2013)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twin.scene.scene import Scene

__all__ = ["provenance"]

#: Files of a run that are results, and what they are.
RESULTS = {
    "fields.zarr": "gridded quantities over time",
    "agents.parquet": "people over time",
    "series.parquet": "totals and gauges over time",
    "impacts.parquet": "buildings, streets and underpasses that were hit",
    "maps": "maxima",
    "tables": "further tables",
    "observations.db": "readings",
    "overview.png": "picture",
    "report.html": "report",
}


def provenance(
    scene: Scene, lock: dict[str, Any], manifest: dict[str, Any], path: Path
) -> dict[str, Any]:
    """Return the PROV document of a run: its inputs, the activity, the software, its results."""
    inputs = scene.inputs()
    entities: dict[str, Any] = {
        "run:scene": {"prov:label": f"scene {scene.name}", "twin:seed": scene.model.seed}
    }
    used: dict[str, Any] = {"_:u0": {"prov:activity": "run:run", "prov:entity": "run:scene"}}
    for number, (key, digest) in enumerate(sorted(lock["inputs"].items()), start=1):
        entity = f"run:input/{key}"
        entities[entity] = {"prov:label": inputs[key].name, "twin:sha256": digest}
        used[f"_:u{number}"] = {"prov:activity": "run:run", "prov:entity": entity}
    generated: dict[str, Any] = {}
    for number, (name, label) in enumerate(RESULTS.items()):
        if (path / name).exists():
            entities[f"run:output/{name}"] = {"prov:label": label}
            generated[f"_:g{number}"] = {
                "prov:entity": f"run:output/{name}",
                "prov:activity": "run:run",
            }
    return {
        "prefix": {"run": "urn:twin:run:", "twin": "urn:twin:terms:"},
        "entity": entities,
        "activity": {
            "run:run": {
                "prov:startTime": manifest["started"],
                "prov:endTime": manifest["finished"],
                "prov:label": f"twin run {scene.name}",
            }
        },
        "agent": {
            "run:twin": {
                "prov:type": "prov:SoftwareAgent",
                **{f"twin:version/{k}": v for k, v in lock["versions"].items()},
            }
        },
        "used": used,
        "wasGeneratedBy": generated,
        "wasAssociatedWith": {"_:a0": {"prov:activity": "run:run", "prov:agent": "run:twin"}},
    }
