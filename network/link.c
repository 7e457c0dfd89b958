#include "network/link.h"
#include "engine/buffer/split.h"
#include "network/network.h"
#include "network/parcel.h"

static const char LINK_DOWN[] = "dropped: the link is down";

void link_init(struct link *link, struct network_port *port, bool inward) {
    *link = (struct link){.port = port, .inward = inward};
    /* Numbers of hosts and of outside ports overlap. */
    uint64_t purpose = (uint64_t)(uint32_t)port->number << 2 | (port->host ? 0u : 2u) | inward;
    random_init(&link->impair.random, port->network->seed, purpose);
}

void link_decide(struct link *link) {
    bool small = impair_small(&link->impair.what);
    for (uint32_t i = 0; i < link->filter_count; i++)
        small = small || impair_small(&link->filters[i].impair.what);
    link->impaired = link->down || link->filter_count > 0 || impair_any(&link->impair.what);
    link->takes_large = link->may_large && !small;
}

void link_show_loss(const struct link *link, const struct berth_frame *frame, const char *cause) {
    if (link->inward)
        capture_frame(link->port, NULL, frame, cause);
    else
        capture_frame(NULL, link->port, frame, cause);
}

void link_arrive(struct link *link, const struct berth_frame *frames, uint32_t count) {
    if (link->down)
        for (uint32_t i = 0; i < count; i++)
            link_show_loss(link, &frames[i], LINK_DOWN);
    else if (link->inward)
        switch_forward(link->port, frames, count);
    else
        port_receive(link->port, frames, count);
}

static const char *wait(struct link *link, struct berth_frame *frame, uint64_t at) {
    if (flights_add(&link->port->network->flights, link, frame, at, NULL)) {
        berth_frame_clear(frame);
        return "dropped: out of memory";
    }
    link->impair.queued++;
    return NULL;
}

/* Carries out a verdict that lets the frame pass. */
static const char *pass(struct link *link, const struct berth_frame *frame,
                        const struct impair_verdict *verdict) {
    struct berth_network *network = link->port->network;
    bool now = verdict->at <= network->now;
    if (now && !verdict->corrupt) {
        link_arrive(link, frame, 1);
        return NULL;
    }
    struct berth_frame copy;
    int error = verdict->corrupt ? parcel_corrupt(&copy, frame, network->allocator,
                                                  random_u64(&link->impair.random))
                                 : parcel_keep(&copy, frame, network->allocator);
    if (error)
        return "dropped: out of memory";
    if (!now)
        return wait(link, &copy, verdict->at);
    link_arrive(link, &copy, 1);
    berth_frame_clear(&copy);
    return NULL;
}

/* A frame lost before the switch is shown when it would have come there, among those that were sent
 * with it. */
static const char *lose(struct link *link, const struct berth_frame *frame,
                        const struct impair_verdict *verdict) {
    struct berth_network *network = link->port->network;
    struct berth_frame ghost;
    if (!network->captures || !link->inward || verdict->at <= network->now ||
        link->ghosts == LINK_GHOSTS || parcel_keep(&ghost, frame, network->allocator))
        return verdict->dropped;
    if (flights_add(&network->flights, link, &ghost, verdict->at, verdict->dropped)) {
        berth_frame_clear(&ghost);
        return verdict->dropped;
    }
    link->ghosts++;
    return NULL;
}

/* The queue is the link's: all frames that wait count for its limit. */
static struct impair_verdict judge(struct link *link, const struct berth_frame *frame, bool copy) {
    struct impair *impair = filter_choose(link, frame);
    impair->queued = link->impair.queued;
    return impair_judge(impair, berth_frame_length(frame), link->port->network->now, copy);
}

static const char *judge_and_pass(struct link *link, const struct berth_frame *frame) {
    struct impair_verdict verdict = judge(link, frame, false);
    const char *cause = verdict.dropped ? lose(link, frame, &verdict) : pass(link, frame, &verdict);
    if (verdict.duplicate) {
        verdict = judge(link, frame, true);
        const char *lost =
            verdict.dropped ? lose(link, frame, &verdict) : pass(link, frame, &verdict);
        if (lost)
            link_show_loss(link, frame, lost);
    }
    return cause;
}

static const char *carry_pieces(struct link *link, const struct berth_frame *frame) {
    struct split split;
    struct berth_frame piece;
    if (!split_begin(&split, frame, NETWORK_ETHERNET))
        return "dropped: longer than the link's frames";
    while (split_next(&split, &piece)) {
        const char *cause = link_carry(link, &piece);
        if (cause)
            link_show_loss(link, &piece, cause);
        berth_frame_clear(&piece);
    }
    return NULL;
}

const char *link_carry(struct link *link, const struct berth_frame *frame) {
    if (link->down)
        return LINK_DOWN;
    if (frame->segment_size != 0 && !link->takes_large)
        return carry_pieces(link, frame);
    if (link->impaired)
        return judge_and_pass(link, frame);
    link_arrive(link, frame, 1);
    return NULL;
}
