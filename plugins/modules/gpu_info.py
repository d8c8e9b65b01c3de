#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_info
short_description: Look at the NVIDIA GPUs of a machine
version_added: 0.1.0
description:
  - Tells which NVIDIA GPUs a machine has, what they can do, what they are doing, and what stands in the way of using
    them.
  - Asks NVML, the library of the driver. Where NVML cannot be asked, or not for everything, C(nvidia-smi) is asked
    too. The kernel's list of PCI devices shows GPUs without any driver. A table of known GPUs is the last resort for
    the name, the compute capability, the (nominal) memory and its bandwidth.
  - Each value says where it came from. What no source knows is V(null).
  - A machine without a GPU or without a driver is a result, not a failure.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
notes:
  - Run it as root (C(become)) to see the processes of other users.
  - NVML prepares the GPUs when it is asked, as C(nvidia-smi) does. Without persistence mode this can take seconds.
seealso:
  - name: NVML API reference
    description: What the values mean to the driver.
    link: https://docs.nvidia.com/deploy/nvml-api/index.html
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Look at the GPUs
  toolserve.gpunode.gpu_info:
  become: true
  register: gpu

- name: Show them in one line
  ansible.builtin.debug:
    var: gpu.summary

- name: Stop when something stands in the way of using them
  ansible.builtin.assert:
    that: gpu.problems | length == 0
    fail_msg: >-
      {% for problem in gpu.problems %}
      {{ problem.symptom }}. {{ problem.cause }} {{ problem.fix }}
      {% endfor %}

- name: Stop when another program uses a GPU
  ansible.builtin.assert:
    that: gpu.gpus | map(attribute='processes') | select | flatten | length == 0

- name: Trust only a bandwidth that follows from what the driver reports
  ansible.builtin.assert:
    that: item.sources.peak_bandwidth_bytes_per_second | default('unknown') == 'nvml'
  loop: "{{ gpu.gpus }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
summary:
  description: One line that names the GPUs and their peak memory bandwidth, or says that there is none.
  type: str
  returned: always
  sample: NVIDIA RTX 4000 SFF Ada Generation, 280 GB/s (nvml)
