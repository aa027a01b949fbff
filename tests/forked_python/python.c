/* `python` for the processes of an engine under test: the server in server.py forks it, with all libraries imported.
 *
 * This file is bin/python of a folder with `socket`, where the server listens, and `python`, a link to the real one. It
 * sends the server its arguments, environment, folder and standard streams, passes signals on, and exits as the fork
 * does. The fork ends with this process. What the server does not know, such as `-c` or PYTHONPATH, starts the real one.
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
#include <unistd.h>

extern char **environ;
static int server;

static void pass_on(int number) {
    unsigned char text = (unsigned char)number;
    if (write(server, &text, 1) < 0) _exit(128 + number);
}

static int is_known(char **argv) {
    for (argv++; *argv && **argv == '-'; argv++) {
        if (!strcmp(*argv, "-m")) return argv[1] != NULL;
        if (strcmp(*argv, "-u") && strcmp(*argv, "-P") && strcmp(*argv, "-I")) return 0;
    }
    return *argv != NULL;
}

static void put(FILE *out, const char *text) { fwrite(text, 1, strlen(text) + 1, out); }

static void put_number(FILE *out, int number) { fprintf(out, "%d%c", number, 0); }

static int connected(const char *folder) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
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

int main(int argc, char **argv) {
    char folder[PATH_MAX] = {0}, real[PATH_MAX] = {0}, link[PATH_MAX + 8], here[PATH_MAX], *message;
    if (readlink("/proc/self/exe", folder, sizeof folder - 1) < 0) return 127;
    for (int up = 0; up < 2; up++) *strrchr(folder, '/') = 0;
    snprintf(link, sizeof link, "%s/python", folder);
    if (readlink(link, real, sizeof real - 1) < 0 || !getcwd(here, sizeof here)) return 127;
    if (getenv("PYTHONPATH") || !is_known(argv) || !connected(folder)) {
        argv[0] = real;
        execv(real, argv);
        perror(real);
        return 127;
    }
    int ignores_interrupts = signal(SIGINT, pass_on) == SIG_IGN;
    if (ignores_interrupts) signal(SIGINT, SIG_IGN);
    signal(SIGTERM, pass_on);
    size_t length;
    FILE *out = open_memstream(&message, &length);
    put_number(out, ignores_interrupts);
    put(out, here);
    put_number(out, argc);
    for (char **each = argv; *each; each++) put(out, *each);
    for (char **each = environ; *each; each++) put(out, *each);
    fclose(out);
    if (!sent(message, length)) return 127;
    for (int stream = 0; stream < 3; stream++) close(stream);
    unsigned char status;
    ssize_t got;
    while ((got = read(server, &status, 1)) < 0 && errno == EINTR) continue;
    return got == 1 ? status : 127;
}
