#include "network/capture.h"
#include "network/network.h"
#include <errno.h>
#include <string.h>

static bool concerns(const struct capture *capture, const struct network_port *port) {
    return port &&
           (capture->config.host < 0 ||
            (port->host && port->host->number == capture->config.host)) &&
           (capture->config.switch_number < 0 ||
            port->lan->number == capture->config.switch_number);
}

/* ---- interfaces ---- */

/* Room for the port's place in the table. */
static bool has_place(struct capture *capture, uint32_t id) {
    struct berth_allocator allocator = capture->file.allocator;
    if (id < capture->size)
        return true;
    uint32_t size = capture->size ? capture->size : 16;
    while (size <= id)
        size *= 2;
    uint32_t *table = allocator.allocate(allocator.context, size * sizeof *table);
    if (!table)
        return false;
    memset(table, 0, size * sizeof *table);
    if (capture->interfaces) {
        memcpy(table, capture->interfaces, capture->size * sizeof *table);
        allocator.release(allocator.context, capture->interfaces, capture->size * sizeof *table);
    }
    capture->interfaces = table;
    capture->size = size;
    return true;
}

/* The addresses' names are for all captures: the peers of one host have names, too. */
static void describe(struct capture *capture, const struct network_port *port) {
    const struct berth_ip *addresses[] = {&port->address, &port->address6};
    for (int i = 0; port->host && i < 2; i++)
        if (!berth_ip_is_any(addresses[i]))
            pcapng_write_name(&capture->file, addresses[i], port->name);
    if (concerns(capture, port) && has_place(capture, port->capture_id))
        capture->interfaces[port->capture_id] =
            1 + pcapng_write_interface(&capture->file, port->name, port->lan->name,
                                       capture->config.snap);
}

void captures_describe(struct network_port *port) {
    for (struct capture *c = port->network->captures; c; c = c->next)
        describe(c, port);
}

/* ---- frames ---- */

/* At whose interface this capture shows the frame; NULL: not at all. */
static const struct network_port *shown_at(const struct capture *capture,
                                           const struct network_port *from,
                                           const struct network_port *to, bool group) {
    if (concerns(capture, from))
        return from;
    if (concerns(capture, to))
        return to;
    if (!from || to || !group || capture->config.host < 0)
        return NULL;
    const struct network_port *port =
        network_link_of(from->network, capture->config.host, from->lan->number);
    return port && concerns(capture, port) ? port : NULL;
}

static void show(struct capture *capture, const struct network_port *at, bool inbound,
                 const struct berth_frame *frame, const char *cause) {
    const struct berth_capture_config *config = &capture->config;
    struct pcapng_record packet = {.inbound = inbound, .comment = cause};
    if (at->capture_id >= capture->size || capture->interfaces[at->capture_id] == 0)
        return; /* there was no memory to describe it */
    packet.interface = capture->interfaces[at->capture_id] - 1;
    const uint8_t *octets = pcapng_writer_lay(&capture->file, frame, &packet.length);
    enum berth_capture_choice choice = config->choose
                                           ? config->choose(config->context, octets, packet.length)
                                           : BERTH_CAPTURE_TAKE;
    capture->lost += choice == BERTH_CAPTURE_LOSE;
    if (choice != BERTH_CAPTURE_TAKE)
        return;
    packet.stamp = config->wall + at->network->now;
    packet.kept = config->snap != 0 && config->snap < packet.length ? config->snap : packet.length;
    packet.lost = capture->lost;
    capture->lost = 0;
    pcapng_write_packet(&capture->file, &packet);
}

void captures_show(const struct network_port *from, const struct network_port *to,
                   const struct berth_frame *frame, const char *cause) {
    uint8_t first = 0;
    berth_frame_read(frame, 0, &first, 1);
    for (struct capture *c = (from ? from : to)->network->captures; c; c = c->next) {
        const struct network_port *at = shown_at(c, from, to, first & 1);
        if (at)
            show(c, at, at != from, frame, cause);
    }
}

/* ---- their beginning and end ---- */

static struct capture *capture_open(struct berth_network *network,
                                    const struct berth_capture_config *config) {
    struct berth_allocator allocator = network->allocator;
    struct capture *capture = allocator.allocate(allocator.context, sizeof *capture);
    if (!capture)
        return NULL;
    *capture = (struct capture){.config = *config};
    if (pcapng_writer_open(&capture->file, allocator, config->write, config->context)) {
        allocator.release(allocator.context, capture, sizeof *capture);
        return NULL;
    }
    return capture;
}

static void capture_free(struct capture *capture) {
    struct berth_allocator allocator = capture->file.allocator;
    pcapng_writer_close(&capture->file);
    if (capture->interfaces)
        allocator.release(allocator.context, capture->interfaces,
                          capture->size * sizeof *capture->interfaces);
    allocator.release(allocator.context, capture, sizeof *capture);
}

void berth_capture_config_init(struct berth_capture_config *config) {
    *config =
        (struct berth_capture_config){.size = sizeof *config, .host = -1, .switch_number = -1};
}

int berth_network_capture_add(struct berth_network *network,
                              const struct berth_capture_config *given) {
    struct berth_capture_config config;
    berth_capture_config_init(&config);
    memcpy(&config, given, given->size < sizeof config ? given->size : sizeof config);
    if (!config.write)
        return -EINVAL;
    if ((config.host >= 0 && !network_host_of(network, config.host)) ||
        (config.switch_number >= 0 && (uint32_t)config.switch_number >= network->lan_count))
        return -ENOENT;
    struct capture *capture = capture_open(network, &config);
    if (!capture)
        return -ENOMEM;
    capture->number = ++network->last_capture;
    for (uint32_t i = 0; i < network->port_count; i++)
        if (network->ports[i])
            describe(capture, network->ports[i]);
    for (uint32_t i = 0; i < network->outside_count; i++)
        describe(capture, network->outsides[i]);
    struct capture **link = &network->captures;
    while (*link)
        link = &(*link)->next;
    *link = capture;
    return capture->number;
}

int berth_network_capture_remove(struct berth_network *network, int number) {
    for (struct capture **link = &network->captures; *link; link = &(*link)->next) {
        struct capture *capture = *link;
        if (capture->number != number)
            continue;
        *link = capture->next;
        capture_free(capture);
        return 0;
    }
    return -ENOENT;
}

void captures_end(struct berth_network *network) {
    while (network->captures)
        berth_network_capture_remove(network, network->captures->number);
}

int berth_network_capture(struct berth_network *network, berth_capture_write *write, void *context,
                          uint64_t wall) {
    if (network->main_capture > 0)
        berth_network_capture_remove(network, network->main_capture);
    network->main_capture = 0;
    if (!write)
        return 0;
    struct berth_capture_config config;
    berth_capture_config_init(&config);
    config.write = write;
    config.context = context;
    config.wall = wall;
    int number = berth_network_capture_add(network, &config);
    if (number > 0)
        network->main_capture = number;
    return number < 0 ? number : 0;
}
