#include "dockerfile/values.h"

/* The numbers of Linux on every architecture that Go builds for but MIPS; an image's config holds
 * the text, so that only a stopping engine on MIPS would see a difference. */
static const struct {
    const char *name;
    int number;
} signals[] = {
    {"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},     {"TRAP", 5},    {"ABRT", 6},
    {"IOT", 6},   {"BUS", 7},   {"FPE", 8},   {"KILL", 9},    {"USR1", 10},   {"SEGV", 11},
    {"USR2", 12}, {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15},   {"STKFLT", 16}, {"CHLD", 17},
    {"CLD", 17},  {"CONT", 18}, {"STOP", 19}, {"TSTP", 20},   {"TTIN", 21},   {"TTOU", 22},
    {"URG", 23},  {"XCPU", 24}, {"XFSZ", 25}, {"VTALRM", 26}, {"PROF", 27},   {"WINCH", 28},
    {"IO", 29},   {"POLL", 29}, {"PWR", 30},  {"SYS", 31},    {"UNUSED", 31},
};
#define REALTIME_MIN 34
#define REALTIME_MAX 64

/* RTMIN, RTMIN+1 to +15, RTMAX-14 to -1, RTMAX. */
static bool realtime(struct sw_str name, int *ret) {
    bool from_min = sw_str_ieq(sw_str_sub(name, 0, 5), SW_STR("RTMIN"));
    bool from_max = sw_str_ieq(sw_str_sub(name, 0, 5), SW_STR("RTMAX"));
    if (!from_min && !from_max) return false;
    uint64_t offset = 0;
    struct sw_str rest = sw_str_from(name, 5);
    if (rest.len > 0) {
        if (rest.ptr[0] != (from_min ? '+' : '-')) return false;
        rest = sw_str_from(rest, 1);
        if (!sw_str_u64(rest, &offset) || rest.ptr[0] == '0' || offset > (from_min ? 15 : 14))
            return false;
    }
    *ret = from_min ? REALTIME_MIN + (int)offset : REALTIME_MAX - (int)offset;
    return true;
}

enum sw_code sw_df_signal_parse(struct sw_str text, int *ret_signal, struct sw_error *err) {
    uint64_t number;
    int found = 0;
    struct sw_str name = text;
    if (sw_str_u64(text, &number) && number > 0 && number <= INT32_MAX) found = (int)number;
    if (sw_str_ieq(sw_str_sub(name, 0, 3), SW_STR("SIG"))) name = sw_str_from(name, 3);
    for (size_t i = 0; !found && i < sizeof signals / sizeof *signals; i++)
        if (sw_str_ieq(name, sw_str(signals[i].name))) found = signals[i].number;
    if (!found && !realtime(name, &found))
        return sw_fail(err, SW_SYNTAX, "invalid signal \"%.*s\"; examples: SIGTERM, SIGINT, 15",
                       SW_ARG(text));
    *ret_signal = found;
    return SW_OK;
}
