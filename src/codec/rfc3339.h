/* Times as documents write them: RFC 3339, always read to and written from UTC.
 *
 * Floor 1. Pure: no clock, no time zone of the host.
 */
#ifndef SW_CODEC_RFC3339_H
#define SW_CODEC_RFC3339_H

#include "base/error.h"
#include "base/str.h"

#define SW_RFC3339_MAX                                                                             \
    40 /* "2006-01-02T15:04:05.999999999Z" and a NUL, with room for bad years                      \
        */

/* Strict RFC 3339, 1 to 9 digits of fraction (more are cut), any offset, years 0000 to 9999. Leap
 * seconds (:60) read as the second after. SW_SYNTAX. */
SW_NODISCARD enum sw_code sw_rfc3339_parse(struct sw_str text, int64_t *ret_sec, uint32_t *ret_nsec,
                                           struct sw_error *err);
/* "2006-01-02T15:04:05Z", or with the fraction as Go writes it: without trailing zeros. Years
 * outside 0 .. 9999 are clamped. */
struct sw_str sw_rfc3339_format(int64_t sec, uint32_t nsec, char ret_text[SW_RFC3339_MAX]);

/* A date of the proleptic Gregorian calendar; days since 1970-01-01. month and day count from 1. */
int64_t sw_days_from_date(int64_t year, unsigned month, unsigned day);
void sw_date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
