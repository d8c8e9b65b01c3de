# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validates JSON data against a JSON Schema, for tool arguments and for profile files.

The keywords below, as draft 2020-12 means them; ``errors()`` returns one readable line per problem, each with the
JSON path. A keyword that is not supported but could change the verdict is itself an error, never ignored: a
schema that is only half checked must not look satisfied.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

ANNOTATIONS = frozenset(
    {
        "$anchor", "$comment", "$defs", "$id", "$schema", "contentEncoding", "contentMediaType", "default",
        "definitions", "deprecated", "description", "examples", "format", "readOnly", "title", "writeOnly",
    }
)  # fmt: skip

# Where schemas hold schemas: one, a list of them, or a mapping of names to them.
_ONE = ("additionalProperties", "items", "not", "propertyNames")
_LISTED = ("allOf", "anyOf", "oneOf")
_NAMED = ("properties", "patternProperties", "$defs", "definitions")


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
_DOLLAR = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|\$", re.DOTALL)  # "$", but first what may hold one as a character


def errors(instance: Any, schema: Any) -> list[str]:
    """Every way in which ``instance`` breaks ``schema``; empty when it conforms."""
    return unsupported(schema) or list(_Validation(schema).check(instance, schema, "$", ()))


def unsupported(schema: Any, path: str = "schema") -> list[str]:
    """What in ``schema`` this validator cannot judge."""
    if isinstance(schema, bool):
        return []
    if not isinstance(schema, dict):
        return [f"{path}: a schema must be an object or a boolean, not {_kind(schema)}"]
    found = [
        f"{path}: the keyword {keyword!r} is not supported"
        for keyword in schema
        if keyword not in _KEYWORDS and keyword not in ANNOTATIONS
    ]
    for keyword in _ONE:
        if keyword in schema:
            found += unsupported(schema[keyword], f"{path}.{keyword}")
    for keyword in _LISTED:
        if _fits(schema, keyword, list, path, found):
            for position, part in enumerate(schema[keyword]):
                found += unsupported(part, f"{path}.{keyword}[{position}]")
    for keyword in _NAMED:
        if _fits(schema, keyword, dict, path, found):
            for name, part in schema[keyword].items():
                found += unsupported(part, f"{path}.{keyword}.{name}")
    for keyword in ("enum", "required"):
        _fits(schema, keyword, list, path, found)
    names = schema.get("type", [])
    for name in names if isinstance(names, list) else [names]:
        if name not in _TYPES:
            found.append(f"{path}: the type {name!r} does not exist")
    for pattern in (schema.get("pattern", ""), *schema.get("patternProperties", {})):
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            found.append(f"{path}: the pattern {pattern!r} cannot be used: {error}")
    return found


def _fits(schema: dict[str, Any], keyword: str, kind: type, path: str, found: list[str]) -> bool:
    """Whether a keyword is there to be looked into; complains when it has the wrong shape."""
    if keyword not in schema:
        return False
    if not isinstance(schema[keyword], kind):
        found.append(f"{path}.{keyword}: must be {'a list' if kind is list else 'an object'}")
        return False
    return True


