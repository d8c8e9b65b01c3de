# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
