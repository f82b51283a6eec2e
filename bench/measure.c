/* Runs a command and says what it took, for bench/run.
 *
 * Usage: measure RESULT TIMEOUT_S COMMAND [ARGUMENT...]
 *
 * One line of JSON goes to the file RESULT: wall and processor seconds, the largest memory of any
 * process of it that was waited for, and the status. A small program of its own, because a child's
 * maximum includes what its parent had when it was started: that of an interpreter would hide ours.
 * After TIMEOUT_S the command's process group is killed and the status is "timeout".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t timed_out;

static void on_alarm(int signal) {
    (void)signal;
    timed_out = 1;
    kill(-child, SIGKILL);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: measure RESULT TIMEOUT_S COMMAND [ARGUMENT...]\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    double start = now();
    child = vfork();
    if (child == 0) {
        setpgid(0, 0);
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    if (child < 0) {
        perror("vfork");
        return 2;
    }
    alarm((unsigned)atoi(argv[2]));
    int status;
    struct rusage usage;
    pid_t got = wait4(child, &status, 0, &usage);
    double wall = now() - start;
    alarm(0);
    if (got < 0) {
        perror("wait4");
        return 2;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE *f = fopen(argv[1], "we");
    if (!f) {
        perror(argv[1]);
        return 2;
    }
    fprintf(f, "{\"wall_s\": %.5f, \"cpu_s\": %.4f, \"max_rss_kib\": %ld, \"status\": ", wall,
            seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss);
    if (timed_out)
        fprintf(f, "\"timeout\"}\n");
    else
        fprintf(f, "%d}\n", code);
    return fclose(f) ? 2 : 0;
}
