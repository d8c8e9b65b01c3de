# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in packages install, by the names that the lists of relations/ give it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path

from . import stubs
from .deb import Contents
from .relations import Package

_SCRIPTS = Path(__file__).parent / "scripts"
_LIBRARIES = "/usr/lib/x86_64-linux-gnu"
_UNITS = "/usr/lib/systemd/system"
_LICENCES = {"proprietary": "NVIDIA", "open": "Dual MIT/GPL"}
# The names of the driver's packages, as a preferences file lists them.
_PINNED = "cuda-drivers* nvidia-* libnvidia-* libcuda* firmware-nvidia-* xserver-xorg-video-nvidia*"


def contents(package: Package) -> Contents:
    """All that the package installs; every package has a folder of documentation, as real ones do."""
    made = Contents()
    made.add(f"/usr/share/doc/{package.name}/copyright", "Stand-in of the test bench: GPL-3.0-or-later\n")
    for name in package.payloads:
        PAYLOADS[name](made, package)
    return made


def driver_files(version: str) -> Contents:
    """The files of a driver that no package owns, as NVIDIA's runfile installer leaves them."""
    made = Contents()
    _add_library(made, "libcuda", version)
    _add_library(made, "libnvidia-ml", version)
    made.add("/usr/bin/nvidia-smi", stubs.program("nvidia-smi", version), 0o755)
    made.add(f"/usr/lib/modules/{platform.release()}/kernel/drivers/video/nvidia.ko", stubs.module(version, "NVIDIA"))
    uninstaller = _script("nvidia-uninstall").replace("@VERSION@", version)
    made.add("/usr/bin/nvidia-installer", uninstaller, 0o755)
    made.links["/usr/bin/nvidia-uninstall"] = "nvidia-installer"
    made.add("/var/lib/nvidia/log", "0000000000000000\n")
    made.add(
        "/var/log/nvidia-installer.log", f"nvidia-installer log file\nInstalling NVIDIA driver version {version}.\n"
    )
    return made


def _script(name: str) -> str:
    return (_SCRIPTS / name).read_text()


def _add_library(made: Contents, name: str, version: str) -> None:
    made.add(f"{_LIBRARIES}/{name}.so.{version}", stubs.library(name, version))
    made.links[f"{_LIBRARIES}/{name}.so.1"] = f"{name}.so.{version}"


def _run_ldconfig(made: Contents) -> None:
    """With a postrm the package stays as "rc" when it is removed and not purged, as the real ones do."""
    made.run("postinst", "ldconfig")
    made.run("postrm", "ldconfig")


def _libcuda(made: Contents, package: Package) -> None:
    _add_library(made, "libcuda", package.upstream)
    _run_ldconfig(made)


def _nvidia_ml(made: Contents, package: Package) -> None:
    _add_library(made, "libnvidia-ml", package.upstream)
    _run_ldconfig(made)


def _nvidia_smi(made: Contents, package: Package) -> None:
    made.add("/usr/bin/nvidia-smi", stubs.program("nvidia-smi", package.upstream), 0o755)


def _nvidia_modprobe(made: Contents, _package: Package) -> None:
    made.add("/usr/bin/nvidia-modprobe", _script("nvidia-modprobe"), 0o755)


def _persistenced(made: Contents, package: Package) -> None:
    made.add("/usr/bin/nvidia-persistenced", stubs.program("nvidia-persistenced", package.upstream), 0o755)
    made.add(f"{_UNITS}/nvidia-persistenced.service", _script("nvidia-persistenced.service"))
    made.run(
        "postinst",
        """
getent passwd nvidia-persistenced >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin nvidia-persistenced
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
""",
    )
    made.run("prerm", "if [ -d /run/systemd/system ]; then systemctl stop nvidia-persistenced.service || :; fi")


def _blacklist_nouveau(made: Contents, _package: Package) -> None:
    made.add("/usr/lib/modprobe.d/nvidia-graphics-drivers.conf", _script("nvidia-graphics-drivers.conf"))
    made.run("postinst", "if command -v update-initramfs >/dev/null; then update-initramfs -u -k all; fi")


def _modprobe_conffile(made: Contents, _package: Package) -> None:
    """A configuration file: it stays when the package is removed, and the package with it as "rc"."""
    path = "/etc/modprobe.d/nvidia-graphics-drivers-kms.conf"
    made.add(path, "# options nvidia_drm modeset=1\n")
    made.conffiles.append(path)


def _firmware(made: Contents, package: Package) -> None:
    made.add(f"/usr/lib/firmware/nvidia/{package.upstream}/gsp_ga10x.bin", "stand-in\n")


