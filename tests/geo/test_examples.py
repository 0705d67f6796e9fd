"""The examples in the docstrings run and are right."""

from __future__ import annotations

import doctest
import importlib
import warnings

import pytest

MODULES = ["city", "crs", "grid", "normalise"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(f"twin.geo.{name}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0
