/* As much of Windows as fakeds.c asks for, so that it can be built for Linux: memory, and a queue of one message. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINAPI
#define __declspec(x)
#define GHND 0
#define FALSE 0
#define WM_APP 0x8000
#define MAX_PATH 260
#define BI_RGB 0
#define Sleep(milliseconds) usleep((milliseconds) * 1000)
#define GetCurrentThreadId() 0
#define GlobalLock(handle) ((void *)((handle) + 1))
#define GlobalUnlock(handle) ((void)(handle))
#define GlobalFree(handle) free(handle)
#define GlobalSize(handle) (*(handle))

typedef uint8_t BYTE;
typedef uint32_t DWORD;
typedef void *HWND;
typedef size_t *HGLOBAL; /* its size, and then what is in it */
typedef struct { void *window; unsigned message; } MSG; /* the beginning of one */
typedef struct { uint32_t biSize; int32_t biWidth, biHeight; uint16_t biPlanes, biBitCount; uint32_t biCompression,
                 biSizeImage; int32_t biXPelsPerMeter, biYPelsPerMeter; uint32_t biClrUsed, biClrImportant; }
    BITMAPINFOHEADER;

extern int usleep(unsigned microseconds);
extern unsigned posted;

static inline HGLOBAL GlobalAlloc(int how, size_t size) {
    HGLOBAL made = calloc(1, sizeof *made + size);
    (void)how;
    *made = size;
    return made;
}
static inline void PostThreadMessageA(int thread, unsigned message, int w, int l) {
    (void)thread; (void)w; (void)l;
    posted = message;
}
static inline DWORD GetEnvironmentVariableA(const char *name, char *to, DWORD size) {
    const char *found = getenv(name);
    if (found) snprintf(to, size, "%s", found);
    return found ? strlen(found) : 0;
}
static inline int CopyFileA(const char *from, const char *to, int keep) {
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    int byte, whole = in && out;
    (void)keep;
    while (whole && (byte = fgetc(in)) != EOF) fputc(byte, out);
    if (in) fclose(in);
    return out && !fclose(out) && whole;
}
