/* Reads a pcapng file as the tests need it, asserting that its structure is right. */
#ifndef TEST_NETWORK_PCAPNG_H
#define TEST_NETWORK_PCAPNG_H

#include "test/unit/network/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    uint8_t *data;
    size_t length, size;
};

static inline void bytes_append(void *context, const void *data, size_t length) {
    struct bytes *bytes = context;
    if (bytes->length + length > bytes->size) {
        bytes->size = 2 * (bytes->length + length);
        bytes->data = realloc(bytes->data, bytes->size);
        assert_non_null(bytes->data);
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

struct packet {
    uint32_t interface;
    uint64_t stamp;
    const uint8_t *data;
    uint32_t length;  /* octets shown */
    uint32_t whole;   /* octets that there were */
    uint8_t flags;    /* 1: inbound, 2: outbound */
    uint32_t lost;    /* not shown before it */
    char comment[64]; /* empty: none */
};

struct pcapng {
    unsigned interfaces, packets, name_count;
    char addresses[64][64]; /* "0a000001 name" of the first name records */
    char names[64][64];     /* of the first interfaces */
    struct packet packet[512];
};

static inline uint32_t le32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint16_t le16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

/* Copies the text option `code` out; checks the list's shape. Returns octets of tsresol seen (or
 * 0). */
static inline uint8_t pcapng_options(const uint8_t *at, const uint8_t *end, uint16_t code,
                                     char text[64]) {
    uint8_t resolution = 0;
    text[0] = '\0';
    while (at < end) {
        assert_true(end - at >= 4);
        uint16_t type = le16(at), length = le16(at + 2);
        if (type == 0) {
            assert_int_equal(length, 0);
            assert_ptr_equal(at + 4, end);
            return resolution;
        }
        assert_true(4 + length <= end - at);
        if (type == 9)
            resolution = at[4];
        if (type == code) {
            assert_true(length < 64);
            memcpy(text, at + 4, length);
            text[length] = '\0';
        }
        at += 4 + (length + 3) / 4 * 4;
    }
    return resolution;
}

static inline void pcapng_interface(struct pcapng *file, const uint8_t *block, const uint8_t *end) {
    char name[64];
    assert_int_equal(le16(block + 8), 1); /* Ethernet */
    assert_int_equal(pcapng_options(block + 16, end, 2, name), 9);
    if (file->interfaces < 64)
        memcpy(file->names[file->interfaces], name, 64);
    file->interfaces++;
}

/* The one octet, or the first four, of an option that is there; 0 without it. */
static inline uint32_t pcapng_number(const uint8_t *at, const uint8_t *end, uint16_t code) {
    for (; at < end; at += 4 + (le16(at + 2) + 3) / 4 * 4)
        if (le16(at) == code)
            return le32(at + 4);
    return 0;
}

/* One record and the end of the list. */
static inline void pcapng_name(struct pcapng *file, const uint8_t *block, const uint8_t *end) {
    uint16_t type = le16(block + 8), length = le16(block + 10);
    size_t size = type == 1 ? 4 : 16, text = 0;
    assert_true(type == 1 || type == 2);
    assert_true(length > size && block[12 + length - 1] == 0);
    assert_int_equal(le32(block + 12 + (length + 3) / 4 * 4), 0);
    assert_ptr_equal(block + 12 + (length + 3) / 4 * 4 + 4, end);
    if (file->name_count >= 64)
        return;
    char *to = file->addresses[file->name_count++];
    for (size_t i = 0; i < size; i++)
        text += (size_t)snprintf(to + text, 64 - text, "%02x", block[12 + i]);
    snprintf(to + text, 64 - text, " %s", (const char *)block + 12 + size);
}

static inline void pcapng_packet(struct pcapng *file, const uint8_t *block, const uint8_t *end) {
    assert_true(file->packets < 512);
    struct packet *packet = &file->packet[file->packets++];
    packet->interface = le32(block + 8);
    assert_true(packet->interface < file->interfaces);
    packet->stamp = (uint64_t)le32(block + 12) << 32 | le32(block + 16);
    packet->length = le32(block + 20);
    packet->whole = le32(block + 24);
    assert_true(packet->length <= packet->whole);
    packet->data = block + 28;
    const uint8_t *options = packet->data + (packet->length + 3) / 4 * 4;
    assert_true(options <= end);
    pcapng_options(options, end, 1, packet->comment);
    packet->flags = (uint8_t)pcapng_number(options, end, 2);
    packet->lost = pcapng_number(options, end, 4);
}

static inline void pcapng_read(struct pcapng *file, const struct bytes *bytes) {
    memset(file, 0, sizeof *file);
    for (size_t at = 0; at < bytes->length;) {
        const uint8_t *block = bytes->data + at;
        uint32_t type = le32(block), length = le32(block + 4);
        assert_true(length % 4 == 0 && length >= 12 && length <= bytes->length - at);
        const uint8_t *end = block + length - 4;
        assert_int_equal(le32(end), length);
        if (at == 0) {
            assert_int_equal(type, 0x0a0d0d0a);
            assert_int_equal(le32(block + 8), 0x1a2b3c4d);
            assert_int_equal(le32(block + 12), 1);
        } else if (type == 1) {
            pcapng_interface(file, block, end);
        } else if (type == 4) {
            pcapng_name(file, block, end);
        } else {
            assert_int_equal(type, 6);
            pcapng_packet(file, block, end);
        }
        at += length;
    }
}

#endif
