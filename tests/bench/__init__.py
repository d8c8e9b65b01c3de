# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bench: everything real but the GPU. `python -m tests.bench --help` lists what it can do."""

import os
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "toolserve-gpunode"

# Every image and container of the bench carries this label; what has it may be removed.
LABEL = "toolserve-bench"
