/* Who gets what arrives for no connection.
 *
 * A place knows its newest listening bind: that one gets it. If it is in a SO_REUSEPORT group, the
 * flow's hash chooses among the group's members, so that one flow keeps its member while the group
 * stays as it is. */
#include "engine/port/ports.h"
#include <errno.h>
#include <string.h>

enum { GROUP_FIRST = 4 };

static size_t members_octets(uint32_t capacity) {
    return capacity * sizeof(uint32_t);
}

static void group_free(struct ports *ports, struct listen_group *group) {
    if (group->members)
        ports_release(ports, group->members, members_octets(group->capacity));
    ports_release(ports, group, sizeof *group);
}

static bool group_grow(struct ports *ports, struct listen_group *group) {
    uint32_t capacity = group->capacity ? group->capacity * 2 : GROUP_FIRST;
    uint32_t *members = ports_allocate(ports, members_octets(capacity));
    if (!members)
        return false;
    if (group->members) {
        memcpy(members, group->members, members_octets(group->count));
        ports_release(ports, group->members, members_octets(group->capacity));
    }
    group->members = members;
    group->capacity = capacity;
    return true;
}

/* The group of the place, or a new, empty one; NULL when memory is out. */
static struct listen_group *group_need(struct ports *ports, const struct place *place) {
    for (uint32_t i = place->binds; i; i = bind_at(ports, i)->next)
        if (bind_at(ports, i)->group)
            return bind_at(ports, i)->group;
    struct listen_group *group = ports_allocate(ports, sizeof *group);
    if (group)
        memset(group, 0, sizeof *group);
    return group;
}

static bool group_join(struct ports *ports, const struct place *place, uint32_t reference) {
    struct listen_group *group = group_need(ports, place);
    if (!group)
        return false;
    if (group->count == group->capacity && !group_grow(ports, group)) {
        if (group->count == 0)
            group_free(ports, group);
        return false;
    }
    struct bind *bind = bind_at(ports, reference);
    bind->group = group;
    bind->slot = group->count;
    group->members[group->count++] = reference;
    return true;
}

static void group_leave(struct ports *ports, struct bind *bind) {
    struct listen_group *group = bind->group;
    uint32_t moved = group->members[--group->count];
    group->members[bind->slot] = moved;
    bind_at(ports, moved)->slot = bind->slot;
    bind->group = NULL;
    if (group->count == 0)
        group_free(ports, group);
}

int listen_start(struct ports *ports, uint32_t reference) {
    struct bind *bind = bind_at(ports, reference);
    struct place *place = place_at(&ports->places, bind->place);
    if (bind->flags & PORTS_REUSEPORT && !group_join(ports, place, reference))
        return -ENOMEM;
    bind->listening = true;
    place->listener = reference;
    return 0;
}

void listen_stop(struct ports *ports, uint32_t reference) {
    struct bind *bind = bind_at(ports, reference);
    if (!bind->listening)
        return;
    bind->listening = false;
    if (bind->group)
        group_leave(ports, bind);
    struct place *place = place_at(&ports->places, bind->place);
    if (place->listener != reference)
        return;
    uint32_t next = place->binds;
    while (next && !bind_at(ports, next)->listening)
        next = bind_at(ports, next)->next;
    place->listener = next;
}

uint32_t ports_lookup(struct ports *ports, const struct berth_ip *local, uint16_t port,
                      uint64_t flow) {
    struct place_name name = {*local, port, false}, names[3];
    int count = place_first(&ports->places, port) ? place_covering(&name, names) : 0;
    for (int i = 0; i < count; i++) {
        uint32_t at = place_find(&ports->places, &names[i]);
        uint32_t listener = at ? place_at(&ports->places, at)->listener : 0;
        if (!listener)
            continue;
        const struct bind *bind = bind_at(ports, listener);
        if (!bind->group)
            return bind->owner;
        /* Scaled by the upper half of a product, so every bit of the flow counts. */
        uint64_t mixed = flow * UINT64_C(0x9e3779b97f4a7c15) >> 32;
        return bind_at(ports, bind->group->members[mixed * bind->group->count >> 32])->owner;
    }
    return 0;
}
