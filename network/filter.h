/* Frames that a link treats in a way of their own, chosen by protocol, port and the other end. */
#ifndef NETWORK_FILTER_H
#define NETWORK_FILTER_H

#include "network/impair.h"
#include <berth/frame.h>

struct link;

enum { FILTERS_MAX = 8 };

struct filter {
    struct berth_match match;
    struct impair impair;
};

/* -EINVAL for what chooses nothing or makes no sense. */
int filter_check(const struct berth_match *match);
/* What the link does to that frame: its first filter that fits, or what it does to all others. */
struct impair *filter_choose(struct link *link, const struct berth_frame *frame);
/* The link's filter of just that match, or NULL. */
struct filter *filter_find(const struct link *link, const struct berth_match *match);
/* Makes one, which begins as the link's impairment. NULL: memory, or there are FILTERS_MAX. */
struct filter *filter_add(struct link *link, const struct berth_match *match);
void filter_remove(struct link *link, struct filter *filter);
void filters_clear(struct link *link);
/* The caller's struct, which may be of another version. */
struct berth_match filter_given(const struct berth_match *given);
void filter_tell(const struct filter *filter, struct berth_match *wanted);

#endif
