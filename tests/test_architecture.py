"""The shape of the house: who may know whom, what is light, what is public."""

import subprocess
import sys

import pytest

import twin
from twin import errors

HEAVY = ("vtk", "vtkmodules", "numba", "geopandas", "pandas", "rasterio", "ifcopenshell", "zarr")


def test_no_room_reaches_upwards(root):
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; exit(lint_imports())"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["twin", "twin.cli", "twin.scene"])
def test_import_is_light(module):
    code = f"import {module}, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_public_names_are_there_and_sorted():
    assert list(twin.__all__) == sorted(twin.__all__)
    for name in twin.__all__:
        assert getattr(twin, name) is not None


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Citty'"):
        _ = twin.Citty


def test_errors_form_the_tree_that_their_module_draws():
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type):
            assert issubclass(kind, errors.TwinError)
            assert name in errors.__doc__
            assert kind.exit_status in {1, 2, 130}


def test_did_you_mean_names_the_nearest_or_lists():
    assert errors.did_you_mean("deph", ["depth", "speed"]).startswith("Did you mean 'depth'?")
    assert errors.did_you_mean("zzz", [f"n{i}" for i in range(20)]).endswith("….")
    assert "Nothing" in errors.did_you_mean("x", [])
