/* SPDX-License-Identifier: GPL-3.0-or-later
 * nvidia-persistenced of the stand-in driver: a daemon that keeps the mode which it was started with. */
#include "standin.h"
#include <signal.h>
#include <sys/stat.h>

#define FOLDER "/run/nvidia-persistenced"

static void put(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0) {
        if (write(file, text, strlen(text)) < 0)
            _exit(1);
        close(file);
    }
}

int main(int count, char **arguments) {
    char version[64], pid[16];
    const char *mode = "1";
    sigset_t ends;
    int signal_number;
    for (int i = 1; i < count; i++)
        if (!strcmp(arguments[i], "--no-persistence-mode"))
            mode = "0";
    if (!standin_module(version, sizeof version) || strcmp(version, VERSION) != 0) {
        fprintf(stderr, "nvidia-persistenced failed to initialize. Check syslog for more details.\n");
        return 1;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    mkdir(FOLDER, 0755);
    pid_t child = fork();
    if (child < 0)
        return 1;
    if (child > 0) {
        snprintf(pid, sizeof pid, "%d\n", child);
        put(FOLDER "/nvidia-persistenced.pid", pid);
        put(STATE "persistence_mode", mode);
        return 0;
    }
    setsid();
    sigwait(&ends, &signal_number);
    put(STATE "persistence_mode", "0");
    unlink(FOLDER "/nvidia-persistenced.pid");
    return 0;
}
