# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nvidia-smi says of the GPUs: the second source, for what NVML could not be asked.

The fields are those of ``nvidia-smi --help-query-gpu``. Memory comes in MiB, power in watts, clocks in MHz.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import nvml_errors as codes
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import NVIDIA_SMI, Reading
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvml_errors import NvmlError
from ansible_collections.toolserve.gpunode.plugins.module_utils.pci_gpus import pci_address, pci_id
from ansible_collections.toolserve.gpunode.plugins.module_utils.throttle_reasons import throttle_reasons

COMMAND = "nvidia-smi"

_TIMEOUT_SECONDS = 60.0  # without persistence mode the driver initialises every GPU for each call
_MIB = 2**20
_EXCERPT_CHARACTERS = 300

# The words of nvidia-smi, in its output or in place of a value -> the code that NVML gave it.
_SAID = (
    ("couldn't communicate with the nvidia driver", codes.DRIVER_NOT_LOADED),
    ("driver not loaded", codes.DRIVER_NOT_LOADED),
    ("driver/library version mismatch", codes.LIB_RM_VERSION_MISMATCH),
    ("no devices were found", codes.NOT_FOUND),
    ("couldn't find libnvidia-ml", codes.LIBRARY_NOT_FOUND),
    ("insufficient permissions", codes.NO_PERMISSION),
    ("gpu is lost", codes.GPU_IS_LOST),
    ("requires reset", codes.RESET_REQUIRED),
    ("unknown error", codes.UNKNOWN),
)
_NO_VALUE = ("[N/A]", "N/A", "[Not Supported]", "[Not Found]", "[Function Not Found]")
_NO_SUCH_FIELD = re.compile(r'Field "([^"]+)" is not a valid field to query')
_OLDER_NAMES = {"clocks_event_reasons.active": "clocks_throttle_reasons.active"}  # before driver 535


def _words(text: str) -> str:
    if text.startswith("["):  # an error in place of a value
        raise ValueError(text)
    return text


def _bytes(mib: str) -> int:
    return int(mib) * _MIB


def _enabled(text: str) -> bool:
    if text not in ("Enabled", "Disabled"):
        raise ValueError(text)
    return text == "Enabled"


def _pci_id(text: str) -> str:
    number = int(text, 16)  # 0x27B010DE: device, then vendor
    return pci_id(number & 0xFFFF, number >> 16)


# our field -> (theirs, what to make of the text)
_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "index": ("index", int),
    "uuid": ("uuid", _words),
    "name": ("name", _words),
    "pci_address": ("pci.bus_id", pci_address),
    "pci_id": ("pci.device_id", _pci_id),
    "compute_capability": ("compute_cap", _words),
    "memory_total_bytes": ("memory.total", _bytes),
    "memory_reserved_bytes": ("memory.reserved", _bytes),
    "memory_used_bytes": ("memory.used", _bytes),
    "memory_free_bytes": ("memory.free", _bytes),
    "clock_memory_mhz": ("clocks.current.memory", int),
    "clock_memory_max_mhz": ("clocks.max.memory", int),
    "clock_sm_mhz": ("clocks.current.sm", int),
    "clock_sm_max_mhz": ("clocks.max.sm", int),
    "throttle_reasons": ("clocks_event_reasons.active", lambda text: throttle_reasons(int(text, 0))),
    "power_draw_watts": ("power.draw", float),
    "power_limit_watts": ("enforced.power.limit", float),
    "power_limit_default_watts": ("power.default_limit", float),
    "power_limit_max_watts": ("power.max_limit", float),
    "temperature_celsius": ("temperature.gpu", int),
    "utilization_percent": ("utilization.gpu", int),
    "persistence_mode": ("persistence_mode", _enabled),
    "ecc_mode": ("ecc.mode.current", _enabled),
    "mig_mode": ("mig.mode.current", _enabled),
    "driver_version": ("driver_version", _words),
}


