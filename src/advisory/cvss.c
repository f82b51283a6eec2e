#include "advisory/cvss.h"

#include <math.h>

#include "advisory/cvss_internal.h"

const char *sw_severity_name(enum sw_severity s) {
    static const char *const names[] = {"UNKNOWN", "NONE", "LOW", "MEDIUM", "HIGH", "CRITICAL"};
    return s < SW_SEVERITY_COUNT ? names[s] : names[0];
}

bool sw_severity_parse(struct sw_str word, enum sw_severity *ret) {
    static const struct {
        const char *word;
        enum sw_severity severity;
    } words[] = {
        {"unknown", SW_SEVERITY_UNKNOWN},   {"not yet assigned", SW_SEVERITY_UNKNOWN},
        {"unimportant", SW_SEVERITY_LOW},   {"none", SW_SEVERITY_NONE},
        {"negligible", SW_SEVERITY_LOW},    {"low", SW_SEVERITY_LOW},
        {"medium", SW_SEVERITY_MEDIUM},     {"moderate", SW_SEVERITY_MEDIUM},
        {"important", SW_SEVERITY_HIGH},    {"high", SW_SEVERITY_HIGH},
        {"critical", SW_SEVERITY_CRITICAL},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (sw_str_ieq(word, sw_str(words[i].word))) {
            *ret = words[i].severity;
            return true;
        }
    return false;
}

/* The number of a word in "A|B|C", or -1. */
static int choice(struct sw_str word, const char *values) {
    struct sw_str rest = sw_str(values), value;
    for (int i = 0; sw_str_next(&rest, '|', &value); i++)
        if (sw_str_eq(word, value)) return i;
    return SW_CVSS_UNSET;
}

enum sw_code sw_cvss_metrics(struct sw_str vector, const struct sw_cvss_metric *metrics, size_t n,
                             int *ret, struct sw_error *err) {
    struct sw_str field, name, value;
    for (size_t i = 0; i < n; i++) ret[i] = SW_CVSS_UNSET;
    while (sw_str_next(&vector, '/', &field)) {
        size_t i = 0;
        if (!sw_str_cut(field, ':', &name, &value))
            return sw_fail(err, SW_SYNTAX, "CVSS metric \"%.*s\" has no value", SW_ARG(field));
        while (i < n && !sw_str_is(name, metrics[i].name)) i++;
        if (i == n) return sw_fail(err, SW_SYNTAX, "unknown CVSS metric \"%.*s\"", SW_ARG(name));
        if (ret[i] != SW_CVSS_UNSET)
            return sw_fail(err, SW_SYNTAX, "CVSS metric %s is given twice", metrics[i].name);
        ret[i] = choice(value, metrics[i].values);
        if (ret[i] == SW_CVSS_UNSET)
            return sw_fail(err, SW_SYNTAX, "CVSS metric %s cannot be \"%.*s\"", metrics[i].name,
                           SW_ARG(value));
    }
    for (size_t i = 0; i < n; i++)
        if (metrics[i].required && ret[i] == SW_CVSS_UNSET)
            return sw_fail(err, SW_SYNTAX, "CVSS metric %s is missing", metrics[i].name);
    return SW_OK;
}

static enum sw_code score_v2(struct sw_str text, unsigned *ret, struct sw_error *err) {
    static const struct sw_cvss_metric metrics[] = {
        {"AV", "L|A|N", true},     {"AC", "H|M|L", true},  {"Au", "M|S|N", true},
        {"C", "N|P|C", true},      {"I", "N|P|C", true},   {"A", "N|P|C", true},
        {"E", "U|POC|F|H|ND"},     {"RL", "OF|TF|W|U|ND"}, {"RC", "UC|UR|C|ND"},
        {"CDP", "N|L|LM|MH|H|ND"}, {"TD", "N|L|M|H|ND"},   {"CR", "L|M|H|ND"},
        {"IR", "L|M|H|ND"},        {"AR", "L|M|H|ND"},
    };
    static const double av[] = {0.395, 0.646, 1.0}, ac[] = {0.35, 0.61, 0.71},
                        au[] = {0.45, 0.56, 0.704}, cia[] = {0, 0.275, 0.660};
    int v[SW_CVSS_METRICS_MAX];
    enum sw_code code = sw_cvss_metrics(text, metrics, sizeof metrics / sizeof *metrics, v, err);
    if (code) return code;
    double impact = 10.41 * (1 - (1 - cia[v[3]]) * (1 - cia[v[4]]) * (1 - cia[v[5]]));
    double exploitability = 20 * av[v[0]] * ac[v[1]] * au[v[2]];
    double f = impact == 0 ? 0 : 1.176;
    double score = (0.6 * impact + 0.4 * exploitability - 1.5) * f;
    *ret = score <= 0 ? 0 : (unsigned)lround(score * 10);
    return SW_OK;
}

/* Appendix A of version 3.1: up to the next tenth, blind to errors of floating point. */
static unsigned round_up(double x) {
    long n = lround(x * 100000);
    return (unsigned)(n % 10000 == 0 ? n / 10000 : n / 10000 + 1);
}

static enum sw_code score_v3(struct sw_str text, unsigned *ret, struct sw_error *err) {
    static const struct sw_cvss_metric metrics[] = {
        {"AV", "N|A|L|P", true}, {"AC", "L|H", true},  {"PR", "N|L|H", true}, {"UI", "N|R", true},
        {"S", "U|C", true},      {"C", "H|L|N", true}, {"I", "H|L|N", true},  {"A", "H|L|N", true},
        {"E", "X|U|P|F|H"},      {"RL", "X|O|T|W|U"},  {"RC", "X|U|R|C"},     {"CR", "X|L|M|H"},
        {"IR", "X|L|M|H"},       {"AR", "X|L|M|H"},    {"MAV", "X|N|A|L|P"},  {"MAC", "X|L|H"},
        {"MPR", "X|N|L|H"},      {"MUI", "X|N|R"},     {"MS", "X|U|C"},       {"MC", "X|H|L|N"},
        {"MI", "X|H|L|N"},       {"MA", "X|H|L|N"},
    };
    static const double av[] = {0.85, 0.62, 0.55, 0.2}, ac[] = {0.77, 0.44},
                        pr[2][3] = {{0.85, 0.62, 0.27}, {0.85, 0.68, 0.5}}, ui[] = {0.85, 0.62},
                        cia[] = {0.56, 0.22, 0};
    int v[SW_CVSS_METRICS_MAX];
    enum sw_code code = sw_cvss_metrics(text, metrics, sizeof metrics / sizeof *metrics, v, err);
    if (code) return code;
    bool changed = v[4] == 1;
    double iss = 1 - (1 - cia[v[5]]) * (1 - cia[v[6]]) * (1 - cia[v[7]]);
    double impact = changed ? 7.52 * (iss - 0.029) - 3.25 * pow(iss - 0.02, 15) : 6.42 * iss;
    double exploitability = 8.22 * av[v[0]] * ac[v[1]] * pr[changed][v[2]] * ui[v[3]];
    double sum = (impact + exploitability) * (changed ? 1.08 : 1);
    *ret = impact <= 0 ? 0 : round_up(sum < 10 ? sum : 10);
    return SW_OK;
}

static enum sw_severity severity_of(unsigned version, unsigned tenths) {
    if (version == 20)
        return tenths < 40 ? SW_SEVERITY_LOW : tenths < 70 ? SW_SEVERITY_MEDIUM : SW_SEVERITY_HIGH;
    return tenths == 0   ? SW_SEVERITY_NONE
           : tenths < 40 ? SW_SEVERITY_LOW
           : tenths < 70 ? SW_SEVERITY_MEDIUM
           : tenths < 90 ? SW_SEVERITY_HIGH
                         : SW_SEVERITY_CRITICAL;
}

enum sw_code sw_cvss_score(struct sw_str vector, struct sw_cvss *ret, struct sw_error *err) {
    static const struct {
        const char *prefix;
        unsigned version;
    } prefixes[] = {{"CVSS:3.0/", 30}, {"CVSS:3.1/", 31}, {"CVSS:4.0/", 40}, {"CVSS:2.0/", 20}};
    struct sw_cvss c = {.version = 20};
    vector = sw_str_trim(vector);
    if (vector.len >= 2 && vector.ptr[0] == '(' && vector.ptr[vector.len - 1] == ')')
        vector = sw_str_sub(vector, 1, vector.len - 2); /* as NVD wrote version 2 */
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (sw_str_starts(vector, sw_str(prefixes[i].prefix))) {
            c.version = prefixes[i].version;
            vector = sw_str_from(vector, strlen(prefixes[i].prefix));
            break;
        }
    if (sw_str_starts(vector, SW_STR("CVSS:")))
        return sw_fail(err, SW_SYNTAX, "a CVSS vector of an unknown version: %.*s", SW_ARG(vector));
    enum sw_code code = c.version == 20   ? score_v2(vector, &c.score, err)
                        : c.version == 40 ? sw_cvss4_score(vector, &c.score, err)
                                          : score_v3(vector, &c.score, err);
    if (code) return code;
    c.severity = severity_of(c.version, c.score);
    *ret = c;
    return SW_OK;
}
