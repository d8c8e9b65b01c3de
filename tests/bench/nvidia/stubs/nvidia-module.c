/* SPDX-License-Identifier: GPL-3.0-or-later
 * The kernel module as modinfo reads it. The section of the version that a kernel would demand is missing: none loads it. */
#define MODINFO(name, text) __attribute__((section(".modinfo"), used)) static const char name[] = text
MODINFO(license, "license=" LICENSE);
MODINFO(version, "version=" VERSION);
MODINFO(firmware, "firmware=nvidia/" VERSION "/gsp_ga10x.bin");
MODINFO(name, "name=nvidia");
