# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structures of nvml.h that NVML fills, as C lays them out."""

from __future__ import annotations

import ctypes


class Memory(ctypes.Structure):
    """nvmlMemory_t, in bytes; ``used`` includes what is reserved."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class MemoryV2(ctypes.Structure):
    """nvmlMemory_v2_t, in bytes."""

    _fields_ = [
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class TemperatureV1(ctypes.Structure):
    """nvmlTemperature_v1_t."""

    _fields_ = [("version", ctypes.c_uint), ("sensor", ctypes.c_uint), ("celsius", ctypes.c_int)]


class Utilization(ctypes.Structure):
    """nvmlUtilization_t, in percent."""

    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class PciInfo(ctypes.Structure):
    """nvmlPciInfo_t as nvmlDeviceGetPciInfo_v3 fills it."""

    _fields_ = [
        ("bus_id_legacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("device_and_vendor", ctypes.c_uint),
        ("subsystem", ctypes.c_uint),
        ("bus_id", ctypes.c_char * 32),
    ]


class ProcessInfo(ctypes.Structure):
    """nvmlProcessInfo_v2_t, which version 3 of the functions fills too."""

    _fields_ = [
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


def versioned(structure: type[ctypes.Structure], version: int) -> ctypes.Structure:
    """A structure that names its own size and version, as NVML_STRUCT_VERSION does."""
    return structure(version=ctypes.sizeof(structure) | version << 24)
