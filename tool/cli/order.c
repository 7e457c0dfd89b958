/* The order in which services start: theory of operation.
 *
 * A service waits for a number of conditions, one for each service that it depends on, and begins
 * when none is left. A service says of each of the three conditions once that it is met, or that it
 * never will be; then its dependents are looked at, and nobody else. What depends on a condition
 * that is never met does not start, and its dependents neither. */
#include "tool/cli/cli.h"
#include "tool/cli/watch.h"

#include <stdlib.h>

/* Room for each service's dependents, and who they are. */
static bool dependents_make(struct watch *watch) {
    const struct spec_service *first = watch->s->spec->services;
    for (const struct spec_service *s = first; s != NULL; s = s->next)
        for (const struct spec_depend *d = s->depends; d; d = d->next)
            watch->services[d->on->number].dependent_count++;
    for (size_t i = 0; i < watch->service_count; i++) {
        struct service *service = &watch->services[i];
        service->dependents = calloc(service->dependent_count + 1, sizeof *service->dependents);
        service->dependent_count = 0;
        if (service->dependents == NULL)
            return false;
    }
    for (const struct spec_service *s = first; s != NULL; s = s->next) {
        for (const struct spec_depend *d = s->depends; d; d = d->next) {
            struct service *on = &watch->services[d->on->number];
            on->dependents[on->dependent_count++] =
                (struct dependent){&watch->services[s->number], d->condition, d->required};
            watch->services[s->number].pending++;
        }
    }
    return true;
}

static size_t process_count(const struct spec_service *service) {
    size_t count = 0;
    for (const struct spec_process *p = service->processes; p != NULL; p = p->next)
        count++;
    return count;
}

static void state_make(struct watch *watch, struct service *service, const struct spec_host *host,
                       size_t *members) {
    struct state *state = &watch->states[watch->state_count++];
    *state = (struct state){.host = host, .service = service, .restarts = host->restarts};
    state->members = &watch->members[*members];
    if (service->spec->health.argv != NULL) {
        state->health = HEALTH_STARTING;
        watch->unwell++;
    }
    for (const struct spec_process *p = service->spec->processes; p != NULL; p = p->next) {
        watch->members[(*members)++] =
            (struct member){.state = state, .process = p, .output = -1, .listening = -1};
        state->count++;
    }
    watch->idle = watch->idle || state->count == 0;
}

bool order_make(struct watch *watch) {
    const struct spec *spec = watch->s->spec;
    size_t members = 0;
    watch->service_count = watch->waiting = spec->service_count;
    for (const struct spec_service *s = spec->services; s != NULL; s = s->next)
        watch->member_count += s->count * process_count(s);
    watch->left = watch->member_count;
    watch->services = calloc(watch->service_count, sizeof *watch->services);
    watch->states = calloc(spec->host_count, sizeof *watch->states);
    watch->members = calloc(watch->member_count + 1, sizeof *watch->members);
    if (watch->services == NULL || watch->states == NULL || watch->members == NULL)
        return false;
    for (const struct spec_service *s = spec->services; s != NULL; s = s->next)
        watch->services[s->number].spec = s;
    /* Hosts come in the order of their services. */
    for (const struct spec_host *host = spec->hosts; host != NULL; host = host->next) {
        struct service *service = &watch->services[host->service->number];
        if (service->states == NULL)
            service->states = &watch->states[watch->state_count];
        service->count++;
        state_make(watch, service, host, &members);
    }
    return dependents_make(watch);
}

void order_clear(struct watch *watch) {
    for (size_t i = 0; watch->services != NULL && i < watch->service_count; i++)
        free(watch->services[i].dependents);
    free(watch->services);
    free(watch->states);
    free(watch->members);
}

/* ---- starting ---- */

static void service_begin(struct watch *watch, struct service *service) {
    service->begun = true;
    watch->waiting--;
    for (size_t i = 0; i < service->count; i++) {
        struct state *state = &service->states[i];
        state->started = timers_now();
        for (size_t m = 0; m < state->count; m++)
            member_start(watch, &state->members[m]);
        if (state->health != HEALTH_NONE)
            health_begin(watch, state);
        service->started++;
    }
    order_met(watch, service, SPEC_STARTED);
}

/* Nothing of it will start. */
static void service_block(struct watch *watch, struct service *service, const char *why) {
    service->blocked = true;
    watch->waiting--;
    judge_wrong(watch, service->spec->line, service->spec->name, "is not started: %s", why);
    for (size_t i = 0; i < service->count; i++) {
        health_end(watch, &service->states[i]);
        for (size_t m = 0; m < service->states[i].count; m++)
            member_give_up(watch, &service->states[i].members[m]);
    }
    char text[SPEC_PATH];
    snprintf(text, sizeof text, "%s is not started", service->spec->name);
    for (int condition = SPEC_STARTED; condition <= SPEC_COMPLETED; condition++)
        order_never(watch, service, (enum spec_condition)condition, text);
}

static void condition_count(struct watch *watch, struct service *service) {
    if (--service->pending == 0 && !service->begun && !service->blocked && !watch->ended)
        service_begin(watch, service);
}

void order_met(struct watch *watch, struct service *service, enum spec_condition condition) {
    if (service->met[condition] || service->never[condition])
        return;
    service->met[condition] = true;
    for (size_t i = 0; i < service->dependent_count; i++)
        if (service->dependents[i].condition == condition)
            condition_count(watch, service->dependents[i].service);
}

void order_never(struct watch *watch, struct service *service, enum spec_condition condition,
                 const char *why) {
    if (service->met[condition] || service->never[condition] || watch->ended || watch->asked)
        return;
    service->never[condition] = true;
    for (size_t i = 0; i < service->dependent_count; i++) {
        struct dependent *dependent = &service->dependents[i];
        if (dependent->condition != condition)
            continue;
        if (!dependent->required)
            condition_count(watch, dependent->service);
        else if (!dependent->service->blocked && !dependent->service->begun)
            service_block(watch, dependent->service, why);
    }
}

void order_begin(struct watch *watch) {
    for (size_t i = 0; i < watch->service_count; i++) {
        struct service *service = &watch->services[i];
        if (service->pending == 0 && !service->begun && !service->blocked)
            service_begin(watch, service);
    }
}
