/* `python` for the processes of an engine under test: a server (server.py) forks it, with all libraries imported.
 *
 * This file is bin/python of a folder with the sockets `0` and `1`, where servers listen, and `python`, a link to the
 * real one. It sends a server its arguments, environment, folder and standard streams, passes signals on, and ends as
 * the fork does. The fork ends with this process. What a fork cannot do, such as `-c`, the real Python does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static int server;

static const int PASSED_ON[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
static const char *ONLY_AT_START[] = {"PYTHONHASHSEED", "PYTHONIOENCODING", "PYTHONPATH", "PYTHONUTF8", "PYTHONWARNINGS"};
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void pass_on(int number) {
    unsigned char text = (unsigned char)number;
    if (write(server, &text, 1) < 0) _exit(128 + number);
}

static int is_ignored(int number) {
    struct sigaction now;
    sigaction(number, NULL, &now);
    return now.sa_handler == SIG_IGN;
}

static int is_known(char **argv) {
    for (size_t i = 0; i < LENGTH(ONLY_AT_START); i++)
        if (getenv(ONLY_AT_START[i])) return 0;
    for (argv++; *argv && **argv == '-'; argv++) {
        if (!strcmp(*argv, "-m")) return argv[1] != NULL;
        if (strcmp(*argv, "-u") && strcmp(*argv, "-P") && strcmp(*argv, "-I")) return 0;
    }
    return *argv != NULL;
}

static void put(FILE *out, const char *text) { fwrite(text, 1, strlen(text) + 1, out); }

static void put_number(FILE *out, int number) { fprintf(out, "%d%c", number, 0); }

/* To one of two servers at random: they have different seeds for the order of sets, as two starts of Python have. */
static int connected(const char *folder) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/%d", folder, (int)(now.tv_nsec >> 8 & 1));
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return length < (int)sizeof address.sun_path && !connect(server, (struct sockaddr *)&address, sizeof address);
}

/* The length of the message, with the three streams; then the message. */
static int sent(const char *message, size_t length) {
    unsigned size = (unsigned)length;
    int streams[] = {0, 1, 2};
    char control[CMSG_SPACE(sizeof streams)] = {0};
    struct iovec first = {&size, sizeof size};
    struct msghdr head = {.msg_iov = &first, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof streams);
    memcpy(CMSG_DATA(rights), streams, sizeof streams);
    if (sendmsg(server, &head, 0) != sizeof size) return 0;
    for (size_t at = 0; at < length;) {
        ssize_t more = write(server, message + at, length - at);
        if (more < 0) return 0;
        at += (size_t)more;
    }
    return 1;
}

/* Ends as the fork did: with its exit status, or by the signal that ended it, which is a negative number. */
static int end(int status) {
    if (status >= 0) return status;
    signal(-status, SIG_DFL);
    raise(-status);
    return 128 - status;
}

int main(int argc, char **argv) {
    char folder[PATH_MAX] = {0}, real[PATH_MAX] = {0}, link[PATH_MAX + 8], here[PATH_MAX], *message;
    if (readlink("/proc/self/exe", folder, sizeof folder - 1) < 0) return 127;
    for (int up = 0; up < 2; up++) *strrchr(folder, '/') = 0;
    snprintf(link, sizeof link, "%s/python", folder);
    if (readlink(link, real, sizeof real - 1) < 0 || !getcwd(here, sizeof here)) return 127;
    if (!is_known(argv) || !connected(folder)) {
        argv[0] = real;
        execv(real, argv);
        perror(real);
        return 127;
    }
    /* A signal waits until the request is sent: its number must not be part of it. */
    sigset_t passed_on, before;
    sigemptyset(&passed_on);
    for (size_t i = 0; i < LENGTH(PASSED_ON); i++) sigaddset(&passed_on, PASSED_ON[i]);
    sigprocmask(SIG_BLOCK, &passed_on, &before);
    for (size_t i = 0; i < LENGTH(PASSED_ON); i++)
        if (!is_ignored(PASSED_ON[i])) signal(PASSED_ON[i], pass_on);
    size_t length;
    FILE *out = open_memstream(&message, &length);
    put_number(out, is_ignored(SIGINT));
    put(out, here);
    put_number(out, argc);
    for (char **each = argv; *each; each++) put(out, *each);
    for (char **each = environ; *each; each++) put(out, *each);
    fclose(out);
    if (!sent(message, length)) return 127;
    sigprocmask(SIG_SETMASK, &before, NULL);
    for (int stream = 0; stream < 3; stream++) close(stream);
    short status;
    ssize_t got;
    while ((got = read(server, &status, sizeof status)) < 0 && errno == EINTR) continue;
    return got == sizeof status ? end(status) : 127;
}
