# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.docker_daemon_merge import merge
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import parse, render, same
from ansible_collections.toolserve.gpunode.tests import daemon_documents
from hypothesis import given, settings
from hypothesis import strategies as st

Document = dict[str, Any]
DEFAULTS: Document = {
    "log-driver": "json-file",
    "log-opts": {"max-size": "50m", "max-file": "5"},
    "live-restore": True,
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 524288, "Soft": 65536}},
}
NVIDIA: Document = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}
RANDOMS = st.randoms(use_true_random=False)


def assert_survives(owner: Any, merged: Any, options: Any) -> None:
    """Every key of the owner is there, in its order, with its value unless the options say otherwise."""
    if not (isinstance(owner, dict) and isinstance(merged, dict) and isinstance(options, dict)):
        assert same(merged, options)
        return
    assert [key for key in merged if key in owner] == list(owner)
    for key, value in owner.items():
        if key in options:
            assert_survives(value, merged[key], options[key])
        elif isinstance(value, dict):
            assert list(merged[key])[: len(value)] == list(value)
            assert all(same(merged[key][entry], item) for entry, item in value.items())
        else:
            assert same(merged[key], value)


@settings(max_examples=500, deadline=None)
@given(RANDOMS)
def test_every_key_of_the_owner_survives(random: Random) -> None:
    text = daemon_documents.text(random)
    owner = parse(text.encode())
    options = random.choice([{}, NVIDIA, daemon_documents.document(random)])
    if "log-driver" in options:
        owner.pop("log-opts", None)  # what becomes of them is another test's matter
    merged = merge(owner, options, DEFAULTS)
    assert merged.dropped == []
    assert_survives(owner, merged.options, options)
    again = parse(render(merged.options, like=text).encode())
    assert same(again, merged.options)
    assert same(merge(again, options, DEFAULTS).options, again)  # the second run changes nothing


@settings(max_examples=500, deadline=None)
@given(RANDOMS)
def test_log_options_are_those_of_the_driver(random: Random) -> None:
    """Each driver's options in daemon_documents are told apart by their values."""
    owner, options = daemon_documents.document(random), random.choice(daemon_documents.LOGGING)
    merged = merge(owner, options if "log-driver" in options else {}, DEFAULTS).options
    allowed = [*daemon_documents.LOGGING, DEFAULTS]
    of_the_driver = [
        item
        for logging in allowed
        if logging.get("log-driver", "json-file") == merged["log-driver"]
        for item in logging.get("log-opts", {}).items()
    ]
    assert all(item in of_the_driver for item in merged.get("log-opts", {}).items())


def test_nothing_given_is_changed() -> None:
    owner, options, defaults = {"a": {"b": 1}}, {"a": {"c": {}}}, {"a": {"d": []}}
    merged = merge(owner, options, defaults).options
    merged["a"]["c"]["x"] = 1
    merged["a"]["d"].append(1)
    assert (owner, options, defaults) == ({"a": {"b": 1}}, {"a": {"c": {}}}, {"a": {"d": []}})


def test_the_defaults_fill_an_empty_document() -> None:
    assert merge({}, {}, DEFAULTS).options == DEFAULTS


@pytest.mark.parametrize(
    ("owner", "missing"),
    [
        ({"log-driver": "local"}, {"log-opts"}),
        ({"log-driver": "journald", "log-opts": {"tag": "x"}}, set()),
        ({"live-restore": False}, set()),
    ],
)
def test_defaults_do_not_overrule_the_owner(owner: Document, missing: set[str]) -> None:
    merged = merge(owner, {}, DEFAULTS).options
    assert {key: merged[key] for key in owner} == owner
    assert DEFAULTS.keys() - merged.keys() == missing


def test_defaults_add_entries_but_mix_none() -> None:
    owner = {
        "log-opts": {"max-size": "1m"},
        "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 2048}, "memlock": {"Name": "memlock", "Hard": -1}},
    }
    merged = merge(owner, {}, DEFAULTS).options
    assert merged["log-driver"] == "json-file"
    assert merged["log-opts"] == {"max-size": "1m", "max-file": "5"}
    assert merged["default-ulimits"] == owner["default-ulimits"]


def test_defaults_for_another_driver_stay_out_where_log_options_are_those_of_the_stock_driver() -> None:
    merged = merge({"log-opts": {"max-size": "1m"}}, {}, {"log-driver": "local", "log-opts": {"compress": "true"}})
    assert merged.options == {"log-opts": {"max-size": "1m"}}


@pytest.mark.parametrize(
    ("owner", "options", "log_options", "dropped"),
    [
        ({"log-driver": "local", "log-opts": {"compress": "false"}}, {"log-driver": "journald"}, None, True),
        ({"log-opts": {"max-file": "2"}}, {"log-driver": "journald", "log-opts": {"tag": "x"}}, {"tag": "x"}, True),
        ({"log-opts": {"tag": "x"}}, {"log-driver": "json-file"}, {"tag": "x", **DEFAULTS["log-opts"]}, False),
        ({"log-driver": "local", "log-opts": {"compress": "false"}}, {"log-opts": {"max-size": "1m"}},
         {"compress": "false", "max-size": "1m"}, False),
        ({"log-driver": "syslog", "log-opts": {"tag": "x"}}, {"log-driver": "json-file"}, DEFAULTS["log-opts"], True),
    ],
)  # fmt: skip
def test_a_change_of_the_driver_takes_its_options_away(
    owner: Document, options: Document, log_options: Document | None, dropped: bool
) -> None:
    merged = merge(owner, options, DEFAULTS)
    assert merged.options.get("log-opts") == log_options
    assert merged.dropped == (["log-opts"] if dropped else [])


def test_options_win_and_leave_the_rest() -> None:
    owner = {
        "runtimes": {"nvidia": {"path": "/old", "runtimeArgs": ["x"]}, "kata": {"path": "/kata"}},
        "dns": ["192.0.2.1"],
        "features": True,
    }
    merged = merge(owner, {**NVIDIA, "dns": ["192.0.2.2"], "features": {"cdi": True}}, {}).options
    assert json.dumps(merged) == json.dumps(
        {
            "runtimes": {
                "nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": ["x"], "args": []},
                "kata": {"path": "/kata"},
            },
            "dns": ["192.0.2.2"],
            "features": {"cdi": True},
        }
    )
