/* GPU instances and compute instances. ProfileInfo takes the enum, everything else the id. */
#include "state.h"


typedef struct { u32 id, p2p, slices, max, sm, copy, dec, enc, jpeg, ofa; u64 memory; } ProfileInfo;
typedef struct { u32 version, id, p2p, slices, max, sm, copy, dec, enc, jpeg, ofa; u64 memory; char name[TEXT]; } ProfileInfoV2;
typedef struct { void *device; u32 id, profile; Placement placement; } GiInfo;

static int describe(Profile *p, ProfileInfoV2 *out) {
    if (!p) return NOT_SUPPORTED;
    u32 version = out->version;
    *out = (ProfileInfoV2){version, p->id, 0, p->slices, p->max, p->sm, p->copy, p->dec, p->enc, p->jpeg, p->ofa, p->memory, {0}};
    snprintf(out->name, sizeof out->name, "MIG %.90s", p->name);
    return OK;
}
int nvmlDeviceGetGpuInstanceProfileInfo(void *h, u32 key, ProfileInfo *out) {
    BEGIN_WITH(h); NEED(out && as_gpu(h) && (key < PROFILE_COUNT || profile_by_enum(as_gpu(h)->board, key)));
    ProfileInfoV2 full = {0};
    int code = describe(profile_by_enum(as_gpu(h)->board, key), &full);
    if (!code) *out = (ProfileInfo){full.id, 0, full.slices, full.max, full.sm, full.copy, full.dec, full.enc, full.jpeg, full.ofa, full.memory};
    return code;
}
int nvmlDeviceGetGpuInstanceProfileInfoV(void *h, u32 key, ProfileInfoV2 *out) {
    BEGIN_WITH(h); NEED(out && as_gpu(h) && (key < PROFILE_COUNT || profile_by_enum(as_gpu(h)->board, key)));
    if (out->version != (sizeof *out | 2u << 24)) return VERSION_MISMATCH;
    return describe(profile_by_enum(as_gpu(h)->board, key), out);
}
int nvmlDeviceGetGpuInstanceProfileInfoByIdV(void *h, u32 id, ProfileInfoV2 *out) {
    BEGIN_WITH(h); NEED(out && as_gpu(h));
    if (out->version != (sizeof *out | 2u << 24)) return VERSION_MISMATCH;
    return describe(profile_by_id(as_gpu(h)->board, id), out);
}
int nvmlDeviceGetGpuInstancePossiblePlacements_v2(void *h, u32 id, Placement *out, u32 *count) {
    BEGIN_WITH(h); NEED(count && as_gpu(h));
    Profile *p = profile_by_id(as_gpu(h)->board, id);
    if (!p) return NOT_SUPPORTED;
    if (out && *count < p->start_count) return INSUFFICIENT_SIZE;
    for (u32 i = 0; out && i < p->start_count; i++) out[i] = (Placement){p->starts[i], p->size};
    *count = p->start_count;
    return OK;
}
static int is_free(Gpu *gpu, u32 start, u32 size) {
    for (u32 i = 0; i < state.gi_count; i++) {
        Gi *gi = &state.gis[i];
        if (gi->gpu == gpu && start < gi->start + gi->size && gi->start < start + size) return 0;
    }
    return 1;
}
/* For one profile, without regard to the other profiles: an upper bound. */
int nvmlDeviceGetGpuInstanceRemainingCapacity(void *h, u32 id, u32 *out) {
    BEGIN_WITH(h); NEED(out && as_gpu(h));
    Profile *p = profile_by_id(as_gpu(h)->board, id);
    if (!p || !as_gpu(h)->mode) return NOT_SUPPORTED;
    u32 existing = 0, end = 0, found = 0;
    for (u32 i = 0; i < state.gi_count; i++) existing += state.gis[i].gpu == h && state.gis[i].profile == p;
    for (u32 i = 0; i < p->start_count; i++)
        if (p->starts[i] >= end && is_free(h, p->starts[i], p->size)) { found++; end = p->starts[i] + p->size; }
    *out = found < p->max - existing ? found : p->max - existing;
    return OK;
}
int nvmlDeviceGetGpuInstances(void *h, u32 id, void **out, u32 *count) {
    BEGIN_WITH(h); NEED(out && count && as_gpu(h));
    Profile *p = profile_by_id(as_gpu(h)->board, id);
    if (!p || !as_gpu(h)->mode) return NOT_SUPPORTED;
    *count = 0;
    for (u32 i = 0; i < state.gi_count; i++)
        if (state.gis[i].gpu == h && state.gis[i].profile == p) out[(*count)++] = gi_handle(&state.gis[i]);
    return OK;
}
int nvmlDeviceGetGpuInstanceById(void *h, u32 id, void **out) {
    BEGIN_WITH(h); NEED(out && as_gpu(h));
    if (!as_gpu(h)->mode) return NOT_SUPPORTED;
    Gi *gi = gi_of(h, id);
    if (!gi) return NOT_FOUND;
    *out = gi_handle(gi);
    return OK;
}
int nvmlGpuInstanceGetInfo(void *h, GiInfo *out) {
    BEGIN_WITH(h); NEED(out && as_gi(h));
    Gi *gi = as_gi(h);
    *out = (GiInfo){gi->gpu, gi->id, gi->profile->id, {gi->start, gi->size}};
    return OK;
}

