# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status_file import without

LIBC = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12
Description: the library
 .
 Package: libnvidia-gl-535
"""
GL = """\
Package: libnvidia-gl-535
Status: install ok installed
Architecture: amd64
Depends: libc6
"""
GL_I386 = GL.replace("amd64", "i386")
FIRMWARE = "Package: nvidia-firmware-535\nStatus: deinstall ok config-files\nArchitecture: all\n"
STATUS = "\n".join((LIBC, GL, GL_I386, FIRMWARE))


@pytest.mark.parametrize(
    ("names", "left"),
    [
        ([], (LIBC, GL, GL_I386, FIRMWARE)),
        (["libnvidia-gl-535"], (LIBC, GL_I386, FIRMWARE)),
        (["libnvidia-gl-535:i386"], (LIBC, GL, FIRMWARE)),
        (["nvidia-firmware-535", "libnvidia-gl-535:i386", "not-there"], (LIBC, GL)),
        (["libc6", "libnvidia-gl-535"], (GL_I386, FIRMWARE)),
    ],
)
def test_what_is_named_is_left_out_and_nothing_else(names: list[str], left: tuple[str, ...]) -> None:
    assert without(STATUS, names, "amd64") == "\n".join(left) + "\n"


def test_without_names_it_is_the_same() -> None:
    assert without(STATUS + "\n", [], "amd64") == STATUS + "\n"
    assert without("", ["libc6"], "amd64") == ""
