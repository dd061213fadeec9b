/* A data source manager of TWAIN 2 for Linux with one source, fakeds.c, built into it. */
#define GROUPS (3 | 0x40000000) /* a source of TWAIN 2, whose memory is that of the manager */
#include "../fakeds.c"

enum { PARENT = 4, ENTRYPOINT = 0x403, GETFIRST = 4, GETNEXT = 5, ENDOFLIST = 7, DSM2 = 0x10000000 };
enum { TICK = 50000 };

#pragma pack(push, 2)
typedef struct { u32 size; void *entry; HGLOBAL (*take)(u32); void (*give)(HGLOBAL); void *(*lock)(HGLOBAL);
                 void (*unlock)(HGLOBAL); } EntryPoint;
#pragma pack(pop)

unsigned posted;

static HGLOBAL take_memory(u32 size) { return GlobalAlloc(GHND, size); }
static void give_memory(HGLOBAL handle) { free(handle); }
static void *lock_memory(HGLOBAL handle) { return GlobalLock(handle); }
static void unlock_memory(HGLOBAL handle) { GlobalUnlock(handle); }

static u16 identity(u16 msg, Identity *id) {
    switch (msg) {
    case GETFIRST: return DS_Entry(NULL, 1, IDENTITY, GET, id);
    case GETNEXT: return ENDOFLIST;
    }
    return strcmp(id->product, "Fake feeder") ? fail(3) : DS_Entry(NULL, 1, IDENTITY, msg, id);
}
u16 DSM_Entry(Identity *app, Identity *to, u32 group, u16 dat, u16 msg, void *data) {
    if (to) return DS_Entry(app, group, dat, msg, data);
    switch (dat) {
    case PARENT: app->groups |= DSM2; return SUCCESS;
    case ENTRYPOINT:
        *(EntryPoint *)data = (EntryPoint){sizeof(EntryPoint), DSM_Entry, take_memory, give_memory, lock_memory, unlock_memory};
        return SUCCESS;
    case IDENTITY: return identity(msg, data);
    }
    return DS_Entry(app, group, dat, msg, data);
}
/* The message loop's own: what was posted, else a timer's tick. */
int next_message(MSG *to) {
    if (!posted) usleep(TICK);
    to->message = posted;
    posted = 0;
    return 1;
}
