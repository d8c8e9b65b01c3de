#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_image
short_description: Make a small container image of the machine's own Python
version_added: 0.1.0
description:
  - Packs the Python of the machine, the modules that a check of CUDA needs and the C library into an image of about
    11 MB. Nothing is downloaded, so that this works without a registry.
  - Meant for M(toolserve.gpunode.container_gpu_check), and as good as the machine itself for what it proves. What a
    GPU needs is not packed; it has to come from the container runtime.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - An image of this name that exists is left as it is, whatever is in it.
options:
  name:
    description: The image, by name and tag.
    type: str
    required: true
notes:
  - Needs C(docker) and Python 3.10 or later on the target, and nothing else.
seealso:
  - module: toolserve.gpunode.container_gpu_check
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Have something to start in a container, without a registry
  toolserve.gpunode.python_image:
    name: localhost/python:proof
  become: true
"""

RETURN = r"""
image_id:
  description: The image's id.
  type: str
  returned: success, not when it would be made in check mode
  sample: sha256:e4b386785e00f7477d1f2ad087ba1cfb084de6b00d5362a83726be1d4cf006b4
"""

import subprocess
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.python_image import archive


def main() -> None:
    module = AnsibleModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    name: str = module.params["name"]
    docker = module.get_bin_path("docker", required=True)
    status, found, _errors = module.run_command([docker, "image", "inspect", "--format", "{{.Id}}", name])
    if status == 0:
        module.exit_json(changed=False, image_id=found.strip())
    if module.check_mode:
        module.exit_json(changed=True)
    # As a file, because an engine that refuses the image does not read it to its end.
    with tempfile.NamedTemporaryFile(dir=module.tmpdir, suffix=".tar") as file:
        try:
            file.write(archive())
            file.flush()
        except (OSError, subprocess.SubprocessError) as error:
            module.fail_json(
                msg=f"The Python of this machine cannot be packed: {error}. Repair it (dpkg --verify python3-minimal "
                "libpython3-stdlib), or use an image that holds a Python 3."
            )
        status, made, errors = module.run_command([docker, "import", file.name, name])
    if status != 0:
        module.fail_json(msg=f"docker import refuses the image: {errors.strip()}. Does Docker run? Is the disk full?")
    module.exit_json(changed=True, image_id=made.strip())


if __name__ == "__main__":
    main()
