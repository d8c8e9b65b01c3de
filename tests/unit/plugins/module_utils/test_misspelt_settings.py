# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.misspelt_settings import misspelt

KNOWN = ["gpunode_listen_address", "gpunode_listen_port", "gpunode_api_key", "vllm_image", "vllm_release"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("gpunode_listen_adress", "gpunode_listen_address"),
        ("gpunode_apikey", "gpunode_api_key"),
        ("vllm_realease", "vllm_release"),
        ("gpunode_listen_ports", "gpunode_listen_port"),
    ],
)
def test_a_slip_is_found(written: str, meant: str) -> None:
    assert misspelt([written, *KNOWN], KNOWN) == {written: meant}


@pytest.mark.parametrize(
    "name",
    [
        *KNOWN,
        "gpunode_listen_address_2",
        "vllm_image_notes",
        "gpunode_reasons_to_stop",
        "gpunode_owner",
        "listen_address",
        "vllm_models",
    ],
)
def test_settings_and_a_user_s_own_variables_are_not(name: str) -> None:
    assert misspelt([name], KNOWN) == {}
