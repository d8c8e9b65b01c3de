# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prompts of a given number of tokens that no server has seen before.

Each begins with random characters, so that the prefix cache has nothing for it. How many characters make a token
depends on the model's tokenizer and is learnt from the prompts that the server has counted.
"""

from __future__ import annotations

import random
import string

# For the first prompt, before any has been counted: few tokenizers go below, so that it cannot become too long.
CHARACTERS_PER_TOKEN = 1.0
_PREFIX = 16


class PromptWriter:
    """Writes prompts, ever nearer to the length that is wanted."""

    def __init__(self) -> None:
        self._random = random.Random()
        self._characters_per_token = CHARACTERS_PER_TOKEN

    def write(self, tokens: int) -> str:
        """A prompt of about this many tokens."""
        length = max(int(tokens * self._characters_per_token), _PREFIX)
        text = self._letters(_PREFIX)
        while len(text) < length:
            text += " " + self._letters(self._random.randint(2, 8))
        return text[:length].rstrip()

    def learn(self, prompt: str, tokens: int) -> None:
        """The server counts ``tokens`` in ``prompt``."""
        self._characters_per_token = len(prompt) / max(tokens, 1)

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(string.ascii_lowercase, k=count))
