# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""To an image that holds, and to one that does not. The new images are made on the node, from the one that it has."""

from __future__ import annotations

import pytest
from operating import KEY, evidence, failed, inspected, killed_when, passed, settings, status_of

RECORD = "/opt/vllm/upgrade"
IMAGE = "docker inspect --format {{.Config.Image}} vllm-server"


def image(host, name: str, *lines: str) -> tuple[str, str]:
    """Settings for an image of the node's one and these lines."""
    old = inspected(host, "{{.Config.Image}}")
    dockerfile = "\\n".join([f"FROM {old}", *lines])
    host.check_output(f"printf '{dockerfile}\\n' | docker build --tag bench/{name}:1 -")
    return settings(vllm_image=f"bench/{name}:1", vllm_image_source="present")


def images(host) -> tuple[str, str]:
    """What the container runs, by name and by id."""
    return inspected(host, "{{.Config.Image}}"), inspected(host, "{{.Image}}")


@pytest.fixture(scope="module")
def old(host) -> tuple[str, str]:
    return images(host)


def test_to_an_image_that_holds(host, old):
    output = passed("upgrade", *image(host, "again", "LABEL again=yes"))
    assert images(host)[0] == "bench/again:1" and images(host)[1] != old[1]
    switch = evidence()["switch"]
    assert 0 < switch["downtime_seconds"] < 300 and switch["rolled_back_because"] is None
    assert f"Nothing answered for {switch['downtime_seconds']} s" in output
    assert not host.file(RECORD).exists
    print(f"downtime of an upgrade: {switch['downtime_seconds']} s")


def test_to_what_serves_already(host):
    """Said twice, it stops nothing. A dry run neither."""
    before = inspected(host, "{{.Id}}")
    same = settings(vllm_image="bench/again:1", vllm_image_source="present")
    assert "bench/again:1 serves and has been proven. Nothing had to change." in passed("upgrade", *same)
    passed("upgrade", "--check", "--diff")  # back to the inventory's image
    assert inspected(host, "{{.Id}}") == before and not host.file(RECORD).exists


def test_to_an_image_that_dies_after_an_upgrade_that_was_cut_off(host):
    """What was recorded first is what was proven: a repeated upgrade must not take the broken state for the old one."""
    before = images(host)
    broken = image(host, "broken", "ENV PYTHONHOME=/nowhere")
    # Switched, and nobody has looked at the new server yet.
    killed_when(lambda: "bench/broken:1" in host.run(IMAGE).stdout, "upgrade", *broken)
    assert images(host)[0] == "bench/broken:1" and host.file(f"{RECORD}/record.json").exists
    message = failed("upgrade", *broken, *settings(gpunode_api_key=f"{KEY}-with-the-upgrade"))
    assert "The upgrade was taken back: bench/again:1 serves again and has been proven" in message
    assert images(host) == before
    assert (status_of(host, KEY), status_of(host, f"{KEY}-with-the-upgrade")) == ("200", "401")
    switch = evidence()["switch"]
    assert evidence()["verdict"] in ("pass", "warn") and switch["rolled_back_because"]
    assert not host.file(RECORD).exists
    print(f"downtime of an upgrade that was taken back: {switch['downtime_seconds']} s")
    passed("verify")
