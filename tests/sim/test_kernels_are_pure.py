"""Modules of kernels know arrays and the compiler, and nothing of cities, files or tables."""

from __future__ import annotations

import ast

import pytest

#: Modules in which every line may run compiled.
KERNELS = [
    "twin.sim.crowd.kernels",
    "twin.sim.crowd.neighbours",
    "twin.sim.flood.edges",
    "twin.sim.flood.kernels",
    "twin.sim.flood.scratch",
    "twin.sim.flood.sweeps",
]
#: Modules that hold kernels beside the plain Python that makes their arrays.
MIXED = {"twin.sim.crowd.floor_field", "twin.sim.crowd.velocity"}
#: What a module of kernels may import beside those.
COMPILER = {"__future__", "llvmlite", "math", "numba", "numpy", "typing"}


def imported(root, module):
    """Return the modules that a module imports, wherever in its text."""
    tree = ast.parse((root / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module)
    return names


@pytest.mark.parametrize("module", KERNELS)
def test_a_module_of_kernels_imports_numpy_and_numba_only(root, module):
    others = {name for name in imported(root, module) if name.split(".")[0] not in COMPILER}
    assert others <= {*KERNELS, *MIXED}
