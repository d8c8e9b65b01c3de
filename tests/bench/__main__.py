# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the test bench."""

from __future__ import annotations

import argparse
import shutil
import sys

from . import CACHE, LABEL, demo, engine, images, pocket_model, sanity
from .console import BenchError, fail, say
from .prepare import STATE, install_collection, prepare


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("demo", help="provision the demo node and verify its endpoint")
    up.add_argument("--parser", default="qwen_tools", help="tool call parser (default: %(default)s)")
    commands.add_parser("demo-down", help="remove the demo node")
    build = commands.add_parser("prepare", help="build the images that demo and tests need")
    build.add_argument("--with-collection", action="store_true", help="build and install the collection too")
    pocket = commands.add_parser("pocket-model", help="run a script of tests/pocket_model in the vLLM image")
    pocket.add_argument("script", choices=["train.py", "evaluate.py"])
    pocket.add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("sanity", help="run ansible-test sanity on a copy of what the collection ships")
    commands.add_parser("clean", help="remove the images and the cache of the bench")
    arguments = parser.parse_args()
    actions = {
        "demo": lambda: demo.up(arguments.parser),
        "demo-down": demo.down,
        "prepare": lambda: _prepare(arguments.with_collection),
        "pocket-model": lambda: pocket_model.run(engine.ensure(), arguments.script, arguments.arguments),
        "sanity": sanity.run,
        "clean": _clean,
    }
    try:
        return actions[arguments.command]()
    except BenchError as error:
        return fail(error)
    except KeyboardInterrupt:
        say("\nInterrupted. What is finished is kept; the same command goes on from there.")
        return 130


def _prepare(with_collection: bool) -> int:
    prepare("12", "13", stand_ins=True)
    if with_collection:
        install_collection()
    return 0


def _clean() -> int:
    client = engine.connect()
    if client is not None:
        if client.containers.list(all=True, filters={"label": LABEL}):
            raise BenchError("A node of the bench still exists. Remove it first: make demo-down (or molecule destroy)")
        for name in images.remove_all(client):
            say(f"removed the image {name}")
    for folder in (CACHE, STATE):
        shutil.rmtree(folder, ignore_errors=True)
        say(f"removed {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
