/* The octets a TCP socket holds: runs that point into shared blocks. One kind serves both
 * directions; a send stream starts at SND.UNA, a receive stream at what the application has not
 * read yet. */
#ifndef ENGINE_BUFFER_STREAM_H
#define ENGINE_BUFFER_STREAM_H

#include <berth/frame.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Shorter runs are copied into blocks that the stream fills up, so that small writes and small
 * segments neither pin big blocks nor make long lists. */
enum { STREAM_COPY_BELOW = 2048, STREAM_BLOCK = 16384 - 64 };

struct stream {
    struct berth_part *parts; /* a ring; size a power of two or 0 */
    uint32_t size, head, count;
    uint32_t length;                 /* octets in all */
    uint32_t hint_part, hint_offset; /* the part found last, counted from the first, and the stream
                                        offset of its start */
    uint32_t tail_room; /* octets after the last part that are this stream's own to fill */
    uint32_t charged; /* octets of memory that the runs pin: the sizes of their blocks, each once */
};

void stream_init(struct stream *stream);
/* Drops all and frees the ring. */
void stream_clear(struct stream *stream, struct berth_allocator allocator);

/* Appends by copying. Returns 0 or -ENOMEM (nothing was appended). */
int stream_append_copy(struct stream *stream, struct berth_allocator allocator, const void *data,
                       uint32_t length);
/* Appends by reference when the part has a block and is long enough, else by copying. 0 or -ENOMEM.
 */
int stream_append(struct stream *stream, struct berth_allocator allocator,
                  const struct berth_part *part);
/* Drops the first `length` octets (<= stream->length). */
void stream_drop(struct stream *stream, struct berth_allocator allocator, uint32_t length);
/* Points parts[0..max) at octets [offset, offset+length), not held. Returns the number of parts;
 * *got says how many octets they cover (fewer than `length` if the parts run out). */
int stream_view(struct stream *stream, uint32_t offset, uint32_t length, struct berth_part *parts,
                int max, uint32_t *got);
/* Copies octets [offset, offset+length) out; they must be there. */
void stream_read(struct stream *stream, uint32_t offset, void *to, uint32_t length);

#endif
