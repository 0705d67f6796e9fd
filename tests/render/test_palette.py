"""Colours mean the same everywhere, and can be told apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import RenderError
from twin.render.palette import DEPTH, NO_DATA, PALETTES, STILL_WATER, palette, use_colours
from twin.sim.flood.hazard import defra_class

# Machado, Oliveira & Fernandes (2009), full deuteranopia and protanopia, linear RGB
BLIND = {
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}


def linear(colours: np.ndarray) -> np.ndarray:
    c = np.asarray(colours, float) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L* of linear RGB."""
    y = np.clip(rgb, 0, 1) @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


@pytest.mark.parametrize("key", PALETTES)
@pytest.mark.parametrize("sight", [None, *BLIND])
def test_neighbouring_classes_differ_in_lightness_for_every_eye(
    key: str, sight: str | None
) -> None:
    rgb = linear(np.array(PALETTES[key].colours))
    if sight:
        rgb = rgb @ np.array(BLIND[sight]).T
    steps = np.diff(lightness(rgb))
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).min() > 6


def test_class_limits_belong_to_the_upper_class() -> None:
    values = np.array([0.0, 0.049, 0.05, 0.1499, 0.15, 2.0, 50.0, np.nan])
    assert DEPTH.classify(values).tolist() == [0, 0, 1, 1, 2, 6, 6, 255]


def test_limits_hold_in_single_precision() -> None:
    # 0.3 is not the same number in float32; a map of float32 must not fall a class short
    assert DEPTH.classify(np.array([0.05, 0.15, 0.3], np.float32)).tolist() == [1, 2, 3]


def test_dry_is_transparent_and_unknown_is_not_a_class() -> None:
    rgba = DEPTH.rgba([0.0, np.nan, 0.2])
    assert rgba[0, 3] == 0
    assert tuple(rgba[1]) == (*NO_DATA, 255)
    assert tuple(rgba[2]) == (*DEPTH.colours[1], 255)
    assert DEPTH.rgba([np.nan], no_data=False)[0, 3] == 0
    for other in PALETTES.values():
        assert NO_DATA not in other.colours
        assert STILL_WATER not in other.colours


@settings(derandomize=True)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=40))
def test_deeper_is_never_a_lower_class(values: list[float]) -> None:
    classes = DEPTH.classify(np.sort(values)).astype(int)
    assert (np.diff(classes) >= 0).all()


def test_arrival_takes_seconds() -> None:
    assert palette("arrival_time").classify([899.0, 900.0, 10801.0]).tolist() == [1, 2, 6]


@pytest.mark.parametrize(
    ("name", "key"),
    [("max_depth", "depth"), ("flood.depth", "depth"), ("max_hazard", "hazard"),
     ("hazard_class", "hazard_class"), ("max_speed", "speed"), ("arrival_time", "arrival")],
)  # fmt: skip
def test_maps_of_a_run_find_their_palette(name: str, key: str) -> None:
    assert palette(name) is PALETTES[key]


def test_a_hazard_rating_and_its_class_get_the_same_colour() -> None:
    rating = [0.8, 1.25, 1.5, 9.0]
    assert (
        palette("max_hazard").rgba(rating) == palette("hazard_class").rgba(defra_class(rating))
    ).all()
    assert palette("hazard_class").rgba(defra_class([0.0]))[0, 3] == 0
    assert palette("max_hazard").rgba([0.3])[0, 3] == 255


def test_an_unknown_quantity_is_named_with_the_known_ones() -> None:
    with pytest.raises(RenderError, match="Did you mean 'depth'"):
        palette("max_deph")


def test_uses_are_grouped_by_their_words() -> None:
    colours = use_colours(["Office tower", "office", "RESIDENTIAL", None, "暂缺"])
    assert (colours[0] == colours[1]).all()
    assert (colours[0] != colours[2]).any()
    assert (colours[3] == colours[4]).all()
