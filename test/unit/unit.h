/* What every unit test includes: cmocka, and checks that print expected and actual. */
#ifndef SW_TEST_UNIT_H
#define SW_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"

/* A call that must succeed; prints the error text where it does not. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        enum sw_code code_ = (call);                                                               \
        if (code_) fail_msg("%s: %s", #call, (err).text);                                          \
    } while (0)
/* A call that must be refused with this code. */
#define assert_refused(call, expected, err)                                                        \
    do {                                                                                           \
        enum sw_code code_ = (call);                                                               \
        if (code_ != (expected))                                                                   \
            fail_msg("%s: expected %s, got %s (%s)", #call, sw_code_name(expected),                \
                     sw_code_name(code_), code_ ? (err).text : "");                                \
    } while (0)
#define assert_str(actual, expected_text)                                                          \
    do {                                                                                           \
        struct sw_str actual_ = (actual);                                                          \
        if (!sw_str_is(actual_, expected_text))                                                    \
            fail_msg("%s: expected \"%s\", got \"%.*s\"", #actual, expected_text,                  \
                     SW_ARG(actual_));                                                             \
    } while (0)

#endif
