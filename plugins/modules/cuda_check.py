#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cuda_check
short_description: Start CUDA on a machine and say why it does not
version_added: 0.1.0
description:
  - Loads C(libcuda.so.1), the part of the NVIDIA driver that CUDA programs need, and calls C(cuInit(0)), the first
    thing that every CUDA program does. C(nvidia-smi) does neither, and can work where CUDA does not.
  - Compares the version of the library with that of the loaded kernel module. They must be the same.
  - The library runs in a process of its own, so that a crash or a hang of it is a result too.
  - CUDA that does not work is a result, not a failure. O(fail) turns it into one.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
options:
  timeout:
    description:
      - How many seconds the library gets.
      - Without persistence mode the driver prepares every GPU anew, which takes seconds for each.
    type: float
    default: 120.0
  fail:
    description: Whether the task fails when CUDA does not work, with the cause as its message.
    type: bool
    default: false
notes:
  - Needs Python 3.10 or later on the target, and nothing else.
  - Run it as root (C(become)), so that missing device files can be made and permissions are no cause.
  - The environment counts, as for every CUDA program, E(LD_LIBRARY_PATH) and E(CUDA_VISIBLE_DEVICES) above all.
seealso:
  - module: toolserve.gpunode.gpu_info
  - name: CUDA driver API, CUresult
    description: All codes that cuInit may return.
    link: https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Stop unless CUDA works, and say why
  toolserve.gpunode.cuda_check:
    fail: true
  become: true

- name: See what CUDA says
  toolserve.gpunode.cuda_check:
  become: true
  register: cuda

- name: Show it
  ansible.builtin.debug:
    msg: "{{ cuda.libcuda_path }}: {{ cuda.name }}, {{ cuda.device_count }} GPU(s)"
"""

RETURN = r"""
passed:
  description: Whether CUDA starts, sees a GPU, and library and kernel module are of the same version.
  type: bool
  returned: always
  sample: true
result:
  description: What C(cuInit(0)) returned; V(null) if it could not be called or did not return.
  type: int
  returned: always
  sample: 0
name:
  description: The name of that number; V(null) if there is none.
  type: str
  returned: always
  sample: CUDA_SUCCESS
device_count:
  description: How many GPUs CUDA sees; V(null) unless it starts.
  type: int
  returned: always
  sample: 1
libcuda_path:
  description: The file that C(libcuda.so.1) led the loader to; V(null) if it could not be loaded.
  type: str
  returned: always
  sample: /usr/lib/x86_64-linux-gnu/libcuda.so.595.91.07
libcuda_version:
  description: The version in the name of that file; V(null) if there is none.
  type: str
  returned: always
  sample: 595.91.07
module_version:
  description: The version of the loaded kernel module; V(null) if none is loaded.
  type: str
  returned: always
  sample: 595.91.07
cause:
  description: Why CUDA does not work; V(null) when it does.
  type: dict
  returned: always
  contains:
    symptom:
      description: What was seen.
      type: str
      returned: always
    cause:
      description: What it means.
      type: str
      returned: always
    fix:
      description: What to do.
      type: str
      returned: always
    confidence:
      description: One of V(certain), V(likely), V(possible).
      type: str
      returned: always
  sample:
    symptom: >-
      libcuda.so.1 is 580.178.04 (/usr/lib/x86_64-linux-gnu/libcuda.so.580.178.04), the loaded kernel module is
      595.91.07; cuInit says 803 (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)
    cause: The driver's libraries and the loaded kernel module are of different versions.
    fix: Reboot, so that the module of the installed version is loaded.
    confidence: certain
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_state import look


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "timeout": {"type": "float", "default": 120.0},
            "fail": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if module.params["timeout"] <= 0:
        module.fail_json(msg=f"timeout is {module.params['timeout']:g}; the library needs more than 0 seconds")
    state = look(module.params["timeout"])
    result = {"changed": False, **state.as_dict()}
    if state.cause is not None and module.params["fail"]:
        module.fail_json(msg=f"{state.cause.symptom}. {state.cause.cause} {state.cause.fix}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
