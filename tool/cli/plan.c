/* The file's faults: given to the daemon beforehand, so that it is exact about their times, which
 * count from when all is started and healthy.
 *
 * An end that a restart in the plan follows is no outcome: what comes of a computer's last run
 * counts. So nothing is judged before the plan is over, and before the ends and beginnings that its
 * last members bring about have been heard of. */
#include "tool/cli/cli.h"
#include "tool/cli/watch.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <stdlib.h>
#include <string.h>

static bool plan_ask(struct watch *watch, json_t *request) {
    char error[CLI_TEXT];
    json_t *reply =
        control_ask(watch->s->control, request, NULL, 0, NULL, &watch->ended, error, sizeof error);
    if (reply == NULL && !watch->ended)
        cli_fail("faults: %s", error);
    json_decref(reply);
    return reply != NULL;
}

/* As many as a line takes. */
bool plan_send(struct watch *watch) {
    const json_t *faults = watch->s->spec->faults;
    json_t *piece = json_array();
    size_t octets = 0, count = json_array_size(faults);
    bool fine = true;
    for (size_t i = 0; fine && i < count; i++) {
        json_t *entry = json_array_get(faults, i);
        size_t length = json_dumpb(entry, NULL, 0, JSON_COMPACT);
        if (octets + length > CONTROL_LINE_MAX - 100 && octets > 0) {
            fine = plan_ask(watch, json_pack("{s:s,s:o}", "do", "faults", "list", piece));
            piece = json_array();
            octets = 0;
        }
        json_array_append(piece, entry);
        octets += length + 1;
    }
    if (fine && octets > 0)
        fine = plan_ask(watch, json_pack("{s:s,s:O}", "do", "faults", "list", piece));
    json_decref(piece);
    watch->planned = count;
    watch->plan_over = count == 0;
    return fine;
}

bool plan_done(const struct watch *watch) {
    if (watch->planned > 0)
        return false;
    for (size_t i = 0; watch->s->spec->faults != NULL && i < watch->state_count; i++) {
        const struct state *state = &watch->states[i];
        if (state->restarts > 0)
            return false;
        for (size_t m = 0; state->host->is_off && m < state->count; m++)
            if (state->members[m].child.pid > 0)
                return false;
    }
    return true;
}

void plan_look(struct watch *watch) {
    if (watch->plan_over || watch->ended || watch->asked)
        return;
    if (!watch->plan_runs && watch->waiting == 0 && watch->unwell == 0) {
        watch->plan_runs = true;
        watch->wrong =
            !plan_ask(watch, json_pack("{s:s,s:b}", "do", "faults", "start", 1)) || watch->wrong;
    }
    if (watch->plan_runs && plan_done(watch)) {
        watch->plan_over = true;
        plan_ask(watch, json_pack("{s:s,s:b}", "do", "faults", "over", 1));
    }
}

/* Something failed: whatever was to follow from it may never come. */
static void plan_give_up(struct watch *watch) {
    for (size_t i = 0; i < watch->state_count; i++) {
        struct state *state = &watch->states[i];
        bool waited = state->restarts > 0;
        state->restarts = 0;
        for (size_t m = 0; waited && m < state->count; m++)
            if (state->members[m].over)
                judge_over(watch, &state->members[m]);
    }
}

void plan_hear(struct watch *watch, const json_t *news) {
    const json_t *left = json_object_get(news, "left"), *failed = json_object_get(news, "failed");
    json_t *one;
    size_t i;
    if (json_is_integer(left) && watch->plan_runs)
        watch->planned = (size_t)json_integer_value(left);
    json_array_foreach(failed, i, one) {
        cli_fail("%s: %s", json_string_value(json_array_get(one, 0)),
                 json_string_value(json_array_get(one, 1)));
        watch->wrong = true;
    }
    if (json_array_size(failed) > 0)
        plan_give_up(watch);
}
