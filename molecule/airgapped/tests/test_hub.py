# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights from a hub, with the real huggingface_hub on the node."""

from __future__ import annotations

import json
import time

from playing import COMMIT, MODELS, from_hub, play, refused, requests

NOTE = ".gpunode-complete.json"
UNIT = f"gpunode-weights-toolserve--slow-{COMMIT[:8]}.service"


def wait_for(host, command: str, seconds: int = 60) -> None:
    for _ in range(seconds * 2):
        if host.run(command).rc == 0:
            return
        time.sleep(0.5)
    raise AssertionError(command)


def test_complete_and_pinned(host):
    first = from_hub("open")
    folder = f"{MODELS}/toolserve--open/{COMMIT}"
    assert first.returncode == 0
    assert f"vllm_model_path={folder} revision={COMMIT}" in " ".join(first.stdout.split())
    host.check_output(f"cd /srv/bench/pocket_model/model && for file in *; do cmp $file {folder}/$file || exit; done")
    assert not host.file(f"{folder}/pytorch_model.bin").exists
    note = json.loads(host.check_output(f"cat {folder}/{NOTE}"))
    assert (note["revision"], note["verified"]) == (COMMIT, "checksums of the hub")
    # Again: the commit that main was then, without a look at the hub or at the contents.
    asked = len(requests(host, "toolserve/open"))
    second = from_hub("open")
    assert second.returncode == 0 and "changed=0" in second.stdout
    assert len(requests(host, "toolserve/open")) == asked


def test_killed_twice_it_goes_on_where_it_was(host):
    folder = f"{MODELS}/toolserve--slow/{COMMIT}"
    # huggingface_hub writes to the disk 10 MB at a time.
    arrived = f"find {folder}/.cache -name '*.incomplete' -size +%sk | grep -q ."
    begun = from_hub("slow", weights_entry="start", vllm_hf_token="hf_granted")
    assert begun.returncode == 0 and "hf_granted" not in begun.stdout
    # The play has ended, the download goes on. The token is in one file of root's, and nowhere else.
    wait_for(host, arrived % 10_000)
    assert host.check_output("stat --format %a /run/gpunode-model-weights/*slow*.json") == "600"
    assert "hf_granted" not in host.check_output(
        f"systemctl show {UNIT}; ps -ef; cat /proc/[0-9]*/environ | tr '\\0' '\\n'"
    )
    host.check_output(f"systemctl kill --signal=KILL {UNIT}")
    wait_for(host, f"systemctl show --property=NRestarts {UNIT} | grep -q =1")
    wait_for(host, arrived % 20_000)
    # As a reboot does: the unit and its notes are gone.
    host.check_output(f"systemctl stop {UNIT}; rm -r /run/gpunode-model-weights")
    assert not host.file(f"{folder}/{NOTE}").exists
    finished = from_hub("slow", vllm_hf_token="hf_granted")
    assert finished.returncode == 0
    assert "] weights: " in finished.stdout
    host.check_output(f"cmp /srv/bench/pocket_model/model/model.safetensors {folder}/model.safetensors")
    began = [int(asked["range"][6:-1]) for asked in requests(host, "slow/resolve") if asked["range"]]
    assert len(began) == 2 and 0 < began[0] < began[1]
    assert host.run("grep --recursive hf_granted /run/gpunode-model-weights /var/lib/gpunode /opt").rc == 1


def test_wrong_checksum(host):
    message = refused(from_hub("damaged"))
    assert "What has arrived is not what the hub has: model.safetensors is" in message
    folder = f"{MODELS}/toolserve--damaged/{COMMIT}"
    assert not host.file(f"{folder}/{NOTE}").exists and not host.file(f"{folder}/model.safetensors").exists


def test_disk_too_small_and_no_licence(host):
    message = refused(from_hub("huge"))
    assert "and 1000000.0 GB are needed for the weights of toolserve/huge" in message
    message = refused(from_hub("gated"))
    assert "vllm_hf_token is not set" in message and "accept the licence" in message
    assert not host.file(f"{MODELS}/toolserve--huge").exists and not host.file(f"{MODELS}/toolserve--gated").exists


def test_image_is_pulled_in_the_background(host):
    """From a real registry on the node."""
    # Not 5000: there Debian's own service asks for a password.
    registry = "127.0.0.1:5055"
    image = f"{registry}/bench:1"
    settings = (
        f"{{version: 0.1, storage: {{filesystem: {{rootdirectory: /srv/registry}}}}, http: {{addr: '{registry}'}}}}"
    )
    host.check_output("echo %s > /srv/registry.yml", settings)
    host.check_output("systemd-run --unit=bench-registry docker-registry serve /srv/registry.yml")
    wait_for(host, f"curl --silent --fail http://{registry}/v2/")
    host.check_output(f"tar --create /etc/hostname | docker import - {image} && docker push --quiet {image}")
    host.check_output(f"docker image rm {image}")
    assert play(model_weights_source="none", pull_image=image).returncode == 0
    wait_for(host, f"docker image inspect {image}")
