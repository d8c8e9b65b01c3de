# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings laid into a JSON file with comments (JSONC) by changing its text only where they are.

Everything else, comments, order, indentation and line ends, stays as its owner wrote it. What cannot be merged without
a loss is an error, and what comes out is read again before it is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import json_document
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import DocumentError, parse, same

_STRING = r'"(?:[^"\\\n]|\\.)*"'
_COMMENT = re.compile(rf"{_STRING}|(//[^\n]*|/\*.*?\*/)", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|(,)(?=\s*[}}\]])")
_REFERENCE = re.compile(r"[$]?[{][^}]*[}]|[$]\w+")
_API_KEY = re.compile(r"api_?key|authorization", re.IGNORECASE)
_SPACE = re.compile(r"\s*")
_INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_DECODER = json.JSONDecoder()


def read(content: bytes) -> dict[str, Any]:
    """The settings of a file.

    :raises DocumentError: it is empty, no JSON, no object, or ambiguous; the text says where.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return parse(content)  # says which byte
    return parse(plain(text).encode("utf-8"))


def plain(text: str) -> str:
    """The text as strict JSON: blanks instead of comments and trailing commas, so that every place stays the same."""
    without = _COMMENT.sub(lambda found: _blank(found[0]) if found[1] else found[0], text)
    return _TRAILING_COMMA.sub(lambda found: " " if found[1] else found[0], without)


def comments(text: str) -> list[str]:
    """All comments, in their order."""
    return [found[1] for found in _COMMENT.finditer(text) if found[1]]


def merged(text: str, settings: Mapping[str, Any], defaults: Mapping[str, Any], member: str | None = None) -> str:
    """The text with ``settings`` in place of what it says, and ``defaults`` where it says nothing.

    Objects are merged at every depth; other values are one choice each. The same text where nothing differs.

    :param member: lists of objects are merged too: those are the same that have the same value of this member.
    :raises DocumentError: the file cannot be read, or holds something else where an object has to be.
    """
    before = read(text.encode("utf-8"))
    wanted = _laid_over(before, settings, "", member)
    wanted = _filled(wanted, defaults)
    result = text
    while (changed := _one_change(result, 0, wanted)) is not None:
        result = changed
    if not same(read(result.encode("utf-8")), wanted) or comments(result) != comments(text):
        raise DocumentError("the settings cannot be added without a loss.", "Add them by hand.")
    return result


def secrets(value: Any) -> set[str]:
    """What must not be shown. References such as {env:NAME} are none."""
    found = {one for one in json_document.secrets(value) | _api_keys(value) if not _REFERENCE.fullmatch(one)}
    return {one for one in found if len(one) > 3}  # what is shorter would mask half of every output


def _api_keys(value: Any) -> set[str]:
    if isinstance(value, list):
        return {key for item in value for key in _api_keys(item)}
    if not isinstance(value, Mapping):
        return set()
    own = {item for key, item in value.items() if isinstance(item, str) and item and _API_KEY.search(key)}
    return own | {key for item in value.values() for key in _api_keys(item)}


def fresh(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The text of a file that does not exist yet."""
    return json.dumps(_laid_over(defaults, settings, "", None), indent=2, ensure_ascii=False) + "\n"


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any], path: str, member: str | None) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        place = f"{path}.{key}".lstrip(".")
        if isinstance(value, Mapping) and key in below:
            if not isinstance(below[key], Mapping):
                raise DocumentError(
                    f"{place} holds {json.dumps(below[key])}, and an object has to be there.",
                    "Correct or remove it; it is not overwritten.",
                )
            result[key] = _laid_over(below[key], value, place, member)
        elif member is not None and isinstance(value, list) and isinstance(below.get(key), list):
            result[key] = _list_laid_over(below[key], value, place, member)
        else:
            result[key] = value
    return result


