/* How delays are spread around their mean. */
#ifndef NETWORK_DISTRIBUTION_H
#define NETWORK_DISTRIBUTION_H

#include <berth/network.h>
#include <stdint.h>

/* A deviate for two uniform ones: of mean 0, in units of the jitter. Uniform ones lie within
 * -1..1; the others have standard deviation 1. */
double distribution_deviate(enum berth_distribution distribution, uint32_t one, uint32_t other);

#endif
