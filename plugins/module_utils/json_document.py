# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A JSON file of options that its owner edits too: read strictly, written the way its owner indents it.

JSON programs take the last of two equal keys and ignore what a person meant by the first. Whoever merges such a file
loses something without a word, so everything doubtful is an error with its place here.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_COLON = re.compile(r"\s*:")
_LINE_START = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_URL_PASSWORD = re.compile(r"://[^/@\s:]*:([^/@\s]+)@")
_SECRET_KEY = re.compile(r"token|password|secret|credential", re.IGNORECASE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DEEPEST = 100  # containers within containers; Python's own limit is near 1000, and no file of options needs ten


class DocumentError(ValueError):
    """The file cannot be merged; the text says where, what was seen and what to do."""

    def __init__(self, problem: str, fix: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {problem} {fix}")


def parse(content: bytes) -> dict[str, Any]:
    """The options that the file holds.

    :raises DocumentError: it is empty, no UTF-8, no JSON, no object, ambiguous, or holds a number that JSON has not.
    """
    text = _decoded(content)
    try:
        # Numbers stay text: whether the syntax is right must not depend on what Python can count to.
        document = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"this is not valid JSON ({error.msg}).", "Correct that place.", error.lineno, error.colno
        ) from None
    except RecursionError:
        raise _too_deep(text, 0) from None
    if not isinstance(document, dict):
        raise DocumentError(
            f"the file holds {_kind(document)} instead of an object of options.",
            'It has to look like {"option": value, …}.',
            *_place(text, _TOKEN.search(text).start()),  # type: ignore[union-attr]  # json.loads has found a token
        )
    _check_tokens(text)
    result: dict[str, Any] = json.loads(text)
    return result


def render(document: dict[str, Any], like: str = "") -> str:
    """The document as text, indented like the file that it replaces, by two blanks if that tells nothing."""
    found = _LINE_START.search(like)
    indent = found.group(1) if found else "  "
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    if any("\ud800" <= character <= "\udfff" for character in text):
        # Half a surrogate pair is valid JSON as an escape, and cannot be written in any other way.
        text = json.dumps(document, indent=indent, allow_nan=False)
    return text + "\n"


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: key order does not count, 1, 1.0 and true are three values."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def secrets(value: Any) -> set[str]:
    """What must not be shown: passwords in URLs, and the values of keys that are named like secrets."""
    if isinstance(value, str):
        return set(_URL_PASSWORD.findall(value))
    if isinstance(value, list):
        return {secret for item in value for secret in secrets(item)}
    if not isinstance(value, dict):
        return set()
    own = {item for key, item in value.items() if isinstance(item, str) and item and _SECRET_KEY.search(key)}
    return own | {secret for item in value.values() for secret in secrets(item)}


def _decoded(content: bytes) -> str:
    if not content.strip():
        raise DocumentError("the file is empty.", "Write {} into it, or remove it, if no option is meant.")
    if content.startswith(_BYTE_ORDER_MARK):
        raise DocumentError(
            "the file starts with a byte order mark, which JSON does not allow.",
            "Save it as UTF-8 without one; sed -i '1s/^\\xEF\\xBB\\xBF//' removes it.",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        raise DocumentError(
            f"the byte 0x{content[error.start]:02x} is not valid UTF-8.",
            "Save it as UTF-8.",
            *_place(before, len(before)),
        ) from None


def _check_tokens(text: str) -> None:
    """What json.loads lets pass, in text that is valid otherwise: keys said twice, NaN, numbers out of range, depth."""
    containers: list[set[str] | None] = []  # the keys so far of each object around the token, None for an array
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word == "{":
            containers.append(set())
        elif word == "[":
            containers.append(None)
        elif word in ("}", "]"):
            containers.pop()
        elif word.startswith('"'):
            keys = containers[-1]
            if keys is not None and _COLON.match(text, token.end()):
                _check_key(text, token.start(), json.loads(word), keys)
        elif word not in (":", ",", "true", "false", "null"):
            _check_number(text, token.start(), word)
        if len(containers) > _DEEPEST:
            raise _too_deep(text, token.start())


def _check_key(text: str, offset: int, key: str, keys: set[str]) -> None:
    if key in keys:
        raise DocumentError(
            f"the key {json.dumps(key)} is there a second time in the same object.",
            "Keep the one that is meant.",
            *_place(text, offset),
        )
    keys.add(key)


def _check_number(text: str, offset: int, word: str) -> None:
    if not math.isfinite(float(word)):
        raise DocumentError(
            f"{word if len(word) <= 20 else word[:20] + '…'} is no number that JSON programs can hold.",
            "Correct that place.",
            *_place(text, offset),
        )


def _too_deep(text: str, offset: int) -> DocumentError:
    return DocumentError(
        f"objects or arrays are nested more than {_DEEPEST} deep.", "Correct that place.", *_place(text, offset)
    )


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "an array"
    return "null" if value is None else "a single value"
