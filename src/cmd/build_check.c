#include "cmd/build_check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cmd/image_read.h"
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "dockerfile/outline.h"
#include "golang/modfile.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "store/blob.h"

enum sw_code build_call_parse(struct sw_invocation *inv, enum build_call *ret, bool *ret_json,
                              struct sw_error *err) {
    static const struct {
        const char *name;
        enum build_call call;
    } calls[] = {{"build", BUILD_CALL_BUILD},
                 {"check", BUILD_CALL_CHECK},
                 {"lint", BUILD_CALL_CHECK},
                 {"outline", BUILD_CALL_OUTLINE},
                 {"subrequests.outline", BUILD_CALL_OUTLINE},
                 {"targets", BUILD_CALL_TARGETS},
                 {"subrequests.targets", BUILD_CALL_TARGETS}};
    const char *text = sw_opt(inv, "call");
    struct sw_str rest, field, key, value;
    *ret = sw_opt_flag(inv, "check") ? BUILD_CALL_CHECK : BUILD_CALL_BUILD;
    *ret_json = false;
    if (!text) return SW_OK;
    rest = sw_str(text);
    for (bool first = true; sw_str_next(&rest, ',', &field); first = false) {
        bool has_value = sw_str_cut(field, '=', &key, &value);
        bool known = false;
        for (size_t i = 0; !has_value && first && i < sizeof calls / sizeof calls[0]; i++) {
            if (!sw_str_is(key, calls[i].name)) continue;
            *ret = calls[i].call;
            known = true;
        }
        if (has_value && sw_str_is(key, "format") &&
            (sw_str_is(value, "json") || sw_str_is(value, "text"))) {
            *ret_json = sw_str_is(value, "json");
            known = true;
        }
        if (!known)
            return sw_fail(err, SW_USAGE,
                           "--call %s: want build, check, outline or targets, and format=json",
                           text);
    }
    return SW_OK;
}

/* ---- what is known ---- */

struct facts {
    struct sw_arena *arena;
    struct sw_store *store;
    const struct sw_build_options *o;
};

static int compare_go(struct sw_str a, struct sw_str b) {
    struct sw_go_version x, y;
    if (!sw_go_version_read(a, &x) || !sw_go_version_read(b, &y)) return 0;
    /* "golang:1.21" is the newest of its line, whichever that is. */
    if (x.patch == SW_GO_PATCH_NONE && sw_go_version_same_line(&x, &y)) return 0;
    return sw_go_version_cmp(&x, &y);
}

/* The version in the tag of an official image, "golang:1.21.5-alpine". */
static struct sw_str go_of_tag(struct facts *f, struct sw_str reference) {
    struct sw_error ignored = {0};
    struct sw_reference ref;
    struct sw_go_version v;
    if (sw_reference_parse(f->arena, reference, &ref, &ignored)) return SW_STR("");
    if (!sw_str_is(ref.path, "golang") && !sw_str_ends(ref.path, SW_STR("/golang")))
        return SW_STR("");
    struct sw_str head, tail;
    sw_str_cut(ref.tag, '-', &head, &tail);
    return sw_go_version_read(head, &v) ? head : SW_STR("");
}

/* The configuration of a base that only a registry has; false where that cannot be known. */
static bool remote_config(struct facts *f, struct sw_str reference, struct sw_image_config *ret) {
    const struct sw_build_registry *r = f->o->registry;
    struct sw_error ignored = {0};
    struct sw_descriptor d;
    struct sw_manifest m;
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    if (!r || r->documents(r->ctx, f->store, f->arena, reference, &f->o->platform, &d, &ignored) ||
        sw_blob_read(f->store, &d.digest, SW_OCI_DOCUMENT_MAX, &bytes, &ignored) ||
        sw_manifest_parse(f->arena, sw_buf_str(&bytes), d.media_type, &m, &ignored))
        return false;
    sw_buf_reset(&bytes);
    return !sw_blob_read(f->store, &m.config.digest, SW_OCI_DOCUMENT_MAX, &bytes, &ignored) &&
           !sw_image_config_parse(f->arena, sw_buf_str(&bytes), ret, &ignored);
}

