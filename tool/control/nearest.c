#include "tool/control/nearest.h"

#include <string.h>

enum { LONGEST = 64, FAR = 1000 };

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

unsigned word_distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST)
        return FAR;
    /* Rows of the optimal string alignment: the one before last is there for swaps. */
    unsigned rows[3][LONGEST + 1];
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned replace = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replace, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *word_nearest(const char *word, const char *const *words, size_t count) {
    const char *best = NULL;
    unsigned bound = (unsigned)strlen(word) / 3 + 1, distance = bound + 1;
    for (size_t i = 0; i < count; i++) {
        unsigned d = word_distance(word, words[i]);
        /* A word of which every letter would change is not near, however short it is. */
        if (d < distance && d < strlen(word) + (d == 0)) {
            best = words[i];
            distance = d;
        }
    }
    return best;
}
