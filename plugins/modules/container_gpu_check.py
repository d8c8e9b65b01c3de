#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_gpu_check
short_description: Look whether a running container sees the GPU
version_added: 0.1.0
description:
  - Starts CUDA in a running container (C(cuInit) of C(libcuda.so.1), by its own Python 3) and asks C(nvidia-smi) there.
  - Tells what stands in the way if it does not work. The device files that the container may not use, the driver's
    libraries missing or of another version, an image that is too new for the driver, and CUDA compatibility libraries
    of the image before those of the driver each have a message of their own.
  - A container without a GPU is a result, not a failure. A container that cannot be asked is a failure.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
options:
  container:
    description: The running container, by name. It needs a C(python3).
    type: str
    required: true
  after:
    description: What has just happened to it; the same failure means another thing then.
    type: str
    choices: [start, daemon_reload, docker_restart]
    default: start
  timeout:
    description: For how many seconds CUDA and C(nvidia-smi) may each be at work.
    type: int
    default: 60
notes:
  - Needs C(docker) and Python 3.10 or later on the target, and nothing else.
seealso:
  - module: toolserve.gpunode.cuda_check
  - module: toolserve.gpunode.gpu_info
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Ask CUDA in the container
  toolserve.gpunode.container_gpu_check:
    container: vllm-server
  become: true
  register: gpu

- name: It sees the GPU
  ansible.builtin.assert:
    that: gpu.passed
    fail_msg: "{{ gpu.cause.symptom }}. {{ gpu.cause.cause }} {{ gpu.cause.fix }}"
"""

RETURN = r"""
passed:
  description: Whether CUDA starts and C(nvidia-smi) lists a GPU in the container.
  type: bool
  returned: success
  sample: true
result:
  description: What C(cuInit) returned; V(null) if it could not be called or did not return.
  type: int
  returned: success
  sample: 0
device_count:
  description: The number of GPUs that CUDA sees; V(null) if it was not asked.
  type: int
  returned: success
  sample: 1
gpus:
  description: The lines of C(nvidia-smi -L).
  type: list
  elements: str
  returned: success
  sample: ["GPU 0: NVIDIA RTX 4000 SFF Ada Generation (UUID: GPU-5f5b9a04-0000-0000-0000-000000000000)"]
libcuda_path:
  description: The file of C(libcuda.so.1) in the container; V(null) if there is none.
  type: str
  returned: success
  sample: /usr/lib/x86_64-linux-gnu/libcuda.so.595.91.07
cuda_version:
  description: The newest CUDA that this library runs; V(null) if it does not say.
  type: str
  returned: success
  sample: "13.2"
required_cuda_version:
  description: The least CUDA that the image asks for (E(NVIDIA_REQUIRE_CUDA)); V(null) if it does not say.
  type: str
  returned: success
  sample: "13.0"
compat:
  description: Whether the library is the image's CUDA compatibility library and not the driver's.
  type: bool
  returned: success
  sample: false
cause:
  description: What stands in the way; V(null) when it works.
  type: dict
  returned: success
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
  sample: null
"""

import json
import subprocess

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import cuda_probe
from ansible_collections.toolserve.gpunode.plugins.module_utils.container_gpu import (
    DAEMON_RELOAD,
    DOCKER_RESTART,
    START,
    ContainerAnswer,
    judge,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_state import loaded_module_version


class Container:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["container"]
        self.docker = module.get_bin_path("docker", required=True)

    def environment(self) -> dict[str, str]:
        """What the container was started with; ends the module where it does not run."""
        status, output, errors = self.module.run_command([self.docker, "inspect", "--type", "container", self.name])
        if status != 0:
            self.module.fail_json(msg=f"There is no container {self.name}: {errors.strip()}")
        (container,) = json.loads(output)
        if not container["State"]["Running"]:
            self.module.fail_json(
                msg=f"The container {self.name} does not run ({container['State']['Status']}), so that it cannot be "
                f"asked. Look why it has ended: docker logs {self.name}"
            )
        return dict(line.split("=", 1) for line in container["Config"]["Env"] or [] if "=" in line)

    def cuda(self) -> cuda_probe.CudaAnswer:
        status, output, errors = self.run("python3", "-c", cuda_probe.PROGRAM)
        if status in (126, 127):
            self.module.fail_json(
                msg=f"The container {self.name} has no python3 that runs ({errors.strip()}). Choose an image "
                "that has one."
            )
        ended = "" if status == 0 else cuda_probe.TIMEOUT if status is None else f"exit code {status}"
        return cuda_probe.answered(output, ended)

    def nvidia_smi(self) -> tuple[tuple[str, ...], str]:
        """The GPUs that it lists, or else its error."""
        status, output, errors = self.run("nvidia-smi", "-L")
        gpus = tuple(line.strip() for line in output.splitlines() if line.startswith("GPU "))
        if status == 0 and gpus:
            return gpus, ""
        if status is None:
            return (), "nothing, it hangs"
        return (), " ".join((output + errors).split()) or f"nothing (exit code {status})"

    def run(self, *command: str) -> tuple[int | None, str, str]:
        """Exit code (None: it hangs), output and errors of a command in the container."""
        try:
            done = subprocess.run(
                [self.docker, "exec", self.name, *command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.module.params["timeout"],
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, "", ""
        return done.returncode, done.stdout, done.stderr


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "required": True},
            "after": {"type": "str", "choices": [START, DAEMON_RELOAD, DOCKER_RESTART], "default": START},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    container = Container(module)
    environment = container.environment()
    cuda = container.cuda()
    gpus, smi_error = container.nvidia_smi()
    required = "" if environment.get("NVIDIA_DISABLE_REQUIRE") else environment.get("NVIDIA_REQUIRE_CUDA", "")
    state = judge(
        ContainerAnswer(cuda, gpus, smi_error, required),
        loaded_module_version(),
        module.params["after"],
    )
    module.exit_json(changed=False, **state.as_dict())


if __name__ == "__main__":
    main()
