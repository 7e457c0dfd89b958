/* berth.yaml, of any kind: it is read, or an error of one line names the file. */
#define _GNU_SOURCE
#include "test/fuzz/input.h"
#include "tool/cli/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char error[TREE_ERROR];
    struct spec spec;
    FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (!file)
        return 0;
    memset(error, 0, sizeof error);
    bool read = spec_read(&spec, file, "berth.yaml", error);
    fclose(file);
    if (read) {
        for (const struct spec_network *network = spec.networks; network; network = network->next)
            CLAIM(strlen(network->name) > 0 && network->subnet);
        for (const struct spec_host *host = spec.hosts; host; host = host->next) {
            CLAIM(strlen(host->name) > 0 && strlen(host->name) < SPEC_NAME);
            CLAIM(spec_find(&spec, host->name) == host && host->service->plugs);
        }
        for (const struct spec_service *s = spec.services; s; s = s->next)
            for (const struct spec_process *p = s->processes; p; p = p->next)
                CLAIM(p->argv && p->argv[0]);
    } else {
        CLAIM(strncmp(error, "berth.yaml:", 11) == 0 && strlen(error) < TREE_ERROR);
    }
    spec_clear(&spec);
    return 0;
}
