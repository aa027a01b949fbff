/* The functions that change a GPU. Each is one request to the simulated driver, whose answer is NVML's error code. */
#include "state.h"
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE = 256 };

/* Sends one line, reads one line; 0 if there is no answer. */
static int exchange(const char *path, const char *request, char *answer) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t filled = 0;
    if (strlen(path) >= sizeof address.sun_path) return 0;
    strcpy(address.sun_path, path);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0) return 0;
    int sent = !connect(connection, (struct sockaddr *)&address, sizeof address) &&
               send(connection, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request);
    while (sent && filled < LINE - 1 && !memchr(answer, '\n', filled)) {
        ssize_t got = read(connection, answer + filled, LINE - 1 - filled);
        if (got <= 0) break;
        filled += got;
    }
    close(connection);
    answer[filled] = 0;
    return memchr(answer, '\n', filled) != NULL;
}

/* A process that may not change GPUs has no socket. `value` is what the driver answers beside the code. */
static int change(u32 *value, const char *operation, u32 gpu, u32 first, u32 second, u32 third) {
    const char *path = getenv("MIG_SIMULATOR_CONTROL");
    char request[LINE], answer[LINE];
    int code;
    if (!path) return NO_PERMISSION;
    snprintf(request, sizeof request, "%s %u %u %u %u\n", operation, gpu, first, second, third);
    if (!exchange(path, request, answer) || sscanf(answer, "%d %u", &code, value) != 2) return UNKNOWN;
    int unread = read_state();
    return code ? code : unread;
}

int nvmlDeviceSetMigMode(void *h, u32 mode, int *activation) {
    BEGIN_WITH(h); NEED(activation && as_gpu(h) && mode < 2);
    u32 value = 0;
    int code = change(&value, "set-mode", as_gpu(h)->index, mode, 0, 0);
    *activation = code ? code : (int)value;
    return code;
}
static int create_gi(Gpu *gpu, const char *operation, u32 profile, u32 start, u32 size, void **out) {
    u32 id;
    int code = change(&id, operation, gpu->index, profile, start, size);
    if (code) return code;
    if (!gi_of(gpu, id)) return UNKNOWN;
    *out = gi_handle(gi_of(gpu, id));
    return OK;
}
int nvmlDeviceCreateGpuInstance(void *h, u32 profile, void **out) {
    BEGIN_WITH(h); NEED(out && as_gpu(h));
    return create_gi(as_gpu(h), "create-gi", profile, 0, 0, out);
}
int nvmlDeviceCreateGpuInstanceWithPlacement(void *h, u32 profile, const Placement *place, void **out) {
    BEGIN_WITH(h); NEED(out && place && as_gpu(h));
    return create_gi(as_gpu(h), "place-gi", profile, place->start, place->size, out);
}
int nvmlGpuInstanceDestroy(void *h) {
    BEGIN_WITH(h); NEED(as_gi(h));
    u32 nothing;
    return change(&nothing, "destroy-gi", as_gi(h)->gpu->index, as_gi(h)->id, 0, 0);
}
int nvmlGpuInstanceCreateComputeInstance(void *h, u32 profile, void **out) {
    BEGIN_WITH(h); NEED(out && as_gi(h));
    u32 id;
    int code = change(&id, "create-ci", as_gi(h)->gpu->index, as_gi(h)->id, profile, 0);
    return code ? code : nvmlGpuInstanceGetComputeInstanceById(h, id, out);
}
int nvmlComputeInstanceDestroy(void *h) {
    BEGIN_WITH(h); NEED(as_ci(h));
    u32 nothing;
    Gi *gi = as_ci(h)->gi;
    return change(&nothing, "destroy-ci", gi->gpu->index, gi->id, as_ci(h)->id, 0);
}
