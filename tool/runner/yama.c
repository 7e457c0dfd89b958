#define _GNU_SOURCE
#include "tool/runner/yama.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int yama_scope(void) {
    int scope = YAMA_ALL;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (file == NULL)
        return YAMA_ALL;
    if (fscanf(file, "%d", &scope) != 1)
        scope = YAMA_ALL;
    fclose(file);
    return scope;
}

bool yama_ancestors_only(int scope) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (scope != YAMA_ANCESTORS)
        return false;
    return syscall(SYS_capget, &header, sets) < 0 ||
           (sets[CAP_TO_INDEX(CAP_SYS_PTRACE)].effective & CAP_TO_MASK(CAP_SYS_PTRACE)) == 0;
}

const char *yama_remedy(int scope) {
    return scope == YAMA_NOBODY ? "set it to 0 or 1 (kernel.yama.ptrace_scope=1 in /etc/sysctl.d, "
                                  "and boot: 3 cannot be left)"
                                : "set it to 0 or 1 (sysctl kernel.yama.ptrace_scope=1)";
}