def read(command: str = COMMAND) -> Reading:
    """Every GPU that nvidia-smi lists; what went wrong is among the failures, nothing is raised.

    A machine without nvidia-smi has nothing to say, which is no failure: NVML says what is wrong with the driver.
    """
    reading = Reading(NVIDIA_SMI)
    if shutil.which(command) is None:
        return reading
    try:
        for row in _query(command, {field: theirs for field, (theirs, _convert) in _FIELDS.items()}):
            gpu = _convert_row(row, reading)
            version = gpu.pop("driver_version", None)
            if version is not None:
                reading.driver["version"] = version
            reading.gpus.append(gpu)
        _add_processes(command, reading)
    except NvmlError as error:
        reading.failed(error)
    return reading


def _query(command: str, theirs: dict[str, str]) -> list[dict[str, str]]:
    """The rows of --query-gpu by our fields; a field that this release does not know is renamed or left out."""
    while True:
        code, said = _run([command, f"--query-gpu={','.join(theirs.values())}", "--format=csv,noheader,nounits"])
        unknown = _NO_SUCH_FIELD.search(said)
        if unknown is None or unknown[1] not in theirs.values():
            break
        field = next(field for field, name in theirs.items() if name == unknown[1])
        theirs = {**theirs, field: _OLDER_NAMES.get(unknown[1], "")}
        theirs = {field: name for field, name in theirs.items() if name}
    rows = list(csv.reader(said.splitlines(), skipinitialspace=True))
    if code != 0 or not rows or any(len(row) != len(theirs) for row in rows):
        raise _failure(code, said)
    return [dict(zip(theirs, row, strict=True)) for row in rows]


def _convert_row(row: dict[str, str], reading: Reading) -> dict[str, Any]:
    gpu: dict[str, Any] = {}
    for field, text in row.items():
        theirs, convert = _FIELDS[field]
        if text in _NO_VALUE:
            continue
        try:
            gpu[field] = convert(text)
        except ValueError:
            reading.failed(_failure(codes.UNKNOWN, f"{theirs} of GPU {row.get('index', '?')} is {text}"))
    return gpu


def _add_processes(command: str, reading: Reading) -> None:
    """The compute processes; nvidia-smi has no list of those that only draw."""
    code, said = _run([command, "--query-compute-apps=gpu_uuid,pid,used_memory", "--format=csv,noheader,nounits"])
    if code != 0:
        raise _failure(code, said)
    by_uuid: dict[str, list[dict[str, Any]]] = {}
    for row in csv.reader(said.splitlines(), skipinitialspace=True):
        if len(row) != 3 or not row[1].isdigit():
            raise _failure(codes.UNKNOWN, said)
        used = _bytes(row[2]) if row[2].isdigit() else None
        by_uuid.setdefault(row[0], []).append({"pid": int(row[1]), "memory_bytes": used})
    for gpu in reading.gpus:
        gpu["processes"] = by_uuid.get(str(gpu.get("uuid")), [])


def _run(arguments: list[str]) -> tuple[int, str]:
    """Exit code and output; what stopped it before is said in the words of the operating system."""
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NvmlError(codes.TIMEOUT, COMMAND, f"no answer within {_TIMEOUT_SECONDS:g} s") from error
    except OSError as error:
        raise NvmlError(codes.OPERATING_SYSTEM, COMMAND, str(error)) from error
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def _failure(code: int, said: str) -> NvmlError:
    """The code behind what nvidia-smi says; its exit code where the words are not known."""
    lowered = said.lower()
    known = next((code for words, code in _SAID if words in lowered), None)
    words = _one_line(said.splitlines()) or f"no output, exit code {code}"
    return NvmlError(known or (code if code in codes.NAMES else codes.UNKNOWN), COMMAND, words[:_EXCERPT_CHARACTERS])


def _one_line(lines: Iterable[str]) -> str:
    return "; ".join(line.strip().rstrip(".") for line in lines if line.strip())
