/* What the tests of the network share. */
#ifndef TEST_NETWORK_UNIT_H
#define TEST_NETWORK_UNIT_H

#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
