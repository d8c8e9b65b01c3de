# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Outputs of models and what they say: the given cases, which other parsers were measured with, and our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
# What the given cases say of a stream in words.
STREAMS = {"truncated_mid_args": {"streamed_content": "", "unfinished": '{"text": "hello wor'}}


def given_cases() -> list[dict[str, Any]]:
    return [_complete(json.loads(line)) for line in _text_of("parser_cases.jsonl").splitlines()]


def own_cases() -> list[dict[str, Any]]:
    return [_complete(case) for case in yaml.safe_load(_text_of("own_cases.yml"))]


def _text_of(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _complete(case: dict[str, Any]) -> dict[str, Any]:
    calls = case.get("expected_calls", [])
    content = case.get("expected_content", "" if calls else case["model_output"]) or ""
    return {**case, **STREAMS.get(case["name"], {}), "expected_calls": calls, "expected_content": content}
