#include "tool/cli/doctor.h"
#include "tool/cli/cli.h"

int command_doctor(int argc, char **argv) {
    static const struct {
        const char *name;
        doctor_check *check;
    } checks[] = {
        {"kernel", check_kernel},     {"seccomp user notification", check_notification},
        {"pidfd_getfd", check_getfd}, {"memory of programs", check_memory},
        {"open files", check_files},  {"runtime directory", check_directory},
        {"urgent data", check_oob},   {"TAP devices", check_tun},
    };
    const struct cli_options options = {
        .usage = "doctor",
        .help = "Checks what Berth needs of this machine. Lines begin with ok, or with missing and "
                "say what to do;\n(optional) things are needed by some commands only. Exit status "
                "1: something needed is missing.\n",
        .letters = ""};
    const char *net;
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    status = 0;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct finding finding = {.fine = false, .needed = true};
        checks[i].check(&finding);
        printf("%-8s %s%s: %s\n", finding.fine ? "ok" : "missing", checks[i].name,
               finding.fine || finding.needed ? "" : " (optional)", finding.text);
        if (!finding.fine && finding.needed)
            status = STATUS_FAILED;
    }
    return status;
}
