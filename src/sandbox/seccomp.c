/* The default system call filter.
 *
 * Equivalent in effect to the default profile of Docker's documentation: an allow-list; what is
 * known and not on it gets EPERM; what is newer than the list gets ENOSYS, so that C libraries try
 * the older call; clone3, whose flags a filter cannot see, gets ENOSYS too; what only a capability
 * makes useful is allowed with it.
 *
 * libseccomp knows the numbers. The program itself is made here, because libseccomp cannot express
 * "newer than": for each architecture the numbers are cut
 * into runs of one answer, and a binary search finds the run.
 */
#include "sandbox/seccomp_internal.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#define CACHE_MAX 16     /* sets of capabilities whose filters are kept */
#define PROGRAM_MAX 4096 /* the kernel's BPF_MAXINSNS */
#define X32_BIT 0x40000000u

enum answer { DENY, ALLOW, NOT_THERE, CHECK_CLONE, CHECK_PERSONALITY, CHECK_SOCKET };

/* By purpose. Names that an architecture lacks are passed over. */
static const char *const always[] = {
    /* files and directories */
    "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
    "faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown "
    "fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 "
    "fsync "
    "ftruncate ftruncate64 futimesat getcwd getdents getdents64 lchown lchown32 link linkat "
    "_llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat "
    "open openat openat2 readahead readlink readlinkat rename renameat renameat2 "
    "rmdir stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range "
    "sync_file_range2 arm_sync_file_range arm_fadvise64_64 syncfs truncate truncate64 umask unlink "
    "unlinkat utime utimensat utimensat_time64 utimes cachestat",
    "fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr "
    "lremovexattr lsetxattr removexattr setxattr setxattrat getxattrat listxattrat removexattrat",
    "fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self listmount statmount",
    /* reading, writing, waiting for it */
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
    "epoll_wait_old eventfd eventfd2 io_cancel io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 io_setup io_submit _newselect pipe pipe2 poll ppoll ppoll_time64 pread64 "
    "preadv preadv2 pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readv select sendfile "
    "sendfile64 signalfd signalfd4 splice tee vmsplice write writev",
    /* memory */
    "brk get_thread_area madvise map_shadow_stack membarrier memfd_create memfd_secret mincore "
    "mlock "
    "mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc "
    "pkey_free pkey_mprotect process_mrelease remap_file_pages set_thread_area",
    /* processes, users, limits */
    "alarm arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid getegid32 "
    "geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid "
    "getpriority getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage "
    "getsid gettid getuid getuid32 ioprio_get ioprio_set kill "
    "modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64 "
    "restart_syscall riscv_flush_icache riscv_hwprobe rseq "
    "seccomp set_robust_list setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
    "setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
    "setresuid32 setreuid setreuid32 setrlimit setsid set_tid_address setuid setuid32 set_tls "
    "sysinfo tgkill times tkill ugetrlimit uname vfork wait4 waitid waitpid breakpoint "
    "cacheflush swapcontext s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
    "sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min "
    "sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity "
    "sched_setattr sched_setparam sched_setscheduler sched_yield",
    /* signals, time, locks */
    "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack "
    "sigprocmask sigreturn",
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep "
    "setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64",
    "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getrandom",
    /* sockets and old interprocess communication */
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
    "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall "
    "socketpair",
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
    "semtimedop_time64 shmat shmctl shmdt shmget",
};

