/* SPDX-License-Identifier: GPL-3.0-or-later
 * libnvidia-ml.so.1 of the stand-in driver: one RTX 4000 SFF Ada, with the functions that plugins/module_utils/nvml.py calls.
 * Codes and structures are those of nvml.h. */
#include "standin.h"

#define UNINITIALIZED 1
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define DRIVER_NOT_LOADED 9
#define MISMATCH 18
#define UNKNOWN 999

static int initialized;
static int gpu; /* its address is the handle */

int nvmlInit_v2(void) {
    char module[64];
    if (!standin_module(module, sizeof module))
        return DRIVER_NOT_LOADED;
    if (strcmp(module, VERSION) != 0)
        return MISMATCH;
    switch (standin_device("/dev/nvidiactl")) {
    case 0: break;
    case ENOENT: return DRIVER_NOT_LOADED;
    default: return UNKNOWN; /* the cgroup forbids it: how a container loses its GPU */
    }
    initialized = 1;
    return 0;
}
int nvmlInitWithFlags(unsigned flags) { (void)flags; return nvmlInit_v2(); }
int nvmlShutdown(void) { initialized = 0; return 0; }

static int text(char *buffer, unsigned length, const char *value) {
    if (!initialized)
        return UNINITIALIZED;
    snprintf(buffer, length, "%s", value);
    return 0;
}
static int number(unsigned *target, unsigned value) { *target = value; return initialized ? 0 : UNINITIALIZED; }

const char *nvmlErrorString(int code) {
    switch (code) {
    case 0: return "Success";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case MISMATCH: return "Driver/library version mismatch";
    case NOT_SUPPORTED: return "Not Supported";
    default: return "Unknown Error";
    }
}
int nvmlSystemGetDriverVersion(char *buffer, unsigned length) { return text(buffer, length, VERSION); }
int nvmlSystemGetNVMLVersion(char *buffer, unsigned length) { return text(buffer, length, NVML_MAJOR "." VERSION); }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return number((unsigned *)version, CUDA_VERSION); }
int nvmlDeviceGetCount_v2(unsigned *count) { return number(count, 1); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = &gpu;
    return index == 0 ? 0 : INVALID_ARGUMENT;
}

struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; };
int nvmlDeviceGetPciInfo_v3(void *device, struct pci *pci) {
    (void)device;
    memset(pci, 0, sizeof *pci);
    pci->bus = 1;
    pci->id = 0x27b010de;
    pci->subsystem = 0x181b10de;
    snprintf(pci->legacy, sizeof pci->legacy, "0000:01:00.0");
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:01:00.0");
    return 0;
}

#define TOTAL (20475ULL << 20)
#define RESERVED (364ULL << 20)
struct memory_v1 { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(void *device, struct memory_v1 *memory) {
    (void)device;
    memory->total = TOTAL; memory->free = TOTAL - RESERVED; memory->used = RESERVED;
    return 0;
}
struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };
int nvmlDeviceGetMemoryInfo_v2(void *device, struct memory_v2 *memory) {
    (void)device;
    memory->total = TOTAL; memory->reserved = RESERVED; memory->free = TOTAL - RESERVED; memory->used = 0;
    return 0;
}

int nvmlDeviceGetUUID(void *d, char *b, unsigned l) { (void)d; return text(b, l, "GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11"); }
int nvmlDeviceGetName(void *d, char *b, unsigned l) { (void)d; return text(b, l, "NVIDIA RTX 4000 SFF Ada Generation"); }
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor) { (void)d; *major = 8; *minor = 9; return 0; }
int nvmlDeviceGetMemoryBusWidth(void *d, unsigned *bits) { (void)d; return number(bits, 160); }
/* Type 2 is the memory; 0 the graphics clock and 1 that of the multiprocessors. */
int nvmlDeviceGetClockInfo(void *d, unsigned type, unsigned *mhz) { (void)d; return number(mhz, type == 2 ? 405 : 210); }
int nvmlDeviceGetMaxClockInfo(void *d, unsigned type, unsigned *mhz) { (void)d; return number(mhz, type == 2 ? 7001 : 2505); }
int nvmlDeviceGetCurrentClocksEventReasons(void *d, unsigned long long *reasons) { (void)d; *reasons = 1; return 0; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *milliwatts) { (void)d; return number(milliwatts, 9870); }
int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *milliwatts) { (void)d; return number(milliwatts, 70000); }
int nvmlDeviceGetPowerManagementDefaultLimit(void *d, unsigned *milliwatts) { (void)d; return number(milliwatts, 70000); }
int nvmlDeviceGetPowerManagementLimitConstraints(void *d, unsigned *least, unsigned *most) {
    (void)d; *least = 50000; *most = 70000; return 0;
}
int nvmlDeviceGetTemperature(void *d, unsigned sensor, unsigned *celsius) { (void)d; (void)sensor; return number(celsius, 38); }
int nvmlDeviceGetUtilizationRates(void *d, unsigned *percent) { (void)d; percent[0] = percent[1] = 0; return 0; }
int nvmlDeviceGetPersistenceMode(void *d, unsigned *mode) {
    char state[8] = "0";
    (void)d;
    standin_read(STATE "persistence_mode", state, sizeof state);
    return number(mode, state[0] == '1');
}
int nvmlDeviceGetEccMode(void *d, unsigned *now, unsigned *next) { (void)d; *now = *next = 0; return 0; }
int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *next) { (void)d; (void)now; (void)next; return NOT_SUPPORTED; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *count, void *found) { (void)d; (void)found; return number(count, 0); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *d, unsigned *count, void *found) { (void)d; (void)found; return number(count, 0); }
