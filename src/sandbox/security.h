/* What a process in a sandbox may do: capabilities and the system call filter.
 *
 * Floor 3. Thread-safe.
 */
#ifndef SW_SANDBOX_SECURITY_H
#define SW_SANDBOX_SECURITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* Bit n is capability n of linux/capability.h. */
#define SW_CAPS_NONE UINT64_C(0)
/* Docker's fourteen: chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service
 * net_raw sys_chroot mknod audit_write setfcap. */
#define SW_CAPS_DEFAULT UINT64_C(0xa80425fb)
#define SW_CAPS_ALL UINT64_MAX /* cut to what the kernel knows and we have */

/* "CAP_SYS_ADMIN", "sys_admin", "ALL". SW_USAGE, with the nearest name, where there is none. */
SW_NODISCARD enum sw_code sw_caps_parse(struct sw_str name, uint64_t *ret_mask,
                                        struct sw_error *err);
/* "CAP_CHOWN"; NULL where bit names none. Static. */
const char *sw_caps_name(unsigned bit);

enum sw_seccomp {
    SW_SECCOMP_DEFAULT =
        0, /* allow-list equivalent to Docker's, less where capabilities are less */
    SW_SECCOMP_UNCONFINED,
};

#endif
