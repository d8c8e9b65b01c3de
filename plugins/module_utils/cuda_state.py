# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether CUDA starts on this machine, and why not: libcuda's answer beside the loaded kernel module."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import cuda_errors, cuda_probe, nvml_errors
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_probe import LIBRARY, CudaAnswer

_VERSION = r"\d+\.\d+(?:\.\d+)?"
_IN_FILE_NAME = re.compile(rf"\.so\.({_VERSION})(?: \(deleted\))?$")
_IN_PROC = re.compile(rf"^NVRM version:.*?\s({_VERSION})\s", re.MULTILINE)
_COMPAT = re.compile(r"/(?:cuda-)?compat[/-]")
_NOT_THERE = f"{LIBRARY}: cannot open shared object file: No such file"


@dataclass(frozen=True)
class CudaState:
    """Everything that decides; ``cause`` is None when CUDA works. Versions are None where nothing tells them."""

    answer: CudaAnswer
    libcuda_version: str | None
    module_version: str | None
    cause: Cause | None

    def as_dict(self) -> dict[str, Any]:
        """For return values; documented in cuda_check."""
        result = self.answer.result
        name = None if result is None else _name(self.answer)
        return {
            "passed": self.cause is None,
            "result": result,
            "name": name,
            "device_count": self.answer.device_count,
            "libcuda_path": self.answer.path,
            "libcuda_version": self.libcuda_version,
            "module_version": self.module_version,
            "cause": None if self.cause is None else self.cause.as_dict(),
        }


def look(
    timeout_seconds: float, root: Path = Path("/"), ask: Callable[[float], CudaAnswer] = cuda_probe.ask
) -> CudaState:
    """Start CUDA in a process of its own and compare what it loaded with the kernel's module.

    :param root: where sysfs and procfs are found.
    """
    module = loaded_module_version(root)
    answer = ask(timeout_seconds)
    libcuda = library_version(answer.path)
    return CudaState(answer, libcuda, module, judge(answer, libcuda, module, timeout_seconds))


def loaded_module_version(root: Path = Path("/")) -> str | None:
    """The version of the loaded kernel module nvidia, None if none is loaded."""
    try:
        return (root / "sys/module/nvidia/version").read_text(encoding="utf-8").strip() or None
    except OSError:
        pass
    try:
        found = _IN_PROC.search((root / "proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found[1] if found else None


def library_version(path: str | None) -> str | None:
    """The version in the name of the file that libcuda.so.1 leads to."""
    found = _IN_FILE_NAME.search(path or "")
    return found[1] if found else None


def judge(answer: CudaAnswer, libcuda: str | None, module: str | None, timeout_seconds: float) -> Cause | None:
    """Why CUDA does not work; None when it does and both versions agree as far as they are known."""
    if answer.load_error:
        return _not_loaded(answer, module)
    if libcuda and module and libcuda != module:
        return _mismatch(answer, libcuda, module)
    if answer.ended:
        return _did_not_return(answer, timeout_seconds)
    if answer.result != cuda_errors.SUCCESS:
        return _refused(answer, module)
    if not answer.device_count:
        means, fix = cuda_errors.advice(cuda_errors.NO_DEVICE, module_loaded=module is not None)
        return Cause("cuInit succeeds, and CUDA counts no device", means, fix, CERTAIN)
    return None


def _not_loaded(answer: CudaAnswer, module: str | None) -> Cause:
    which = f"version {module}, as the loaded kernel module" if module else "the version of the kernel module"
    if answer.load_error.startswith(_NOT_THERE):
        return Cause(
            f"{LIBRARY} is missing: the loader does not find it",
            "A part of the NVIDIA driver is not installed, or was removed with the leftovers of another driver. "
            "nvidia-smi can work without it; CUDA cannot.",
            f"{cuda_errors.INSTALL_LIBCUDA}, {which}, then run ldconfig.",
            CERTAIN,
        )
    return Cause(
        f"{LIBRARY} cannot be loaded: {answer.load_error}",
        "The file is damaged, is for another architecture, or a library that it needs is missing.",
        f"Install the package that owns it again (dpkg -S), {which}. A file that no package owns is left from a "
        "driver that was installed by a .run file: nvidia-uninstall removes it.",
        CERTAIN,
    )


def _mismatch(answer: CudaAnswer, libcuda: str, module: str) -> Cause:
    answered = f"; cuInit says {_said(answer)}" if answer.result is not None else ""
    symptom = f"{LIBRARY} is {libcuda} ({answer.path}), the loaded kernel module is {module}{answered}"
    if _COMPAT.search(answer.path or ""):
        return Cause(
            symptom,
            "The loader finds CUDA compatibility libraries (cuda-compat) before those of the driver.",
            cuda_errors.advice(cuda_errors.COMPAT_NOT_SUPPORTED_ON_DEVICE, module_loaded=True)[1],
            CERTAIN,
        )
    means, fix = nvml_errors.advice(nvml_errors.LIB_RM_VERSION_MISMATCH)
    return Cause(symptom, means, fix, CERTAIN)


def _did_not_return(answer: CudaAnswer, timeout_seconds: float) -> Cause:
    if answer.ended == cuda_probe.TIMEOUT:
        means, fix = nvml_errors.advice(nvml_errors.TIMEOUT)
        return Cause(f"cuInit did not return within {timeout_seconds:g} seconds", means, fix, LIKELY)
    return Cause(
        f"{LIBRARY} ended its process ({answer.ended})",
        "The library crashed when CUDA was started: its file is damaged, or does not fit the kernel module.",
        "Install the package that owns it again (dpkg -S), then reboot.",
        LIKELY,
    )


def _refused(answer: CudaAnswer, module: str | None) -> Cause:
    code = cuda_errors.UNKNOWN if answer.result is None else answer.result
    means, fix = cuda_errors.advice(code, module_loaded=module is not None)
    loaded = f"the loaded kernel module is {module}" if module else "no kernel module nvidia is loaded"
    return Cause(f"cuInit says {_said(answer)}; {loaded}", means, fix, LIKELY)


def _said(answer: CudaAnswer) -> str:
    return f"{answer.result} ({_name(answer)})"


def _name(answer: CudaAnswer) -> str:
    return answer.name or cuda_errors.NAMES.get(answer.result or 0, "unknown to this collection")
