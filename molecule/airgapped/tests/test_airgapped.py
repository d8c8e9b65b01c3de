# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node without a network serves what was carried to it; what was carried badly is refused."""

from __future__ import annotations

import json

from playing import MODELS, REPOSITORY, play, refused


def test_node_has_no_network(host):
    assert (
        host.check_output(
            "ip -brief address show scope global up | grep -v ^docker0 | grep -v ^br- | grep -v ^veth || true"
        )
        == ""
    )
    assert host.run("curl --silent --max-time 3 https://huggingface.co").rc != 0


def test_the_unpacked_model_is_served_offline(host):
    (container,) = json.loads(host.check_output("docker inspect vllm-server"))
    (mount,) = (mount for mount in container["Mounts"] if mount["Destination"] == "/models/pocket")
    checksum = host.check_output("cut --characters=-16 /srv/brought/pocket.tar.sha256")
    assert (mount["Source"], mount["RW"]) == (f"{MODELS}/toolserve--pocket/sha256-{checksum}", False)
    assert "HF_HUB_OFFLINE=1" in container["Config"]["Env"]
    host.check_output(f"cmp /srv/bench/pocket_model/model/model.safetensors {mount['Source']}/model.safetensors")


def test_archive_that_was_changed_on_its_way(host):
    message = refused(play(model_weights_archive_sha256="0" * 64))
    assert "It was changed or cut off on its way" in message
    assert not host.file(f"{MODELS}/toolserve--pocket/sha256-{'0' * 16}/.gpunode-complete.json").exists


def test_folder_that_is_not_whole(host):
    host.check_output("mkdir -p /srv/half && cp /srv/bench/pocket_model/model/config.json /srv/half")
    host.check_output(
        "head --bytes=2000000 /srv/bench/pocket_model/model/model.safetensors > /srv/half/model.safetensors"
    )
    message = refused(play(model_weights_source="directory", model_weights_path="/srv/half"))
    assert "/srv/half on the node holds no whole model" in message and "model.safetensors is cut off" in message


def test_folder_on_the_controller(host):
    source = str(REPOSITORY / "tests/pocket_model/model")
    settings = {
        "model_weights_source": "directory",
        "model_weights_path": source,
        "model_weights_path_is_on_node": False,
    }
    done = play(**settings, model_weights_dir="/srv/models")
    assert done.returncode == 0
    host.check_output(
        "cmp /srv/bench/pocket_model/model/model.safetensors /srv/models/toolserve--pocket/directory/model.safetensors"
    )
    again = play(**settings, model_weights_dir="/srv/models")
    assert again.returncode == 0 and "changed=0" in again.stdout
