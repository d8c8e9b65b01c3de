# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.filter.cluster import FilterModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import cluster, serving
from ansible_collections.toolserve.gpunode.plugins.module_utils.cluster import Member, interface, notes, problems

from tests.profiles import reading

HEAD, OTHER = "10.0.0.1", "10.0.0.2"
NAMES = ["one", "two"]
ALONE = serving.command(reading.read("gpt-oss-120b"), "0.32.0")


def member(rank: int, runtime: str = "mp", **fields: Any) -> Member:
    port = cluster.PORTS[runtime]
    return Member(rank, 2, runtime, port, HEAD, HEAD if rank == 0 else OTHER, **fields)


def node(address: str, **fields: Any) -> dict[str, Any]:
    same = {"release": "0.32.0", "image": "vllm/vllm-openai:v0.32.0", "model_path": "/srv/model", "gpus": 8}
    return {"address": address, "own_addresses": [address, "198.51.100.7"], **same, **fields}


def found(
    name: str = "two", playing: list[str] | None = None, names: list[str] | None = None, **second: Any
) -> list[str]:
    nodes = {"one": node(HEAD), "two": node(OTHER) | second}
    return problems(name, NAMES if names is None else names, NAMES if playing is None else playing, nodes)


class TestRuntime:
    @pytest.mark.parametrize(
        ("release", "chosen"), [("0.9.2", "ray"), ("0.10.2", "ray"), ("0.11.2", "mp"), ("0.33.0", "mp"), ("x", "mp")]
    )
    def test_auto_is_vllms_own_where_the_release_has_it(self, release: str, chosen: str) -> None:
        assert cluster.runtime("auto", release) == chosen

    def test_a_wish_counts(self) -> None:
        assert cluster.runtime("ray", "0.33.0") == "ray"


class TestOwnRuntime:
    def test_both_are_told_their_place_and_the_head(self) -> None:
        place = {"nnodes": 2, "master-addr": HEAD, "master-port": 29501}
        assert member(0).options() == {**place, "node-rank": 0}
        assert member(1).options() == {**place, "node-rank": 1, "headless": True}

    def test_the_head_starts_as_a_server_alone_does(self) -> None:
        assert member(0).start(ALONE) == (ALONE.entrypoint, ALONE.arguments)

    def test_a_worker_starts_in_the_way_that_knows_headless(self) -> None:
        entrypoint, arguments = member(1).start(ALONE)
        assert entrypoint == ["vllm", "serve"] and arguments[0] == "openai/gpt-oss-120b"
        assert "--model" not in arguments and sorted(["--model", *arguments]) == sorted(ALONE.arguments)

    def test_each_has_its_own_address_and_card(self) -> None:
        assert member(1, interface="eth1").environment() == {
            "VLLM_HOST_IP": OTHER,
            "NCCL_SOCKET_IFNAME": "eth1",
            "GLOO_SOCKET_IFNAME": "eth1",
        }


class TestRay:
    def test_vllm_starts_on_the_head_when_ray_does(self) -> None:
        entrypoint, arguments = member(0, "ray").start(ALONE)
        assert entrypoint[:2] == ["/bin/sh", "-c"]
        assert entrypoint[2].startswith(f"ray start --head --node-ip-address={HEAD} --port=6379 ")
        assert entrypoint[2].endswith('&& exec "$@"') and arguments == [*ALONE.entrypoint, *ALONE.arguments]

    def test_a_worker_is_ray_alone(self) -> None:
        entrypoint, arguments = member(1, "ray").start(ALONE)
        assert [*entrypoint, *arguments] == [
            *("ray", "start", f"--address={HEAD}:6379", f"--node-ip-address={OTHER}", "--block"),
        ]

    def test_vllm_is_told_to_use_it_and_finds_it(self) -> None:
        assert member(0, "ray").options() == {"distributed-executor-backend": "ray"}
        assert member(1, "ray").environment()["RAY_ADDRESS"] == f"{HEAD}:6379"

    @pytest.mark.parametrize(
        ("runtime", "release", "image", "told"),
        [
            ("ray", "0.32.0", "vllm/vllm-openai:v0.32.0", True),
            ("ray", "0.32.0", "registry.example/vllm-with-ray:1", False),
            ("ray", "0.17.1", "vllm/vllm-openai:v0.17.1", False),
            ("mp", "0.32.0", "vllm/vllm-openai:v0.32.0", False),
        ],
    )
    def test_an_image_without_ray_is_told_of(self, runtime: str, release: str, image: str, told: bool) -> None:
        said = notes(runtime, release, image)
        assert "neither encrypted nor authenticated" in said[0]
        assert any("does not hold Ray" in note for note in said) == told