def _list_laid_over(below: list[Any], above: list[Any], path: str, member: str) -> list[Any]:
    def is_same(old: Any, new: Any) -> bool:
        named = all(isinstance(one, Mapping) and member in one for one in (old, new))
        return same(old[member], new[member]) if named else same(old, new)

    result = list(below)
    for item in above:
        place = next((number for number, old in enumerate(below) if is_same(old, item)), None)
        if place is None:
            result.append(item)
        elif isinstance(item, Mapping):
            result[place] = _laid_over(below[place], item, f"{path}[{place}]", member)
    return result


def _filled(below: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in defaults.items():
        if key not in result:
            result[key] = value
        elif isinstance(value, Mapping) and isinstance(result[key], Mapping):
            result[key] = _filled(result[key], value)
    return result


def _one_change(text: str, start: int, wanted: Mapping[str, Any]) -> str | None:
    """The text after the first of the changes that the object at ``start`` still needs; None where it needs none."""
    strict = plain(text)
    start = _SPACE.match(strict, start).end()  # type: ignore[union-attr]  # it always matches
    members, end = _members(strict, start)
    for key, value in wanted.items():
        if key not in members:
            return _inserted(text, strict, (start, end), members, key, value)
        first, last = members[key]
        now = json.loads(strict[first:last])
        if same(now, value):
            continue
        if isinstance(now, dict) and isinstance(value, Mapping):
            return _one_change(text, first, value)
        if comments(text[first:last]):
            raise DocumentError(
                f"{key} has to be {json.dumps(value)}, and the comments in what is there now would be lost.",
                "Change it by hand.",
                text.count("\n", 0, first) + 1,
                first - text.rfind("\n", 0, first),
            )
        return text[:first] + _dumped(text, value, _line_indent(text, first)) + text[last:]
    return None


def _members(strict: str, start: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Of the object at ``start``: where each value begins and ends, and where its closing brace is."""
    found: dict[str, tuple[int, int]] = {}
    place = start + 1
    while True:
        place = _skip(strict, place)
        if strict[place] == "}":
            return found, place
        key, place = _DECODER.raw_decode(strict, _skip(strict, place + (strict[place] == ",")))
        first = _skip(strict, _skip(strict, place) + 1)
        _value, place = _DECODER.raw_decode(strict, first)
        found[key] = (first, place)


def _inserted(
    text: str, strict: str, span: tuple[int, int], members: Mapping[str, tuple[int, int]], key: str, value: Any
) -> str:
    """A new last member, in the way in which its object is written."""
    start, end = span
    line_end = "\r\n" if "\r\n" in text else "\n"
    outer = _line_indent(text, end if "\n" in text[start:end] else start)
    after = end - (len(text[start + 1 : end]) - len(text[start + 1 : end].rstrip()))  # behind a last comment
    if members and "\n" not in text[start:end]:
        last = max(stop for _first, stop in members.values())
        member = f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        return text[:last] + _comma(text, strict, last, end) + text[last:after] + member + text[after:]
    inner = outer + _unit(text)
    if members:
        first_key = strict.index('"', start)
        line = text[text.rfind("\n", 0, first_key) + 1 : first_key]
        inner = line if not line.strip() else inner
    member = f"{line_end}{inner}{json.dumps(key)}: {_dumped(text, value, inner)}"
    if not members:
        return text[:after] + member + line_end + outer + text[end:]
    last = max(stop for _first, stop in members.values())
    return text[:last] + _comma(text, strict, last, end) + text[last:after] + member + text[after:]


def _comma(text: str, strict: str, last: int, end: int) -> str:
    """What separates a new member from the last one; nothing where there is a trailing comma already."""
    without_comments = _COMMENT.sub(lambda found: _blank(found[0]) if found[1] else found[0], text)
    return "" if "," in without_comments[last:end] else ","


def _dumped(text: str, value: Any, indent: str) -> str:
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = json.dumps(value, indent=_unit(text), ensure_ascii=False).split("\n")
    return (line_end + indent).join(lines)


def _unit(text: str) -> str:
    found = _INDENTED.search(text)
    return found[1] if found else "  "


def _line_indent(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip())]


def _skip(strict: str, place: int) -> int:
    return _SPACE.match(strict, place).end()  # type: ignore[union-attr]  # it always matches


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
