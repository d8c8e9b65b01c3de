# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.model_reasons import together
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_capacity import disk_shortages

GB, GIB = 10**9, 1 << 30
DF = "50000000000 /dev/sda1 /var/lib/docker\n"
IMAGE = {"path": "/var/lib/docker", "bytes": 30 * GB, "what": "the image vllm:1", "shared": True}


def found(name: str, *stops: str, claims: list[dict[str, Any]] | None = None, **more: list[str]) -> dict[str, Any]:
    return {"name": name, "stops": [*stops], "notes": [], "summary": ["on GPU"], "claims": claims or [], **more}


def weights(gigabytes: int) -> dict[str, Any]:
    return {"path": "/var/lib/docker", "bytes": gigabytes * GB, "what": "the weights of x"}


def disk(*needs: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "disk", "needs": [*needs], "df": DF}


def memory(gib: int) -> dict[str, Any]:
    return {"kind": "memory", "total": gib * GIB, "profile": {}, "accelerator": "cuda"}


def test_a_single_nameless_model_is_told_as_it_is() -> None:
    said = together([found("", "no port", notes=["a note"], claims=[disk(weights(99))])])
    assert said == {"stops": ["no port"], "notes": ["a note"], "summary": ["on GPU"]}


def test_each_reason_says_which_model_it_is_about() -> None:
    said = together([found("chat", "no port", "no key", notes=["odd"]), found("coder", "no key\n", "no file")])
    assert said["stops"] == ["Model chat: no port", "Models chat and coder: no key", "Model coder: no file"]
    assert said["notes"] == ["Model chat: odd"]
    assert said["summary"] == ["chat (on GPU)", "coder (on GPU)"]


def test_what_was_found_for_the_node_is_not_told_again() -> None:
    assert together([found("chat", "No GPU"), found("coder", "No GPU", "no key")], ["No GPU"])["stops"] == [
        "Model coder: no key"
    ]


def test_weights_add_up_and_the_image_is_there_once() -> None:
    two = [found("chat", claims=[disk(IMAGE, weights(10))]), found("coder", claims=[disk(IMAGE, weights(10))])]
    assert together(two)["stops"] == []
    two[1]["claims"] = [disk(IMAGE, weights(11))]
    (reason,) = together(two)["stops"]
    assert "30 GB for the image vllm:1 and 10 GB for the weights of x and 11 GB for the weights of x" in reason


def test_two_images_are_two() -> None:
    two = [found("chat", claims=[disk(IMAGE)]), found("coder", claims=[disk({**IMAGE, "what": "the image vllm:2"})])]
    assert len(together(two)["stops"]) == 1


def test_what_is_too_much_for_one_alone_is_told_once_with_the_needs_of_all() -> None:
    alone = disk_shortages([weights(60)], DF)
    models = [found("chat", *alone, claims=[disk(weights(60))]), found("coder", claims=[disk(weights(1))])]
    (reason,) = together(models)["stops"]
    assert "60 GB for the weights of x and 1.0 GB for the weights of x" in reason and "Model" not in reason


def test_the_memory_of_all_servers_is_added_up() -> None:
    assert together([found("chat", claims=[memory(8)]), found("coder", claims=[memory(8)])])["stops"] == []
    (reason,) = together([found("chat", claims=[memory(7)]), found("coder", claims=[memory(7)])])["stops"]
    assert "8.0 GiB for the server processes (estimate)" in reason


def test_collisions_are_among_the_reasons() -> None:
    claim = {"kind": "port", "address": "127.0.0.1", "port": 8000}
    (reason,) = together([found("chat", claims=[claim]), found("coder", claims=[claim])])["stops"]
    assert "both publish port 8000" in reason
