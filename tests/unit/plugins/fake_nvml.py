# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for libnvidia-ml.so.1: functions with the prototypes of nvml.h, called through C, no compiler needed.

A GPU is a dictionary from a function's name to what it answers: a value, or Code(n) for an error. For functions with a
selector the answer is a dictionary by selector. Structures are written byte by byte from formats of their own, so that
a wrong layout in the code under test shows.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

POINTER, UINT = ctypes.c_void_p, ctypes.c_uint
MEMORY_V2, TEMPERATURE_V1 = 0x02000028, 0x0100000C  # what nvml.h's NVML_STRUCT_VERSION comes to
NOT_SUPPORTED, FUNCTION_NOT_FOUND, VERSION_MISMATCH = 3, 13, 25
INSUFFICIENT_SIZE = 7

Gpu = Mapping[str, Any]


class Code(int):
    """An NVML return code, as an answer."""


# A GEX44's board: figures of its data sheet, the rest invented.
SFF_ADA: Gpu = {
    "nvmlDeviceGetUUID": "GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11",
    "nvmlDeviceGetName": "NVIDIA RTX 4000 SFF Ada Generation",
    "nvmlDeviceGetPciInfo_v3": ("00000000:01:00.0", 0x27B010DE),
    "nvmlDeviceGetMemoryInfo_v2": (20475 << 20, 500 << 20, 19000 << 20),
    "nvmlDeviceGetMemoryBusWidth": 160,
    "nvmlDeviceGetClockInfo": {1: 210, 2: 405},
    "nvmlDeviceGetMaxClockInfo": {1: 2100, 2: 7001},
    "nvmlDeviceGetCurrentClocksEventReasons": 0x5,
    "nvmlDeviceGetPowerUsage": 12345,
    "nvmlDeviceGetEnforcedPowerLimit": 60000,
    "nvmlDeviceGetPowerManagementDefaultLimit": 70000,
    "nvmlDeviceGetPowerManagementLimitConstraints": (40000, 70000),
    "nvmlDeviceGetTemperatureV": 41,
    "nvmlDeviceGetUtilizationRates": (7, 3),
    "nvmlDeviceGetPersistenceMode": 1,
    "nvmlDeviceGetEccMode": (1, 0),
    "nvmlDeviceGetMigMode": Code(NOT_SUPPORTED),
    "nvmlDeviceGetCudaComputeCapability": (8, 9),
    "nvmlDeviceGetComputeRunningProcesses_v3": [(4242, 900 << 20), (4243, 2**64 - 1)],
    "nvmlDeviceGetGraphicsRunningProcesses_v3": [],
}

# Figures recorded on an H200 with driver 590.48.01; bus width of the board.
H200: Gpu = {
    **SFF_ADA,
    "nvmlDeviceGetUUID": "GPU-00000000-0000-0000-0000-000000000000",
    "nvmlDeviceGetName": "NVIDIA H200",
    "nvmlDeviceGetPciInfo_v3": ("00000000:83:00.0", 0x233510DE),
    "nvmlDeviceGetMemoryInfo_v2": (143771 << 20, 614 << 20, 143157 << 20),
    "nvmlDeviceGetMemoryBusWidth": 6144,
    "nvmlDeviceGetClockInfo": {1: 345, 2: 3201},
    "nvmlDeviceGetMaxClockInfo": {1: 1980, 2: 3201},
    "nvmlDeviceGetCudaComputeCapability": (9, 0),
    "nvmlDeviceGetMigMode": (0, 0),
    "nvmlDeviceGetComputeRunningProcesses_v3": [],
}


class FakeNvml:
    """``functions`` overrides what is not of one GPU, for instance ``nvmlInit_v2=Code(18)``; ``missing`` ones do not
    exist. ``calls`` lists the names that were called."""

    def __init__(self, *gpus: Gpu, missing: Sequence[str] = (), **functions: Any) -> None:
        self.calls: list[str] = []
        self._gpus = gpus
        self._missing = missing
        self._functions = {
            "nvmlInit_v2": Code(0),
            "nvmlShutdown": Code(0),
            "nvmlSystemGetDriverVersion": "595.91.07",
            "nvmlSystemGetCudaDriverVersion_v2": 13020,
            "nvmlDeviceGetCount_v2": len(gpus),
            "nvmlDeviceGetHandleByIndex_v2": Code(0),
            **functions,
        }

    def __getattr__(self, name: str) -> Callable[..., int]:
        arguments, write = _PROTOTYPES.get(name, ((), None))
        if name in self._missing or (write is None and name not in ("nvmlInit_v2", "nvmlShutdown")):
            raise AttributeError(name)

        def function(*given: Any) -> int:
            self.calls.append(name)
            of_gpu = name.startswith("nvmlDevice") and name not in self._functions
            answer = self._gpus[given[0] - 1].get(name, Code(FUNCTION_NOT_FOUND)) if of_gpu else self._functions[name]
            if name == "nvmlDeviceGetHandleByIndex_v2" and isinstance(answer, dict):
                answer = answer.get(given[0], Code(0))
            if isinstance(answer, Code) and (answer or name != "nvmlDeviceGetHandleByIndex_v2"):
                return int(answer)
            return write(answer, *(given[1:] if of_gpu else given)) if write else 0

        # Kept on the instance: a C function must outlive its callers.
        entry = ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(function)
        self.__dict__[name] = entry
        return entry


