/* A TWAIN data source without a scanner: a glass and a feeder of sheets that it draws itself.

   It is as strict as the TWAIN specification about its states: whoever forgets to end a transfer, or to disable the
   source, gets a sequence error. What goes wrong is told by the environment:

     FAKEDS_SHEETS=3        sheets in the feeder when it is opened
     FAKEDS_JAM_AT=2        the transfer of that image fails with a paper jam; DOUBLE_AT: a double feed
     FAKEDS_CRASH_AT=2      writes through a null pointer; HANG_AT: never returns
     FAKEDS_BLIND=1         cannot tell whether there is paper, and says so only when it is enabled
     FAKEDS_NEVER_READY=1   is enabled and then silent
     FAKEDS_CLOSES=1        its window is closed instead of scanning
     FAKEDS_JPEG=FILE       what it copies where it is to write a JPEG
*/
#include <windows.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint16_t u16;
typedef uint32_t u32;

enum { SUCCESS = 0, FAILURE = 1, DSEVENT = 4, NOTDSEVENT = 5, XFERDONE = 6 };
enum { BADPROTOCOL = 9, BADVALUE = 10, SEQERROR = 11, CAPUNSUPPORTED = 13, CAPBADOPERATION = 14, PAPERJAM = 20,
       PAPERDOUBLEFEED = 21, FILEWRITEERROR = 22, NOMEDIA = 29 };
enum { CAPABILITY = 1, EVENT = 2, IDENTITY = 3, PENDINGXFERS = 5, SETUPFILEXFER = 7, STATUS = 8, USERINTERFACE = 9,
       CUSTOMDSDATA = 12, IMAGEINFO = 0x101, IMAGELAYOUT = 0x102, IMAGENATIVEXFER = 0x104, IMAGEFILEXFER = 0x105 };
enum { GET = 1, GETCURRENT = 2, GETDEFAULT = 3, SET = 6, RESET = 7, QUERYSUPPORT = 8, XFERREADY = 0x101,
       CLOSEDSREQ = 0x102, OPENDS = 0x401, CLOSEDS = 0x402, DISABLEDS = 0x501, ENABLEDS = 0x502, ENDXFER = 0x701 };
enum { TY_INT16 = 1, TY_UINT16 = 4, TY_BOOL = 6, TY_FIX32 = 7 };
enum { ARRAY = 3, ENUMERATION = 4, ONEVALUE = 5, RANGE = 6 };
enum { READY = WM_APP + 1 };

#ifndef GROUPS
#define GROUPS 3 /* images and control: a source of TWAIN 1, whose memory is that of Windows */
#endif

#pragma pack(push, 2)
typedef struct { int16_t whole; u16 fraction; } Fix;
typedef struct { Fix left, top, right, bottom; } Frame;
typedef struct { u16 major, minor, language, country; char info[34]; } Version;
typedef struct { u32 id; Version version; u16 protocol_major, protocol_minor; u32 groups;
                 char manufacturer[34], family[34], product[34]; } Identity;
typedef struct { u16 cap, container; HGLOBAL handle; } Capability;
typedef struct { MSG *message; u16 answer; } Event;
typedef struct { u16 count; u32 reserved; } Pending;
typedef struct { u16 condition, data; } Status;
typedef struct { u16 show, modal; HWND parent; } UserInterface;
typedef struct { u32 length; HGLOBAL handle; } CustomData;
typedef struct { Frame frame; u32 document, page, number; } Layout;
typedef struct { Fix x, y; int32_t width, length; int16_t samples, bits[8], bits_per_pixel; u16 planar;
                 int16_t pixel_type; u16 compression; } ImageInfo;
typedef struct { char name[256]; u16 format; int16_t reference; } FileXfer;
#pragma pack(pop)

typedef struct { u16 id, type, container; int settable, count; double values[8], now, first; } Cap;

