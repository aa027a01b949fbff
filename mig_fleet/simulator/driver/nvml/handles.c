/* Handles of instances: one for each GPU, GPU instance and compute instance that a process ever saw. */
#include "state.h"

typedef struct Handle { u32 tag, gpu, gi, ci; struct Handle *next; } Handle;
static Handle *handles;

static void *handle(u32 tag, u32 gpu, u32 gi, u32 ci) {
    for (Handle *it = handles; it; it = it->next)
        if (it->tag == tag && it->gpu == gpu && it->gi == gi && it->ci == ci) return it;
    Handle *created = malloc(sizeof *created);
    if (!created) abort();
    *created = (Handle){tag, gpu, gi, ci, handles};
    return handles = created;
}
void *gi_handle(Gi *gi) { return handle(TAG_GI, gi->gpu->index, gi->id, 0); }
void *ci_handle(Ci *ci) { return handle(TAG_CI, ci->gi->gpu->index, ci->gi->id, ci->id); }
void *mig_handle(Ci *ci) { return handle(TAG_MIG, ci->gi->gpu->index, ci->gi->id, ci->id); }

static Handle *of_type(void *h, u32 tag) { return h && *(u32 *)h == tag ? h : NULL; }

static Ci *find_ci(Handle *it) {
    for (u32 i = 0; it && i < state.ci_count; i++) {
        Ci *ci = &state.cis[i];
        if (ci->gi->gpu->index == it->gpu && ci->gi->id == it->gi && ci->id == it->ci) return ci;
    }
    return NULL;
}
Gpu *as_gpu(void *h) { return h && *(u32 *)h == TAG_GPU ? h : NULL; }
Gi *as_gi(void *h) {
    Handle *it = of_type(h, TAG_GI);
    return it ? gi_of(gpu_at(it->gpu), it->gi) : NULL;
}
Ci *as_ci(void *h) { return find_ci(of_type(h, TAG_CI)); }
Ci *as_mig(void *h) { return find_ci(of_type(h, TAG_MIG)); }
Gpu *owner(void *h) { Ci *ci = as_mig(h); return ci ? ci->gi->gpu : as_gpu(h); }

int is_lost(void *h) {
    Gpu *gpu = as_gi(h) ? as_gi(h)->gpu : as_ci(h) ? as_ci(h)->gi->gpu : owner(h);
    return gpu && gpu->lost;
}