def _put(address: int, layout: str, *values: Any) -> int:
    data = struct.pack(layout, *values)
    ctypes.memmove(address, data, len(data))
    return 0


def _text(answer: str, address: int, size: int) -> int:
    data = answer.encode() + b"\0"
    if len(data) > size:
        return INSUFFICIENT_SIZE
    ctypes.memmove(address, data, len(data))
    return 0


def _number(answer: int, address: int) -> int:
    return _put(address, "@I", answer)


def _selected(answer: Mapping[int, int], selector: int, address: int) -> int:
    return _put(address, "@I", answer[selector]) if selector in answer else NOT_SUPPORTED


def _pair(answer: tuple[int, int], first: int, second: int) -> int:
    return _put(first, "@I", answer[0]) or _put(second, "@I", answer[1])


def _wide(answer: int, address: int) -> int:
    return _put(address, "@Q", answer)


def _handle(_answer: Any, index: int, address: int) -> int:
    return _put(address, "@P", index + 1)


def _pci(answer: tuple[str, int], address: int) -> int:
    bus_id, number = answer
    domain, bus, device = (int(part.partition(".")[0], 16) for part in bus_id.split(":"))
    return _put(address, "@16sIIIII32s", b"legacy", domain, bus, device, number, 0, bus_id.encode())


def _memory_v1(answer: tuple[int, int, int], address: int) -> int:
    total, free, used = answer
    return _put(address, "@QQQ", total, free, used)


def _memory_v2(answer: tuple[int, int, int], address: int) -> int:
    version = struct.unpack("@I", ctypes.string_at(address, 4))[0]
    if version != MEMORY_V2:
        return VERSION_MISMATCH
    total, reserved, free = answer
    return _put(address, "@IQQQQ", version, total, reserved, free, total - free)


def _temperature(answer: int, address: int) -> int:
    version, sensor = struct.unpack("@II", ctypes.string_at(address, 8))
    if (version, sensor) != (TEMPERATURE_V1, 0):
        return VERSION_MISMATCH
    return _put(address, "@IIi", version, sensor, answer)


def _utilization(answer: tuple[int, int], address: int) -> int:
    return _put(address, "@II", *answer)


def _processes(answer: Sequence[tuple[int, int]], count: int, array: int) -> int:
    room = struct.unpack("@I", ctypes.string_at(count, 4))[0]
    _put(count, "@I", len(answer))
    if len(answer) > room:
        return INSUFFICIENT_SIZE
    layout = "@IQII"
    for position, (pid, used) in enumerate(answer):
        _put(array + position * struct.calcsize(layout), layout, pid, used, 2**32 - 1, 2**32 - 1)
    return 0


# name -> the C arguments, and what writes the answer; the handle of a GPU is left out for the writer
_OF_GPU: dict[str, tuple[tuple[Any, ...], Callable[..., int]]] = {
    "nvmlDeviceGetUUID": ((POINTER, UINT), _text),
    "nvmlDeviceGetName": ((POINTER, UINT), _text),
    "nvmlDeviceGetPciInfo_v3": ((POINTER,), _pci),
    "nvmlDeviceGetMemoryInfo": ((POINTER,), _memory_v1),
    "nvmlDeviceGetMemoryInfo_v2": ((POINTER,), _memory_v2),
    "nvmlDeviceGetMemoryBusWidth": ((POINTER,), _number),
    "nvmlDeviceGetClockInfo": ((UINT, POINTER), _selected),
    "nvmlDeviceGetMaxClockInfo": ((UINT, POINTER), _selected),
    "nvmlDeviceGetCurrentClocksEventReasons": ((POINTER,), _wide),
    "nvmlDeviceGetCurrentClocksThrottleReasons": ((POINTER,), _wide),
    "nvmlDeviceGetPowerUsage": ((POINTER,), _number),
    "nvmlDeviceGetEnforcedPowerLimit": ((POINTER,), _number),
    "nvmlDeviceGetPowerManagementDefaultLimit": ((POINTER,), _number),
    "nvmlDeviceGetPowerManagementLimitConstraints": ((POINTER, POINTER), _pair),
    "nvmlDeviceGetTemperature": ((UINT, POINTER), _selected),
    "nvmlDeviceGetTemperatureV": ((POINTER,), _temperature),
    "nvmlDeviceGetUtilizationRates": ((POINTER,), _utilization),
    "nvmlDeviceGetPersistenceMode": ((POINTER,), _number),
    "nvmlDeviceGetEccMode": ((POINTER, POINTER), _pair),
    "nvmlDeviceGetMigMode": ((POINTER, POINTER), _pair),
    "nvmlDeviceGetCudaComputeCapability": ((POINTER, POINTER), _pair),
    "nvmlDeviceGetComputeRunningProcesses_v3": ((POINTER, POINTER), _processes),
    "nvmlDeviceGetGraphicsRunningProcesses_v3": ((POINTER, POINTER), _processes),
}
_PROTOTYPES: dict[str, tuple[tuple[Any, ...], Callable[..., int]]] = {
    "nvmlSystemGetDriverVersion": ((POINTER, UINT), _text),
    "nvmlSystemGetCudaDriverVersion_v2": ((POINTER,), _number),
    "nvmlDeviceGetCount_v2": ((POINTER,), _number),
    "nvmlDeviceGetHandleByIndex_v2": ((UINT, POINTER), _handle),
    **{name: ((POINTER, *arguments), write) for name, (arguments, write) in _OF_GPU.items()},
}
