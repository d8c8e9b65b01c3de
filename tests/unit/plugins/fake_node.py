# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node as the planner sees it: files in a folder, and commands that answer from a model of dpkg, apt and DKMS.

``apply`` carries a plan out on that model, as the role would on a node: DKMS builds only for kernels whose headers are
there, Secure Boot keeps out what is not signed, and apt takes along what depends on a package that goes.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    nvidia_collateral,
    nvidia_facts,
    nvidia_planner,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_probe import CudaAnswer
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_sysfs import add_pci_device, load_nvidia_module

SFF_ADA, RTX_PRO_6000_BLACKWELL, V100, GH200 = "0x27b0", "0x2bb4", "0x1db4", "0x2342"
_LIBCUDA = "/usr/lib/x86_64-linux-gnu/libcuda.so"
_SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
NEWEST = {
    "nvidia": {"550": "550.163.01", "580": "580.178.04", "595": "595.91.07", "610": "610.57.04"},
    "ubuntu": {"535": "535.288.01", "550": "550.163.01", "580": "580.142", "595": "595.58.03", "610": "610.43.02"},
    "debian": {"535": "535.261.03", "550": "550.163.01"},
}
_REVISIONS = {
    ("nvidia", "ubuntu"): "-1ubuntu1",
    ("nvidia", "debian"): "-1",
    ("ubuntu", "ubuntu"): "-0ubuntu0.24.04.1",
    ("ubuntu", "debian"): "-0ubuntu0.24.04.1",
    ("debian", "debian"): "-1~deb12u1",
}
UBUNTU_STACK = (
    *("nvidia-driver-{b}", "nvidia-dkms-{b}", "nvidia-kernel-common-{b}", "nvidia-kernel-source-{b}"),
    *("libnvidia-compute-{b}", "libnvidia-gl-{b}", "nvidia-utils-{b}", "nvidia-compute-utils-{b}"),
    *("libnvidia-cfg1-{b}", "xserver-xorg-video-nvidia-{b}", "nvidia-firmware-{b}-{v}"),
)
NVIDIA_STACK = (
    *("cuda-drivers", "nvidia-driver", "nvidia-dkms", "nvidia-kernel-common", "libnvidia-compute", "nvidia-utils"),
    *("libnvidia-cfg1", "nvidia-persistenced"),
)
DEBIAN_STACK = (
    *("nvidia-driver", "nvidia-kernel-dkms", "nvidia-alternative", "libcuda1", "libnvidia-ml1", "nvidia-smi"),
    *("libnvidia-cfg1", "libnvidia-ptxjitcompiler1", "nvidia-kernel-support"),
)