gpus:
  description:
    - The GPUs, those that the driver offers first. Empty where there is none.
    - Every key is always there; V(null) means that no source knows the value, or that this GPU does not have it.
  type: list
  elements: dict
  returned: always
  contains:
    index:
      description: The number by which NVML and C(nvidia-smi) know it; V(null) without a driver.
      type: int
      returned: always
    uuid:
      description: The name that stays the same when the order changes.
      type: str
      returned: always
    name:
      description: The product.
      type: str
      returned: always
    pci_address:
      description: Its place on the PCI bus, as in C(/sys/bus/pci/devices).
      type: str
      returned: always
    pci_id:
      description: Vendor and device, as C(lspci -n) writes them.
      type: str
      returned: always
    kernel_driver:
      description: The kernel driver that holds it, such as V(nvidia), V(nouveau) or V(vfio-pci); V(null) for none.
      type: str
      returned: always
    compute_capability:
      description: What CUDA code must be built for.
      type: str
      returned: always
    memory_total_bytes:
      description: All of its memory.
      type: int
      returned: always
    memory_reserved_bytes:
      description: What driver and firmware keep for themselves.
      type: int
      returned: always
    memory_used_bytes:
      description: What programs have allocated. Includes the reserved part where the driver does not tell it apart.
      type: int
      returned: always
    memory_free_bytes:
      description: What can still be allocated.
      type: int
      returned: always
    memory_bus_width_bits:
      description: The width of the memory bus.
      type: int
      returned: always
    clock_memory_mhz:
      description: The memory clock now.
      type: int
      returned: always
    clock_memory_max_mhz:
      description: The highest memory clock.
      type: int
      returned: always
    clock_sm_mhz:
      description: The clock of the streaming multiprocessors now; low while idle.
      type: int
      returned: always
    clock_sm_max_mhz:
      description: Their highest clock.
      type: int
      returned: always
    peak_bandwidth_bytes_per_second:
      description:
        - The most that the memory can deliver, V(2 x highest memory clock x bus width / 8).
        - Taken from a table of known GPUs where the driver does not tell the bus width or the clock, or tells what
          cannot be.
      type: int
      returned: always
    peak_bandwidth_basis:
      description: How the peak bandwidth was obtained, in words.
      type: str
      returned: always
    throttle_reasons:
      description:
        - What keeps the clocks down now, by the names of C(nvidia-smi). An unknown reason appears as its bit.
        - For instance V(gpu_idle), V(sw_power_cap), V(hw_slowdown), V(sw_thermal_slowdown), V(hw_thermal_slowdown),
          V(hw_power_brake_slowdown). Empty while nothing does.
      type: list
      elements: str
      returned: always
    power_draw_watts:
      description: The power that it draws now.
      type: float
      returned: always
    power_limit_watts:
      description: The power limit in force.
      type: float
      returned: always
    power_limit_default_watts:
      description: The power limit that it was made for.
      type: float
      returned: always
    power_limit_max_watts:
      description: The highest power limit that can be set.
      type: float
      returned: always
    temperature_celsius:
      description: The temperature of the chip.
      type: int
      returned: always
    utilization_percent:
      description: How much of the last moment something ran on it; V(null) with MIG.
      type: int
      returned: always
    persistence_mode:
      description: Whether the driver keeps it ready while nothing uses it.
      type: bool
      returned: always
    ecc_mode:
      description: Whether its memory corrects errors.
      type: bool
      returned: always
    mig_mode:
      description: Whether it is cut into slices.
      type: bool
      returned: always
    processes:
      description:
        - The programs that use it now, those that compute and those that draw. A source other than NVML lists only
          those that compute.
      type: list
      elements: dict
      returned: always
      contains:
        pid:
          description: The number of the process, as the host counts.
          type: int
          returned: always
        name:
          description: Its short name; V(null) if it is of another PID namespace.
          type: str
          returned: always
        memory_bytes:
          description: How much of the GPU's memory it holds.
          type: int
          returned: always
    sources:
      description:
        - Where each value came from, by its key, one of V(nvml), V(nvidia-smi), V(sysfs), V(table).
        - The peak bandwidth has the source of the bus width it is calculated from, or V(table).
      type: dict
      returned: always
  sample:
    - index: 0
      uuid: GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11
      name: NVIDIA RTX 4000 SFF Ada Generation
      pci_address: "0000:01:00.0"
      pci_id: 10de:27b0
      kernel_driver: nvidia
      peak_bandwidth_bytes_per_second: 280040000000
      peak_bandwidth_basis: 2 x 7001 MHz x 160 bit / 8
      throttle_reasons: [gpu_idle]
      processes:
        - {pid: 4242, name: python3, memory_bytes: 17179869184}
      sources:
        name: nvml
        kernel_driver: sysfs
driver:
  description: The NVIDIA driver.
  type: dict
  returned: always
  contains:
    version:
      description: The version that its libraries report; V(null) if they cannot be asked.
      type: str
      returned: always
    cuda_version:
      description: The newest CUDA that it runs.
      type: str
      returned: always
    kernel_module_version:
      description: The version of the kernel module that is loaded; V(null) if none is.
      type: str
      returned: always
    open_kernel_module:
      description: Whether that is the open flavour.
      type: bool
      returned: always
    sources:
      description: Where each value came from.
      type: dict
      returned: always
  sample:
    version: 595.91.07
    cuda_version: "13.2"
    kernel_module_version: 595.91.07
    open_kernel_module: true
    sources: {version: nvml, cuda_version: nvml, kernel_module_version: sysfs, open_kernel_module: sysfs}
problems:
  description:
    - What stands between the GPUs and their use, or makes what is known of them doubtful. Empty when all is well.
    - Whether a GPU is slow or busy is not judged here.
  type: list
  elements: dict
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
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_state import look


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, **look().as_dict())


if __name__ == "__main__":
    main()
