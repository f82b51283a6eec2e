#include "build/ssh_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"

#define SOCKET_MAX sizeof((struct sockaddr_un){0}.sun_path)
#define GREETING_MAX 1024 /* what ssh-agent says when it listens, or why it does not */

struct sw_ssh_agent {
    char dir[SOCKET_MAX], socket[SOCKET_MAX];
    pid_t keeper;
    int life; /* owned; its closing, by us or by the kernel, ends the agent */
};

/* ---- in the keeper: async-signal-safe only ---- */

struct keeper {
    int life, say; /* the ends that the keeper and the agent use */
    const char *program, *dir, *socket;
    const char *const *argv;
};

_Noreturn static void become_agent(const struct keeper *k) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Lost where ssh-agent is setgid, therefore the keeper. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0) _exit(127);
    if (null > 2) close(null);
    execve(k->program, (char *const *)k->argv, environ);
    _exit(127);
}

/* Has a session of its own, so that an interrupt at the terminal reaches the build alone, which
 * still needs its agent to end in order. */
_Noreturn static void keep(const struct keeper *k) {
    if (dup2(k->life, 0) < 0 || dup2(k->say, 1) < 0 || dup2(1, 2) < 0) _exit(1);
    /* Nothing of the program's may be held open here: a lock would never be released. */
    if (syscall(SYS_close_range, 3U, ~0U, 0U) < 0)
        for (int fd = 3; fd < 65536; fd++) close(fd);
    (void)prctl(PR_SET_NAME, "slipway-keeper");
    (void)setsid();
    (void)!chdir("/");
    pid_t agent = fork();
    if (agent == 0) become_agent(k);
    close(1);
    close(2);
    char byte;
    ssize_t n;
    do n = read(0, &byte, 1);
    while (n > 0 || (n < 0 && errno == EINTR));
    if (agent > 0) {
        kill(agent, SIGKILL);
        while (waitpid(agent, NULL, 0) < 0 && errno == EINTR) continue;
    }
    unlink(k->socket);
    rmdir(k->dir);
    _exit(0);
}

/* ---- in the program ---- */

/* TMPDIR, unless a socket's address cannot be as long. */
static enum sw_code make_dir(struct sw_ssh_agent *a, struct sw_error *err) {
    const char *base = getenv("TMPDIR");
    if (!base || base[0] != '/' || strlen(base) + sizeof "/slipway-ssh-XXXXXX/agent" > SOCKET_MAX)
        base = "/tmp";
    snprintf(a->dir, sizeof a->dir, "%s/slipway-ssh-XXXXXX", base);
    if (!mkdtemp(a->dir)) {
        a->dir[0] = '\0';
        return sw_fail_sys(err, errno, "make a directory for an ssh agent in %s", base);
    }
    snprintf(a->socket, sizeof a->socket, "%.*s/agent", (int)(sizeof a->socket - sizeof "/agent"),
             a->dir);
    return SW_OK;
}

