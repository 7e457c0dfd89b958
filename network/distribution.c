/* Quantile functions, looked up: no table of netem's is copied, and no mathematics of the
 * machine's library is asked, so that the same seed gives the same delays everywhere. */
#include "network/distribution.h"
#include "network/quantiles.h"

/* The quantile at p = (tail + 1) / 2^32: the halving by the leading zeros, the step by the four
 * bits that follow, the rest between two points. */
static double quantile(const int32_t table[QUANTILE_POINTS], uint32_t tail) {
    uint64_t p = (uint64_t)tail + 1;
    int octave = 0;
    while (octave < QUANTILE_OCTAVES && p < UINT64_C(1) << (31 - octave))
        octave++;
    if (octave == QUANTILE_OCTAVES)
        return (double)table[0] / QUANTILE_SCALE;
    if (p >> 32)
        return (double)table[QUANTILE_POINTS - 1] / QUANTILE_SCALE;
    uint32_t mantissa = (uint32_t)(p << (octave + 1)); /* behind the leading one */
    int step = (int)(mantissa >> 28);
    double part = (double)(mantissa & 0x0fffffff) * 0x1p-28;
    const int32_t *at = &table[(QUANTILE_OCTAVES - 1 - octave) * QUANTILE_STEPS + step];
    return (at[0] + part * (at[1] - at[0])) / QUANTILE_SCALE;
}

static double normal(uint32_t uniform) {
    double half = quantile(quantiles_half_normal, uniform << 1 | 1);
    return uniform >> 31 ? half : -half;
}

double distribution_deviate(enum berth_distribution distribution, uint32_t one, uint32_t other) {
    switch (distribution) {
    case BERTH_NORMAL:
        return normal(one);
    case BERTH_PARETO:
        return quantile(quantiles_pareto, one);
    case BERTH_PARETONORMAL:
        /* A quarter of the one and three quarters of the other, as netem has it; of squares 1 + 9.
         */
        return (normal(one) + 3 * quantile(quantiles_pareto, other)) / 3.1622776601683795;
    case BERTH_UNIFORM:
        break;
    }
    return (double)one * 0x1p-31 - 1 + 0x1p-32;
}
