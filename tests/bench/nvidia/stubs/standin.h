/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the stand-in libraries know of the stand-in GPU: files that tests/bench/nvidia/node/gpu writes and that the stand-in
 * container runtime mounts into containers. Only functions of old glibc are used: the libraries run in other images too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE "/run/nvidia-standin/"

/* The first line of a file, or nothing. */
static int standin_read(const char *path, char *text, unsigned length) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t count = read(file, text, length - 1);
    close(file);
    if (count < 0)
        count = 0;
    text[count] = 0;
    text[strcspn(text, "\n")] = 0;
    return 1;
}

/* As the real libraries do: nvidia-modprobe loads the module when nobody has. */
static int standin_module(char *version, unsigned length) {
    if (standin_read(STATE "module_version", version, length))
        return 1;
    if (access("/usr/bin/nvidia-modprobe", X_OK) == 0 && system("/usr/bin/nvidia-modprobe -u >/dev/null 2>&1") == 0)
        return standin_read(STATE "module_version", version, length);
    return 0;
}

/* The node exists and the cgroup lets this process use it. No driver stands behind it: any error but "forbidden" is as good as open. */
static int standin_device(const char *path) {
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file >= 0) {
        close(file);
        return 0;
    }
    return errno == ENOENT || errno == EPERM || errno == EACCES ? errno : 0;
}
