#include "cmd/build_explain.h"

#include <stdio.h>

#include "codec/json_writer.h"

static const char *const why_names[] = {
    [SW_WHY_HIT] = "hit",         [SW_WHY_CHANGED] = "changed", [SW_WHY_NEW] = "new",
    [SW_WHY_EARLIER] = "earlier", [SW_WHY_GONE] = "gone",       [SW_WHY_NO_CACHE] = "no-cache",
};

static void put_change(struct sw_json_writer *w, const struct sw_step_change *c) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "input", c->name);
    if (c->from.ptr) sw_json_put_str(w, "from", c->from);
    if (c->to.ptr) sw_json_put_str(w, "to", c->to);
    sw_json_end_object(w);
}

static void put_report(struct sw_json_writer *w, const struct sw_step_report *r) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "stage", r->stage);
    sw_json_put_int(w, "step", r->number);
    sw_json_put_int(w, "line", r->line);
    sw_json_put_str(w, "instruction", r->text);
    sw_json_put_bool(w, "hit", r->why == SW_WHY_HIT);
    sw_json_put_text(w, "why", why_names[r->why]);
    sw_json_put_text(w, "key", r->key);
    sw_json_key(w, "changes");
    sw_json_begin_array(w);
    for (size_t i = 0; i < r->n_changes; i++) put_change(w, &r->changes[i]);
    sw_json_end_array(w);
    sw_json_put_int(w, "more_changes", (int64_t)r->n_more);
    sw_json_put_int(w, "costs_later_steps", (int64_t)r->n_costs);
    sw_json_end_object(w);
}

static void print_json(const struct sw_build_result *result) {
    SW_BUF struct sw_buf b;
    struct sw_json_writer w;
    sw_buf_init(&b, 0);
    sw_json_writer_init(&w, &b, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_key(&w, "steps");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < result->n_step_reports; i++) put_report(&w, &result->steps[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    fprintf(stderr, "%.*s\n", SW_ARG(sw_buf_str(&b)));
}

static void print_value(const char *label, struct sw_str value) {
    fprintf(stderr, "        %s %.*s\n", label, SW_ARG(value));
}

static void print_changes(const struct sw_step_report *r) {
    for (size_t i = 0; i < r->n_changes; i++) {
        const struct sw_step_change *c = &r->changes[i];
        const char *what = !c->from.ptr ? "is new" : !c->to.ptr ? "is gone" : "changed";
        fprintf(stderr, "      %.*s %s\n", SW_ARG(c->name), what);
        if (c->from.ptr) print_value("-", c->from);
        if (c->to.ptr) print_value("+", c->to);
    }
    if (r->n_more) fprintf(stderr, "      and %zu more\n", r->n_more);
}

void sw_build_explain(const struct sw_build_options *options, const struct sw_build_result *result,
                      bool json, bool color, struct sw_arena *arena) {
    if (json) {
        print_json(result);
        return;
    }
    const char *hit = color ? "\033[32m" : "", *miss = color ? "\033[33m" : "",
               *plain = color ? "\033[0m" : "";
    for (size_t i = 0; i < result->n_step_reports; i++) {
        const struct sw_step_report *r = &result->steps[i];
        bool is_hit = r->why == SW_WHY_HIT;
        fprintf(stderr, "%s%s%s  %s:%u: %s%.*s%s%.*s\n", is_hit ? hit : miss,
                is_hit ? "hit " : "miss", plain, options->dockerfile_name, r->line,
                r->stage.len ? "[" : "", SW_ARG(r->stage), r->stage.len ? "] " : "",
                SW_ARG(r->text));
        if (is_hit) continue;
        if (r->why == SW_WHY_CHANGED) {
            print_changes(r);
        } else {
            fprintf(stderr, "      %.*s\n", SW_ARG(sw_step_report_line(arena, r)));
        }
        if (r->n_costs)
            fprintf(stderr, "      costs %zu later step%s\n", r->n_costs,
                    r->n_costs == 1 ? "" : "s");
    }
}
