# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's main() in this process, as Ansible would run it in one of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run_module(capfd: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """``run_module(module, option=value)`` gives what the module returns."""

    def run(module: ModuleType, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        with patch_module_args({**options, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit) as ended:
            module.main()
        result: dict[str, Any] = json.loads(capfd.readouterr().out)
        assert bool(result.get("failed")) == (ended.value.code != 0)
        return result

    return run