static const struct {
    unsigned cap;
    const char *names;
} with_cap[] = {
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    {CAP_SYS_ADMIN,
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
     "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount "
     "mount_setattr move_mount open_tree perf_event_open pivot_root quotactl quotactl_fd "
     "setdomainname sethostname setns syslog umount umount2 unshare"},
    {CAP_SYS_BOOT, "reboot"},
    {CAP_SYS_CHROOT, "chroot"},
    {CAP_SYS_MODULE, "delete_module finit_module init_module"},
    {CAP_SYS_PACCT, "acct"},
    {CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"},
    {CAP_SYS_RAWIO, "iopl ioperm"},
    {CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime"},
    {CAP_SYS_TTY_CONFIG, "vhangup"},
    {CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {CAP_SYSLOG, "syslog"},
    {38 /* CAP_PERFMON */, "perf_event_open"},
    {39 /* CAP_BPF */, "bpf"},
};

static const struct {
    const char *name;
    enum answer answer;
    int without_cap; /* only where this capability is missing; -1: always */
} special[] = {
    {"clone", CHECK_CLONE, CAP_SYS_ADMIN},
    {"clone3", NOT_THERE, CAP_SYS_ADMIN},
    {"personality", CHECK_PERSONALITY, -1},
    {"socket", CHECK_SOCKET, -1},
};

/* Newer than the libseccomp that may be installed; the same number everywhere. */
static const struct {
    const char *name;
    int number;
} unified[] = {
    {"futex_waitv", 449},       {"set_mempolicy_home_node", 450},
    {"cachestat", 451},         {"fchmodat2", 452},
    {"map_shadow_stack", 453},  {"futex_wake", 454},
    {"futex_wait", 455},        {"futex_requeue", 456},
    {"statmount", 457},         {"listmount", 458},
    {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},  {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},
    {"listxattrat", 465},       {"removexattrat", 466},
};
#define NUMBERS_MAX 512 /* of one architecture, from its first */

/* ---- numbers ---- */

/* The answers of one architecture, indexed by number. */
struct table {
    uint32_t arch;
    unsigned char answers[NUMBERS_MAX];
    int last; /* the newest that anything here knows of */
};

static int number_of(uint32_t arch, const char *name) {
    int number = seccomp_syscall_resolve_name_arch(arch, name);
    if (number >= 0) return number;
    for (size_t i = 0; number == __NR_SCMP_ERROR && i < sizeof unified / sizeof unified[0]; i++)
        if (!strcmp(unified[i].name, name)) return unified[i].number;
    return -1;
}

static void set_answer(struct table *t, const char *name, enum answer answer) {
    int number = number_of(t->arch, name);
    if (number < 0 || number >= NUMBERS_MAX) return;
    t->answers[number] = (unsigned char)answer;
    if (number > t->last) t->last = number;
}

static void set_answers(struct table *t, const char *names, enum answer answer) {
    struct sw_str rest = sw_str(names), word;
    while (sw_str_next(&rest, ' ', &word)) {
        char name[64];
        if (word.len >= sizeof name) continue;
        memcpy(name, word.ptr, word.len);
        name[word.len] = '\0';
        set_answer(t, name, answer);
    }
}

/* Before 4.8 a tracer could change a system call after the filter had looked at it. */
static bool tracing_is_safe(void) {
    struct utsname host;
    unsigned major = 0, minor = 0;
    if (uname(&host) < 0 || sscanf(host.release, "%u.%u", &major, &minor) != 2) return false;
    return major > 4 || (major == 4 && minor >= 8);
}

static void fill_table(struct table *t, uint32_t arch, uint64_t caps) {
    memset(t, 0, sizeof *t);
    t->arch = arch;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) set_answers(t, always[i], ALLOW);
    if (tracing_is_safe()) set_answers(t, "process_vm_readv process_vm_writev ptrace", ALLOW);
    for (size_t i = 0; i < sizeof with_cap / sizeof with_cap[0]; i++)
        if (caps >> with_cap[i].cap & 1) set_answers(t, with_cap[i].names, ALLOW);
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (special[i].without_cap < 0 || !(caps >> special[i].without_cap & 1))
            set_answer(t, special[i].name, special[i].answer);
}

/* ---- instructions ---- */

typedef SW_VEC(struct sock_filter) program_t;

static void emit(program_t *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf) {
    sw_vec_add(p, ((struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k}));
}
static void emit_load(program_t *p, size_t offset) {
    emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}
static void emit_return(program_t *p, uint32_t what) { emit(p, BPF_RET | BPF_K, what, 0, 0); }
#define REFUSE(errnum) (SECCOMP_RET_ERRNO | (errnum))

/* The low half of argument n: flags and families are 32 bits wide. */
static void emit_load_argument(program_t *p, unsigned n) {
    size_t low = __BYTE_ORDER == __BIG_ENDIAN ? 4 : 0;
    emit_load(p, offsetof(struct seccomp_data, args) + n * sizeof(uint64_t) + low);
}

static void emit_answer(program_t *p, enum answer answer) {
    /* Linux, and its variants of address layout and 32-bit emulation; ~0 asks what it is. */
    static const uint32_t personalities[] = {0, 0x8, 0x20000, 0x20008, 0xffffffff};
    const size_t n = sizeof personalities / sizeof personalities[0];
    /* Families with a history of holes and no use here: DECnet, NETBEUI, SECURITY, IRDA, 25, IUCV,
     * CAIF, ALG, and VSOCK, which leads to the hypervisor. */
    static const uint32_t families[] = {12, 19, 20, 23, 25, 34, 37, 38, 40};
    const size_t n_families = sizeof families / sizeof families[0];
    switch (answer) {
    case DENY:
        emit_return(p, REFUSE(EPERM));
        break;
    case ALLOW:
        emit_return(p, SECCOMP_RET_ALLOW);
        break;
    case NOT_THERE:
        emit_return(p, REFUSE(ENOSYS));
        break;
    case CHECK_CLONE:
#ifdef __s390__
        emit_load_argument(p, 1);
#else
        emit_load_argument(p, 0);
#endif
        emit(p, BPF_JMP | BPF_JSET | BPF_K, 0x7e020000 /* CLONE_NEW*, but time */, 0, 1);
        emit_return(p, REFUSE(EPERM));
        emit_return(p, SECCOMP_RET_ALLOW);
        break;
    case CHECK_PERSONALITY:
        emit_load_argument(p, 0);
        for (size_t i = 0; i < n; i++)
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, personalities[i], (uint8_t)(n - i), 0);
        emit_return(p, REFUSE(EPERM));
        emit_return(p, SECCOMP_RET_ALLOW);
        break;
    case CHECK_SOCKET:
        emit_load_argument(p, 0);
        for (size_t i = 0; i < n_families; i++)
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, families[i], (uint8_t)(n_families - i + 1), 0);
        emit(p, BPF_JMP | BPF_JGE | BPF_K, 46 /* what later kernels add */, 1, 0);
        emit_return(p, SECCOMP_RET_ALLOW);
        emit_return(p, REFUSE(EPERM));
        break;
    }
}

