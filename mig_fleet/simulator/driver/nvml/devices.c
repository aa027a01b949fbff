/* The library itself, the system, GPUs and MIG devices. */
#include "state.h"


int nvmlInitWithFlags(u32 flags) {
    (void)flags;
    if (state.opened) { state.opened++; return injected(__func__); }
    int code = read_state();
    if (!code) code = injected(__func__);
    if (!code) state.opened = 1;
    return code;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { BEGIN; state.opened--; return OK; }

const char *nvmlErrorString(int code) {
    switch (code) {
    case OK: return "The operation was successful";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_PERMISSION: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case 10: return "Timeout";
    case 5: return "Already Initialized";
    case 8: return "Insufficient External Power";
    case 11: return "Interrupt Request Issue";
    case 12: return "NVML Shared Library Not Found";
    case 13: return "Function Not Found";
    case 14: return "Corrupted infoROM";
    case 17: return "The operating system has blocked the request.";
    case 20: return "Insufficient Memory";
    case 27: return "System is not in ready state";
    case 28: return "No GPUs were found";
    case GPU_IS_LOST: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 18: return "Driver/library version mismatch";
    case 19: return "In use by another client";
    case 23: return "Insufficient Resources";
    case VERSION_MISMATCH: return "Argument version mismatch";
    default: return "Unknown Error";
    }
}

int nvmlSystemGetDriverVersion(char *out, u32 size) { BEGIN; return copy_text(out, size, state.driver); }
int nvmlSystemGetNVMLVersion(char *out, u32 size) { BEGIN; return copy_text(out, size, state.nvml); }
int nvmlSystemGetCudaDriverVersion(int *out) { BEGIN; NEED(out); *out = state.cuda; return OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { BEGIN; NEED(out); *out = state.cuda; return OK; }

/* ---- devices ---- */


typedef struct { u64 total, free, used; } Memory;
typedef struct { u32 version; u64 total, reserved, free, used; } MemoryV2;
typedef struct { char legacy[16]; u32 domain, bus, device, id, subsystem; char text[32]; } Pci;
typedef struct { u32 sm, copy, dec, enc, jpeg, ofa, gi_slices, ci_slices; u64 memory; } Attributes;

int nvmlDeviceGetCount_v2(u32 *out) { BEGIN; NEED(out); *out = state.gpu_count; return OK; }
int nvmlDeviceGetHandleByIndex_v2(u32 index, void **out) {
    BEGIN; NEED(out && gpu_at(index));
    if (gpu_at(index)->lost) return GPU_IS_LOST;
    *out = gpu_at(index);
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **out) {
    BEGIN; NEED(uuid && out);
    for (u32 i = 0; i < state.gpu_count; i++) if (!strcmp(state.gpus[i].uuid, uuid)) { *out = &state.gpus[i]; return OK; }
    for (u32 i = 0; i < state.ci_count; i++) if (!strcmp(state.cis[i].uuid, uuid)) { *out = mig_handle(&state.cis[i]); return OK; }
    return NOT_FOUND;
}
/* Any form of the address: 0000:1b:00.0, 00000000:1B:00.0. */
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **out) {
    BEGIN; NEED(address && out);
    u32 wanted[3], found[3];
    NEED(sscanf(address, "%x:%x:%x", &wanted[0], &wanted[1], &wanted[2]) == 3);
    for (u32 i = 0; i < state.gpu_count; i++) {
        Gpu *gpu = &state.gpus[i];
        sscanf(gpu->bus, "%x:%x:%x", &found[0], &found[1], &found[2]);
        if (!memcmp(wanted, found, sizeof found)) { if (gpu->lost) return GPU_IS_LOST; *out = gpu; return OK; }
    }
    return NOT_FOUND;
}
int nvmlDeviceGetHandleByPciBusId(const char *address, void **out) { return nvmlDeviceGetHandleByPciBusId_v2(address, out); }
int nvmlDeviceGetIndex(void *h, u32 *out) {
    BEGIN_WITH(h); NEED(out && owner(h)); *out = as_mig(h) ? as_mig(h)->device : as_gpu(h)->index; return OK;
}
int nvmlDeviceGetMinorNumber(void *h, u32 *out) { BEGIN_WITH(h); NEED(out && as_gpu(h)); *out = as_gpu(h)->index; return OK; }
int nvmlDeviceGetUUID(void *h, char *out, u32 size) {
    BEGIN_WITH(h); NEED(owner(h)); return copy_text(out, size, as_mig(h) ? as_mig(h)->uuid : as_gpu(h)->uuid);
}
int nvmlDeviceGetName(void *h, char *out, u32 size) {
    BEGIN_WITH(h); NEED(owner(h));
    char text[2 * TEXT + 8];
    if (as_mig(h)) snprintf(text, sizeof text, "%s MIG %s", owner(h)->name, as_mig(h)->gi->profile->name);
    else snprintf(text, sizeof text, "%s", as_gpu(h)->name);
    return copy_text(out, size, text);
}
int nvmlDeviceGetPciInfo_v3(void *h, Pci *out) {
    BEGIN_WITH(h); NEED(out && owner(h));
    Gpu *gpu = owner(h);
    memset(out, 0, sizeof *out);
    sscanf(gpu->bus, "%x:%x:%x", &out->domain, &out->bus, &out->device);
    out->id = gpu->board; out->subsystem = gpu->subsystem;
    snprintf(out->legacy, sizeof out->legacy, "%04X:%02X:%02X.0", out->domain & 0xffff, out->bus & 0xff, out->device & 0xff);
    snprintf(out->text, sizeof out->text, "%08X:%02X:%02X.0", out->domain, out->bus & 0xff, out->device & 0xff);
    return OK;
}
static u64 bytes_of(void *h) { return (as_mig(h) ? as_mig(h)->gi->profile->memory : as_gpu(h)->memory) << 20; }
int nvmlDeviceGetMemoryInfo(void *h, Memory *out) {
    BEGIN_WITH(h); NEED(out && owner(h)); out->total = out->free = bytes_of(h); out->used = 0; return OK;
}
int nvmlDeviceGetMemoryInfo_v2(void *h, MemoryV2 *out) {
    BEGIN_WITH(h); NEED(out && owner(h));
    if (out->version != (sizeof *out | 2u << 24)) return VERSION_MISMATCH;
    out->total = out->free = bytes_of(h); out->reserved = out->used = 0;
    return OK;
}
int nvmlDeviceGetCudaComputeCapability(void *h, int *major, int *minor) {
    BEGIN_WITH(h); NEED(major && minor && owner(h)); *major = owner(h)->major; *minor = owner(h)->minor_cc; return OK;
}

/* NVML's numbers: Ampere 7, Ada 8, Hopper 9, Blackwell 10. */
int nvmlDeviceGetArchitecture(void *h, u32 *out) {
    BEGIN_WITH(h); NEED(out && owner(h));
    Gpu *gpu = owner(h);
    *out = gpu->major == 8 ? (gpu->minor_cc < 9 ? 7 : 8) : gpu->major == 9 ? 9 : 10;
    return OK;
}
/* NVIDIA, and no virtual machine. */
int nvmlDeviceGetBrand(void *h, u32 *out) { BEGIN_WITH(h); NEED(out && owner(h)); *out = 14; return OK; }
int nvmlDeviceGetVirtualizationMode(void *h, u32 *out) { BEGIN_WITH(h); NEED(out && as_gpu(h)); *out = 0; return OK; }

/* ---- MIG devices ---- */


int nvmlDeviceGetMigMode(void *h, u32 *current, u32 *pending) {
    BEGIN_WITH(h); NEED(current && pending && as_gpu(h));
    if (!as_gpu(h)->capable) return NOT_SUPPORTED;
    *current = as_gpu(h)->mode; *pending = as_gpu(h)->pending;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(void *h, u32 *out) { BEGIN_WITH(h); NEED(out && as_gpu(h)); *out = as_gpu(h)->devices; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *h, u32 index, void **out) {
    BEGIN_WITH(h); NEED(out && as_gpu(h));
    if (!as_gpu(h)->capable) return NOT_SUPPORTED;
    if (index >= as_gpu(h)->devices) return INVALID_ARGUMENT;
    for (u32 i = 0; i < state.ci_count; i++)
        if (state.cis[i].gi->gpu == h && state.cis[i].device == index) { *out = mig_handle(&state.cis[i]); return OK; }
    return NOT_FOUND;
}
int nvmlDeviceIsMigDeviceHandle(void *h, u32 *out) { BEGIN_WITH(h); NEED(out && owner(h)); *out = as_mig(h) != NULL; return OK; }
int nvmlDeviceGetGpuInstanceId(void *h, u32 *out) {
    BEGIN_WITH(h); NEED(out && owner(h)); if (!as_mig(h)) return NOT_SUPPORTED; *out = as_mig(h)->gi->id; return OK;
}
int nvmlDeviceGetComputeInstanceId(void *h, u32 *out) {
    BEGIN_WITH(h); NEED(out && owner(h)); if (!as_mig(h)) return NOT_SUPPORTED; *out = as_mig(h)->id; return OK;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *h, void **out) {
    BEGIN_WITH(h); NEED(out && as_mig(h)); *out = owner(h); return OK;
}
int nvmlDeviceGetAttributes_v2(void *h, Attributes *out) {
    BEGIN_WITH(h); NEED(out && owner(h));
    if (!as_mig(h)) return NOT_SUPPORTED;
    Ci *ci = as_mig(h);
    Profile *p = ci->gi->profile;
    ComputeProfile *c = compute_profile(ci->gi, ci->profile);
    *out = (Attributes){c ? c->sm : p->sm, p->copy, p->dec, p->enc, p->jpeg, p->ofa, p->slices, ci->size, p->memory};
    return OK;
}
