"""Quantities with units as pydantic types of the scene file.

In a file a quantity is a string with its unit; in Python it may also be a float, which is then SI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticSerializationUnexpectedValue, core_schema

from twin.errors import UnitError
from twin.units import UNITS, parse_quantity

__all__ = ["FROM_FILE", "Discharge", "Duration", "Length", "Manning", "Quantity", "Speed"]

#: Validation context of values that come from a file, where a bare number is no quantity.
FROM_FILE = {"from_file": True}


@dataclass(frozen=True)
class Quantity:
    """Marks a float as a quantity of a dimension (see `twin.units`), with an example of it."""

    dimension: str
    example: str
    minimum: float | None = None
    above: float | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        si = next(n for n, u in UNITS.items() if u.dimension == self.dimension)

        def write(value: Any) -> str:
            if not isinstance(value, float):  # another alternative of a union
                raise PydanticSerializationUnexpectedValue(f"{value!r} is no quantity")
            return f"{value!r} {si}"

        return core_schema.with_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(write, when_used="json"),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        units = [n for n, u in UNITS.items() if u.dimension == self.dimension]
        return {
            "type": "string",
            "description": f"{self.dimension} with its unit, one of: {', '.join(units)}",
            "examples": [self.example],
        }

    def _read(self, value: Any, info: core_schema.ValidationInfo) -> float:
        bare = isinstance(value, (int, float)) and not isinstance(value, bool)
        if bare and not (info.context or {}).get("from_file"):
            si = float(value)
        else:
            try:
                si = parse_quantity(value, self.dimension)
            except UnitError as error:
                raise ValueError(str(error)) from None
        if self.minimum is not None and si < self.minimum:
            raise ValueError(f"{value!r} is too small: it must not be below {self.minimum:g} (SI).")
        if self.above is not None and si <= self.above:
            raise ValueError(f"{value!r} is too small: it must be above {self.above:g} (SI).")
        return si


#: A length or a level; m inside.
Length = Annotated[float, Quantity("length", "2 m")]
#: A length above zero; m inside.
PositiveLength = Annotated[float, Quantity("length", "2 m", above=0.0)]
#: A time span; s inside.
Duration = Annotated[float, Quantity("time", "40 min", minimum=0.0)]
#: A time span above zero; s inside.
PositiveDuration = Annotated[float, Quantity("time", "3 h", above=0.0)]
#: A speed, or an intensity of rain; m/s inside.
Speed = Annotated[float, Quantity("speed", "45 mm/h", minimum=0.0)]
#: A discharge; m³/s inside.
Discharge = Annotated[float, Quantity("discharge", "20 m3/s")]
#: Manning's roughness n; s m^(-1/3) inside.
Manning = Annotated[float, Quantity("Manning roughness", "0.03 s/m^(1/3)", above=0.0)]