static void base_facts(void *context, struct sw_str reference,
                       const struct sw_df_platform *platform, struct sw_df_base_facts *ret) {
    struct facts *f = context;
    struct sw_error ignored = {0};
    struct sw_image_read *image = SW_NEW(f->arena, struct sw_image_read);
    (void)platform;
    *ret = (struct sw_df_base_facts){.go_version = go_of_tag(f, reference)};
    if (sw_image_read(f->store, f->arena, reference, image, &ignored) &&
        !remote_config(f, reference, &image->config))
        return;
    const struct sw_image_config *c = &image->config;
    ret->known = true;
    ret->platform = (struct sw_df_platform){c->platform.os, c->platform.os_version,
                                            c->platform.architecture, c->platform.variant};
    ret->env = (struct sw_df_words){c->config.env.ptr, c->config.env.len};
    ret->has_shell = c->config.shell.len > 0;
    ret->on_build = (struct sw_df_words){c->config.on_build.ptr, c->config.on_build.len};
    struct sw_str go;
    if (sw_config_get_env(&c->config.env, SW_STR("GOLANG_VERSION"), &go)) ret->go_version = go;
}

/* The larger of the versions that go.mod names; "" without a go.mod. */
static struct sw_str module_version(struct sw_invocation *inv, const struct sw_build_options *o) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored = {0};
    struct sw_go_modfile mod;
    const char *path = sw_arena_printf(inv->arena, "%s/go.mod", o->context).ptr;
    sw_buf_init(&text, SW_GO_MODFILE_MAX);
    if (sw_read_file_at(AT_FDCWD, path, SW_GO_MODFILE_MAX, &text, &ignored)) return SW_STR("");
    if (sw_go_modfile_parse(sw_arena_str(inv->arena, sw_buf_str(&text)), &mod, &ignored))
        return SW_STR("");
    struct sw_str toolchain = mod.toolchain;
    if (sw_str_starts(toolchain, SW_STR("go"))) toolchain = sw_str_from(toolchain, 2);
    struct sw_go_version v;
    if (!sw_go_version_read(toolchain, &v)) return mod.go;
    return mod.go.len && compare_go(mod.go, toolchain) > 0 ? mod.go : toolchain;
}

static bool get_arg(void *context, struct sw_str name, struct sw_str *ret) {
    return sw_pairs_get(context, name, ret);
}

static struct sw_df_env args_of(const struct sw_build_options *o) {
    return (struct sw_df_env){get_arg, (void *)(uintptr_t)&o->args};
}

static struct sw_df_platform platform_of(const struct sw_platform *p) {
    return (struct sw_df_platform){p->os, p->os_version, p->architecture, p->variant};
}

enum sw_code build_check(struct sw_invocation *inv, const struct sw_session *session,
                         const struct sw_build_options *o, struct sw_df_warnings *ret,
                         struct sw_error *err) {
    struct sw_dockerfile *file;
    struct sw_ignore *ignore = NULL;
    struct sw_df_check_options override;
    struct sw_str text;
    struct facts known = {inv->arena, session->store, o};
    enum sw_code code =
        sw_dockerfile_parse(inv->arena, o->dockerfile, sw_str(o->dockerfile_name), &file, err);
    if (!code && o->ignore.ptr)
        code = sw_ignore_parse(inv->arena, o->ignore, sw_str(o->ignore_name), &ignore, err);
    bool has_override = sw_pairs_get(&o->args, SW_STR("BUILDKIT_DOCKERFILE_CHECK"), &text);
    if (!code && has_override) code = sw_df_check_options_parse(inv->arena, text, &override, err);
    if (code) return code;
    struct sw_df_facts facts = {.build_args = args_of(o),
                                .build = platform_of(&o->host),
                                .target = platform_of(&o->platform),
                                .target_stage = o->target,
                                .ignore = ignore,
                                .go_mod_version = module_version(inv, o),
                                .go_compare = compare_go,
                                .base = base_facts,
                                .context = &known};
    return sw_df_check(inv->arena, file, &facts, has_override ? &override : NULL, ret, err);
}

/* ---- warnings ---- */

static void print_excerpt(FILE *to, const struct sw_build_options *o,
                          const struct sw_df_warning *w) {
    struct sw_str rest = o->dockerfile, line;
    unsigned number = 0;
    fputs("--------------------\n", to);
    while (sw_str_next(&rest, '\n', &line)) {
        number++;
        if (number + 2 < w->line) continue;
        if (number > w->end_line + 2 || (!rest.ptr && !line.len)) break;
        bool marked = number >= w->line && number <= w->end_line;
        fprintf(to, "%4u | %s %.*s\n", number, marked ? ">>>" : "   ", SW_ARG(line));
    }
    fputs("--------------------\n", to);
}

static void print_text(const struct sw_build_options *o, const struct sw_df_warnings *all) {
    if (!all->n) {
        puts("Check complete, no warnings found.");
        return;
    }
    printf("Check complete, %zu %s been found!\n", all->n,
           all->n == 1 ? "warning has" : "warnings have");
    for (size_t i = 0; i < all->n; i++) {
        const struct sw_df_warning *w = &all->items[i];
        const struct sw_df_check_info *info = sw_df_check_info(w->check);
        printf("\nWARNING: %s%s%s\n", info->name, *info->url ? " - " : "", info->url);
        printf("%s\n", info->description);
        printf("%.*s\n", SW_ARG(w->message));
        printf("%s:%u\n", o->dockerfile_name, w->line);
        print_excerpt(stdout, o, w);
    }
}

static void json_position(struct sw_json_writer *w, const char *name, uint32_t line) {
    sw_json_key(w, name);
    sw_json_begin_object(w);
    sw_json_put_int(w, "line", line);
    sw_json_put_int(w, "character", 0);
    sw_json_end_object(w);
}

static void json_location(struct sw_json_writer *w, uint32_t line, uint32_t end_line) {
    sw_json_key(w, "location");
    sw_json_begin_object(w);
    sw_json_put_int(w, "sourceIndex", 0);
    sw_json_key(w, "ranges");
    sw_json_begin_array(w);
    sw_json_begin_object(w);
    json_position(w, "start", line);
    json_position(w, "end", end_line);
    sw_json_end_object(w);
    sw_json_end_array(w);
    sw_json_end_object(w);
}

static void json_source(struct sw_json_writer *w, const struct sw_build_options *o) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 0);
    sw_base64_encode(&text, o->dockerfile, 0);
    sw_json_key(w, "sources");
    sw_json_begin_array(w);
    sw_json_begin_object(w);
    sw_json_put_str(w, "filename", sw_str(o->dockerfile_name));
    sw_json_put_str(w, "language", SW_STR("Dockerfile"));
    sw_json_put_str(w, "data", sw_buf_str(&text));
    sw_json_end_object(w);
    sw_json_end_array(w);
}

/* What keeps the file from being built at all. Its text begins with the file's name and the line.
 */
static void json_error(struct sw_json_writer *w, const struct sw_build_options *o,
                       const struct sw_error *wrong) {
    struct sw_str text = sw_str(wrong->text), name = sw_str(o->dockerfile_name), line, rest;
    uint64_t number;
    sw_json_key(w, "buildError");
    sw_json_begin_object(w);
    bool placed = sw_str_starts(text, name) &&
                  sw_str_cut(sw_str_from(text, name.len), ':', &line, &rest) &&
                  sw_str_cut(rest, ':', &line, &rest) && sw_str_u64(line, &number);
    sw_json_put_str(w, "message", placed ? sw_str_trim(rest) : text);
    if (placed) json_location(w, (uint32_t)number, (uint32_t)number);
    sw_json_end_object(w);
}

