# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.prometheus_text import parse
from hypothesis import given
from hypothesis import strategies as st

RECORDED = Path(__file__).parent / "recorded/metrics-vllm-0.32.0.txt"


def test_a_page_of_vllm() -> None:
    metrics = parse(RECORDED.read_text())
    assert metrics.total("vllm:num_requests_running") == 2.0
    assert metrics.total("vllm:generation_tokens") == 2668.0
    assert metrics.total("vllm:request_success") == 35.0
    assert metrics.highest("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc") == 0.0018331805682859637
    assert metrics.labels("vllm:cache_config_info")["kv_cache_size_tokens"] == "139776"


def test_what_is_not_there_is_none() -> None:
    metrics = parse("<html>\n<body>nothing here 1</body>\n")
    assert not metrics
    assert metrics.total("a") is None and metrics.highest("a") is None and metrics.labels("a") == {}


def test_names_are_tried_in_order() -> None:
    metrics = parse("old 1\nnew 2\n")
    assert metrics.total("new", "old") == 2 and metrics.total("newest", "old") == 1


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("a 1", {}, 1),
        ("a{} 1", {}, 1),
        ('a { b = "c" , } 1 1700000000', {"b": "c"}, 1),
        ('a{b="1,2",c="x} 7"} 3', {"b": "1,2", "c": "x} 7"}, 3),
        ('a{path="C:\\\\new \\"x\\"\\nend"} 1e3', {"path": 'C:\\new "x"\nend'}, 1000),
        ('a{b="\u2028\u0085"} 1', {"b": "\u2028\u0085"}, 1),
        ("a +Inf", {}, math.inf),
        ("a 1\r", {}, 1),
    ],
)
def test_a_line(line: str, labels: dict[str, str], value: float) -> None:
    metrics = parse(f"# HELP a text\n{line}\n")
    assert (metrics.labels("a"), metrics.total("a")) == (labels, value)


@pytest.mark.parametrize("line", ["", "#a 1", "a", "a x", 'a{b="c} 1', "a{b=c} 1", 'a{b="c"', '{b="c"} 1'])
def test_a_line_that_is_no_sample(line: str) -> None:
    assert not parse(line)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), st.text()), st.floats())
def test_every_label_survives_its_escapes(labels: dict[str, str], value: float) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inside = ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
    found = parse(f"a{{{inside}}} {value}").samples("a")
    assert found[0].labels == labels
    assert found[0].value == value or math.isnan(value)
