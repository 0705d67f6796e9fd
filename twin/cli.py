"""The command ``twin``: reads arguments, calls the library, prints one clear paragraph on errors.

Exit status: 0 done, 1 the work failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twin._version import __version__
from twin.errors import TwinError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twin.run import Run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        status = command(options)
        sys.stdout.flush()
        return status
    except TwinError as error:
        if options.debug:
            raise
        print(f"twin: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        if options.debug:
            raise
        print("twin: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if options.debug:
            raise
        print(
            f"twin: this should not have happened: {type(error).__name__}: {error}. "
            "Run again with --debug for the traceback, and please report it.",
            file=sys.stderr,
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks")

    parser = argparse.ArgumentParser(
        prog="twin",
        description="Digital-twin city sandbox: a city from GIS and BIM, live sensors, flood and "
        "crowd rehearsed together, shown in 3D.",
    )
    parser.add_argument("--version", action="version", version=f"twin {__version__}")
    parser.set_defaults(command=None, debug=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    run = commands.add_parser(
        "run",
        parents=[common],
        help="run a scene from its sources to a report",
        description="Build the city, replay and take in the readings, run the simulations "
        "together, and leave a run: open data, pictures and report.html.",
    )
    run.add_argument("scene", nargs="?", type=Path, help="scene file; not needed with --resume")
    run.add_argument("--out", type=Path, metavar="DIR", help="where to (default: runs/<name>)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="change the scene, as in simulation.flood.resolution='\"8 m\"'; may be repeated",
    )
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on with an unfinished run (the newest of the scene, or the one of --out)",
    )
    run.add_argument(
        "--no-pictures", action="store_true", help="leave out overview, animation and report"
    )
    run.set_defaults(command=_run)

    view = commands.add_parser(
        "view",
        parents=[common],
        help="look at a city, a run or a scene in 3D",
        description="Open an interactive window, or draw the same into a file without a display.",
    )
    view.add_argument("what", type=Path, metavar="CITY|RUN|SCENE")
    view.add_argument("--screenshot", type=Path, metavar="PNG", help="draw into this file instead")
    view.add_argument(
        "--time", metavar="TIME", help="time into the scene, as in '40 min' (default: the last)"
    )
    view.add_argument("--plan", action="store_true", help="from above, north up")
    view.add_argument(
        "--at", metavar="PLACE", help="close to a building, street, gauge or station, by id or name"
    )
    view.add_argument(
        "--size", default="1280x720", metavar="WxH", help="pixels (default: %(default)s)"
    )
    view.set_defaults(command=_view)

    check = commands.add_parser(
        "check",
        parents=[common],
        help="say what is wrong with a scene or a city",
        description="Validate a scene file and the city made of its sources, or a saved city. "
        "Status 0: no errors; 2: errors found.",
    )
    check.add_argument("what", type=Path, metavar="SCENE|CITY")
    check.set_defaults(command=_check)

    schema = commands.add_parser(
        "schema",
        parents=[common],
        help="print the JSON Schema of scene files",
        description="Print the JSON Schema of scene files, for editors that complete and check.",
    )
    schema.set_defaults(command=_schema)
    return parser


def _run(options: argparse.Namespace) -> int:
    from twin.scene.session import open_session

    session = open_session(
        options.scene, options.out, settings=options.settings, resume=options.resume
    )
    run = session.run(pictures=not options.no_pictures)
    _print_summary(run)
    return 0


def _print_summary(run: Run) -> None:
    from twin.report import summarise

    print(summarise(run))


def _view(options: argparse.Namespace) -> int:
    from twin.scene.viewing import subject_of
    from twin.units import parse_quantity

    size = _size(options.size)
    time = None if options.time is None else parse_quantity(options.time, "time")
    subject = subject_of(options.what)

    from twin.render.viewer import view

    view(
        subject,
        screenshot=options.screenshot,
        time=time,
        camera=options.at,
        plan=options.plan,
        size=size,
    )
    if options.screenshot is not None:
        print(options.screenshot)
    return 0


def _size(text: str) -> tuple[int, int]:
    from twin.errors import InputError

    width, cross, height = text.lower().partition("x")
    if cross and width.isdigit() and height.isdigit():
        size = (int(width), int(height))
        if 64 <= size[0] <= 16384 and 64 <= size[1] <= 16384:
            return size
    raise InputError(f"--size {text!r} is not a size in pixels (64 to 16384), as in 1280x720.")


def _check(options: argparse.Namespace) -> int:
    from twin.scene.checking import check

    text, good = check(options.what)
    print(text)
    return 0 if good else 2


def _schema(options: argparse.Namespace) -> int:
    import json

    from twin.scene.scene import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
