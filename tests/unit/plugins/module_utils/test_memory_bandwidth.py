# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.memory_bandwidth import (
    KNOWN_GPUS,
    PLAUSIBLE_BYTES_PER_SECOND,
    KnownGpu,
    known_gpu,
    peak_bandwidth,
)


def gpu(bits: int | None = None, mhz: int | None = None, **fields: Any) -> dict[str, Any]:
    return {"memory_bus_width_bits": bits, "clock_memory_max_mhz": mhz, **fields}


@pytest.mark.parametrize(
    ("bits", "mhz", "gigabytes"),
    [  # clocks as nvidia-smi showed them on real boards; bus widths and GB/s of their data sheets
        pytest.param(384, 9751, 936, id="RTX 3090, GDDR6X"),
        pytest.param(384, 10501, 1008, id="RTX 4090, GDDR6X"),
        pytest.param(256, 11501, 736, id="RTX 4080 SUPER, GDDR6X"),
        pytest.param(256, 7751, 496, id="RTX 2080 SUPER, GDDR6"),
        pytest.param(384, 9001, 864, id="L40S, GDDR6"),
        pytest.param(512, 14001, 1792, id="RTX 5090, GDDR7"),
        pytest.param(5120, 1215, 1555, id="A100 40 GB, HBM2"),
        pytest.param(5120, 2619, 3352, id="H100 SXM, HBM3"),
        pytest.param(7680, 3996, 7672, id="B200, HBM3e"),
    ],
)
def test_the_formula_agrees_with_data_sheets(bits: int, mhz: int, gigabytes: int) -> None:
    peak = peak_bandwidth(gpu(bits, mhz))
    assert peak.bytes_per_second is not None and not peak.from_table and not peak.doubt
    assert round(peak.bytes_per_second / 10**9) == gigabytes
    assert peak.basis == f"2 x {mhz} MHz x {bits} bit / 8"


def test_the_h200_comes_out_above_its_data_sheet_and_is_believed() -> None:
    peak = peak_bandwidth(gpu(6144, 3201, pci_id="10de:2335"))
    assert peak.bytes_per_second == 4_916_736_000_000 and not peak.from_table and not peak.doubt


@pytest.mark.parametrize(
    ("bits", "mhz"), [(None, None), (160, None), (None, 7001), (0, 7001), (160, 0)], ids=lambda value: str(value)
)
def test_the_table_steps_in_where_the_driver_does_not_tell(bits: int | None, mhz: int | None) -> None:
    peak = peak_bandwidth(gpu(bits, mhz, pci_id="10de:27b0"))
    assert (peak.bytes_per_second, peak.from_table, peak.doubt) == (280 * 10**9, True, "")
    assert "160 bit x 14 Gbit/s" in peak.basis


def test_a_gpu_that_nobody_knows() -> None:
    peak = peak_bandwidth(gpu(pci_id="10de:ffff", name="NVIDIA Unheard-of"))
    assert (peak.bytes_per_second, peak.from_table, peak.basis, peak.doubt) == (None, False, "", "")


@pytest.mark.parametrize("factor", [0.5, 2, 4], ids=["half", "twice", "four times"])
@pytest.mark.parametrize("known", KNOWN_GPUS, ids=lambda known: known.name)
def test_a_wrong_factor_is_caught_for_every_known_gpu(known: KnownGpu, factor: float) -> None:
    mhz = int(known.gigabytes_per_second * 1000 * 8 / 512 / 2)
    right = peak_bandwidth(gpu(512, mhz, pci_id=known.pci_id))
    wrong = peak_bandwidth(gpu(512, int(mhz * factor), pci_id=known.pci_id))
    assert not right.from_table and not right.doubt
    assert wrong.from_table and wrong.bytes_per_second == known.bytes_per_second
    assert f"the table of known GPUs says {known.gigabytes_per_second} GB/s" in wrong.doubt


@pytest.mark.parametrize(("bits", "mhz"), [(64, 405), (8192, 40000)])
def test_what_no_gpu_has_is_not_believed(bits: int, mhz: int) -> None:
    peak = peak_bandwidth(gpu(bits, mhz, name="NVIDIA Unheard-of"))
    assert peak.bytes_per_second is None and "which no GPU has" in peak.doubt


def test_a_name_will_do_where_there_is_no_pci_id() -> None:
    known = known_gpu({"name": "NVIDIA L4", "pci_id": None})
    assert known is not None and known.pci_id == "10de:27b8"
    assert known_gpu({"name": None, "pci_id": None}) is None


def test_the_table_is_well_formed() -> None:
    least, most = PLAUSIBLE_BYTES_PER_SECOND
    assert len({known.pci_id for known in KNOWN_GPUS}) == len({known.name for known in KNOWN_GPUS}) == len(KNOWN_GPUS)
    for known in KNOWN_GPUS:
        assert re.fullmatch("10de:[0-9a-f]{4}", known.pci_id) and least < known.bytes_per_second < most and known.source


@pytest.mark.parametrize("known", [known for known in KNOWN_GPUS if " bit x " in known.source], ids=lambda k: k.name)
def test_a_row_whose_source_is_a_product_is_that_product(known: KnownGpu) -> None:
    product = re.search(r"(\d+) bit x (?:2 x (\d+) MHz|(\d+) Gbit/s)", known.source)
    assert product is not None
    bits, clock, rate = product.groups()
    computed = int(bits) / 8 * (2 * int(clock) / 1000 if clock else int(rate))
    assert computed == pytest.approx(known.gigabytes_per_second, rel=0.03)
