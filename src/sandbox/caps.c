#include <ctype.h>

#include "sandbox/security.h"

/* In the order of linux/capability.h; the text is what follows CAP_. */
static const char *const cap_names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
#define N_CAPS (sizeof cap_names / sizeof cap_names[0])

const char *sw_caps_name(unsigned bit) { return bit < N_CAPS ? cap_names[bit] : NULL; }

enum sw_code sw_caps_parse(struct sw_str name, uint64_t *ret_mask, struct sw_error *err) {
    if (sw_str_ieq(name, SW_STR("all"))) {
        *ret_mask = SW_CAPS_ALL;
        return SW_OK;
    }
    for (unsigned i = 0; i < N_CAPS; i++) {
        struct sw_str full = sw_str(cap_names[i]);
        if (sw_str_ieq(name, full) || sw_str_ieq(name, sw_str_from(full, 4))) {
            *ret_mask = UINT64_C(1) << i;
            return SW_OK;
        }
    }
    char upper[64] = "";
    bool prefixed = name.len >= 4 && sw_str_ieq(sw_str_sub(name, 0, 4), SW_STR("cap_"));
    size_t at = prefixed ? 0 : 4;
    if (!prefixed) memcpy(upper, "CAP_", 4);
    for (size_t i = 0; i < name.len && at < sizeof upper - 1; i++)
        upper[at++] = (char)toupper((unsigned char)name.ptr[i]);
    const char *nearest = sw_str_nearest(sw_str(upper), cap_names, N_CAPS);
    sw_fail(err, SW_USAGE, "unknown capability \"%.*s\"", SW_ARG(name));
    if (nearest) sw_advise(err, "; did you mean %s?", nearest);
    return err->code;
}
