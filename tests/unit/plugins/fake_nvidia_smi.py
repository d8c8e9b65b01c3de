# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for nvidia-smi: a script on disk that answers with recorded values, field by field.

The values were recorded with nvidia-smi on real GPUs (https://github.com/utkuozdemir/nvidia_gpu_exporter,
internal/captures, July 2026); units are left out as ``nounits`` does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SCRIPT = """\
#!{python}
import json, re, sys
state = json.loads({state!r})
kind, _, names = sys.argv[1].partition("=")
if state["said"] is not None:
    sys.stdout.write(state["said"])
    sys.exit(state["code"])
if kind == "--query-compute-apps":
    print("\\n".join(state["processes"]))
    sys.exit(0)
for name in names.split(","):
    if name in state["unknown"] or any(name not in gpu for gpu in state["gpus"]):
        print(f'Field "{{name}}" is not a valid field to query.\\n')
        sys.exit(2)
for gpu in state["gpus"]:
    print(", ".join(gpu[name] for name in names.split(",")))
"""

H200_BUSY = {
    "index": "0",
    "uuid": "GPU-00000000-0000-0000-0000-000000000000",
    "name": "NVIDIA H200",
    "driver_version": "590.48.01",
    "pci.bus_id": "00000000:83:00.0",
    "pci.device_id": "0x233510DE",
    "memory.total": "143771",
    "memory.reserved": "614",
    "memory.used": "32362",
    "memory.free": "110796",
    "power.draw": "627.40",
    "enforced.power.limit": "700.00",
    "power.default_limit": "700.00",
    "power.max_limit": "700.00",
    "clocks.current.sm": "1980",
    "clocks.max.sm": "1980",
    "clocks.current.memory": "3201",
    "clocks.max.memory": "3201",
    "clocks_event_reasons.active": "0x0000000000000000",
    "clocks_throttle_reasons.active": "0x0000000000000000",
    "persistence_mode": "Enabled",
    "compute_cap": "9.0",
    "temperature.gpu": "52",
    "utilization.gpu": "100",
    "ecc.mode.current": "Enabled",
    "mig.mode.current": "Disabled",
}
H200_PROCESSES = (
    "GPU-00000000-0000-0000-0000-000000000000, 10291, 2566",
    "GPU-00000000-0000-0000-0000-000000000000, 10293, 1542",
)
RTX_4080_SUPER_IDLE = {
    **H200_BUSY,
    "uuid": "GPU-11111111-1111-1111-1111-111111111111",  # masked in the recording
    "name": "NVIDIA GeForce RTX 4080 SUPER",
    "driver_version": "595.71.05",
    "pci.bus_id": "00000000:01:00.0",
    "pci.device_id": "0x270210DE",
    "memory.total": "16376",
    "memory.reserved": "434",
    "memory.used": "596",
    "memory.free": "15348",
    "power.draw": "26.20",
    "enforced.power.limit": "320.00",
    "power.default_limit": "320.00",
    "power.max_limit": "400.00",
    "clocks.current.sm": "210",
    "clocks.max.sm": "3165",
    "clocks.current.memory": "405",
    "clocks.max.memory": "11501",
    "clocks_event_reasons.active": "0x0000000000000001",
    "clocks_throttle_reasons.active": "0x0000000000000001",
    "persistence_mode": "Disabled",
    "compute_cap": "8.9",
    "temperature.gpu": "43",
    "utilization.gpu": "0",
    "ecc.mode.current": "[N/A]",
    "mig.mode.current": "[N/A]",
}
NOT_LOADED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running.\n\n"
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.124\n"


def fake_nvidia_smi(
    folder: Path,
    *gpus: Mapping[str, str],
    processes: Sequence[str] = (),
    unknown: Sequence[str] = (),
    said: str | None = None,
    code: int = 0,
) -> str:
    """The path of a script in ``folder``; ``unknown`` fields are refused, ``said`` is all it says if given."""
    state = {"gpus": gpus, "processes": processes, "unknown": unknown, "said": said, "code": code}
    script = folder / "nvidia-smi"
    script.write_text(_SCRIPT.format(python=sys.executable, state=json.dumps(state)))
    script.chmod(0o755)
    return str(script)
