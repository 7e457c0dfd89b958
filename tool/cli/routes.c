/* Routes: theory of operation.
 *
 * For each network as a target, its distance from all others is found breadth first: a router that
 * is plugged into a network at distance d brings its other networks to distance d + 1, and is their
 * next hop. A computer sends to a target through the next hop of the nearest of its own networks.
 * A router has a route to each network. Any other computer has a default route through the next hop
 * that it needs most, and routes to the networks that it reaches through others. */
#include "tool/cli/routes.h"

#include <stdlib.h>
#include <string.h>

enum { FAR = UINT16_MAX };

struct router {
    const struct spec_host *host;
    json_t *links;
};

/* On the way from one network to a target. */
struct hop {
    uint16_t distance;            /* FAR: there is no way */
    const struct router *router;  /* the next; NULL: this is the target */
    const struct spec_plug *plug; /* the router's, on the network where the way begins */
};

struct routes {
    const struct spec *spec;
    struct router *routers;
    size_t count, size;
    const struct spec_network **networks; /* by number */
    struct hop *hops;                     /* [target][network] */
};

struct routes *routes_new(const struct spec *spec) {
    struct routes *routes = calloc(1, sizeof *routes);
    size_t count = spec->network_count;
    if (routes == NULL)
        return NULL;
    routes->spec = spec;
    routes->networks = calloc(count, sizeof(void *));
    routes->hops = calloc(count * count, sizeof *routes->hops);
    if (routes->networks == NULL || routes->hops == NULL) {
        routes_free(routes);
        return NULL;
    }
    for (const struct spec_network *n = spec->networks; n != NULL; n = n->next)
        routes->networks[n->number] = n;
    return routes;
}

void routes_free(struct routes *routes) {
    if (routes == NULL)
        return;
    for (size_t i = 0; i < routes->count; i++)
        json_decref(routes->routers[i].links);
    free(routes->routers);
    free(routes->networks);
    free(routes->hops);
    free(routes);
}

bool routes_add_router(struct routes *routes, const struct spec_host *host, json_t *links) {
    if (routes->count == routes->size) {
        size_t size = 2 * routes->size + 8;
        struct router *larger = realloc(routes->routers, size * sizeof *larger);
        if (larger == NULL)
            return false;
        routes->routers = larger;
        routes->size = size;
    }
    routes->routers[routes->count++] = (struct router){host, json_incref(links)};
    return true;
}

static struct hop *hops_to(const struct routes *routes, unsigned target) {
    return routes->hops + (size_t)target * routes->spec->network_count;
}

/* One round: what routers at distance `distance` bring to the next. True if it was anything. */
static bool round_make(struct routes *routes, struct hop *hops, uint16_t distance) {
    bool any = false;
    for (size_t i = 0; i < routes->count; i++) {
        const struct router *router = &routes->routers[i];
        const struct spec_plug *plugs = router->host->service->plugs, *plug = plugs;
        while (plug != NULL && hops[plug->network->number].distance != distance)
            plug = plug->next;
        if (plug == NULL)
            continue;
        for (const struct spec_plug *from = plugs; from != NULL; from = from->next) {
            struct hop *hop = &hops[from->network->number];
            if (hop->distance != FAR)
                continue;
            *hop = (struct hop){(uint16_t)(distance + 1), router, from};
            any = true;
        }
    }
    return any;
}

void routes_settle(struct routes *routes) {
    unsigned count = routes->spec->network_count;
    for (unsigned target = 0; target < count; target++) {
        struct hop *hops = hops_to(routes, target);
        for (unsigned i = 0; i < count; i++)
            hops[i].distance = i == target ? 0 : FAR;
        for (uint16_t distance = 0; round_make(routes, hops, distance);)
            distance++;
    }
}

/* The way of a computer to a target; NULL: there is none, or it is there itself. */
static const struct hop *hop_of(const struct routes *routes, const struct spec_host *host,
                                unsigned target) {
    const struct hop *hops = hops_to(routes, target), *best = NULL;
    for (const struct spec_plug *plug = host->service->plugs; plug != NULL; plug = plug->next) {
        const struct hop *hop = &hops[plug->network->number];
        if (hop->distance == 0)
            return NULL;
        if (hop->distance != FAR && (best == NULL || hop->distance < best->distance))
            best = hop;
    }
    return best;
}

static void route_put(json_t *list, const struct hop *hop, const char *key, const char *to) {
    const json_t *link = json_array_get(hop->router->links, hop->plug->number);
    const char *via = json_string_value(json_object_get(link, key));
    if (via != NULL)
        json_array_append_new(list, json_pack("{s:s,s:s}", "to", to, "via", via));
}

/* Both families' routes. network NULL: the default ones. */
static void routes_put(json_t *list, const struct hop *hop, const struct spec_network *network) {
    char made[SUBNET_TEXT];
    const char *subnet6 = "::/0";
    route_put(list, hop, "ip", network != NULL ? network->subnet : "0.0.0.0/0");
    if (network != NULL)
        subnet6 = spec_subnet6(network, made);
    if (strcmp(subnet6, SUBNET_NONE) != 0)
        route_put(list, hop, "ip6", subnet6);
}

/* The next hop to most targets; the first of several. */
static const struct hop *hop_default(const struct routes *routes, const struct spec_host *host) {
    const struct hop *best = NULL;
    unsigned most = 0, count = routes->spec->network_count;
    for (unsigned target = 0; target < count; target++) {
        const struct hop *hop = hop_of(routes, host, target);
        unsigned same = 0;
        for (unsigned other = 0; hop != NULL && other < count; other++) {
            const struct hop *to = hop_of(routes, host, other);
            same += to != NULL && to->router == hop->router && to->plug == hop->plug;
        }
        if (same > most) {
            most = same;
            best = hop;
        }
    }
    return best;
}

json_t *routes_of(const struct routes *routes, const struct spec_host *host) {
    if (routes->count == 0)
        return NULL;
    json_t *list = json_array();
    const struct hop *usual = host->service->router ? NULL : hop_default(routes, host);
    if (usual != NULL)
        routes_put(list, usual, NULL);
    for (unsigned target = 0; target < routes->spec->network_count; target++) {
        const struct hop *hop = hop_of(routes, host, target);
        if (hop != NULL &&
            (usual == NULL || hop->router != usual->router || hop->plug != usual->plug))
            routes_put(list, hop, routes->networks[target]);
    }
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}