class _Validation:
    """One run: knows the whole schema, which ``$ref`` points into."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def check(self, value: Any, schema: Any, path: str, seen: tuple[str, ...]) -> Iterator[str]:
        """``seen``: the references followed at this very value, against endless recursion."""
        if schema is True:
            return
        if schema is False:
            yield f"{path}: nothing is allowed here"
            return
        for keyword, operand in schema.items():
            if keyword in _SIMPLE:
                message = _SIMPLE[keyword](value, operand)
                if message:
                    yield f"{path}: {message}"
        yield from self._object(value, schema, path)
        yield from self._array(value, schema, path)
        yield from self._combined(value, schema, path, seen)
        if "$ref" in schema:
            yield from self._reference(value, schema["$ref"], path, seen)

    def _object(self, value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            return
        named = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        for name, member in value.items():
            inner = _member(path, name)
            matching = [part for pattern, part in patterns.items() if _matches(pattern, name)]
            if name in named:
                yield from self.check(member, named[name], inner, ())
            for part in matching:
                yield from self.check(member, part, inner, ())
            if name not in named and not matching and "additionalProperties" in schema:
                if schema["additionalProperties"] is False:
                    yield f"{path}: unknown property {name!r}{_known(named)}"
                else:
                    yield from self.check(member, schema["additionalProperties"], inner, ())
            if "propertyNames" in schema:
                yield from self.check(name, schema["propertyNames"], f"{path} (name {name!r})", ())

    def _array(self, value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
        if isinstance(value, list) and "items" in schema:
            for position, member in enumerate(value):
                yield from self.check(member, schema["items"], f"{path}[{position}]", ())

    def _combined(self, value: Any, schema: dict[str, Any], path: str, seen: tuple[str, ...]) -> Iterator[str]:
        for part in schema.get("allOf", []):
            yield from self.check(value, part, path, seen)
        for keyword in ("anyOf", "oneOf"):
            if keyword not in schema:
                continue
            outcomes = [list(self.check(value, part, path, seen)) for part in schema[keyword]]
            fitting = sum(not outcome for outcome in outcomes)
            if fitting == 0:
                reasons = " / ".join("; ".join(outcome) for outcome in outcomes)
                yield f"{path}: fits none of the {len(outcomes)} alternatives ({reasons})"
            elif fitting > 1 and keyword == "oneOf":
                yield f"{path}: fits {fitting} alternatives of oneOf and must fit exactly one"
        if "not" in schema and not list(self.check(value, schema["not"], path, seen)):
            yield f"{path}: fits a schema that it must not fit"

    def _reference(self, value: Any, reference: Any, path: str, seen: tuple[str, ...]) -> Iterator[str]:
        if not isinstance(reference, str) or not reference.startswith("#"):
            yield f"{path}: the reference {reference!r} does not stay inside the schema, which is not supported"
            return
        if reference in seen:
            yield f"{path}: the reference {reference!r} leads back to itself"
            return
        target = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                yield f"{path}: the reference {reference!r} leads nowhere"
                return
            target = target[name]
        yield from self.check(value, target, path, (*seen, reference))


def _type(value: Any, operand: Any) -> str | None:
    names = operand if isinstance(operand, list) else [operand]
    if any(_TYPES[name](value) for name in names):
        return None
    return f"must be {' or '.join(names)}, is {_kind(value)} {_shown(value)}"


def _enum(value: Any, operand: list[Any]) -> str | None:
    if any(_equal(value, one) for one in operand):
        return None
    choice = "one of " if len(operand) > 1 else ""
    return f"must be {choice}{', '.join(_shown(one) for one in operand)}, is {_shown(value)}"


def _required(value: Any, operand: list[str]) -> str | None:
    missing = [name for name in operand if name not in value] if isinstance(value, dict) else []
    return f"lacks {', '.join(repr(name) for name in missing)}" if missing else None


def _unique(value: Any, operand: bool) -> str | None:
    if not operand or not isinstance(value, list):
        return None
    double = any(_equal(value[i], value[j]) for i in range(len(value)) for j in range(i))
    return "holds the same item twice" if double else None


def _limit(kind: str, holds: Callable[[Any, Any], bool], text: str) -> Callable[[Any, Any], str | None]:
    """A keyword that compares a value of one kind with its operand."""

    def check(value: Any, operand: Any) -> str | None:
        if not _TYPES[kind](value) or holds(value, operand):
            return None
        return f"{text.format(operand)}, is {_shown(value)}"

    return check


def _matches(pattern: str, text: str) -> bool:
    # In JSON Schema (ECMA 262) "$" is the very end; Python's "$" also matches before a last line break.
    ported = _DOLLAR.sub(lambda part: r"\Z" if part[0] == "$" else part[0], pattern)
    return re.search(ported, text) is not None


def _equal(one: Any, other: Any) -> bool:
    """JSON equality: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)


def _kind(value: Any) -> str:
    return next((name for name, fits in _TYPES.items() if fits(value)), type(value).__name__)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if re.fullmatch(r"\w+", name) else f"{path}[{json.dumps(name, ensure_ascii=False)}]"


def _known(named: dict[str, Any]) -> str:
    return f" (known: {', '.join(named)})" if named else " (none are known)"


_SIMPLE: dict[str, Callable[[Any, Any], str | None]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda value, operand: _enum(value, [operand]),
    "required": _required,
    "uniqueItems": _unique,
    "pattern": _limit("string", lambda value, operand: _matches(operand, value), "must match {}"),
    "minLength": _limit("string", lambda value, operand: len(value) >= operand, "must have at least {} characters"),
    "maxLength": _limit("string", lambda value, operand: len(value) <= operand, "must have at most {} characters"),
    "minItems": _limit("array", lambda value, operand: len(value) >= operand, "must have at least {} items"),
    "maxItems": _limit("array", lambda value, operand: len(value) <= operand, "must have at most {} items"),
    "minProperties": _limit("object", lambda value, operand: len(value) >= operand, "must have at least {} properties"),
    "maxProperties": _limit("object", lambda value, operand: len(value) <= operand, "must have at most {} properties"),
    "minimum": _limit("number", lambda value, operand: value >= operand, "must be at least {}"),
    "maximum": _limit("number", lambda value, operand: value <= operand, "must be at most {}"),
    "exclusiveMinimum": _limit("number", lambda value, operand: value > operand, "must be more than {}"),
    "exclusiveMaximum": _limit("number", lambda value, operand: value < operand, "must be less than {}"),
}
_KEYWORDS = frozenset({*_SIMPLE, *_ONE, *_LISTED, *_NAMED, "$ref"})