static Cap caps[] = {
    {0x0001, TY_INT16, ONEVALUE, 1, 0, {0}, -1, -1},              /* CAP_XFERCOUNT */
    {0x0101, TY_UINT16, ENUMERATION, 1, 3, {0, 1, 2}, 0, 0},      /* ICAP_PIXELTYPE: black and white, gray, RGB */
    {0x0102, TY_UINT16, ENUMERATION, 1, 1, {0}, 0, 0},            /* ICAP_UNITS: inches */
    {0x0103, TY_UINT16, ENUMERATION, 1, 2, {0, 1}, 0, 0},         /* ICAP_XFERMECH: native, file */
    {0x1002, TY_BOOL, ENUMERATION, 1, 2, {0, 1}, 0, 0},        /* CAP_FEEDERENABLED */
    {0x1003, TY_BOOL, ONEVALUE, 0, 0, {0}, 0, 0},              /* CAP_FEEDERLOADED */
    {0x1007, TY_BOOL, ONEVALUE, 1, 0, {0}, 0, 0},              /* CAP_AUTOFEED */
    {0x100B, TY_BOOL, ONEVALUE, 1, 0, {0}, 1, 1},              /* CAP_INDICATORS */
    {0x100D, TY_BOOL, ONEVALUE, 0, 0, {0}, 1, 1},              /* CAP_PAPERDETECTABLE */
    {0x100E, TY_BOOL, ONEVALUE, 0, 0, {0}, 1, 1},              /* CAP_UICONTROLLABLE */
    {0x1012, TY_UINT16, ONEVALUE, 0, 0, {0}, 1, 1},               /* CAP_DUPLEX: one pass */
    {0x1013, TY_BOOL, ONEVALUE, 1, 0, {0}, 0, 0},              /* CAP_DUPLEXENABLED */
    {0x1015, TY_BOOL, ONEVALUE, 0, 0, {0}, 1, 1},              /* CAP_CUSTOMDSDATA */
    {0x1101, TY_FIX32, RANGE, 1, 3, {-1000, 1000, 10}, 0, 0},     /* ICAP_BRIGHTNESS */
    {0x110C, TY_UINT16, ENUMERATION, 1, 2, {2, 4}, 2, 2},      /* ICAP_IMAGEFILEFORMAT: BMP, JFIF */
    {0x1111, TY_FIX32, ONEVALUE, 0, 0, {0}, 8.5, 8.5},            /* ICAP_PHYSICALWIDTH */
    {0x1112, TY_FIX32, ONEVALUE, 0, 0, {0}, 11.7, 11.7},          /* ICAP_PHYSICALHEIGHT */
    {0x1118, TY_FIX32, ENUMERATION, 1, 5, {75, 100, 200, 300, 600}, 100, 100}, /* ICAP_XRESOLUTION */
    {0x1119, TY_FIX32, ENUMERATION, 1, 5, {75, 100, 200, 300, 600}, 100, 100}, /* ICAP_YRESOLUTION */
    {0x8001, 15, ONEVALUE, 1, 0, {0}, 0, 0},                      /* the maker's own, of a type that nobody else knows */
};
enum { CAPS = sizeof caps / sizeof *caps, SUPPORTEDCAPS = 0x1005 };

static int state = 3, sheets, back_pending, image, remaining, duty;
static u16 condition;
static double left, top, right, bottom;
static char file_name[256];
static u16 file_format;

static int told(const char *name, int otherwise) {
    char text[16];
    DWORD length = GetEnvironmentVariableA(name, text, sizeof text);
    return length && length < sizeof text ? atoi(text) : otherwise;
}
static u16 fail(u16 why) { condition = why; return FAILURE; }
static Fix fix(double v) { int32_t all = (int32_t)(v * 65536 + (v < 0 ? -0.5 : 0.5)); return (Fix){all >> 16, all & 0xffff}; }
static double number(Fix f) { return f.whole + f.fraction / 65536.0; }
static Cap *find(u16 id) { for (int i = 0; i < CAPS; i++) if (caps[i].id == id) return caps + i; return NULL; }
static double now(u16 id) { return find(id)->now; }

/* ---- capabilities ---- */

static u32 packed(u16 type, double v) {
    if (type == TY_FIX32) { Fix f = fix(v); return (u16)f.whole | (u32)f.fraction << 16; }
    return (u32)(int32_t)v;
}
static double unpacked(u16 type, u32 raw) {
    if (type == TY_FIX32) return (int16_t)(raw & 0xffff) + (raw >> 16) / 65536.0;
    return type == TY_INT16 ? (int16_t)raw : (u16)raw;
}
static int width_of(u16 type) { return type == TY_FIX32 ? 4 : 2; }
static BYTE *put(BYTE *at, u32 value, int bytes) { memcpy(at, &value, bytes); return at + bytes; }

static int index_of(const Cap *c, double v) { for (int i = 0; i < c->count; i++) if (c->values[i] == v) return i; return -1; }

