/* Health checks: theory of operation.
 *
 * A computer is unhealthy when Compose would say so: after start_period and `retries` failures, an
 * interval apart. But a good answer is wanted soon: until there has been one it is asked more often
 * than that, with pauses that grow from FIRST to the interval, or every start_interval; what fails
 * then only counts once the time is up that Compose would have given it. */
#include "tool/cli/cli.h"
#include "tool/cli/watch.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

static const uint64_t FIRST = 50000000;

static void check_begin(void *context, struct timer *timer);

static struct state *state_of(struct timer *timer) {
    return (struct state *)(void *)((char *)timer - offsetof(struct state, timer));
}

/* Until when failures do not count. */
static uint64_t grace_end(const struct state *state) {
    const struct spec_health *health = &state->service->spec->health;
    return state->started + health->start_period + (health->retries - 1) * health->interval;
}

static void health_good(struct watch *watch, struct state *state) {
    struct service *service = state->service;
    state->failures = 0;
    if (state->health == HEALTH_GOOD)
        return;
    watch->unwell -= state->health == HEALTH_STARTING;
    state->health = HEALTH_GOOD;
    if (state->was_healthy)
        return;
    state->was_healthy = true;
    if (++service->healthy == service->count)
        order_met(watch, service, SPEC_HEALTHY);
}

static void health_bad(struct watch *watch, struct state *state) {
    char why[SPEC_PATH];
    if (state->health == HEALTH_BAD)
        return;
    watch->unwell -= state->health == HEALTH_STARTING;
    state->health = HEALTH_BAD;
    snprintf(why, sizeof why, "%s is unhealthy", state->host->name);
    judge_wrong(watch, state->service->spec->line, state->host->name, "is unhealthy");
    order_never(watch, state->service, SPEC_HEALTHY, why);
}

static uint64_t pause_next(struct state *state) {
    const struct spec_health *health = &state->service->spec->health;
    if (state->was_healthy)
        return health->interval;
    if (health->start_interval != 0)
        return health->start_interval;
    state->pause = state->pause == 0 ? FIRST : state->pause + state->pause / 2;
    if (state->pause > health->interval)
        state->pause = health->interval;
    return state->pause;
}

static void check_ended(struct watch *watch, struct child *child, int status) {
    struct state *state = (struct state *)(void *)child;
    const struct spec_health *health = &state->service->spec->health;
    uint64_t now = timers_now();
    timer_stop(&watch->timers, &state->timer);
    if (watch->ended || watch->asked || (state->count > 0 && state->over == state->count))
        return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        health_good(watch, state);
    else if (state->was_healthy ? ++state->failures >= health->retries : now >= grace_end(state))
        health_bad(watch, state);
    if (!timer_set(&watch->timers, &state->timer, now + pause_next(state), check_begin))
        health_bad(watch, state);
}

/* It takes too long. */
static void check_late(void *context, struct timer *timer) {
    (void)context;
    kill(state_of(timer)->check.pid, SIGKILL);
}

static void check_begin(void *context, struct timer *timer) {
    struct watch *watch = context;
    struct state *state = state_of(timer);
    const struct spec_service *service = state->service->spec;
    state->check.ended = check_ended;
    if (!child_start(watch, &state->check, "exec", state->host->name, service->processes,
                     service->health.argv, -1))
        health_bad(watch, state);
    else
        timer_set(&watch->timers, timer, timers_now() + service->health.timeout, check_late);
}

void health_begin(struct watch *watch, struct state *state) {
    state->pause = 0;
    timer_set(&watch->timers, &state->timer, timers_now(), check_begin);
}

void health_end(struct watch *watch, struct state *state) {
    watch->unwell -= state->health == HEALTH_STARTING;
    if (state->health == HEALTH_STARTING)
        state->health = HEALTH_NONE;
    if (state->check.pid == 0)
        timer_stop(&watch->timers, &state->timer);
}
