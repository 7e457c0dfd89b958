/* Preloaded into a cmocka program it lets only the test run that CMOCKA_ONLY names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void only(void) {
    cmocka_set_test_filter(getenv("CMOCKA_ONLY"));
}