class TestProblems:
    def test_two_that_agree(self) -> None:
        assert found("one") == found("two") == []

    def test_a_node_that_is_not_in_the_run(self) -> None:
        (stop,) = found(playing=["two"])
        assert "one is not in this one" in stop and "without --limit" in stop

    @pytest.mark.parametrize("names", [["one"], ["one", "two", "two"]])
    def test_a_list_that_cannot_be_meant(self, names: list[str]) -> None:
        (stop,) = found(names=names)
        assert "must name each node once, two among them" in stop

    @pytest.mark.parametrize(
        ("key", "value", "called"),
        [
            ("release", "0.33.0", "vllm_release ('0.33.0', there '0.32.0')"),
            ("image", "mine", "vllm_image"),
            ("gpus", 4, "number of GPUs (4, there 8)"),
            ("model_path", "", "vllm_model_path"),
            ("model_checksum", "abc", "checksum of the model's config.json"),
        ],
    )
    def test_a_worker_that_differs_from_the_head(self, key: str, value: Any, called: str) -> None:
        (stop,) = found(**{key: value})
        assert f"two differs from one, the head of its cluster, in {called}" in stop
        assert not found("one", **{key: value})  # told once

    @pytest.mark.parametrize("address", ["", "node-two", "::1"])
    def test_an_address_is_one(self, address: str) -> None:
        assert "which is no IPv4 address" in found(address=address)[0]

    def test_an_address_that_the_node_has_not(self) -> None:
        assert "which two does not have" in found(address="10.0.0.9")[0]

    @pytest.mark.parametrize(("address", "kind"), [("8.8.8.8", "a public one"), ("127.0.0.1", "its loopback address")])
    def test_an_address_is_private(self, address: str, kind: str) -> None:
        (stop,) = found(address=address, own_addresses=[address])
        assert kind in stop and "without authentication" in stop

    def test_each_has_an_address_of_its_own(self) -> None:
        (stop,) = found(address=HEAD, own_addresses=[HEAD])
        assert "two and one have the same vllm_cluster_address" in stop


def test_the_card_of_an_address() -> None:
    facts = {
        "interfaces": ["lo", "br-0", "wg0"],
        "lo": {"device": "lo", "ipv4": {"address": "127.0.0.1"}},
        "br_0": {"device": "br-0", "ipv4": {"address": "203.0.113.1"}, "ipv4_secondaries": [{"address": HEAD}]},
        "wg0": {"device": "wg0", "ipv4": {"address": OTHER}},
    }
    assert interface(HEAD, facts) == "br-0" and interface(OTHER, facts) == "wg0" and interface("10.9.9.9", facts) == ""
    assert interface(HEAD, {}) == ""


class TestFilters:
    filters = FilterModule().filters()

    def test_a_member_becomes_a_command(self) -> None:
        nodes = {"one": node(HEAD), "two": node(OTHER)}
        placed = self.filters["vllm_cluster_member"](NAMES, "two", nodes, "0.32.0", port="29600")
        assert placed["arguments"]["master-port"] == 29600 and placed["environment"] == {"VLLM_HOST_IP": OTHER}
        started = self.filters["vllm_cluster_command"](ALONE.as_dict(), placed)
        assert started["entrypoint"] == ["vllm", "serve"] and started["environment"] == ALONE.environment

    def test_before_the_nodes_have_said_who_they_are(self) -> None:
        placed = self.filters["vllm_cluster_member"](NAMES, "three", {}, "0.32.0")
        assert placed["rank"] == 0 and placed["head"] == ""
