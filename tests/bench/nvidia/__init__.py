# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for what cannot be had: NVIDIA's package repositories and a GPU. For tests only; nothing of it is shipped.

The package builds a folder of the cache that nodes with ``bench_gpu: true`` mount at /srv/bench/nvidia:

- repository/  what each of them serves to itself at http://127.0.0.1:8765/
- node/        what puts the GPU on the bus and loads its driver
- runfile/     the files of a driver that was installed without packages
"""