static enum sw_code start_keeper(struct sw_ssh_agent *a, int say, struct sw_error *err) {
    SW_BUF struct sw_buf program;
    sw_buf_init(&program, 8192);
    if (!sw_proc_find("ssh-agent", &program) || !sw_proc_find("ssh-add", NULL))
        return sw_fail(err, SW_NOT_FOUND,
                       "a key needs the programs ssh-agent and ssh-add of OpenSSH");
    int life[2];
    if (pipe2(life, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
    const char *const argv[] = {"ssh-agent", "-s", "-D", "-a", a->socket, NULL};
    struct keeper k = {.life = life[0],
                       .say = say,
                       .program = program.ptr,
                       .dir = a->dir,
                       .socket = a->socket,
                       .argv = argv};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int saved = errno;
    if (pid == 0) keep(&k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(life[0]);
    if (pid < 0) {
        close(life[1]);
        return sw_fail_sys(err, saved, "fork for ssh-agent");
    }
    a->life = life[1];
    a->keeper = pid;
    return SW_OK;
}

/* It prints its environment once it listens, and closes its side when it ends. */
static enum sw_code await_agent(int from, struct sw_error *err) {
    char said[GREETING_MAX];
    size_t len = 0;
    static const char expected[] = "SSH_AUTH_SOCK=";
    while (len < sizeof said) {
        ssize_t n = read(from, said + len, sizeof said - len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        len += (size_t)n;
        if (sw_str_starts(sw_str_n(said, len), sw_str(expected))) return SW_OK;
    }
    struct sw_str text = sw_str_trim(sw_str_n(said, len));
    return sw_fail(err, SW_CHILD, "ssh-agent does not start%s%.*s", text.len ? ": " : "",
                   SW_ARG(text));
}

/* The key goes in by descriptor: a pipe is as good as a file, and no name can be an option. What
 * would ask for a passphrase is a program that refuses. */
static enum sw_code add_key(const struct sw_ssh_agent *a, struct sw_str file,
                            struct sw_error *err) {
    static const char *const hidden[] = {
        "SSH_AUTH_SOCK=", "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=", "DISPLAY="};
    SW_FREE char *path = sw_strndup(file.ptr, file.len);
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &fd, err);
    if (code) return code;
    size_t n = 0, k = 0;
    while (environ[n]) n++;
    SW_FREE const char **env = sw_calloc(n + 5, sizeof *env);
    for (size_t i = 0; i < n; i++) {
        bool take = true;
        for (size_t h = 0; h < sizeof hidden / sizeof hidden[0]; h++)
            if (sw_str_starts(sw_str(environ[i]), sw_str(hidden[h]))) take = false;
        if (take) env[k++] = environ[i];
    }
    SW_FREE char *address = sw_asprintf("SSH_AUTH_SOCK=%s", a->socket);
    env[k++] = address;
    env[k++] = "SSH_ASKPASS=false";
    env[k++] = "SSH_ASKPASS_REQUIRE=force";
    env[k++] = "DISPLAY=none";
    const char *const argv[] = {"ssh-add", "-q", "-", NULL};
    struct sw_proc_options options = {.argv = argv, .envp = env, .stdin_fd = fd};
    code = sw_proc_run(&options, NULL, err);
    if (code != SW_CHILD) return code ? sw_context(err, "%s", path) : SW_OK;
    return sw_context(err,
                      "%s is no private key that can be used without a passphrase (one with a "
                      "passphrase: add it to an agent and give that one's socket)",
                      path);
}

enum sw_code sw_ssh_agent_start(const struct sw_str *keys, size_t n_keys, struct sw_ssh_agent **ret,
                                struct sw_error *err) {
    struct sw_ssh_agent *a = sw_calloc(1, sizeof *a);
    a->life = -1;
    SW_FD int hear = -1, say = -1;
    int pair[2];
    enum sw_code code = make_dir(a, err);
    if (!code && pipe2(pair, O_CLOEXEC) < 0) {
        code = sw_fail_sys(err, errno, "make a pipe");
    } else if (!code) {
        hear = pair[0];
        say = pair[1];
    }
    if (!code) code = start_keeper(a, say, err);
    sw_closep(&say);
    if (!code) code = await_agent(hear, err);
    for (size_t i = 0; i < n_keys && !code; i++) code = add_key(a, keys[i], err);
    if (code) {
        sw_ssh_agent_free(a);
        return code;
    }
    *ret = a;
    return SW_OK;
}

const char *sw_ssh_agent_socket(const struct sw_ssh_agent *a) { return a->socket; }

void sw_ssh_agent_free(struct sw_ssh_agent *a) {
    if (!a) return;
    sw_closep(&a->life);
    if (a->keeper) {
        while (waitpid(a->keeper, NULL, 0) < 0 && errno == EINTR) continue;
    } else if (a->dir[0]) {
        rmdir(a->dir);
    }
    free(a);
}
