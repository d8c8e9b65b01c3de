# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel modules that DKMS knows, as ``dkms status`` of dkms 2 and 3 prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass

# dkms 2: "nvidia, 535.261.03, 6.1.0-40-amd64, x86_64: installed"
# dkms 3: "nvidia/595.91.07, 6.8.0-45-generic, x86_64: installed"
_LINE = re.compile(
    r"^(?P<module>[^/,\s]+)(?:/|, )(?P<version>[^,:\s]+)"
    r"(?:, (?P<kernel>[^,]+), (?P<architecture>[^:,]+))?: (?P<status>\w+)"
)


@dataclass(frozen=True)
class DkmsModule:
    """``kernel`` is null for a module that is only added; ``status`` is one of added, built, installed, broken."""

    module: str
    version: str
    kernel: str | None
    status: str

    def as_dict(self) -> dict[str, str | None]:
        """For return values."""
        return {"module": self.module, "version": self.version, "kernel": self.kernel, "status": self.status}


def parse(status: str) -> tuple[DkmsModule, ...]:
    """The modules of NVIDIA's driver; warnings and modules of others are left out."""
    found = (_LINE.match(line) for line in status.splitlines())
    return tuple(
        DkmsModule(line["module"], line["version"], line["kernel"], line["status"])
        for line in found
        if line and line["module"].startswith("nvidia") and not line["module"].startswith("nvidia-fs")
    )
