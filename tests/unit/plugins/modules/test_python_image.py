# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module asks of docker; the stand-in of it keeps one image as a file."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.modules import python_image

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the stand-in of docker keeps the image."""
    kept = tmp_path / "image.tar"
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(
        f"""#!/bin/sh
        case "$1 $2" in
          "image inspect") [ -e {kept} ] && echo sha256:0123 ;;
          "import "*) [ ! -e {tmp_path}/full ] || {{ echo no space left on device >&2; exit 1; }}
            cp "$2" {kept} && echo sha256:0123 ;;
        esac
        """
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent), prepend=":")
    return kept


def test_it_is_made_once(image: Path, run_module: Run) -> None:
    assert run_module(python_image, check_mode=True, name="own:python")["changed"] is True
    assert not image.exists()
    assert run_module(python_image, name="own:python")["changed"] is True
    with tarfile.open(image) as tar:
        assert "usr/bin/python3" in tar.getnames()
    again = run_module(python_image, name="own:python")
    assert again["changed"] is False
    assert again["image_id"] == "sha256:0123"


def test_an_engine_that_refuses_it(image: Path, run_module: Run) -> None:
    (image.parent / "full").touch()
    result = run_module(python_image, name="own:python")
    assert result["failed"]
    assert "no space left on device" in result["msg"]