static BYTE *put_values(BYTE *at, const Cap *c) {
    if (c->container == RANGE) {
        for (int i = 0; i < 3; i++) at = put(at, packed(c->type, c->values[i]), 4);
        return put(put(at, packed(c->type, c->first), 4), packed(c->type, c->now), 4);
    }
    at = put(put(put(at, c->count, 4), index_of(c, c->now), 4), index_of(c, c->first), 4);
    for (int i = 0; i < c->count; i++) at = put(at, packed(c->type, c->values[i]), width_of(c->type));
    return at;
}
static u16 give(Capability *to, const Cap *c, u16 msg) {
    to->container = msg == GET ? c->container : ONEVALUE;
    to->handle = GlobalAlloc(GHND, 64);
    BYTE *at = put(GlobalLock(to->handle), c->type, 2);
    if (to->container == ONEVALUE) put(at, packed(c->type, msg == GETDEFAULT ? c->first : c->now), 4);
    else put_values(at, c);
    GlobalUnlock(to->handle);
    return SUCCESS;
}
static u16 give_list(Capability *to) {
    to->container = ARRAY;
    to->handle = GlobalAlloc(GHND, 6 + 2 * (CAPS + 1));
    BYTE *at = put(put(GlobalLock(to->handle), TY_UINT16, 2), CAPS + 1, 4);
    for (int i = 0; i < CAPS; i++) at = put(at, caps[i].id, 2);
    put(at, SUPPORTEDCAPS, 2);
    GlobalUnlock(to->handle);
    return SUCCESS;
}
static u16 give_support(Capability *to, const Cap *c) {
    Cap answer = {c->id, 5, ONEVALUE, 0, 0, {0}, c->settable ? 0x1f : 0x0d, 0};
    return give(to, &answer, GETCURRENT);
}
static int allowed(const Cap *c, double v) {
    if (c->container == RANGE) return v >= c->values[0] && v <= c->values[1];
    return c->container != ENUMERATION || index_of(c, v) >= 0;
}
static u16 take(Capability *from, Cap *c) {
    if (!c->settable) return fail(CAPBADOPERATION);
    if (state != 4) return fail(SEQERROR);
    if (from->container != ONEVALUE) return fail(BADVALUE);
    BYTE *at = GlobalLock(from->handle);
    u32 raw;
    memcpy(&raw, at + 2, 4);
    GlobalUnlock(from->handle);
    double v = unpacked(c->type, raw);
    if (!allowed(c, v)) return fail(BADVALUE);
    c->now = v;
    return SUCCESS;
}
static u16 capability(u16 msg, Capability *c) {
    if (c->cap == SUPPORTEDCAPS && msg == GET) return give_list(c);
    Cap *mine = find(c->cap);
    if (!mine) return fail(CAPUNSUPPORTED);
    if (c->cap == 0x1003) mine->now = sheets > 0;
    if (c->cap == 0x100D) mine->now = !told("FAKEDS_BLIND", 0);
    if (msg == SET) return take(c, mine);
    if (msg == QUERYSUPPORT) return give_support(c, mine);
    if (msg == RESET) mine->now = mine->first;
    return give(c, mine, msg);
}

/* ---- pages ---- */

static void whole_glass(void) { left = top = 0; right = now(0x1111); bottom = now(0x1112); }
static int wide(void) { return (int)((right - left) * now(0x1118) + 0.5); }
static int high(void) { return (int)((bottom - top) * now(0x1119) + 0.5); }
static int bits(void) { static const int by_type[] = {1, 8, 24}; return by_type[(int)now(0x101)]; }

