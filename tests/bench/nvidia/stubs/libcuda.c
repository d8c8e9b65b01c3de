/* SPDX-License-Identifier: GPL-3.0-or-later
 * libcuda.so.1 of the stand-in driver: initialisation and the device list, nothing that computes. */
#include "standin.h"

/* What a test asks for, else what the real library says of this state of the machine. */
int cuInit(unsigned flags) {
    char text[64];
    (void)flags;
    if (standin_read("/srv/standin/cuinit", text, sizeof text))
        return atoi(text);
    if (!standin_module(text, sizeof text))
        return 100; /* CUDA_ERROR_NO_DEVICE */
    if (strcmp(text, VERSION) != 0)
        return 803; /* CUDA_ERROR_SYSTEM_DRIVER_MISMATCH */
    if (standin_device("/dev/nvidiactl") || standin_device("/dev/nvidia0"))
        return 100;
    if (standin_device("/dev/nvidia-uvm"))
        return 999; /* CUDA_ERROR_UNKNOWN */
    return 0;
}

int cuDeviceGetCount(int *count) {
    *count = 1;
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return ordinal == 0 ? 0 : 101; /* CUDA_ERROR_INVALID_DEVICE */
}

int cuDeviceGetName(char *name, int length, int device) {
    (void)device;
    snprintf(name, (unsigned)length, "NVIDIA RTX 4000 SFF Ada Generation");
    return 0;
}

int cuDriverGetVersion(int *version) {
    *version = CUDA_VERSION;
    return 0;
}

int cuGetErrorName(int error, const char **name) {
    switch (error) {
    case 0: *name = "CUDA_SUCCESS"; return 0;
    case 100: *name = "CUDA_ERROR_NO_DEVICE"; return 0;
    case 803: *name = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; return 0;
    case 804: *name = "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"; return 0;
    case 999: *name = "CUDA_ERROR_UNKNOWN"; return 0;
    default: *name = NULL; return 1; /* CUDA_ERROR_INVALID_VALUE */
    }
}

int cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }
