#include "dockerfile/args.h"

static bool among(struct sw_str name, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (sw_str_is(name, list[i])) return true;
    return false;
}
#define AMONG(name, list) among(name, list, sizeof(list) / sizeof *(list))

struct sw_str sw_df_proxy_name(size_t i, bool upper) {
    static const char *const names[SW_DF_PROXIES][2] = {{"http_proxy", "HTTP_PROXY"},
                                                        {"https_proxy", "HTTPS_PROXY"},
                                                        {"ftp_proxy", "FTP_PROXY"},
                                                        {"no_proxy", "NO_PROXY"},
                                                        {"all_proxy", "ALL_PROXY"}};
    return sw_str(names[i][upper]);
}

bool sw_df_arg_is_control(struct sw_str name) { return sw_str_starts(name, SW_STR("BUILDKIT_")); }

/* These choose what scanners look at; BuildKit keeps them out of the environment of RUN so that
 * switching them costs no cache hit. */
bool sw_df_arg_is_hidden(struct sw_str name) {
    static const char *const names[] = {"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"};
    return AMONG(name, names);
}

bool sw_df_arg_is_platform(struct sw_str name) {
    static const char *const names[] = {"BUILDPLATFORM", "BUILDOS",         "BUILDOSVERSION",
                                        "BUILDARCH",     "BUILDVARIANT",    "TARGETPLATFORM",
                                        "TARGETOS",      "TARGETOSVERSION", "TARGETARCH",
                                        "TARGETVARIANT", "TARGETSTAGE"};
    return AMONG(name, names);
}

struct sw_str sw_df_target_name(const struct sw_dockerfile *file, struct sw_str target) {
    return target.len ? target : file->stages[file->n_stages - 1].name;
}

/* os/arch/variant; the OS version, where asked for, in parentheses after the OS. */
static struct sw_str platform_text(struct sw_arena *arena, const struct sw_df_platform *p,
                                   bool with_version) {
    bool version = with_version && p->os_version.len > 0;
    if (p->os.len == 0) return SW_STR("unknown");
    return sw_arena_printf(arena, "%.*s%s%.*s%s%s%.*s%s%.*s", SW_ARG(p->os), version ? "(" : "",
                           version ? (int)p->os_version.len : 0, version ? p->os_version.ptr : "",
                           version ? ")" : "", p->arch.len > 0 ? "/" : "", SW_ARG(p->arch),
                           p->variant.len > 0 ? "/" : "", SW_ARG(p->variant));
}

static void automatic(struct sw_df_vars *vars, const char *name, struct sw_str value,
                      struct sw_df_env overrides) {
    struct sw_str given;
    if (overrides.get && overrides.get(overrides.context, sw_str(name), &given)) value = given;
    sw_df_vars_set(vars, sw_str(name), sw_arena_str(vars->arena, value));
}

void sw_df_args_automatic(struct sw_df_vars *vars, const struct sw_df_platform *build,
                          const struct sw_df_platform *target, struct sw_str target_stage,
                          struct sw_df_env overrides) {
    if (target_stage.len == 0) target_stage = SW_STR("default");
    automatic(vars, "BUILDPLATFORM", platform_text(vars->arena, build, false), overrides);
    automatic(vars, "BUILDOS", build->os, overrides);
    automatic(vars, "BUILDOSVERSION", build->os_version, overrides);
    automatic(vars, "BUILDARCH", build->arch, overrides);
    automatic(vars, "BUILDVARIANT", build->variant, overrides);
    automatic(vars, "TARGETPLATFORM", platform_text(vars->arena, target, true), overrides);
    automatic(vars, "TARGETOS", target->os, overrides);
    automatic(vars, "TARGETOSVERSION", target->os_version, overrides);
    automatic(vars, "TARGETARCH", target->arch, overrides);
    automatic(vars, "TARGETVARIANT", target->variant, overrides);
    automatic(vars, "TARGETSTAGE", target_stage, overrides);
}
