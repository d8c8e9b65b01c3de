# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of attributes, shared by the modules of this collection."""

from __future__ import annotations


class ModuleDocFragment:
    # Every module states support and details itself.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether it tells in C(check_mode) what it would change, without changing it.
  diff_mode:
    description: Whether it shows with C(--diff) what it changes, or would change.
  idempotent:
    description: Whether a second run with the same arguments changes nothing.
"""

    # For what only looks and never changes anything.
    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This only reads, so that check mode makes no difference.
  diff_mode:
    support: N/A
    details:
      - This never changes anything, so that there is nothing to show.
  idempotent:
    support: full
    details:
      - This never changes anything.
"""

    # For what needs Python on the target, and no package.
    STANDARD_LIBRARY = r"""
options: {}
notes:
  - Needs Python 3.10 or later on the target, and nothing else.
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/toolserve.gpunode.endpoint) in C(module_defaults) to give the options of an endpoint once for all
        modules that talk to it.
    support: full
    membership:
      - toolserve.gpunode.endpoint
"""
