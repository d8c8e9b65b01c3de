# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_schema import errors, unsupported
from hypothesis import example, given, settings
from hypothesis import strategies as st

# schema, instance, the beginning of each message
TABLE: list[tuple[Any, Any, list[str]]] = [
    (True, {"a": 1}, []),
    (False, 1, ["$: nothing is allowed here"]),
    ({}, None, []),
    ({"type": "integer"}, True, ["$: must be integer, is boolean true"]),
    ({"type": "integer"}, 1.0, []),
    ({"type": "integer"}, 1.5, ["$: must be integer, is number 1.5"]),
    ({"type": "integer"}, 10**400, []),
    ({"type": "number"}, False, ["$: must be number, is boolean false"]),
    ({"type": ["string", "null"]}, None, []),
    ({"type": ["string", "null"]}, 3, ["$: must be string or null, is integer 3"]),
    ({"enum": ["celsius", 1]}, "kelvin", ['$: must be one of "celsius", 1, is "kelvin"']),
    ({"enum": [1]}, True, ["$: must be 1, is true"]),
    ({"enum": [1]}, 1.0, []),
    ({"const": {"a": [1]}}, {"a": [1.0]}, []),
    ({"const": [True]}, [1], ["$: must be [true], is [1]"]),
    ({"required": ["a", "b"]}, {"b": 1}, ["$: lacks 'a'"]),
    ({"required": ["a"]}, "no object", []),
    (
        {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
        {"a": 1, "b": 2},
        ["$.a: must be string, is integer 1", "$: unknown property 'b' (known: a)"],
    ),
    ({"additionalProperties": {"type": "null"}}, {"a b": 1}, ['$["a b"]: must be null, is integer 1']),
    ({"patternProperties": {"^x-": True}, "additionalProperties": False}, {"x-a": 1}, []),
    ({"propertyNames": {"maxLength": 2}}, {"abc": 1}, ["$ (name 'abc'): must have at most 2 characters"]),
    ({"items": {"items": {"type": "integer"}}}, [[1], [2, "x"]], ["$[1][1]: must be integer, is string"]),
    ({"minItems": 1, "maxItems": 2}, [], ["$: must have at least 1 items, is []"]),
    ({"maxItems": 2}, [1, 2, 3], ["$: must have at most 2 items"]),
    ({"uniqueItems": True}, [1, True], []),
    ({"uniqueItems": True}, [{"a": 1}, {"a": 1.0}], ["$: holds the same item twice"]),
    ({"minProperties": 1}, {}, ["$: must have at least 1 properties"]),
    ({"maxProperties": 0}, {"a": 1}, ["$: must have at most 0 properties"]),
    ({"minLength": 2, "maxLength": 3}, "ä", ["$: must have at least 2 characters"]),
    ({"maxLength": 3}, "wörld", ["$: must have at most 3 characters"]),
    ({"pattern": "^[a-z]+$"}, "abc", []),
    ({"pattern": r"^[$]\$$"}, "$$", []),
    ({"minimum": 1, "maximum": 2}, 0, ["$: must be at least 1, is 0"]),
    ({"exclusiveMinimum": 1, "exclusiveMaximum": 2}, 2, ["$: must be less than 2, is 2"]),
    ({"exclusiveMinimum": 1}, 1, ["$: must be more than 1, is 1"]),
    ({"minimum": 1}, True, []),
    ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "x", ["$: fits none of the 2 alternatives ($: must be null"]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 1}]}, 2, ["$: fits 2 alternatives of oneOf"]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 1}]}, 1.5, []),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 3, ["$: must be at most 2"]),
    ({"not": {"type": "string"}}, "x", ["$: fits a schema that it must not fit"]),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}}, 1, ["$: must be null"]),
    (
        {
            "$ref": "#/$defs/tree",
            "$defs": {"tree": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tree"}}},
        },
        {"a": {"b": {"c": 1}}},
        ["$.a.b.c: must be object"],
    ),
    ({"title": "x", "description": "x", "default": 1, "examples": [1], "format": "uri", "$schema": "x"}, 1, []),
]


@pytest.mark.parametrize(("schema", "instance", "expected"), TABLE)
def test_table(schema: Any, instance: Any, expected: list[str]) -> None:
    found = errors(instance, schema)
    assert len(found) == len(expected), found
    for message, beginning in zip(found, expected, strict=True):
        assert message.startswith(beginning)


