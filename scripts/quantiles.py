#!/usr/bin/env python3
"""Writes network/quantiles.h: the tables behind the distributions of delays (network/distribution.c).

A table holds a quantile function at p = 2^-(k+1) (1 + j/16), for k = 23..0 and j = 0..15, and at p = 1: sixteen steps to each halving of
the tail, so that linear interpolation is as good far out as in the middle. Both have mean 0 and standard deviation 1 (the normal one
with a sign drawn beside it)."""
import math
from statistics import NormalDist

OCTAVES, STEPS, SCALE = 24, 16, 65536
POINTS = [2.0 ** -(k + 1) * (1 + j / STEPS) for k in range(OCTAVES - 1, -1, -1) for j in range(STEPS)] + [1.0]


def half_normal(p):
    return NormalDist().inv_cdf(1 - p / 2)


# Netem's: shape 3, cut where iproute2's table ends. Unlike there the mean is 0 after the cut, too.
CUT = 4.5
KNEE = CUT ** -3
MEAN = CUT * KNEE + 1.5 * (1 - KNEE ** (2 / 3))
SQUARE = CUT ** 2 * KNEE + 3 * (1 - KNEE ** (1 / 3))
DEVIATION = math.sqrt(SQUARE - MEAN ** 2)


def pareto(p):
    return (min(p ** (-1 / 3), CUT) - MEAN) / DEVIATION


def table(name, quantile):
    values = [str(round(quantile(p) * SCALE)) for p in POINTS]
    lines, line = [], "   "
    for value in values:
        if len(line) + len(value) + 2 > 100:
            lines.append(line)
            line = "   "
        line += f" {value},"
    return f"static const int32_t {name}[QUANTILE_POINTS] = {{\n" + "\n".join(lines + [line]) + "\n};\n"


print("/* Quantiles of delays; written by scripts/quantiles.py, which says what they are. */\n"
      "#ifndef NETWORK_QUANTILES_H\n#define NETWORK_QUANTILES_H\n\n#include <stdint.h>\n\n"
      f"enum {{ QUANTILE_OCTAVES = {OCTAVES}, QUANTILE_STEPS = {STEPS}, QUANTILE_SCALE = {SCALE},\n"
      f"       QUANTILE_POINTS = QUANTILE_OCTAVES * QUANTILE_STEPS + 1 }};\n\n"
      "/* clang-format off */\n" + table("quantiles_half_normal", half_normal) + table("quantiles_pareto", pareto)
      + "/* clang-format on */\n\n#endif")
