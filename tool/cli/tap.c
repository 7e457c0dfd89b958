#define _GNU_SOURCE
#include "tool/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The device's descriptor, or -1 when that failed and has been said. */
static int tap_open(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (strlen(name) == 0 || strlen(name) >= sizeof request.ifr_name) {
        cli_fail("\"%.80s\" is no name for a device", name);
        return -1;
    }
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        cli_fail("/dev/net/tun: %s (berth doctor says more)", strerror(errno));
        return -1;
    }
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        const char *hint = errno == EPERM   ? "; make it for yourself first: sudo ip tuntap add "
                           : errno == EBUSY ? "; another program holds it: "
                                            : ": ";
        cli_fail("TAP device %s: %s%s%s", name, strerror(errno), hint,
                 errno == EPERM ? "mode tap user $USER name NAME" : name);
        close(fd);
        return -1;
    }
    return fd;
}

int command_tap(int argc, char **argv) {
    const struct cli_options options = {
        .usage = "tap [--net NET] DEVICE",
        .help = "Joins a TAP device to the network's switch, so that this machine (or the network "
                "namespace\nthat the command runs in) is one more computer on it. The device is "
                "made if it is not there,\nwhich needs root. It stays joined until the network "
                "ends.\n",
        .letters = "",
        .least = 1,
        .most = 1};
    const char *net;
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    int fd = tap_open(argv[optind]);
    if (fd < 0)
        return STATUS_FAILED;
    json_t *reply =
        cli_ask(net, json_pack("{s:s,s:s}", "do", "tap", "name", argv[optind]), &fd, 1, NULL);
    close(fd);
    json_decref(reply);
    return reply != NULL ? 0 : STATUS_FAILED;
}
