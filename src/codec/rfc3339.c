#include "codec/rfc3339.h"

#include <stdio.h>

/* Howard Hinnant's civil calendar arithmetic: years of 400 begin in March, so that the leap day is
 * the last of its year. */
int64_t sw_days_from_date(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month + (month > 2 ? 0u : 12u) - 3) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void sw_date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *ret_day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *ret_month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

/* Exactly n digits at the start of *rest. */
static bool take_number(struct sw_str *rest, size_t n, unsigned *ret) {
    uint64_t value;
    if (rest->len < n || !sw_str_u64(sw_str_sub(*rest, 0, n), &value)) return false;
    *ret = (unsigned)value;
    *rest = sw_str_from(*rest, n);
    return true;
}

static bool take_char(struct sw_str *rest, const char *any_of) {
    if (rest->len == 0 || !rest->ptr[0] || !strchr(any_of, rest->ptr[0])) return false;
    *rest = sw_str_from(*rest, 1);
    return true;
}

static bool take_fraction(struct sw_str *rest, uint32_t *ret_nsec) {
    *ret_nsec = 0;
    if (!take_char(rest, ".")) return true;
    size_t n = 0;
    uint32_t scale = 100000000;
    for (; n < rest->len && rest->ptr[n] >= '0' && rest->ptr[n] <= '9'; n++, scale /= 10)
        *ret_nsec += (uint32_t)(rest->ptr[n] - '0') * scale;
    *rest = sw_str_from(*rest, n);
    return n > 0;
}

static bool take_offset(struct sw_str *rest, int *ret_seconds) {
    unsigned hours, minutes;
    *ret_seconds = 0;
    if (take_char(rest, "Zz")) return true;
    bool west = rest->len && rest->ptr[0] == '-';
    if (!take_char(rest, "+-") || !take_number(rest, 2, &hours) || !take_char(rest, ":") ||
        !take_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (int)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static bool is_day(unsigned year, unsigned month, unsigned day) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

enum sw_code sw_rfc3339_parse(struct sw_str text, int64_t *ret_sec, uint32_t *ret_nsec,
                              struct sw_error *err) {
    struct sw_str rest = text;
    unsigned year, month, day, hour, minute, second;
    uint32_t nsec;
    int offset;
    bool ok =
        take_number(&rest, 4, &year) && take_char(&rest, "-") && take_number(&rest, 2, &month) &&
        take_char(&rest, "-") && take_number(&rest, 2, &day) && take_char(&rest, "Tt") &&
        take_number(&rest, 2, &hour) && take_char(&rest, ":") && take_number(&rest, 2, &minute) &&
        take_char(&rest, ":") && take_number(&rest, 2, &second) && take_fraction(&rest, &nsec) &&
        take_offset(&rest, &offset) && rest.len == 0;
    if (!ok || !is_day(year, month, day) || hour > 23 || minute > 59 || second > 60) {
        struct sw_str shown = sw_str_sub(text, 0, 60);
        return sw_fail(err, SW_SYNTAX, "\"%.*s\" is not a time (2006-01-02T15:04:05Z)",
                       SW_ARG(shown));
    }
    *ret_sec =
        sw_days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    *ret_nsec = nsec;
    return SW_OK;
}

struct sw_str sw_rfc3339_format(int64_t sec, uint32_t nsec, char ret_text[SW_RFC3339_MAX]) {
    const int64_t least = sw_days_from_date(0, 1, 1) * 86400;
    const int64_t most = sw_days_from_date(10000, 1, 1) * 86400 - 1;
    if (sec < least) sec = least;
    if (sec > most) sec = most;
    int64_t days = sec / 86400, rest = sec % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t year;
    unsigned month, day;
    sw_date_from_days(days, &year, &month, &day);
    int n = snprintf(ret_text, SW_RFC3339_MAX, "%04d-%02u-%02uT%02d:%02d:%02d", (int)year, month,
                     day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    if (nsec) {
        n += snprintf(ret_text + n, SW_RFC3339_MAX - (size_t)n, ".%09u", nsec % 1000000000u);
        while (ret_text[n - 1] == '0') n--;
    }
    ret_text[n++] = 'Z';
    ret_text[n] = 0;
    return sw_str_n(ret_text, (size_t)n);
}
