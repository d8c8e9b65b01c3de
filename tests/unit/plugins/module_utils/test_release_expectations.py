# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Expectations, parse_release


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("0.32.0", (0, 32, 0)),
        ("v0.9.2", (0, 9, 2)),
        ("0.11.1rc2.dev3+g1234.cu129", (0, 11, 1)),
        ("0.33", (0, 33, 0)),
        ("1.0.0", (1, 0, 0)),
        ("0.8.5.post1", (0, 8, 5)),
        ("0.1.dev1+gabc", None),
        ("dev", None),
        ("", None),
        (None, None),
    ],
)
def test_releases(version: str | None, release: tuple[int, int, int] | None) -> None:
    assert parse_release(version) == release


@pytest.mark.parametrize(
    ("version", "kind", "mode", "right"),
    [
        ("0.9.2", "auto", "plain", {"tool_calls"}),
        ("0.32.0", "auto", "streamed", {"tool_calls"}),
        ("0.9.2", "required", "plain", {"stop"}),
        ("0.11.0", "required", "plain", {"stop"}),
        ("0.11.1", "required", "plain", {"tool_calls"}),
        ("0.9.2", "required", "streamed", {"stop", "tool_calls"}),
        ("0.10.2", "required", "streamed", {"tool_calls"}),
        ("0.9.2", "named", "streamed", {"stop"}),
        ("0.11.0", "named", "streamed", {"stop", "tool_calls"}),
        ("0.11.1", "named", "streamed", {"stop"}),
        ("0.33.0", "named", "plain", {"stop"}),
        (None, "auto", "plain", {"tool_calls"}),
        (None, "required", "plain", {"stop", "tool_calls"}),
        (None, "named", "streamed", {"stop", "tool_calls"}),
        (None, "named", "plain", {"stop", "tool_calls"}),
    ],
)
def test_finish_reasons(version: str | None, kind: str, mode: str, right: set[str]) -> None:
    assert Expectations(version).finish_reason(kind, mode).right == right


def test_a_release_older_than_the_table_may_do_what_any_does() -> None:
    assert Expectations("0.8.5").accepted("finish_reason, required, plain").right == {"stop", "tool_calls"}


def test_what_any_release_does_is_known_to_all() -> None:
    accepted = Expectations("0.32.0").finish_reason("required", "plain")
    assert accepted.right == {"tool_calls"} and accepted.known == {"stop", "tool_calls"}


def test_an_unknown_question_is_an_error() -> None:
    with pytest.raises(KeyError):
        Expectations(None).accepted("the weather")
