"""Films hold the frames of the times they say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from twin.errors import RenderError
from twin.render import movie
from twin.render.movie import film_indices, write_film, write_map_film
from twin.render.stage import Stage


def frames_of(path) -> list[np.ndarray]:
    if path.suffix == ".mp4":
        reader = pytest.importorskip("imageio_ffmpeg").read_frames(str(path))
        width, height = next(reader)["size"]
        return [np.frombuffer(f, np.uint8).reshape(height, width, 3) for f in reader]
    frames = []
    with Image.open(path) as film:
        for number in range(film.n_frames):
            film.seek(number)
            frames.append(np.asarray(film.convert("RGB")))
    return frames


@pytest.mark.filterwarnings("ignore:unclosed file <_io.Buffered:ResourceWarning")  # its reader's
@pytest.mark.parametrize("ending", ["mp4", "webp", "gif"])
def test_a_map_film_has_its_frames_in_order(stage: Stage, tmp_path, ending: str) -> None:
    if ending == "mp4" and movie.film_format() != "mp4":
        pytest.skip("imageio-ffmpeg is not installed")
    from twin.render.maps import Map

    size, told = (320, 240), []
    path = write_map_film(
        stage, tmp_path / f"film.{ending}", size=size, frames=4, progress=told.append
    )
    frames = frames_of(path)
    assert len(frames) == 4
    assert told == [0.25, 0.5, 0.75, 1.0]
    sheet = Map(stage, size)
    wanted = [sheet.frame(i).astype(float) for i in film_indices(stage, 4)]
    for number, frame in enumerate(frames):
        # lossy, but nearer to its own time than to any other
        errors = [np.abs(frame - w).mean() for w in wanted]
        assert int(np.argmin(errors)) == number
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.usefixtures("gl")
def test_a_film_in_3d_changes_with_the_water(stage: Stage, tmp_path) -> None:
    path = write_film(stage, tmp_path / "film.webp", size=(320, 180), frames=3)
    first, _, last = frames_of(path)
    assert first.shape == (180, 320, 3)
    assert (np.abs(first.astype(int) - last).max(axis=-1) > 40).mean() > 0.01


def test_without_ffmpeg_a_film_is_webp(stage: Stage, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(movie.importlib.util, "find_spec", lambda name: None)
    path = write_map_film(stage, tmp_path / "film", size=(200, 160), frames=2)
    assert path.suffix == ".webp"
    with pytest.raises(RenderError, match="pip install imageio-ffmpeg"):
        write_map_film(stage, tmp_path / "film.mp4", size=(200, 160), frames=2)


def test_film_times_are_spread_from_first_to_last(stage: Stage) -> None:
    assert film_indices(stage, 40) == list(range(7))
    assert film_indices(stage, 3) == [0, 3, 6]


def test_a_city_is_no_film(town, tmp_path) -> None:
    with pytest.raises(RenderError, match="at least two output times"):
        write_map_film(Stage.from_city(town), tmp_path / "film.webp")
    with pytest.raises(RenderError, match="at least two output times"):
        write_film(Stage.from_city(town), tmp_path / "film.webp")


def test_an_unknown_ending_is_refused(stage: Stage, tmp_path) -> None:
    with pytest.raises(RenderError, match=r"not as '.avi'"):
        write_map_film(stage, tmp_path / "film.avi", size=(200, 160), frames=2)
