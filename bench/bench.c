#define _GNU_SOURCE
#include "bench/bench.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

uint64_t bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(double *samples, size_t count, double share) {
    if (count == 0)
        return NAN;
    qsort(samples, count, sizeof *samples, compare);
    return samples[(size_t)((double)(count - 1) * share)];
}

double bench_clock_cost(void) {
    double samples[1001];
    for (size_t i = 0; i < 1001; i++) {
        uint64_t before = bench_now();
        samples[i] = (double)(bench_now() - before);
    }
    return bench_quantile(samples, 1001, 0.5);
}

void bench_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void bench_begin(struct bench *bench, const char *name, int argc, char **argv) {
    memset(bench, 0, sizeof *bench);
    bench->name = name;
    bench->folder = argc > 1 ? argv[1] : "build/bench";
}

void bench_add(struct bench *bench, struct bench_row row) {
    if (bench->count == BENCH_ROWS)
        bench_fail("more than %d rows", BENCH_ROWS);
    bench->rows[bench->count++] = row;
}

static double ratio_of(const struct bench_row *row) {
    return row->less_is_better ? row->peer / row->ours : row->ours / row->peer;
}

/* A number for a table's cell; a dash if it was not measured. */
static const char *cell(double value, char text[32]) {
    if (isnan(value))
        return "-";
    snprintf(text, 32, fabs(value) < 1000 ? "%.4g" : "%.0f", value);
    return text;
}

static void print_table(const struct bench *bench) {
    printf("\n%-46s%-14s%12s%12s  %-10s%10s%8s\n", bench->name, "unit", "berth", "peer", "(peer)",
           "ratio", "reach");
    for (size_t i = 0; i < bench->count; i++) {
        const struct bench_row *row = &bench->rows[i];
        char ours[32], peer[32], ratio[32], reach[32];
        printf("%-46s%-14s%12s%12s  %-10s%10s%8s\n", row->name, row->unit, cell(row->ours, ours),
               cell(row->peer, peer), row->peer_name ? row->peer_name : "",
               cell(ratio_of(row), ratio), cell(row->reach, reach));
    }
}

/* JSON has neither NaN nor infinity. */
static void write_number(FILE *file, const char *key, double value) {
    if (!isfinite(value))
        fprintf(file, ", \"%s\": null", key);
    else
        fprintf(file, ", \"%s\": %.6g", key, value);
}

/* The folder and the folders above it. */
static void make_folders(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    mkdir(path, 0777);
}

int bench_end(const struct bench *bench) {
    char path[4200];
    print_table(bench);
    make_folders(bench->folder);
    snprintf(path, sizeof path, "%s/%s.json", bench->folder, bench->name);
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    fputc('[', file);
    for (size_t i = 0; i < bench->count; i++) {
        const struct bench_row *row = &bench->rows[i];
        fprintf(file, "%s\n {\"name\": \"%s\", \"unit\": \"%s\"", i ? "," : "", row->name,
                row->unit);
        write_number(file, "ours", row->ours);
        write_number(file, "peer", row->peer);
        fprintf(file, ", \"peer_name\": \"%s\"", row->peer_name ? row->peer_name : "");
        write_number(file, "ratio", ratio_of(row));
        write_number(file, "reach", row->reach);
        fputc('}', file);
    }
    fputs("\n]\n", file);
    return fclose(file) ? 1 : 0;
}