/* Squares of 10 mm, the first of them as dark as the image's number says, and three stripes of red, green and blue. */
static void dot(double x, double y, BYTE bgr[3]) {
    double mm_x = x * 25.4, mm_y = y * 25.4;
    int shade = ((int)(mm_x / 10) + (int)(mm_y / 10)) % 2 ? 40 : 220;
    shade += (int)(now(0x1101) / 10);
    shade = shade < 0 ? 0 : shade > 255 ? 255 : shade;
    bgr[0] = bgr[1] = bgr[2] = shade;
    if (mm_x < 10 && mm_y < 10) bgr[0] = bgr[1] = bgr[2] = image * 8;
    else if (mm_y >= 20 && mm_y < 30) for (int i = 0; i < 3; i++) bgr[2 - i] = (int)(mm_x / 70) % 3 == i ? 255 : 0;
}
static void row(BYTE *to, int y, int width) {
    double at = top + (y + 0.5) / now(0x1119);
    for (int x = 0; x < width; x++) {
        BYTE bgr[3];
        dot(left + (x + 0.5) / now(0x1118), at, bgr);
        if (bits() == 24) memcpy(to + 3 * x, bgr, 3);
        else if (bits() == 8) to[x] = (bgr[0] + bgr[1] + bgr[2]) / 3;
        else if (bgr[1] >= 128) to[x / 8] |= 0x80 >> x % 8;
    }
}
static HGLOBAL dib(void) {
    int width = wide(), height = high(), stride = (width * bits() + 31) / 32 * 4, inks = bits() == 24 ? 0 : 1 << bits();
    HGLOBAL made = GlobalAlloc(GHND, sizeof(BITMAPINFOHEADER) + inks * 4 + (size_t)stride * height);
    BITMAPINFOHEADER *head = GlobalLock(made);
    *head = (BITMAPINFOHEADER){sizeof *head, width, height, 1, bits(), BI_RGB, stride * height,
                               now(0x1118) / 0.0254 + 0.5, now(0x1119) / 0.0254 + 0.5, inks, 0};
    BYTE *at = (BYTE *)(head + 1);
    for (int i = 0; i < inks; i++) at = put(at, 0x010101 * (i * 255 / (inks - 1)), 4);
    for (int y = 0; y < height; y++) row(at + (size_t)stride * (height - 1 - y), y, width);
    GlobalUnlock(made);
    return made;
}
static u16 mishap(void) {
    if (image == told("FAKEDS_CRASH_AT", 0)) *(volatile int *)0 = 1;
    if (image == told("FAKEDS_HANG_AT", 0)) for (;;) Sleep(1000);
    if (image == told("FAKEDS_JAM_AT", 0)) return PAPERJAM;
    return image == told("FAKEDS_DOUBLE_AT", 0) ? PAPERDOUBLEFEED : 0;
}
static u16 begin_image(void) {
    if (state != 6) return fail(SEQERROR);
    image++;
    u16 wrong = mishap();
    if (wrong) { image--; return fail(wrong); }
    state = 7;
    return SUCCESS;
}
static u16 native(HGLOBAL *to) {
    u16 answer = begin_image();
    if (answer == SUCCESS) *to = dib();
    return answer == SUCCESS ? XFERDONE : answer;
}
static u16 to_file(void) {
    u16 answer = begin_image();
    if (answer != SUCCESS) return answer;
    if (file_format == 4) {
        char jpeg[MAX_PATH];
        GetEnvironmentVariableA("FAKEDS_JPEG", jpeg, sizeof jpeg);
        return CopyFileA(jpeg, file_name, FALSE) ? XFERDONE : fail(FILEWRITEERROR);
    }
    HGLOBAL made = dib();
    BYTE *bytes = GlobalLock(made);
    DWORD size = GlobalSize(made), offset = 14 + 40 + ((BITMAPINFOHEADER *)bytes)->biClrUsed * 4;
    BYTE head[14] = {'B', 'M'};
    put(put(head + 2, 14 + size, 4) + 4, offset, 4);
    FILE *file = fopen(file_name, "wb");
    int whole = file && fwrite(head, 14, 1, file) == 1 && fwrite(bytes, size, 1, file) == 1;
    if (file && fclose(file)) whole = 0;
    GlobalUnlock(made);
    GlobalFree(made);
    return whole ? XFERDONE : fail(FILEWRITEERROR);
}
static u16 file_setup(u16 msg, FileXfer *setup) {
    if (msg != SET) return fail(BADPROTOCOL);
    memcpy(file_name, setup->name, sizeof file_name);
    file_format = setup->format;
    return SUCCESS;
}
static int feeding(void) { return now(0x1002) != 0; }

static u16 end_image(Pending *to) {
    if (state != 6 && state != 7) return fail(SEQERROR);
    if (feeding()) {
        int turned = back_pending;
        if (!turned) sheets--;
        back_pending = now(0x1013) && !turned;
    }
    if (remaining > 0) remaining--;
    int more = feeding() && (back_pending || sheets > 0) && remaining != 0;
    to->count = more ? (remaining < 0 ? 0xffff : remaining) : 0;
    state = more ? 6 : 5;
    return SUCCESS;
}
static u16 drop_images(Pending *to) {
    if (state != 6 && state != 7) return fail(SEQERROR);
    back_pending = to->count = 0;
    state = 5;
    return SUCCESS;
}