/* ---- compute instances ---- */


typedef struct { u32 id, slices, max, sm, copy, dec, enc, jpeg, ofa; } ComputeInfo;
typedef struct { u32 version, id, slices, max, sm, copy, dec, enc, jpeg, ofa; char name[TEXT]; } ComputeInfoV2;
typedef struct { void *device, *gi; u32 id, profile; Placement placement; } CiInfo;

int nvmlGpuInstanceGetComputeInstanceProfileInfo(void *h, u32 key, u32 engine, ComputeInfo *out) {
    BEGIN_WITH(h); NEED(out && as_gi(h) && key < COMPUTE_PROFILE_COUNT && engine == 0);
    Profile *p = as_gi(h)->profile;
    ComputeProfile *c = compute_profile(as_gi(h), key);
    if (!c) return NOT_SUPPORTED;
    *out = (ComputeInfo){c->id, c->slices, c->max, c->sm, p->copy, p->dec, p->enc, p->jpeg, p->ofa};
    return OK;
}
int nvmlGpuInstanceGetComputeInstanceProfileInfoV(void *h, u32 key, u32 engine, ComputeInfoV2 *out) {
    BEGIN_WITH(h); NEED(out && as_gi(h) && key < COMPUTE_PROFILE_COUNT && engine == 0);
    if (out->version != (sizeof *out | 2u << 24)) return VERSION_MISMATCH;
    Profile *p = as_gi(h)->profile;
    ComputeProfile *c = compute_profile(as_gi(h), key);
    if (!c) return NOT_SUPPORTED;
    *out = (ComputeInfoV2){out->version, c->id, c->slices, c->max, c->sm, p->copy, p->dec, p->enc, p->jpeg, p->ofa, {0}};
    snprintf(out->name, sizeof out->name, "MIG %.90s", c->name);
    return OK;
}
int nvmlGpuInstanceGetComputeInstances(void *h, u32 id, void **out, u32 *count) {
    BEGIN_WITH(h); NEED(out && count && as_gi(h));
    if (!compute_profile(as_gi(h), id)) return NOT_SUPPORTED;
    *count = 0;
    for (u32 i = 0; i < state.ci_count; i++)
        if (state.cis[i].gi == as_gi(h) && state.cis[i].profile == id) out[(*count)++] = ci_handle(&state.cis[i]);
    return OK;
}
int nvmlGpuInstanceGetComputeInstanceById(void *h, u32 id, void **out) {
    BEGIN_WITH(h); NEED(out && as_gi(h));
    for (u32 i = 0; i < state.ci_count; i++)
        if (state.cis[i].gi == as_gi(h) && state.cis[i].id == id) { *out = ci_handle(&state.cis[i]); return OK; }
    return NOT_FOUND;
}
int nvmlComputeInstanceGetInfo_v2(void *h, CiInfo *out) {
    BEGIN_WITH(h); NEED(out && as_ci(h));
    Ci *ci = as_ci(h);
    *out = (CiInfo){ci->gi->gpu, gi_handle(ci->gi), ci->id, ci->profile, {ci->start, ci->size}};
    return OK;
}
