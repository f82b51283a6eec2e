#include "scan/eol.h"

#include "codec/rfc3339.h"
#include "distro/version.h"

/* Ends of the support that everybody gets, as published by autumn 2026; extended, paid support is
 * left out. Debian (with its LTS) and Ubuntu are compared with distro-info by a test; the others
 * are as alpinelinux.org/releases, Red Hat's life cycle page and those of the rebuilds have them.
 */
static const struct {
    const char *id, *version, *end;
} ends[] = {
    {"alpine", "3.13", "2022-11-01"},
    {"alpine", "3.14", "2023-05-01"},
    {"alpine", "3.15", "2023-11-01"},
    {"alpine", "3.16", "2024-05-23"},
    {"alpine", "3.17", "2024-11-22"},
    {"alpine", "3.18", "2025-05-09"},
    {"alpine", "3.19", "2025-11-01"},
    {"alpine", "3.20", "2026-04-01"},
    {"alpine", "3.21", "2026-11-01"},
    {"alpine", "3.22", "2027-05-01"},
    {"alpine", "3.23", "2027-11-01"},
    {"debian", "7", "2018-05-31"},
    {"debian", "8", "2020-06-30"},
    {"debian", "9", "2022-06-30"},
    {"debian", "10", "2024-06-30"},
    {"debian", "11", "2026-08-31"},
    {"debian", "12", "2028-06-30"},
    {"debian", "13", "2030-06-30"},
    {"ubuntu", "14.04", "2019-04-25"},
    {"ubuntu", "16.04", "2021-04-30"},
    {"ubuntu", "18.04", "2023-05-31"},
    {"ubuntu", "19.04", "2020-01-23"},
    {"ubuntu", "19.10", "2020-07-17"},
    {"ubuntu", "20.04", "2025-05-29"},
    {"ubuntu", "20.10", "2021-07-22"},
    {"ubuntu", "21.04", "2022-01-20"},
    {"ubuntu", "21.10", "2022-07-14"},
    {"ubuntu", "22.04", "2027-06-01"},
    {"ubuntu", "22.10", "2023-07-20"},
    {"ubuntu", "23.04", "2024-01-25"},
    {"ubuntu", "23.10", "2024-07-11"},
    {"ubuntu", "24.04", "2029-05-31"},
    {"ubuntu", "24.10", "2025-07-10"},
    {"ubuntu", "25.04", "2026-01-15"},
    {"ubuntu", "25.10", "2026-07-09"},
    {"ubuntu", "26.04", "2031-05-29"},
    {"centos", "5", "2017-03-31"},
    {"centos", "6", "2020-11-30"},
    {"centos", "7", "2024-06-30"},
    {"centos", "8", "2021-12-31"},
    {"centos", "9", "2027-05-31"},
    {"rhel", "5", "2017-03-31"},
    {"rhel", "6", "2020-11-30"},
    {"rhel", "7", "2024-06-30"},
    {"rhel", "8", "2029-05-31"},
    {"rhel", "9", "2032-05-31"},
    {"rhel", "10", "2035-05-31"},
    {"almalinux", "8", "2029-03-01"},
    {"almalinux", "9", "2032-05-31"},
    {"almalinux", "10", "2035-05-31"},
    {"rocky", "8", "2029-05-31"},
    {"rocky", "9", "2032-05-31"},
    {"rocky", "10", "2035-05-31"},
    {"opensuse-leap", "15.4", "2023-12-07"},
    {"opensuse-leap", "15.5", "2024-12-31"},
};

static int64_t day(struct sw_str text) {
    uint64_t year, month, date;
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        !sw_str_u64(sw_str_sub(text, 0, 4), &year) || !sw_str_u64(sw_str_sub(text, 5, 2), &month) ||
        !sw_str_u64(sw_str_sub(text, 8, 2), &date) || month < 1 || month > 12 || date < 1 ||
        date > 31)
        return 0;
    return sw_days_from_date((int64_t)year, (unsigned)month, (unsigned)date) * 86400;
}

int64_t sw_eol_of(const struct sw_os_release *os) {
    int64_t end = day(os->support_end);
    for (size_t i = 0; i < sizeof ends / sizeof *ends && !end; i++) {
        struct sw_str v = sw_str(ends[i].version);
        if (!sw_str_is(os->id, ends[i].id) || !sw_str_starts(os->version_id, v)) continue;
        /* "3.1" must not stand for "3.15". */
        if (os->version_id.len == v.len || os->version_id.ptr[v.len] == '.')
            end = day(sw_str(ends[i].end));
    }
    return end;
}

bool sw_eol_is_missing(const struct sw_os_release *os) {
    static const char *const rolling[] = {"wolfi", "chainguard", "arch", "opensuse-tumbleweed"};
    bool newer = false;
    if (!os->id.len || !os->version_id.len || sw_eol_of(os)) return false;
    for (size_t i = 0; i < sizeof rolling / sizeof *rolling; i++)
        if (sw_str_is(os->id, rolling[i])) return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (!sw_str_is(os->id, ends[i].id)) continue;
        if (sw_version_cmp(SW_VERSION_DPKG, os->version_id, sw_str(ends[i].version)) < 0)
            return true;
        newer = true;
    }
    return !newer;
}
