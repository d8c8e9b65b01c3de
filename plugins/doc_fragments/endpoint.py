# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that lead to an endpoint; the same as module_utils/endpoint_options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  base_url:
    description:
      - Address of the OpenAI-compatible API, as seen from the machine on which the module runs.
      - The trailing V(/v1) may be left out.
    type: str
    default: http://127.0.0.1:8000/v1
  api_key:
    description:
      - The key that the server asks for, sent as C(Authorization) header with the scheme C(Bearer).
      - Leave it out for a server without a key.
    type: str
  validate_certs:
    description:
      - Whether the server's certificate must be trusted, for O(base_url) with C(https).
    type: bool
    default: true
  ca_path:
    description:
      - File or folder with the certificates (PEM) of the authorities to trust.
      - By default the authorities of the machine on which the module runs are trusted.
    type: path
"""

    # For what asks a model for something.
    MODEL = r"""
options:
  model:
    description:
      - The name under which the model is served.
      - By default the first model that the server lists.
    type: str
  timeout:
    description:
      - How long each request may take, in seconds.
    type: float
"""