/* ---- the rest ---- */

static u16 enable(const UserInterface *ui) {
    if (state != 4) return fail(SEQERROR);
    if (feeding() && sheets == 0) return fail(NOMEDIA);
    state = 5;
    back_pending = 0;
    remaining = (int)now(1);
    duty = told("FAKEDS_CLOSES", 0) ? CLOSEDSREQ : XFERREADY;
    if (!told("FAKEDS_NEVER_READY", 0)) PostThreadMessageA(GetCurrentThreadId(), READY, 0, 0);
    (void)ui;
    return SUCCESS;
}
static u16 event(Event *e) {
    e->answer = 0;
    if (state != 5 || !e->message || e->message->message != READY) return NOTDSEVENT;
    e->answer = duty;
    if (duty == XFERREADY) state = 6;
    return DSEVENT;
}
static u16 image_info(ImageInfo *to) {
    if (state < 6) return fail(SEQERROR);
    *to = (ImageInfo){fix(now(0x1118)), fix(now(0x1119)), wide(), high(), bits() == 24 ? 3 : 1, {0}, bits(), 0, now(0x101), 0};
    for (int i = 0; i < to->samples; i++) to->bits[i] = bits() / to->samples;
    return SUCCESS;
}
static u16 layout(u16 msg, Layout *at) {
    if (msg == SET) {
        left = number(at->frame.left); top = number(at->frame.top);
        right = number(at->frame.right); bottom = number(at->frame.bottom);
        return SUCCESS;
    }
    if (msg == RESET) whole_glass();
    *at = (Layout){{fix(left), fix(top), fix(right), fix(bottom)}, 1, 1, 1};
    return SUCCESS;
}
static u16 custom_data(u16 msg, CustomData *data) {
    if (state != 4) return fail(SEQERROR);
    if (msg == GET) {
        data->length = 16;
        data->handle = GlobalAlloc(GHND, 16);
        sprintf(GlobalLock(data->handle), "FDS1%d", (int)now(0x1101));
    } else {
        const char *text = GlobalLock(data->handle);
        if (data->length != 16 || memcmp(text, "FDS1", 4)) { GlobalUnlock(data->handle); return fail(BADVALUE); }
        find(0x1101)->now = atoi(text + 4);
    }
    GlobalUnlock(data->handle);
    return SUCCESS;
}
static u16 open_or_close(u16 msg, Identity *me) {
    if (msg == GET) {
        memset(me, 0, sizeof *me);
        me->protocol_major = 1; me->protocol_minor = 9;
        me->groups = GROUPS;
        strcpy(me->manufacturer, "dwtsvc");
        strcpy(me->family, "fake");
        strcpy(me->product, "Fake feeder");
        strcpy(me->version.info, "1.0");
        return SUCCESS;
    }
    if (msg == CLOSEDS) return state == 4 ? (state = 3, SUCCESS) : fail(SEQERROR);
    for (int i = 0; i < CAPS; i++) caps[i].now = caps[i].first;
    sheets = told("FAKEDS_SHEETS", 3);
    image = back_pending = 0;
    whole_glass();
    state = 4;
    return SUCCESS;
}
__declspec(dllexport) u16 WINAPI DS_Entry(Identity *app, u32 group, u16 dat, u16 msg, void *data) {
    (void)app; (void)group;
    switch (dat) {
    case IDENTITY: return open_or_close(msg, data);
    case CAPABILITY: return capability(msg, data);
    case STATUS: ((Status *)data)->condition = condition; condition = 0; return SUCCESS;
    case USERINTERFACE:
        if (msg == ENABLEDS) return enable(data);
        return state == 5 ? (state = 4, SUCCESS) : fail(SEQERROR);
    case EVENT: return event(data);
    case IMAGEINFO: return image_info(data);
    case IMAGELAYOUT: return layout(msg, data);
    case CUSTOMDSDATA: return custom_data(msg, data);
    case SETUPFILEXFER: return file_setup(msg, data);
    case IMAGENATIVEXFER: return native(data);
    case IMAGEFILEXFER: return to_file();
    case PENDINGXFERS: return msg == ENDXFER ? end_image(data) : drop_images(data);
    }
    return fail(BADPROTOCOL);
}