struct run {
    uint32_t first;
    enum answer answer;
};

/* Emits the search among runs[lo..hi); the number is in the accumulator. */
static void emit_search(program_t *p, const struct run *runs, size_t lo, size_t hi) {
    if (hi - lo == 1) {
        emit_answer(p, runs[lo].answer);
        return;
    }
    size_t middle = lo + (hi - lo) / 2;
    emit(p, BPF_JMP | BPF_JGE | BPF_K, runs[middle].first, 0, 1);
    size_t jump = p->len; /* conditional jumps reach 255 instructions only */
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_search(p, runs, lo, middle);
    p->ptr[jump].k = (uint32_t)(p->len - jump - 1);
    emit_search(p, runs, middle, hi);
}

static void emit_architecture(program_t *p, const struct table *t) {
    struct run runs[NUMBERS_MAX + 1];
    size_t n = 0;
    for (int i = 0; i <= t->last; i++)
        if (n == 0 || runs[n - 1].answer != (enum answer)t->answers[i])
            runs[n++] = (struct run){(uint32_t)i, (enum answer)t->answers[i]};
    runs[n++] = (struct run){(uint32_t)t->last + 1, NOT_THERE}; /* x32's numbers are here too */
    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, t->arch, 1, 0);
    size_t jump = p->len;
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_load(p, offsetof(struct seccomp_data, nr));
    emit_search(p, runs, 0, n);
    p->ptr[jump].k = (uint32_t)(p->len - jump - 1);
}

/* ---- the filter ---- */

struct kept {
    uint64_t caps;
    struct sock_fprog program;
};
static struct kept kept[CACHE_MAX];
static size_t n_kept;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t second_arch(uint32_t native) {
    switch (native) {
    case SCMP_ARCH_X86_64:
        return SCMP_ARCH_X86;
    case SCMP_ARCH_AARCH64:
        return SCMP_ARCH_ARM;
    case SCMP_ARCH_S390X:
        return SCMP_ARCH_S390;
    default:
        return 0;
    }
}

static enum sw_code build(uint64_t caps, struct sock_fprog *ret, struct sw_error *err) {
    program_t p = {0};
    struct table *t = sw_calloc(1, sizeof *t);
    uint32_t native = seccomp_arch_native(), other = second_arch(native);
    fill_table(t, native, caps);
    int last = t->last;
    emit_architecture(&p, t);
    if (other) {
        fill_table(t, other, caps);
        emit_architecture(&p, t);
    }
    free(t);
    emit_return(&p, REFUSE(EPERM)); /* no other architecture */
    if (last == 0 || p.len > PROGRAM_MAX) {
        sw_vec_done(&p);
        return sw_fail(err, SW_UNSUPPORTED, "no system call filter for this architecture");
    }
    *ret = (struct sock_fprog){.len = (unsigned short)p.len, .filter = p.ptr};
    return SW_OK;
}

enum sw_code sw_seccomp_filter(uint64_t caps, struct sock_fprog *ret, struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&kept_lock);
    size_t i = 0;
    while (i < n_kept && kept[i].caps != caps) i++;
    if (i == CACHE_MAX) {
        code = sw_fail(err, SW_LIMIT, "more than %d different sets of capabilities", CACHE_MAX);
    } else if (i == n_kept) {
        code = build(caps, &kept[i].program, err);
        if (!code) {
            kept[i].caps = caps;
            n_kept++;
        }
    }
    if (!code) *ret = kept[i].program;
    pthread_mutex_unlock(&kept_lock);
    return code;
}
