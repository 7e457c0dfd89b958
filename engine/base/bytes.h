/* Bounded cursors over octets in network order. A read past the end gives zeroes and sets `failed`,
 * which stays set; so a parser reads all it wants and asks once. */
#ifndef ENGINE_BASE_BYTES_H
#define ENGINE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_be16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t load_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void store_be16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void store_be32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static inline struct reader reader_over(const uint8_t *data, size_t length) {
    struct reader r = {data, data + length, false};
    return r;
}
static inline size_t reader_left(const struct reader *r) {
    return (size_t)(r->end - r->at);
}
/* The next `length` octets, or NULL. */
static inline const uint8_t *reader_take(struct reader *r, size_t length) {
    if (r->failed || reader_left(r) < length) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += length;
    return p;
}
static inline uint8_t reader_u8(struct reader *r) {
    const uint8_t *p = reader_take(r, 1);
    return p ? p[0] : 0;
}
static inline uint16_t reader_u16(struct reader *r) {
    const uint8_t *p = reader_take(r, 2);
    return p ? load_be16(p) : (uint16_t)0;
}
static inline uint32_t reader_u32(struct reader *r) {
    const uint8_t *p = reader_take(r, 4);
    return p ? load_be32(p) : 0;
}

struct writer {
    uint8_t *start, *at, *end;
    bool failed;
};
static inline struct writer writer_over(uint8_t *data, size_t size) {
    struct writer w = {data, data, data + size, false};
    return w;
}
/* Room for `length` octets, or NULL. */
static inline uint8_t *writer_take(struct writer *w, size_t length) {
    if (w->failed || (size_t)(w->end - w->at) < length) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->at;
    w->at += length;
    return p;
}
static inline void writer_u8(struct writer *w, uint8_t v) {
    uint8_t *p = writer_take(w, 1);
    if (p)
        p[0] = v;
}
static inline void writer_u16(struct writer *w, uint16_t v) {
    uint8_t *p = writer_take(w, 2);
    if (p)
        store_be16(p, v);
}
static inline void writer_u32(struct writer *w, uint32_t v) {
    uint8_t *p = writer_take(w, 4);
    if (p)
        store_be32(p, v);
}
static inline size_t writer_length(const struct writer *w) {
    return (size_t)(w->at - w->start);
}

#endif
