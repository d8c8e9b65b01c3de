/* SPDX-License-Identifier: GPL-3.0-or-later
 * nvidia-smi of the stand-in driver. Like the real one it knows nothing itself: it loads libnvidia-ml.so.1 and fails as that does. */
#define _GNU_SOURCE
#include "standin.h"
#include <dlfcn.h>

static void *library;

static int call0(const char *name) {
    int (*function)(void) = (int (*)(void))dlsym(library, name);
    return function ? function() : 13;
}

static const char *driver_version(void) {
    static char version[80];
    int (*function)(char *, unsigned) = (int (*)(char *, unsigned))dlsym(library, "nvmlSystemGetDriverVersion");
    if (!function || function(version, sizeof version))
        return "[Unknown Error]";
    return version;
}

static const char *persistence_mode(void) {
    unsigned mode = 0;
    int (*function)(void *, unsigned *) = (int (*)(void *, unsigned *))dlsym(library, "nvmlDeviceGetPersistenceMode");
    return function && !function(NULL, &mode) && mode ? "Enabled" : "Disabled";
}

static const struct { const char *field, *value, *unit; } VALUES[] = {
    {"index", "0", ""}, {"count", "1", ""}, {"uuid", "GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11", ""},
    {"gpu_uuid", "GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11", ""},
    {"name", "NVIDIA RTX 4000 SFF Ada Generation", ""}, {"gpu_name", "NVIDIA RTX 4000 SFF Ada Generation", ""},
    {"pci.bus_id", "00000000:01:00.0", ""}, {"pci.device_id", "0x27B010DE", ""}, {"compute_cap", "8.9", ""},
    {"memory.total", "20475", " MiB"}, {"memory.reserved", "364", " MiB"}, {"memory.used", "0", " MiB"},
    {"memory.free", "20111", " MiB"}, {"clocks.current.memory", "405", " MHz"}, {"clocks.max.memory", "7001", " MHz"},
    {"clocks.current.sm", "210", " MHz"}, {"clocks.max.sm", "2505", " MHz"},
    {"clocks_event_reasons.active", "0x0000000000000001", ""}, {"power.draw", "9.87", " W"},
    {"enforced.power.limit", "70.00", " W"}, {"power.default_limit", "70.00", " W"}, {"power.max_limit", "70.00", " W"},
    {"temperature.gpu", "38", ""}, {"utilization.gpu", "0", " %"}, {"ecc.mode.current", "Disabled", ""},
    {"mig.mode.current", "[N/A]", ""}, {NULL, NULL, NULL},
};

static int print_field(const char *field, int units) {
    if (!strcmp(field, "driver_version"))
        return printf("%s", driver_version());
    if (!strcmp(field, "persistence_mode"))
        return printf("%s", persistence_mode());
    for (int i = 0; VALUES[i].field; i++)
        if (!strcmp(field, VALUES[i].field))
            return printf("%s%s", VALUES[i].value, units ? VALUES[i].unit : "");
    return 0;
}

static int query(const char *fields, const char *format) {
    char copy[4096], *rest, *field;
    int units = !strstr(format, "nounits");
    if (!strstr(format, "csv")) {
        printf("\"--format=\" switch is missing. It must be specified when --query-* switch is used.\n");
        return 2;
    }
    for (int heading = !strstr(format, "noheader"); heading >= 0; heading--) {
        const char *separator = "";
        snprintf(copy, sizeof copy, "%s", fields);
        for (field = strtok_r(copy, ",", &rest); field; field = strtok_r(NULL, ",", &rest)) {
            field += strspn(field, " ");
            printf("%s", separator);
            separator = ", ";
            if (heading)
                printf("%s", field);
            else if (!print_field(field, units)) {
                printf("\nField \"%s\" is not a valid field to query.\n\n", field);
                return 2;
            }
        }
        printf("\n");
    }
    return 0;
}

int main(int count, char **arguments) {
    const char *fields = NULL, *format = "", *mode = NULL;
    int list = 0, processes = 0, code;
    for (int i = 1; i < count; i++) {
        if (!strncmp(arguments[i], "--query-gpu=", 12)) fields = arguments[i] + 12;
        else if (!strncmp(arguments[i], "--query-compute-apps=", 21)) processes = 1;
        else if (!strncmp(arguments[i], "--format=", 9)) format = arguments[i] + 9;
        else if (!strcmp(arguments[i], "-L") || !strcmp(arguments[i], "--list-gpus")) list = 1;
        else if (!strcmp(arguments[i], "-pm") || !strcmp(arguments[i], "--persistence-mode")) mode = arguments[++i];
        else if (!strncmp(arguments[i], "--persistence-mode=", 19)) mode = arguments[i] + 19;
        else if (!strcmp(arguments[i], "-i") || !strcmp(arguments[i], "--id")) i++;
        else if (!strncmp(arguments[i], "--id=", 5)) continue;
        else { printf("Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n"); return 2; }
    }
    library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!library) {
        printf("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display "
               "Driver is properly installed and present in your system.\n");
        return 12;
    }
    code = call0("nvmlInit_v2");
    if (code == 9) {
        printf("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
               "NVIDIA driver is installed and running.\n\n");
        return 9;
    }
    if (code) {
        printf("Failed to initialize NVML: %s\n", code == 18 ? "Driver/library version mismatch" : "Unknown Error");
        return code > 255 ? 255 : code;
    }
    if (mode) {
        int file = open(STATE "persistence_mode", O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (file < 0 || write(file, !strcmp(mode, "1") || !strcmp(mode, "ENABLED") ? "1" : "0", 1) != 1)
            return 4;
        printf("%s persistence mode for GPU 00000000:01:00.0.\nAll done.\n", strcmp(mode, "0") ? "Enabled" : "Disabled");
    } else if (list)
        printf("GPU 0: NVIDIA RTX 4000 SFF Ada Generation (UUID: GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11)\n");
    else if (processes)
        return 0;
    else if (fields)
        return query(fields, format);
    else
        printf("NVIDIA-SMI %s   Driver Version: %s   CUDA Version: %s\n|   0  NVIDIA RTX 4000 SFF Ada ...  | 00000000:01:00.0 Off |\n",
               VERSION, driver_version(), CUDA_TEXT);
    return 0;
}
