/* A libnvidia-ml.so.1 without a GPU: it reports the driver state file that the simulated driver writes.
 *
 * It reads the file in MIG_SIMULATOR_DRIVER at each nvmlInit, and again after each change that the process makes itself;
 * otherwise a process sees one driver state while it keeps NVML open. Changes go to the socket in MIG_SIMULATOR_CONTROL,
 * where the simulated driver decides (control.py). One record per line, fields separated by tabs: a kind, then key=value
 * pairs (written by text.py). Structures and error codes are those of NVML's public header. Functions that no reader
 * needs are missing; nvidia-ml-py reports a missing symbol as FunctionNotFound, as with an old driver, and a program of
 * go-nvml ends.
 */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15, VERSION_MISMATCH = 25, UNKNOWN = 999
};
enum { MAX_GPUS = 16, MAX_PROFILES = 256, MAX_INSTANCES = 256, MAX_STARTS = 16, MAX_ERRORS = 32, TEXT = 96 };
/* The counts in nvml.h of CUDA 13.0; a later driver, whose state has more profiles, knows more. */
enum { PROFILE_COUNT = 18, COMPUTE_PROFILE_COUNT = 9 };
enum { TAG_GPU = 0x67707521, TAG_GI = 0x67692121, TAG_CI = 0x63692121, TAG_MIG = 0x6d696721 };

typedef uint32_t u32;
typedef uint64_t u64;

typedef struct { u32 tag, index, board, subsystem, major, minor_cc, capable, mode, pending, lost, devices; u64 memory; char uuid[TEXT], name[TEXT], bus[32]; } Gpu;
typedef struct { u32 board, key, id, slices, max, sm, copy, dec, enc, jpeg, ofa, size, starts[MAX_STARTS], start_count; u64 memory; char name[TEXT]; } Profile;
typedef struct { u32 board, gi_profile, id, slices, max, sm; char name[TEXT]; } ComputeProfile;
typedef struct { Gpu *gpu; Profile *profile; u32 id, start, size; } Gi;
typedef struct { Gi *gi; u32 id, profile, start, size, device; char uuid[TEXT]; } Ci;

typedef struct {
    int opened; /* nvmlInit calls without their nvmlShutdown */
    char driver[TEXT], nvml[TEXT];
    int cuda;
    Gpu gpus[MAX_GPUS]; u32 gpu_count;
    Profile profiles[MAX_PROFILES]; u32 profile_count;
    ComputeProfile compute_profiles[MAX_PROFILES]; u32 compute_profile_count;
    Gi gis[MAX_INSTANCES]; u32 gi_count;
    Ci cis[MAX_INSTANCES]; u32 ci_count;
    struct { char call[TEXT]; int code; } errors[MAX_ERRORS]; u32 error_count;
} State;
extern State state;

/* Records by the keys that NVML's callers use; NULL when there is none. */
Gpu *gpu_at(u32 index);
Profile *profile_by_id(u32 board, u32 id);
Profile *profile_by_enum(u32 board, u32 key);
ComputeProfile *compute_profile(Gi *gi, u32 id);
Gi *gi_of(Gpu *gpu, u32 id);

/* Reads the file; DRIVER_NOT_LOADED when there is none. */
int read_state(void);

/* The error code that is injected for a function; OK when there is none. */
int injected(const char *call);

/* Whether the handle's GPU has fallen off the bus. */
int is_lost(void *handle);

/* Handles are opaque to the caller; the tag at offset 0 is the type. That of a GPU is its record. The others name an
 * instance, so that they stay valid when the records move, and find none once it is destroyed. */
void *gi_handle(Gi *gi);
void *ci_handle(Ci *ci);
void *mig_handle(Ci *ci);

/* The record of a handle of this type, else NULL. The owner of a MIG device is its GPU. */
Gpu *as_gpu(void *handle);
Gi *as_gi(void *handle);
Ci *as_ci(void *handle);
Ci *as_mig(void *handle);
Gpu *owner(void *handle);

int nvmlGpuInstanceGetComputeInstanceById(void *handle, u32 id, void **out);

/* Copies text to the caller's buffer; INSUFFICIENT_SIZE when it does not fit. */
int copy_text(char *out, u32 size, const char *text);

/* The beginning of every function. */
#define BEGIN \
    do { if (!state.opened) return UNINITIALIZED; int code_ = injected(__func__); if (code_) return code_; } while (0)
#define BEGIN_WITH(handle) \
    do { BEGIN; if (is_lost(handle)) return GPU_IS_LOST; } while (0)
#define NEED(condition) do { if (!(condition)) return INVALID_ARGUMENT; } while (0)

typedef struct { u32 start, size; } Placement;
