/* Parses the driver state file and finds records in it. */
#include "state.h"

State state;


static const char *field(const char *line, const char *key, char *out) {
    size_t length = strlen(key);
    const char *at = line;
    out[0] = 0;
    while ((at = strchr(at, '\t'))) {
        at++;
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            size_t n = strcspn(at + length + 1, "\t\n");
            if (n >= TEXT) n = TEXT - 1;
            memcpy(out, at + length + 1, n);
            out[n] = 0;
            return out;
        }
    }
    return out;
}

static u64 number(const char *line, const char *key) {
    char text[TEXT];
    return strtoull(field(line, key, text), NULL, 0);
}

Gpu *gpu_at(u32 index) {
    for (u32 i = 0; i < state.gpu_count; i++) if (state.gpus[i].index == index) return &state.gpus[i];
    return NULL;
}

Profile *profile_by_id(u32 board, u32 id) {
    for (u32 i = 0; i < state.profile_count; i++)
        if (state.profiles[i].board == board && state.profiles[i].id == id) return &state.profiles[i];
    return NULL;
}

Profile *profile_by_enum(u32 board, u32 key) {
    for (u32 i = 0; i < state.profile_count; i++)
        if (state.profiles[i].board == board && state.profiles[i].key == key) return &state.profiles[i];
    return NULL;
}

Gi *gi_of(Gpu *gpu, u32 id) {
    for (u32 i = 0; i < state.gi_count; i++) if (state.gis[i].gpu == gpu && state.gis[i].id == id) return &state.gis[i];
    return NULL;
}

static void read_gpu(const char *line) {
    Gpu *gpu = &state.gpus[state.gpu_count];
    char text[TEXT];
    if (state.gpu_count == MAX_GPUS) return;
    memset(gpu, 0, sizeof *gpu);
    gpu->tag = TAG_GPU;
    gpu->index = number(line, "index");
    gpu->board = number(line, "board");
    gpu->subsystem = number(line, "subsystem");
    gpu->memory = number(line, "memory");
    gpu->capable = number(line, "capable");
    gpu->mode = number(line, "mode");
    gpu->pending = number(line, "pending");
    gpu->lost = number(line, "lost");
    gpu->devices = number(line, "devices");
    sscanf(field(line, "compute", text), "%u.%u", &gpu->major, &gpu->minor_cc);
    field(line, "uuid", gpu->uuid);
    field(line, "name", gpu->name);
    strncpy(gpu->bus, field(line, "bus", text), sizeof gpu->bus - 1);
    state.gpu_count++;
}

static void read_profile(const char *line) {
    Profile *p = &state.profiles[state.profile_count];
    char text[TEXT];
    if (state.profile_count == MAX_PROFILES) return;
    memset(p, 0, sizeof *p);
    p->board = number(line, "board"); p->key = number(line, "enum"); p->id = number(line, "id");
    p->slices = number(line, "slices"); p->max = number(line, "max"); p->sm = number(line, "sm");
    p->copy = number(line, "copy"); p->dec = number(line, "dec"); p->enc = number(line, "enc");
    p->jpeg = number(line, "jpeg"); p->ofa = number(line, "ofa");
    p->memory = number(line, "memory"); p->size = number(line, "size");
    field(line, "name", p->name);
    field(line, "starts", text);
    for (char *part = strtok(text, ","); part && p->start_count < MAX_STARTS; part = strtok(NULL, ","))
        p->starts[p->start_count++] = strtoul(part, NULL, 10);
    state.profile_count++;
}

static void read_compute_profile(const char *line) {
    ComputeProfile *p = &state.compute_profiles[state.compute_profile_count];
    if (state.compute_profile_count == MAX_PROFILES) return;
    p->board = number(line, "board"); p->gi_profile = number(line, "gi"); p->id = number(line, "id");
    p->slices = number(line, "slices"); p->max = number(line, "max"); p->sm = number(line, "sm");
    field(line, "name", p->name);
    state.compute_profile_count++;
}

static void read_gi(const char *line) {
    Gi *gi = &state.gis[state.gi_count];
    Gpu *gpu = gpu_at(number(line, "gpu"));
    if (!gpu || state.gi_count == MAX_INSTANCES) return;
    gi->gpu = gpu; gi->id = number(line, "id");
    gi->profile = profile_by_id(gpu->board, number(line, "profile"));
    gi->start = number(line, "start"); gi->size = number(line, "size");
    if (gi->profile) state.gi_count++;
}

static void read_ci(const char *line) {
    Ci *ci = &state.cis[state.ci_count];
    Gpu *gpu = gpu_at(number(line, "gpu"));
    Gi *gi = gpu ? gi_of(gpu, number(line, "gi")) : NULL;
    if (!gi || state.ci_count == MAX_INSTANCES) return;
    ci->gi = gi; ci->id = number(line, "id"); ci->profile = number(line, "profile");
    ci->start = number(line, "start"); ci->size = number(line, "size"); ci->device = number(line, "device");
    field(line, "uuid", ci->uuid);
    state.ci_count++;
}

int read_state(void) {
    const char *path = getenv("MIG_SIMULATOR_DRIVER");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[1024];
    if (!file) return DRIVER_NOT_LOADED;
    int opened = state.opened;
    memset(&state, 0, sizeof state);
    state.opened = opened;
    while (fgets(line, sizeof line, file)) {
        char text[TEXT];
        if (!strncmp(line, "system\t", 7)) {
            field(line, "driver", state.driver); field(line, "nvml", state.nvml); state.cuda = number(line, "cuda");
        } else if (!strncmp(line, "gpu\t", 4)) read_gpu(line);
        else if (!strncmp(line, "profile\t", 8)) read_profile(line);
        else if (!strncmp(line, "compute-profile\t", 16)) read_compute_profile(line);
        else if (!strncmp(line, "gi\t", 3)) read_gi(line);
        else if (!strncmp(line, "ci\t", 3)) read_ci(line);
        else if (!strncmp(line, "error\t", 6) && state.error_count < MAX_ERRORS) {
            strcpy(state.errors[state.error_count].call, field(line, "call", text));
            state.errors[state.error_count++].code = number(line, "code");
        }
    }
    fclose(file);
    return OK;
}

ComputeProfile *compute_profile(Gi *gi, u32 id) {
    for (u32 i = 0; i < state.compute_profile_count; i++) {
        ComputeProfile *p = &state.compute_profiles[i];
        if (p->board == gi->gpu->board && p->gi_profile == gi->profile->id && p->id == id) return p;
    }
    return NULL;
}


int injected(const char *call) {
    for (u32 i = 0; i < state.error_count; i++) if (!strcmp(state.errors[i].call, call)) return state.errors[i].code;
    return OK;
}

int copy_text(char *out, u32 size, const char *text) {
    if (!out) return INVALID_ARGUMENT;
    if (strlen(text) + 1 > size) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return OK;
}