/* wrong: NULL where the file can be built. */
static void json_warnings(struct sw_json_writer *w, const struct sw_build_options *o,
                          const struct sw_df_warnings *all, const struct sw_error *wrong) {
    sw_json_begin_object(w);
    sw_json_key(w, "warnings");
    sw_json_begin_array(w);
    for (size_t i = 0; i < all->n; i++) {
        const struct sw_df_check_info *info = sw_df_check_info(all->items[i].check);
        sw_json_begin_object(w);
        sw_json_put_str(w, "ruleName", sw_str(info->name));
        sw_json_put_str(w, "description", sw_str(info->description));
        sw_json_put_str(w, "url", sw_str(info->url));
        sw_json_put_str(w, "detail", all->items[i].message);
        json_location(w, all->items[i].line, all->items[i].end_line);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
    json_source(w, o);
    if (wrong) json_error(w, o, wrong);
    sw_json_end_object(w);
}

void build_warnings_print(const struct sw_df_warnings *all) {
    if (!all->n) return;
    fprintf(stderr, "\n %zu %s found (use --check to expand):\n", all->n,
            all->n == 1 ? "warning" : "warnings");
    for (size_t i = 0; i < all->n; i++)
        fprintf(stderr, " - %s: %.*s (line %u)\n", sw_df_check_info(all->items[i].check)->name,
                SW_ARG(all->items[i].message), all->items[i].line);
}

enum sw_code build_warnings_refuse(const struct sw_df_warnings *all, struct sw_error *err) {
    if (!all->as_error || !all->n) return SW_OK;
    SW_BUF struct sw_buf names;
    sw_buf_init(&names, 1024);
    for (size_t i = 0; i < all->n; i++) {
        const char *name = sw_df_check_info(all->items[i].check)->name;
        if (sw_str_find(sw_buf_str(&names), sw_str(name)) != SIZE_MAX) continue;
        sw_buf_addf(&names, "%s%s", names.len ? ", " : "", name);
    }
    return sw_fail(err, SW_DENIED, "lint violation found for rules: %s", names.ptr);
}

/* ---- outline, targets ---- */

static void print_outline(const struct sw_df_outline *o) {
    if (o->name.len) printf("%-13s%.*s\n", "TARGET:", SW_ARG(o->name));
    if (o->description.len) printf("%-13s%.*s\n", "DESCRIPTION:", SW_ARG(o->description));
    if (o->n_args) printf("\n%-24s %-20s %s\n", "BUILD ARG", "VALUE", "DESCRIPTION");
    for (size_t i = 0; i < o->n_args; i++)
        printf("%-24.*s %-20.*s %.*s\n", SW_ARG(o->args[i].name), SW_ARG(o->args[i].value),
               SW_ARG(o->args[i].description));
    if (o->n_secrets) printf("\n%-24s %s\n", "SECRET", "REQUIRED");
    for (size_t i = 0; i < o->n_secrets; i++)
        printf("%-24.*s %s\n", SW_ARG(o->secrets[i].name), o->secrets[i].required ? "true" : "");
    if (o->n_ssh) printf("\n%-24s %s\n", "SSH", "REQUIRED");
    for (size_t i = 0; i < o->n_ssh; i++)
        printf("%-24.*s %s\n", SW_ARG(o->ssh[i].name), o->ssh[i].required ? "true" : "");
}

static void json_needs(struct sw_json_writer *w, const char *name,
                       const struct sw_df_outline_secret *list, size_t n) {
    if (!n) return;
    sw_json_key(w, name);
    sw_json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        sw_json_begin_object(w);
        sw_json_put_str(w, "name", list[i].name);
        if (list[i].required) {
            sw_json_key(w, "required");
            sw_json_bool(w, true);
        }
        json_location(w, list[i].line, list[i].line);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
}

static void json_outline(struct sw_json_writer *w, const struct sw_build_options *o,
                         const struct sw_df_outline *outline) {
    sw_json_begin_object(w);
    if (outline->name.len) sw_json_put_str(w, "name", outline->name);
    if (outline->description.len) sw_json_put_str(w, "description", outline->description);
    if (outline->n_args) {
        sw_json_key(w, "args");
        sw_json_begin_array(w);
    }
    for (size_t i = 0; i < outline->n_args; i++) {
        const struct sw_df_outline_arg *arg = &outline->args[i];
        sw_json_begin_object(w);
        sw_json_put_str(w, "name", arg->name);
        if (arg->description.len) sw_json_put_str(w, "description", arg->description);
        if (arg->value.len) sw_json_put_str(w, "value", arg->value);
        json_location(w, arg->line, arg->line);
        sw_json_end_object(w);
    }
    if (outline->n_args) sw_json_end_array(w);
    json_needs(w, "secrets", outline->secrets, outline->n_secrets);
    json_needs(w, "ssh", outline->ssh, outline->n_ssh);
    json_source(w, o);
    sw_json_end_object(w);
}

static void print_targets(const struct sw_df_target *targets, size_t n) {
    printf("%-24s %s\n", "TARGET", "DESCRIPTION");
    for (size_t i = 0; i < n; i++) {
        SW_BUF struct sw_buf name;
        sw_buf_init(&name, 4096);
        sw_buf_add(&name, targets[i].name);
        if (targets[i].is_default) sw_buf_add_text(&name, name.len ? " (default)" : "(default)");
        if (name.len || targets[i].description.len)
            printf("%-24s %.*s\n", name.ptr, SW_ARG(targets[i].description));
    }
}

static void json_targets(struct sw_json_writer *w, const struct sw_build_options *o,
                         const struct sw_df_target *targets, size_t n) {
    sw_json_begin_object(w);
    sw_json_key(w, "targets");
    sw_json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        const struct sw_df_target *t = &targets[i];
        sw_json_begin_object(w);
        if (t->name.len) sw_json_put_str(w, "name", t->name);
        if (t->is_default) {
            sw_json_key(w, "default");
            sw_json_bool(w, true);
        }
        if (t->description.len) sw_json_put_str(w, "description", t->description);
        sw_json_put_str(w, "base", t->base);
        if (t->platform.len) sw_json_put_str(w, "platform", t->platform);
        json_location(w, t->line, t->line);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
    json_source(w, o);
    sw_json_end_object(w);
}

static enum sw_code find_outline(struct sw_invocation *inv, const struct sw_dockerfile *file,
                                 const struct sw_build_options *o, struct sw_df_outline *ret,
                                 struct sw_error *err) {
    struct sw_df_vars vars = {.arena = inv->arena};
    struct sw_df_platform host = platform_of(&o->host), target = platform_of(&o->platform);
    sw_df_args_automatic(&vars, &host, &target, sw_df_target_name(file, o->target), args_of(o));
    return sw_df_outline(inv->arena, file, o->target, args_of(o), &vars, ret, err);
}

enum sw_code build_call(struct sw_invocation *inv, const struct sw_session *session,
                        const struct sw_build_options *o, enum build_call call, bool json,
                        struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_json_writer w;
    struct sw_dockerfile *file;
    sw_buf_init(&text, 0);
    sw_json_writer_init(&w, &text, SW_JSON_INDENT);
    enum sw_code code =
        sw_dockerfile_parse(inv->arena, o->dockerfile, sw_str(o->dockerfile_name), &file, err);
    struct sw_df_warnings warnings = {0};
    if (!code && call == BUILD_CALL_CHECK) code = build_check(inv, session, o, &warnings, err);
    if (code && json && call == BUILD_CALL_CHECK) {
        json_warnings(&w, o, &warnings, err);
        printf("%s\n", text.ptr);
    }
    if (code) return code;
    if (call == BUILD_CALL_CHECK) {
        inv->exit_status = warnings.n > 0;
        if (json) json_warnings(&w, o, &warnings, NULL);
        if (!json) print_text(o, &warnings);
    } else if (call == BUILD_CALL_OUTLINE) {
        struct sw_df_outline outline;
        code = find_outline(inv, file, o, &outline, err);
        if (code) return code;
        if (json) json_outline(&w, o, &outline);
        if (!json) print_outline(&outline);
    } else {
        size_t n;
        const struct sw_df_target *targets = sw_df_targets(inv->arena, file, &n);
        if (json) json_targets(&w, o, targets, n);
        if (!json) print_targets(targets, n);
    }
    if (json) printf("%s\n", text.ptr);
    return sw_buf_check(&text, "the answer", err);
}