@pytest.mark.parametrize(("schema", "instance", "_expected"), TABLE)
def test_the_table_agrees_with_the_reference(schema: Any, instance: Any, _expected: list[str]) -> None:
    assert bool(errors(instance, schema)) != jsonschema.Draft202012Validator(schema).is_valid(instance)


def test_a_dollar_is_the_very_end() -> None:
    # As ECMA 262 has it; the reference takes Python's "$", which lets a last line break pass.
    assert errors("abc\n", {"pattern": "^[a-z]+$"}) == ['$: must match ^[a-z]+$, is "abc\\n"']


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"if": {}}, "schema: the keyword 'if' is not supported"),
        ({"properties": {"a": {"multipleOf": 2}}}, "schema.properties.a: the keyword 'multipleOf' is not supported"),
        ({"anyOf": [{}, {"prefixItems": []}]}, "schema.anyOf[1]: the keyword 'prefixItems' is not supported"),
        ({"items": [{}]}, "schema.items: a schema must be an object or a boolean, not array"),
        ({"$defs": {"x": {"contains": 1}}}, "schema.$defs.x: the keyword 'contains' is not supported"),
        ({"type": "strng"}, "schema: the type 'strng' does not exist"),
        ({"properties": []}, "schema.properties: must be an object"),
        ({"required": "a"}, "schema.required: must be a list"),
        ({"pattern": "("}, "schema: the pattern '(' cannot be used"),
        ("object", "schema: a schema must be an object or a boolean, not string"),
    ],
)
def test_what_cannot_be_judged_is_an_error(schema: Any, expected: str) -> None:
    assert [message.startswith(expected) for message in unsupported(schema)] == [True], unsupported(schema)
    assert errors({}, schema) == unsupported(schema)


def test_names_that_look_like_keywords_are_names() -> None:
    schema = {"properties": {"if": {"enum": [{"then": 1}]}}, "default": {"contains": 1}}
    assert errors({"if": {"then": 1}}, schema) == []


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("#", "leads back to itself"),
        ("#/$defs/missing", "leads nowhere"),
        ("other.json", "does not stay inside the schema"),
    ],
)
def test_references_that_cannot_be_followed(reference: str, expected: str) -> None:
    (message,) = errors(1, {"$ref": reference})
    assert expected in message


def json_values() -> st.SearchStrategy[Any]:
    numbers = st.integers(-3, 3) | st.sampled_from([0.5, 1.0, 2.0])
    names = st.sampled_from(["a", "b", "c"])
    return st.recursive(
        st.none() | st.booleans() | numbers | st.text("ab", max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    )


def schemas() -> st.SearchStrategy[Any]:
    small = st.integers(0, 3)
    types = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
    names = st.sampled_from(["a", "b", "c"])
    plain = {
        "type": types | st.lists(types, min_size=1, max_size=2, unique=True),
        "enum": st.lists(json_values(), min_size=1, max_size=3),
        "const": json_values(),
        "required": st.lists(names, max_size=2, unique=True),
        "minimum": small,
        "exclusiveMaximum": small,
        "minLength": small,
        "maxLength": small,
        "pattern": st.sampled_from(["^a", "b$", "^(ab)*$"]),
        "minItems": small,
        "maxItems": small,
        "uniqueItems": st.booleans(),
        "minProperties": small,
        "maxProperties": small,
        "$ref": st.just("#/$defs/leaf"),
    }

    def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        more = {
            "properties": st.dictionaries(names, inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b|c"]), inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        }
        return st.fixed_dictionaries({}, optional=plain | more).map(lambda schema: dict(list(schema.items())[-4:]))

    return st.recursive(st.booleans() | st.fixed_dictionaries({}, optional=plain), nested, max_leaves=6)


@settings(deadline=None)
@given(schema=schemas(), instance=json_values())
@example(schema={"uniqueItems": True}, instance=[1, 1.0])
@example(schema={"uniqueItems": True}, instance=[[1], [True]])
def test_verdicts_agree_with_the_reference(schema: Any, instance: Any) -> None:
    if isinstance(schema, dict):
        schema = schema | {"$defs": {"leaf": {"type": ["integer", "object"]}}}
    assert bool(errors(instance, schema)) != jsonschema.Draft202012Validator(schema).is_valid(instance)
