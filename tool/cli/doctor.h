/* What `berth doctor` looks at. Each check tries the thing itself rather than a version number. */
#ifndef TOOL_CLI_DOCTOR_H
#define TOOL_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

struct finding {
    bool fine;
    bool needed; /* without it programs cannot be run; else something is slower or one command does
                    not work */
    char text[256]; /* what was found, and what to do if it is not fine */
};

typedef void doctor_check(struct finding *finding);

doctor_check check_kernel, check_notification, check_getfd, check_memory, check_files,
    check_directory, check_oob, check_tun;

#endif
