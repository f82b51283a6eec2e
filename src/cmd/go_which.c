#include <string.h>

#include "base/buf.h"
#include "cmd/go_common.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "gotool/choose.h"

static const struct sw_option options[] = {
    {"explain", 0, NULL, "say what was looked at and what decided", 0, NULL, NULL},
    {"goroot", 0, NULL, "the toolchain's directory, not its go command", 0, NULL, NULL},
    {"version", 0, NULL, "the version alone", 0, NULL, NULL},
    {"dir", 'C', "DIR", "look from this directory", 0, NULL, NULL},
    {NULL},
};

static void explain(const struct sw_go_choice *c) {
    for (size_t i = 0; i < c->n_steps; i++) {
        const struct sw_go_step *step = &c->steps[i];
        printf("%s: %s%s%s\n", step->place, step->value, *step->value ? ": " : "", step->said);
    }
    if (c->found)
        printf("chosen: %s (%s), because of %s\n", c->it.name, c->it.path, c->origin);
    else
        printf("chosen: %s, which is not installed, because of %s\n", c->wanted, c->origin);
}

static void print_json(const struct sw_go_choice *c) {
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "wanted", c->wanted);
    sw_json_put_text(&w, "origin", c->origin);
    sw_json_put_bool(&w, "installed", c->found);
    if (c->found) {
        sw_json_put_text(&w, "version", c->it.name + 2);
        sw_json_put_text(&w, "goroot", c->it.path);
    }
    sw_json_key(&w, "steps");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < c->n_steps; i++) {
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "place", c->steps[i].place);
        sw_json_put_text(&w, "value", c->steps[i].value);
        sw_json_put_text(&w, "result", c->steps[i].said);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    printf("%s\n", out.ptr);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_choice choice;
    enum sw_code code = go_session_open(&s, inv, 0, err);
    if (code) return code;
    struct sw_go_choose_options o = {.store = &s.store,
                                     .settings = &s.settings,
                                     .version = inv->n_args ? inv->args[0] : NULL,
                                     .dir = sw_opt(inv, "dir")};
    code = sw_go_choose(inv->arena, &o, &choice, err);
    if (code) return code;
    if (inv->format && !strcmp(inv->format, "json"))
        print_json(&choice);
    else if (sw_opt_flag(inv, "explain"))
        explain(&choice);
    else if (!choice.found)
        return sw_fail(err, SW_NOT_FOUND,
                       "%s (from %s) is not installed; run `slipway go install "
                       "%s`",
                       choice.wanted, choice.origin, choice.wanted);
    else if (sw_opt_flag(inv, "version"))
        printf("%s\n", choice.it.name);
    else if (sw_opt_flag(inv, "goroot"))
        printf("%s\n", choice.it.path);
    else
        printf("%s/bin/go\n", choice.it.path);
    if (!choice.found) inv->exit_status = 1;
    return SW_OK;
}

const struct sw_command sw_cmd_go_which = {
    .name = "go which",
    .args = "[OPTIONS] [VERSION|CONSTRAINT]",
    .summary = "Say which Go toolchain would be used here, and why",
    .description =
        "Looked at in this order: the command line, SLIPWAY_GO_VERSION, GO_VERSION, GOTOOLCHAIN "
        "naming a toolchain; then .go-version, .tool-versions, mise.toml, slipway.yaml in this "
        "directory or above, the user's default, the system's default. go.work or go.mod raise "
        "what these last ones name to the version that the module needs, and never lower it.",
    .options = options,
    .max_args = 1,
    .run = run,
};