@dataclass
class FakeNode:
    """Changes to its fields show in the next reading."""

    root: Path
    distribution: str = "ubuntu"
    release: str = "24.04"
    architecture: str = "amd64"
    packages: dict[str, tuple[str, str]] = field(default_factory=dict)  # name[:architecture] -> state, version
    holds: set[str] = field(default_factory=set)
    offered: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # name -> version, origin
    dependents: dict[str, str] = field(default_factory=dict)  # name -> the name that it cannot be without
    apt_lists: bool = True
    apt_lists_age_seconds: float = 0
    running: str = "6.8.0-45-generic"
    kernels: list[str] = field(default_factory=lambda: ["6.8.0-45-generic"])
    modules: dict[str, tuple[str, str]] = field(default_factory=dict)  # kernel -> version, licence
    loaded: tuple[str, bool] | None = None
    other_driver: str | None = None
    libcuda: tuple[str, str | None] | None = None  # version, owner; gone where its owner is not installed
    cuda_init: int | None = None  # what cuInit returns where that does not follow from the versions
    capabilities: int = (1 << 41) - 1
    users: str = "0 0 4294967295"
    dkms: list[str] = field(default_factory=list)
    gpus: tuple[str, ...] = (SFF_ADA,)
    secure_boot: bool | None = None
    mok_enrolled: bool = False
    files: dict[str, str] = field(default_factory=dict)
    uninstaller: bool = False
    sources: dict[str, str] = field(default_factory=dict)
    reboot_required: str | None = None
    answers: dict[str, Ask] = field(default_factory=dict)  # commands that are not of the model

    def __post_init__(self) -> None:
        meta = "linux-image-generic" if self.distribution == "ubuntu" else "linux-image-amd64"
        self.packages.setdefault(meta, ("ii", "6.8.0-45.45"))
        self.packages.setdefault("libc6", ("ii", "2.39-0ubuntu8"))
        for name in ("linux-headers-" + self.running, meta.replace("image", "headers")):
            self.offered.setdefault(name, [("6.8.0-45.45", "Ubuntu")])

    def install_stack(
        self, vendor: str, branch: str, *, state: str = "ii", open: bool = False, built_for: Sequence[str] | None = None
    ) -> str:
        """The packages of a whole driver, its module and libcuda.so.1; returns its version.

        :param branch: with ``-server`` behind it for those of Ubuntu's.
        :param built_for: kernels that get the module; by default all, and the running one its headers.
        """
        upstream = NEWEST[vendor][branch.removesuffix("-server")]
        revision = _REVISIONS[vendor, self.distribution]
        names = {"ubuntu": UBUNTU_STACK, "nvidia": NVIDIA_STACK, "debian": DEBIAN_STACK}[vendor]
        for name in names:
            full = name.format(b=branch, v=upstream)
            if open:
                full = {"cuda-drivers": "nvidia-open", "nvidia-dkms": "nvidia-dkms-open"}.get(full, full)
                full = re.sub(r"^(nvidia-(?:driver|dkms|kernel-source)-\d+(?:-server)?)$", r"\1-open", full)
            self.packages[full] = (state, upstream + revision)
        owner = {"ubuntu": f"libnvidia-compute-{branch}", "nvidia": "libnvidia-compute", "debian": "libcuda1"}[vendor]
        self.libcuda = (upstream, owner)
        if built_for is None:
            self.packages.setdefault(f"linux-headers-{self.running}", ("ii", "6.8.0-45.45"))
            self.packages.setdefault(self._meta_headers(), ("ii", "6.8.0-45.45"))
        for kernel in self.kernels if built_for is None else built_for:
            self.modules[kernel] = (upstream, "Dual MIT/GPL" if open else "NVIDIA")
        return upstream

    def facts(self, wish: Wish | None = None) -> NodeFacts:
        """What the planner reads of it."""
        shutil.rmtree(self.root, ignore_errors=True)
        self._write()
        return nvidia_facts.look(wish or Wish(), self.root, self.answer, self._start_cuda)

    def plan(self, wish: Wish | None = None) -> Plan:
        """The plan for it."""
        facts = self.facts(wish)
        plan = nvidia_planner.make(facts, wish or Wish())
        nvidia_collateral.add(plan, facts, self.answer)
        return plan

    def apply(self, plan: Plan, *, reboot: bool = True) -> None:
        """Do what the plan says, in the order of the role."""
        assert not plan.stops
        if plan.runfile_uninstall:
            self.uninstaller = False
            if self.libcuda and self.libcuda[1] is None:
                self.libcuda = None
        gone = {entry.name for entry in plan.purge}
        assert not {
            name for name, needed in self._installed_dependents().items() if needed in gone and name not in gone
        }
        for name in gone:
            self._purge(name)
        if plan.dpkg_finish:
            self.packages = {name: (_repaired(state), version) for name, (state, version) in self.packages.items()}
        for tree in plan.dkms_remove:
            self.dkms = [line for line in self.dkms if not line.startswith(tree)]
        for file in plan.remove_files:
            del self.sources[file.path]
        for name in plan.headers:
            self.packages[name] = ("ii", "6.8.0-99.99")
            if name.startswith("linux-image-"):
                self.kernels.append("6.8.0-99-generic")
                self.packages["linux-headers-6.8.0-99-generic"] = ("ii", "6.8.0-99.99")
        if self._builds_modules() and self.libcuda and not plan.install:
            self._build(self.libcuda[0], "NVIDIA", list(self.kernels))
        if plan.reboot_first:
            self.running = max(self.kernels)
        if plan.install:
            self._install(plan)
        self._build(self.libcuda[0] if self.libcuda else "", "NVIDIA", plan.dkms_autoinstall)
        if reboot and plan.reboot_reasons:
            self.running, self.other_driver, self.reboot_required = max(self.kernels), None, None
            version, licence = self.modules[self.running]
            self.loaded = (version, licence != "NVIDIA") if self._kernel_takes(plan) else None

    def _install(self, plan: Plan) -> None:
        wanted = re.fullmatch(r"branch (\d+) packaged by (\w+) \((\w+) kernel modules\)", plan.target)
        assert wanted
        branch, vendor, is_open = wanted[1], wanted[2].lower(), wanted[3] == "open"
        self.install_stack(
            vendor, f"{branch}-server" if vendor == "ubuntu" else branch, open=is_open, built_for=self._to_build(vendor)
        )
        version = self.libcuda[0] + _REVISIONS[vendor, self.distribution] if self.libcuda else ""
        for name in plan.install:
            self.packages[name] = ("ii", version)
        self.dkms = [line for line in self.dkms if f"/{branch}." in line]
        if self.running in self.modules and self._kernel_takes(plan):
            self.loaded = self.loaded or (version.split("-")[0], is_open)

    def _to_build(self, vendor: str) -> list[str]:
        """Ubuntu's signed modules need nothing built."""
        return [kernel for kernel in self.kernels if vendor == "ubuntu" or self._on_disk(f"linux-headers-{kernel}")]

    def _build(self, version: str, licence: str, kernels: Sequence[str]) -> None:
        for kernel in kernels:
            if self._on_disk(f"linux-headers-{kernel}"):
                self.modules.setdefault(kernel, (version, licence))

    def _builds_modules(self) -> bool:
        return any("-dkms" in name and "no-dkms" not in name for name in self.packages if "nvidia" in name)

    def _kernel_takes(self, plan: Plan) -> bool:
        return not self.secure_boot or self.mok_enrolled or "Ubuntu" in plan.target

    def _on_disk(self, name: str) -> bool:
        return self.packages.get(name, ("un", ""))[0][1] not in "nc"

    def _installed_dependents(self) -> dict[str, str]:
        return {name: needed for name, needed in self.dependents.items() if self._on_disk(name)}

    def _start_cuda(self, _seconds: float) -> CudaAnswer:
        assert self.libcuda and self.loaded
        result = self.cuda_init
        if result is None:
            result = 0 if self.libcuda[0] == self.loaded[0] else 803
        return CudaAnswer(f"{_LIBCUDA}.{self.libcuda[0]}", result=result, device_count=len(self.gpus))

    def _purge(self, name: str) -> None:
        state, _version = self.packages.pop(name)
        if self.libcuda and self.libcuda[1] == name.split(":")[0]:
            self.libcuda = None
        if "dkms" in name or name.startswith("linux-modules-nvidia"):
            self.modules.clear()
        assert state != "un"

    def _meta_headers(self) -> str:
        return "linux-headers-generic" if self.distribution == "ubuntu" else "linux-headers-amd64"

    def _write(self) -> None:
        if self.libcuda and self.libcuda[1] and not self._on_disk(self.libcuda[1]):
            self.libcuda = None
        files = {
            "etc/os-release": f'ID={self.distribution}\nVERSION_ID="{self.release}"\n',
            **{f"boot/vmlinuz-{kernel}": "" for kernel in self.kernels},
            **{path.lstrip("/"): content for path, content in self.sources.items()},
            "proc/self/status": f"Name:\tpython3\nCapBnd:\t{self.capabilities:016x}\n",
            "proc/self/uid_map": f"{self.users}\n",
            **self.files,
        }
        if self.apt_lists:
            files["var/lib/apt/lists/archive_Packages"] = ""
        if self.uninstaller:
            files["usr/bin/nvidia-uninstall"] = files["var/log/nvidia-installer.log"] = ""
        if self.libcuda:
            files[f"{_LIBCUDA.lstrip('/')}.{self.libcuda[0]}"] = ""
        if self.other_driver:
            files[f"sys/module/{self.other_driver}/refcnt"] = "1"
        if self.reboot_required is not None:
            files["run/reboot-required"] = "*** System restart required ***"
            files["run/reboot-required.pkgs"] = self.reboot_required
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (self.root / "boot").mkdir(exist_ok=True)
        if self.apt_lists:
            read = time.time() - self.apt_lists_age_seconds
            os.utime(self.root / "var/lib/apt/lists", (read, read))
        if self.libcuda:
            (self.root / f"{_LIBCUDA.lstrip('/')}.1").symlink_to(f"libcuda.so.{self.libcuda[0]}")
        for number, gpu in enumerate(self.gpus):
            add_pci_device(self.root, f"0000:0{number + 1}:00.0", gpu)
        if self.loaded:
            load_nvidia_module(self.root, self.loaded[0], open_flavour=self.loaded[1])
        if self.secure_boot is not None:
            path = self.root / _SECURE_BOOT
            path.parent.mkdir(parents=True)
            path.write_bytes(bytes([6, 0, 0, 0, self.secure_boot]))

    def answer(self, command: Sequence[str]) -> str:
        """What a command prints on this node."""
        name, *arguments = command
        if name in self.answers:
            return self.answers[name](command)
        match name:
            case "uname":
                return f"{self.running}\n"
            case "dpkg-query":
                return "".join(
                    f"{_padded(state)}|{_split(key, self.architecture)[0]}|{version}|"
                    f"{_split(key, self.architecture)[1]}\n"
                    for key, (state, version) in self.packages.items()
                )
            case "apt-mark":
                return "".join(f"{held}\n" for held in sorted(self.holds))
            case "dpkg" if arguments[0] == "--print-architecture":
                return f"{self.architecture}\n"
            case "dpkg":
                owned = self.libcuda and self.libcuda[1] and arguments[1] == f"{_LIBCUDA}.{self.libcuda[0]}"
                return f"{self.libcuda[1]}:amd64: {arguments[1]}\n" if owned and self.libcuda else ""
            case "ldconfig":
                return f"\tlibcuda.so.1 (libc6,x86-64) => {_LIBCUDA}.1\n" if self.libcuda else ""
            case "mokutil":
                assert arguments[0] == "--test-key"
                return f"{arguments[1]} is {'already' if self.mok_enrolled else 'not'} enrolled\n"
            case "apt-get":
                return self._simulated_purge(arguments[arguments.index("purge") + 1 :])
            case "dkms":
                return "".join(f"{line}\n" for line in self.dkms)
            case "modinfo":
                version, licence = self.modules.get(arguments[1], ("", ""))
                return {"version": version, "license": licence}[arguments[3]] if arguments[4] == "nvidia" else ""
            case "apt-cache":
                return self._policy(arguments[1:])
        raise AssertionError(command)

    def _simulated_purge(self, names: Sequence[str]) -> str:
        gone = list(names)
        for name, needed in self._installed_dependents().items():
            gone += [name] if needed in gone and name not in gone else []
        return "".join(f"Purg {name} [{self.packages[name][1]}]\n" for name in gone)

    def _policy(self, names: Sequence[str]) -> str:
        if not names:
            sources = "".join(
                f" 500 http://{origin}/ stable/main amd64 Packages\n     release o={origin},n=stable\n"
                for origin in ("Ubuntu", "Debian", "NVIDIA")
            )
            return f"Package files:\n{sources}Pinned packages:\n"
        blocks = []
        for name in names:
            state, installed = self.packages.get(name, ("un", ""))
            versions = list(self.offered.get(name, []))
            if state[1] != "n" and installed not in [version for version, _origin in versions]:
                versions.append((installed, ""))
            if not versions:
                continue
            table = "".join(f"     {version} 500\n{_published(origin)}" for version, origin in versions)
            current = installed if state[1] == "i" else "(none)"
            blocks.append(f"{name}:\n  Installed: {current}\n  Candidate: {versions[0][0]}\n  Version table:\n{table}")
        return "".join(blocks)


def _split(key: str, native: str) -> tuple[str, str]:
    name, _colon, architecture = key.partition(":")
    return name, architecture or native


def _padded(state: str) -> str:
    return state.ljust(3)


def _repaired(state: str) -> str:
    return "ii" if state[1] not in "nci" else state


def _published(origin: str) -> str:
    return f"        500 http://{origin}/ stable/main amd64 Packages\n" if origin else ""
