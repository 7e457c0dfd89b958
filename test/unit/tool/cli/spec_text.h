/* What the tests of berth.yaml share. */
#ifndef TEST_CLI_SPEC_TEXT_H
#define TEST_CLI_SPEC_TEXT_H

#include "tool/cli/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline bool read_text(struct spec *spec, const char *text, size_t length, char *error) {
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    rewind(file);
    bool fine = spec_read(spec, file, "berth.yaml", error);
    fclose(file);
    return fine;
}

static inline const struct spec_host *host_of(const struct spec *spec, const char *name) {
    const struct spec_host *host = spec->hosts;
    while (host != NULL && strcmp(host->name, name) != 0)
        host = host->next;
    assert_non_null(host);
    return host;
}

#endif
