/* The words of --ulimit. */
#include "sandbox/sandbox.h"

static const struct {
    const char *name;
    int resource;
} known[] = {
    {"as", (int)RLIMIT_AS},
    {"core", (int)RLIMIT_CORE},
    {"cpu", (int)RLIMIT_CPU},
    {"data", (int)RLIMIT_DATA},
    {"fsize", (int)RLIMIT_FSIZE},
    {"locks", 10 /* RLIMIT_LOCKS */},
    {"memlock", (int)RLIMIT_MEMLOCK},
    {"msgqueue", 12 /* RLIMIT_MSGQUEUE */},
    {"nice", 13 /* RLIMIT_NICE */},
    {"nofile", (int)RLIMIT_NOFILE},
    {"nproc", (int)RLIMIT_NPROC},
    {"rss", (int)RLIMIT_RSS},
    {"rtprio", 14 /* RLIMIT_RTPRIO */},
    {"rttime", 15 /* RLIMIT_RTTIME */},
    {"sigpending", 11 /* RLIMIT_SIGPENDING */},
    {"stack", (int)RLIMIT_STACK},
};
#define N_KNOWN (sizeof known / sizeof known[0])

static bool read_value(struct sw_str text, rlim_t *ret) {
    uint64_t value;
    if (sw_str_is(text, "-1") || sw_str_ieq(text, SW_STR("unlimited"))) {
        *ret = RLIM_INFINITY;
        return true;
    }
    if (!sw_str_u64(text, &value)) return false;
    *ret = value;
    return true;
}

enum sw_code sw_rlimit_parse(struct sw_str word, struct sw_rlimit *ret, struct sw_error *err) {
    struct sw_str name, values, soft, hard;
    struct sw_rlimit l = {0};
    if (!sw_str_cut(word, '=', &name, &values))
        return sw_fail(err, SW_USAGE, "cannot read the limit \"%.*s\": want NAME=SOFT[:HARD]",
                       SW_ARG(word));
    size_t i = 0;
    while (i < N_KNOWN && !sw_str_is(name, known[i].name)) i++;
    if (i == N_KNOWN) {
        const char *names[N_KNOWN];
        for (size_t k = 0; k < N_KNOWN; k++) names[k] = known[k].name;
        const char *nearest = sw_str_nearest(name, names, N_KNOWN);
        sw_fail(err, SW_USAGE, "unknown limit \"%.*s\"", SW_ARG(name));
        if (nearest) sw_advise(err, "; did you mean %s?", nearest);
        return err->code;
    }
    l.resource = known[i].resource;
    if (!sw_str_cut(values, ':', &soft, &hard)) hard = soft;
    if (!read_value(soft, &l.soft) || !read_value(hard, &l.hard))
        return sw_fail(err, SW_USAGE, "cannot read the limit \"%.*s\": want NAME=SOFT[:HARD]",
                       SW_ARG(word));
    /* RLIM_INFINITY is the largest number. */
    if (l.soft > l.hard)
        return sw_fail(err, SW_USAGE, "the soft limit is above the hard one in \"%.*s\"",
                       SW_ARG(word));
    *ret = l;
    return SW_OK;
}