def _dkms_module(flavour: str) -> Callable[[Contents, Package], None]:
    def add(made: Contents, package: Package) -> None:
        version = package.upstream
        source = f"/usr/src/nvidia-{version}"
        made.add(f"{source}/nvidia.ko", stubs.module(version, _LICENCES[flavour]))
        made.add(f"{source}/dkms.conf", f'PACKAGE_NAME="nvidia"\nPACKAGE_VERSION="{version}"\nAUTOINSTALL="yes"\n')
        made.run("postinst", f"/usr/lib/dkms/common.postinst nvidia {version}")
        made.run("prerm", f"if [ -x /usr/sbin/dkms ]; then dkms remove -m nvidia -v {version} --all || :; fi")

    return add


def _dkms(made: Contents, _package: Package) -> None:
    made.add("/usr/sbin/dkms", _script("dkms"), 0o755)
    made.add("/usr/lib/dkms/common.postinst", _script("dkms-common.postinst"), 0o755)


def _pin(made: Contents, pattern: str) -> None:
    path = "/etc/apt/preferences.d/nvidia-driver-pin"
    made.add(path, f"Package: {_PINNED}\nPin: version {pattern}\nPin-Priority: 1000\n")
    made.conffiles.append(path)


def _pin_branch(made: Contents, package: Package) -> None:
    _pin(made, f"{package.version.partition('-')[0]}.*")


def _pin_version(made: Contents, package: Package) -> None:
    _pin(made, f"{package.version.partition('-')[0]}-*")


def _kernel_image(made: Contents, _package: Package) -> None:
    kernel = platform.release()
    made.add(f"/boot/vmlinuz-{kernel}", "stand-in\n")
    made.add(f"/usr/lib/modules/{kernel}/modules.order", "")
    made.add(f"/usr/lib/modules/{kernel}/modules.builtin", "")
    made.run("postinst", f"depmod {kernel}\nupdate-initramfs -c -k {kernel}")


def _kernel_headers(made: Contents, _package: Package) -> None:
    kernel = platform.release()
    made.add(f"/usr/src/linux-headers-{kernel}/Makefile", "# stand-in\n")
    made.links[f"/usr/lib/modules/{kernel}/build"] = f"/usr/src/linux-headers-{kernel}"
    made.run("postinst", f"if [ -x /usr/sbin/dkms ]; then dkms autoinstall -k {kernel}; fi")


def _initramfs_tools(made: Contents, _package: Package) -> None:
    made.add("/usr/sbin/update-initramfs", _script("update-initramfs"), 0o755)


def _toolkit(made: Contents, package: Package) -> None:
    program = "/usr/lib/nvidia-container-toolkit/toolkit.py"
    text = _script("toolkit.py").replace("@VERSION@", package.upstream)
    made.add(program, f"#!/usr/bin/python3\n{text}", 0o755)
    for name in ("nvidia-ctk", "nvidia-container-runtime", "nvidia-cdi-hook", "nvidia-container-cli"):
        made.links[f"/usr/bin/{name}"] = program
    made.run("postinst", "nvidia-ctk config --in-place")


def _cdi_refresh(made: Contents, _package: Package) -> None:
    units = ("nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service")
    for unit in units:
        made.add(f"{_UNITS}/{unit}", _script(unit))
    names = " ".join(units)
    where = "if [ -d /run/systemd/system ]; then"
    made.run("postinst", f"{where} systemctl daemon-reload; systemctl enable --now {names} || :; fi")
    made.run("prerm", f"{where} systemctl disable --now {names} || :; fi")


def _runtime_hook(made: Contents, _package: Package) -> None:
    made.links["/usr/bin/nvidia-container-runtime-hook"] = "/usr/lib/nvidia-container-toolkit/toolkit.py"


def _nvidia_docker2(made: Contents, _package: Package) -> None:
    path = "/etc/docker/daemon.json"
    runtime = {"path": "nvidia-container-runtime", "runtimeArgs": []}
    made.add(path, json.dumps({"runtimes": {"nvidia": runtime}}, indent=4) + "\n")
    made.conffiles.append(path)
    made.add("/usr/bin/nvidia-docker", '#!/bin/sh\nexec docker run --runtime=nvidia "$@"\n', 0o755)


PAYLOADS: dict[str, Callable[[Contents, Package], None]] = {
    "libcuda": _libcuda,
    "nvidia-ml": _nvidia_ml,
    "nvidia-smi": _nvidia_smi,
    "nvidia-modprobe": _nvidia_modprobe,
    "persistenced": _persistenced,
    "blacklist-nouveau": _blacklist_nouveau,
    "modprobe-conffile": _modprobe_conffile,
    "firmware": _firmware,
    "dkms-proprietary": _dkms_module("proprietary"),
    "dkms-open": _dkms_module("open"),
    "dkms": _dkms,
    "pin-branch": _pin_branch,
    "pin-version": _pin_version,
    "kernel-image": _kernel_image,
    "kernel-headers": _kernel_headers,
    "initramfs-tools": _initramfs_tools,
    "toolkit": _toolkit,
    "cdi-refresh": _cdi_refresh,
    "runtime-hook": _runtime_hook,
    "nvidia-docker2": _nvidia_docker2,
}
