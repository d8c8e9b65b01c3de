# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM's own API server around a scripted model, for agents whose tools the pocket model has not learnt.

Asked to call a tool, the model writes the call in the markup of its family; given a result with a code in it, it says
the code. All between that and the agent is vLLM's.
"""

from __future__ import annotations

import json
import random
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.server import Server
from tests.families.serving import serving
from tests.families.setups import Setup

RIGHT = Setup("qwen2.5-coder-7b-instruct", "qwen-coder", context=131072)
WRONG = replace(RIGHT, parser="hermes")
GPT_OSS = Setup("gpt-oss-20b", "gpt-oss", context=131072)

Serve = Callable[[Setup], Server]


@contextmanager
def servers(folder: Path) -> Iterator[Serve]:
    """Starts each when it is first asked for."""
    api_key = secrets.token_urlsafe(16)
    with serving(folder, api_key) as started:

        def serve(setup: Setup) -> Server:
            server = started[setup]
            server.wait()
            return Server(server.url, api_key)

        yield serve


def request(tool: str, **arguments: Any) -> str:
    """What makes the model call this tool."""
    return f"Call the tool {tool} with exactly these arguments: {json.dumps(arguments)}"


@dataclass(frozen=True)
class Drawn:
    """Random names and contents of files."""

    generator: random.Random

    def name(self) -> str:
        return f"{self.word()}.txt"

    def coded_name(self) -> str:
        """For a tool whose result is no more than the name."""
        return f"{self.code()}.txt"

    def code(self) -> str:
        """One that the model repeats where it finds it in a result; without one it makes the call once more."""
        return f"{self.generator.randrange(10**5):05}-{self.word()}"

    def said(self, code: str) -> str:
        """The model's words then."""
        return f"They say {code}."

    def word(self) -> str:
        return "".join(self.generator.choices(string.ascii_lowercase, k=8))
