# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NVML, the library behind nvidia-smi, says of the GPUs; through ctypes, so that nothing has to be installed.

Functions and constants are those of nvml.h. A value that a GPU does not have is left out. Where a newer
function replaced an older one, the newer is asked first: drivers from 535 to beyond 610 know one of the two.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import NVML, Reading
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvml_errors import (
    ARGUMENT_VERSION_MISMATCH,
    FUNCTION_NOT_FOUND,
    LIBRARY_NOT_FOUND,
    NOT_SUPPORTED,
    NvmlError,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvml_structures import (
    Memory,
    MemoryV2,
    PciInfo,
    ProcessInfo,
    TemperatureV1,
    Utilization,
    versioned,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.pci_gpus import pci_id
from ansible_collections.toolserve.gpunode.plugins.module_utils.throttle_reasons import throttle_reasons

LIBRARY = "libnvidia-ml.so.1"

_TEXT_BYTES = 96  # the longest buffer that nvml.h asks for: NVML_DEVICE_NAME_V2_BUFFER_SIZE
_CLOCK_SM, _CLOCK_MEMORY = 1, 2
_TEMPERATURE_GPU = 0
_MOST_PROCESSES = 1024
_UNKNOWN_BYTES = 2**64 - 1  # NVML_VALUE_NOT_AVAILABLE


def load_library() -> Any:
    """The library of the driver; NvmlError where the loader finds none that fits."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NvmlError(LIBRARY_NOT_FOUND, "NVML", str(error)) from error


def read(load: Callable[[], Any] = load_library) -> Reading:
    """Every GPU that this process may see; what went wrong is among the failures, nothing is raised."""
    reading = Reading(NVML)
    try:
        library = _Library(load())
        library.call("nvmlInit_v2")
    except NvmlError as error:
        reading.failed(error)
        return reading
    try:
        _read_driver(library, reading)
        _read_gpus(library, reading)
    finally:
        with contextlib.suppress(NvmlError):
            library.call("nvmlShutdown")
    return reading


class _Library:
    """Calls functions by name; a code other than success becomes an NvmlError."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def call(self, function: str, *arguments: Any) -> None:
        try:
            entry = getattr(self._library, function)
        except AttributeError:
            raise NvmlError(FUNCTION_NOT_FOUND, function) from None
        code = entry(*arguments)
        if code != 0:
            raise NvmlError(code, function)

    def text(self, function: str, *arguments: Any) -> str:
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        self.call(function, *arguments, buffer, ctypes.c_uint(_TEXT_BYTES))
        return buffer.value.decode("utf-8", "replace")


class _Device:
    """One GPU. Every method asks a function of NVML that takes the handle first."""

    def __init__(self, library: _Library, index: int) -> None:
        self._library = library
        self._handle = ctypes.c_void_p()
        library.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(self._handle))

    def call(self, function: str, *arguments: Any) -> None:
        self._library.call(function, self._handle, *arguments)

    def text(self, function: str) -> str:
        return self._library.text(function, self._handle)

    def number(self, function: str, *selectors: int) -> int:
        answer = ctypes.c_uint()
        self.call(function, *map(ctypes.c_uint, selectors), ctypes.byref(answer))
        return answer.value

    def pair(self, function: str) -> tuple[int, int]:
        first, second = ctypes.c_uint(), ctypes.c_uint()
        self.call(function, ctypes.byref(first), ctypes.byref(second))
        return first.value, second.value

    def watts(self, function: str) -> float:
        return self.number(function) / 1000

    def structure(self, function: str, answer: Any) -> Any:
        self.call(function, ctypes.byref(answer))
        return answer

    def processes(self, function: str) -> list[ProcessInfo]:
        count, found = ctypes.c_uint(_MOST_PROCESSES), (ProcessInfo * _MOST_PROCESSES)()
        self.call(function, ctypes.byref(count), found)
        return list(found[: count.value])


def _newer(newer: Callable[[], Any], older: Callable[[], Any]) -> Any:
    """What the newer function answers, or the older one where the driver does not know the newer."""
    try:
        return newer()
    except NvmlError as error:
        if error.code not in (FUNCTION_NOT_FOUND, ARGUMENT_VERSION_MISMATCH):
            raise
        return older()


def _pci(device: _Device) -> dict[str, Any]:
    info = device.structure("nvmlDeviceGetPciInfo_v3", PciInfo())
    number = info.device_and_vendor
    return {
        "pci_address": f"{info.domain:04x}:{info.bus:02x}:{info.device:02x}.0",  # as nvml.h's format, in sysfs's digits
        "pci_id": pci_id(number & 0xFFFF, number >> 16),
    }


def _memory(device: _Device) -> dict[str, Any]:
    info = _newer(
        lambda: device.structure("nvmlDeviceGetMemoryInfo_v2", versioned(MemoryV2, 2)),
        lambda: device.structure("nvmlDeviceGetMemoryInfo", Memory()),
    )
    memory = {"memory_total_bytes": info.total, "memory_free_bytes": info.free}
    if isinstance(info, MemoryV2):
        # Whether NVML's own "used" includes what is reserved is documented in two ways; this is free of doubt.
        memory["memory_reserved_bytes"] = info.reserved
        memory["memory_used_bytes"] = max(0, info.total - info.free - info.reserved)
    else:
        memory["memory_used_bytes"] = info.used
    return memory


def _compute_capability(device: _Device) -> str:
    major, minor = device.pair("nvmlDeviceGetCudaComputeCapability")
    return f"{major}.{minor}"


def _throttle_reasons(device: _Device) -> list[str]:
    bits = ctypes.c_ulonglong()
    _newer(
        lambda: device.call("nvmlDeviceGetCurrentClocksEventReasons", ctypes.byref(bits)),
        lambda: device.call("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.byref(bits)),
    )
    return throttle_reasons(bits.value)


def _temperature(device: _Device) -> int:
    answer: int = _newer(
        lambda: device.structure("nvmlDeviceGetTemperatureV", versioned(TemperatureV1, 1)).celsius,
        lambda: device.number("nvmlDeviceGetTemperature", _TEMPERATURE_GPU),
    )
    return answer


def _processes(device: _Device) -> list[dict[str, Any]] | None:
    found: dict[int, dict[str, Any]] = {}
    answered = False
    for kind in ("Compute", "Graphics"):  # a process that does both is in both lists
        try:
            infos = device.processes(f"nvmlDeviceGet{kind}RunningProcesses_v3")
        except NvmlError as error:
            if error.code != NOT_SUPPORTED:
                raise
            continue
        answered = True
        for info in infos:
            used = None if info.used_bytes == _UNKNOWN_BYTES else info.used_bytes
            found[info.pid] = {"pid": info.pid, "memory_bytes": used}
    return list(found.values()) if answered else None


# What one call, or one of two, answers; and what comes several values at a time.
_VALUES: dict[str, Callable[[_Device], Any]] = {
    "uuid": lambda device: device.text("nvmlDeviceGetUUID"),
    "name": lambda device: device.text("nvmlDeviceGetName"),
    "compute_capability": _compute_capability,
    "memory_bus_width_bits": lambda device: device.number("nvmlDeviceGetMemoryBusWidth"),
    "clock_memory_mhz": lambda device: device.number("nvmlDeviceGetClockInfo", _CLOCK_MEMORY),
    "clock_memory_max_mhz": lambda device: device.number("nvmlDeviceGetMaxClockInfo", _CLOCK_MEMORY),
    "clock_sm_mhz": lambda device: device.number("nvmlDeviceGetClockInfo", _CLOCK_SM),
    "clock_sm_max_mhz": lambda device: device.number("nvmlDeviceGetMaxClockInfo", _CLOCK_SM),
    "throttle_reasons": _throttle_reasons,
    "power_draw_watts": lambda device: device.watts("nvmlDeviceGetPowerUsage"),
    "power_limit_watts": lambda device: device.watts("nvmlDeviceGetEnforcedPowerLimit"),
    "power_limit_default_watts": lambda device: device.watts("nvmlDeviceGetPowerManagementDefaultLimit"),
    "power_limit_max_watts": lambda device: device.pair("nvmlDeviceGetPowerManagementLimitConstraints")[1] / 1000,
    "temperature_celsius": _temperature,
    "utilization_percent": lambda device: device.structure("nvmlDeviceGetUtilizationRates", Utilization()).gpu,
    "persistence_mode": lambda device: bool(device.number("nvmlDeviceGetPersistenceMode")),
    "ecc_mode": lambda device: bool(device.pair("nvmlDeviceGetEccMode")[0]),
    "mig_mode": lambda device: bool(device.pair("nvmlDeviceGetMigMode")[0]),
    "processes": _processes,
}
_GROUPS: tuple[Callable[[_Device], dict[str, Any]], ...] = (_pci, _memory)


def _read_driver(library: _Library, reading: Reading) -> None:
    with _noting(reading):
        reading.driver["version"] = library.text("nvmlSystemGetDriverVersion")
    with _noting(reading):
        version = ctypes.c_int()
        library.call("nvmlSystemGetCudaDriverVersion_v2", ctypes.byref(version))
        reading.driver["cuda_version"] = f"{version.value // 1000}.{version.value % 1000 // 10}"


def _read_gpus(library: _Library, reading: Reading) -> None:
    count = ctypes.c_uint()
    with _noting(reading):
        library.call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        reading.complete = True
    for index in range(count.value):
        with _noting(reading, f"GPU {index}, "):
            reading.gpus.append(_read_gpu(_Device(library, index), index, reading))
    reading.complete &= len(reading.gpus) == count.value


def _read_gpu(device: _Device, index: int, reading: Reading) -> dict[str, Any]:
    gpu: dict[str, Any] = {"index": index}
    for group in _GROUPS:
        with _noting(reading, f"GPU {index}, "):
            gpu.update(group(device))
    for field, ask in _VALUES.items():
        with _noting(reading, f"GPU {index}, "):
            value = ask(device)
            if value is not None:
                gpu[field] = value
    return gpu


@contextlib.contextmanager
def _noting(reading: Reading, which: str = "") -> Iterator[None]:
    """Note what fails and go on: one value that is missing says nothing about the next."""
    try:
        yield
    except NvmlError as error:
        reading.failed(NvmlError(error.code, f"{which}{error.where}", error.said))
