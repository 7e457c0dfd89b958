/* What the benchmarks share: a clock, medians, and the table that they print and write. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic, ns. */
uint64_t bench_now(void);
/* Bounds of the clock's own cost, ns: what an empty interval takes, median. */
double bench_clock_cost(void);

/* The share-th part of the samples lies below it: 0.5 is the median. Sorts the samples. */
double bench_quantile(double *samples, size_t count, double share);

/* Prints why and exits with status 1. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct bench_row {
    char name[64];
    const char *unit;
    double ours, peer;     /* NAN: not measured */
    const char *peer_name; /* "limit": what ours may be at most or has to be at least */
    bool less_is_better;
    double reach; /* the ratio to be reached; NAN: none */
};

enum { BENCH_ROWS = 96 };

struct bench {
    const char *name, *folder;
    struct bench_row rows[BENCH_ROWS];
    size_t count;
};

/* argv[1]: the folder that the result goes to; build/bench by default. */
void bench_begin(struct bench *bench, const char *name, int argc, char **argv);
void bench_add(struct bench *bench, struct bench_row row);
/* Prints the table and writes FOLDER/NAME.json: an array of rows {name, unit, ours, peer,
 * peer_name, ratio, reach}, where a ratio of more than 1 means that ours is better. 0, or 1 if the
 * file could not be written. */
int bench_end(const struct bench *bench);

#endif
