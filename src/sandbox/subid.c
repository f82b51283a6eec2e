#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "sandbox/subid_internal.h"

#define FILE_MAX ((size_t)4 << 20) /* a directory server's whole staff fits */

/* The user's name from /etc/passwd, or what the login set: a name service may know more than the
 * file, and asking it would load its plug-ins into a program that may be static. */
static void user_name(uid_t uid, char *to, size_t size) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    sw_buf_init(&text, FILE_MAX);
    const char *login = getenv("USER");
    snprintf(to, size, "%s", login ? login : "");
    if (sw_read_file_at(AT_FDCWD, "/etc/passwd", FILE_MAX, &text, &ignored)) return;
    struct sw_str rest = sw_buf_str(&text), line;
    while (sw_str_next(&rest, '\n', &line)) {
        struct sw_str name, password, number;
        uint64_t value;
        if (sw_str_next(&line, ':', &name) && sw_str_next(&line, ':', &password) &&
            sw_str_next(&line, ':', &number) && sw_str_u64(number, &value) && value == uid) {
            snprintf(to, size, "%.*s", SW_ARG(name));
            return;
        }
    }
}

void sw_subids_read(const char *path, uid_t uid, struct sw_subids *ret) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    char name[256], number[16];
    sw_buf_init(&text, FILE_MAX);
    ret->n = 0;
    if (sw_read_file_at(AT_FDCWD, path, FILE_MAX, &text, &ignored)) return;
    user_name(uid, name, sizeof name);
    snprintf(number, sizeof number, "%u", (unsigned)uid);
    struct sw_str rest = sw_buf_str(&text), line;
    while (ret->n < SW_SUBIDS_MAX && sw_str_next(&rest, '\n', &line)) {
        struct sw_str who, start_text, count_text;
        uint64_t start, count;
        if (!sw_str_next(&line, ':', &who) || !sw_str_next(&line, ':', &start_text) ||
            !sw_str_next(&line, ':', &count_text))
            continue;
        if (!sw_str_is(who, number) && !(name[0] && sw_str_is(who, name))) continue;
        if (!sw_str_u64(start_text, &start) || !sw_str_u64(sw_str_trim(count_text), &count))
            continue;
        if (count == 0 || start > UINT32_MAX || count > UINT32_MAX - start) continue;
        ret->ranges[ret->n].start = (uint32_t)start;
        ret->ranges[ret->n].count = (uint32_t)count;
        ret->n++;
    }
}
