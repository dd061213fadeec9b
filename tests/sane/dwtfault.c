/* A SANE backend that breaks on purpose, for the tests.
 *
 * Two devices: "adf" (Flatbed, ADF Front, ADF Duplex) and "glass" (flatbed only, its source option is inactive).
 * The dll backend loads it as "dwtfault". Everything is told by the environment, read at the moment of use:
 *
 *   DWTFAULT_PAGES=6          sides in the feeder of a freshly opened device
 *   DWTFAULT_ACTION=...       what goes wrong (see `misbehave` and the places that call `action_is`):
 *                             status segv abort exit stop hang orphan short print overlong negative
 *                             long endless slow hang_open hang_cancel hang_close early_param_change
 *   DWTFAULT_FAIL_AT=1        on which page
 *   DWTFAULT_WHERE=middle     start, first (before the first row; "read" means the same), middle
 *   DWTFAULT_STATUS=6         the SANE status of action "status"
 *   DWTFAULT_OPEN_STATUS=n    sane_open fails so (3 busy, 11 denied)
 *   DWTFAULT_LIST=...         hang, crash, status, empty: what sane_get_devices does
 *   DWTFAULT_PARAMETERS=...   lies told on page FAIL_AT: bpl_zero bpl_negative bpl_short width_huge width_zero
 *                             width_negative lines_huge lines_zero depth format
 *   DWTFAULT_LINES=-1         the height is not announced
 *   DWTFAULT_FRAMES=3         a colour page comes as red, green, blue; 0: no frame is ever the last one
 *   DWTFAULT_SIZES=vary       pages differ in size
 *   DWTFAULT_PAD=n            filler bytes at the end of each row
 *   DWTFAULT_CHUNK=n          no sane_read gives more than n bytes
 *   DWTFAULT_ROW_DELAY_US=n   a slow scanner (with action "slow": only on page FAIL_AT)
 *   DWTFAULT_LOADED=path      the feeder is empty while there is no such file
 *   DWTFAULT_PRESSED=path     a file with the names of the buttons that are pressed now: scan, and a digit for function
 *   DWTFAULT_LOG=path         one line a call is appended: "<monotonic seconds> <pid> <call> <words...>"
 *
 * What a page holds. Byte x of row y of page p (p counts sides from 1, padding not counted) is
 *     x = 0: p    x = 1: y / 256    x = 2: y    else: 37 p + 3 y + 7 x        all modulo 256
 * In Lineart the bits right of the last pixel are 0. Frame f (0 red, 1 green, 2 blue) of a page in three frames
 * holds bytes 3 i + f of that row. A varying page is 16 ((p - 1) mod 3) pixels narrower and 32 ((p - 1) mod 4)
 * rows shorter. Rows, pages and colours that are lost, repeated or exchanged therefore show.
 */
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <sane/sane.h>
#include <sane/saneopts.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME(call) sane_dwtfault_##call
#define FILLER 0xA5
#define GAMMA 256

enum {
  COUNT, SCAN_GROUP, SOURCE, MODE, RESOLUTION, THRESHOLD, AREA_GROUP, TL_X, TL_Y, BR_X, BR_Y,
  MORE_GROUP, GAMMA_TABLE, BRIGHTNESS, CALIBRATE, SENSOR_GROUP, PAGE_LOADED, SCAN_BUTTON, FUNCTION, OPTIONS
};

typedef struct {
  const SANE_Device *device;
  SANE_Option_Descriptor options[OPTIONS];
  SANE_Word values[OPTIONS];
  SANE_Word gamma[GAMMA];
  char source[16], mode[16];
  int page, frame, scanning, misbehaved;
  long position; /* bytes of this frame already given */
} Scanner;

static const SANE_Device adf = {"adf", "dwtsvc", "fault feeder", "virtual device"};
static const SANE_Device glass = {"glass", "dwtsvc", "fault glass", "virtual device"};

/* Has glibc set up stack unwinding now instead of at the first pthread_exit; see PRELOAD in rig.py. */
__attribute__((constructor)) static void load_unwinder(void) {
  void *frame;
  if (getenv("LD_PRELOAD")) backtrace(&frame, 1);
}

/* ---- environment and log ---- */

static const char *text(const char *key, const char *otherwise) {
  const char *value = getenv(key);
  return value ? value : otherwise;
}

static int number(const char *key, int otherwise) {
  const char *value = getenv(key);
  return value ? atoi(value) : otherwise;
}

static int action_is(const char *word) { return !strcmp(text("DWTFAULT_ACTION", ""), word); }

static int place(void) { /* 0 start, 1 first, 2 middle */
  const char *where = text("DWTFAULT_WHERE", "middle");
  return !strcmp(where, "start") ? 0 : !strcmp(where, "middle") ? 2 : 1;
}

static void note(const char *format, ...) {
  char line[300];
  struct timespec now;
  va_list words;
  const char *path = getenv("DWTFAULT_LOG");
  int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
  if (file < 0) return;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int used = snprintf(line, 60, "%ld.%09ld %d ", (long)now.tv_sec, now.tv_nsec, (int)getpid());
  va_start(words, format);
  used += vsnprintf(line + used, 200, format, words);
  va_end(words);
  line[used++] = '\n';
  if (write(file, line, used) != used) abort(); /* one write: lines of two processes never mix */
  close(file);
}

static void hang(const char *where) {
  note("hang %s", where);
  for (;;) sleep(1000);
}

/* ---- faults ---- */

static int due(const Scanner *s, int where) {
  return !s->misbehaved && s->page == number("DWTFAULT_FAIL_AT", 1) && place() == where;
}

/* Dies like a backend with a reader process of its own: the child outlives it and holds every descriptor open. */
static void leave_orphan(void) {
  pid_t child = fork();
  if (!child) {
    sleep(30);
    _exit(0);
  }
  note("orphan %d", (int)child);
  abort();
}

/* Does the damage; GOOD means: go on as if nothing had happened. */
static SANE_Status misbehave(Scanner *s, SANE_Int *length, SANE_Int maximum) {
  const char *action = text("DWTFAULT_ACTION", "");
  s->misbehaved = 1;
  if (*action) note("misbehave %s %d", action, s->page);
  if (action_is("status")) return number("DWTFAULT_STATUS", SANE_STATUS_JAMMED);
  if (action_is("short")) return SANE_STATUS_EOF;
  if (action_is("segv")) *(volatile int *)0 = 1;
  if (action_is("abort")) abort();
  if (action_is("exit")) _exit(0);
  if (action_is("orphan")) leave_orphan();
  if (action_is("stop")) raise(SIGSTOP);
  if (action_is("hang")) hang("read");
  if (length && action_is("overlong")) *length = maximum + 100000;
  if (length && action_is("negative")) *length = -5;
  if (action_is("print")) {
    printf("{\"frame\": \"done\"}\nwarming up the lamp\n");
    fflush(stdout);
    if (write(STDOUT_FILENO, "\0\xff\xff\xff\xff junk\n", 11) < 0) note("stdout is closed");
  }
  return SANE_STATUS_GOOD;
}

/* ---- what a page is ---- */

static int at_least(int value, int least) { return value < least ? least : value; }

static int varying(const Scanner *s, int step, int cycle) {
  return !strcmp(text("DWTFAULT_SIZES", ""), "vary") ? step * (at_least(s->page - 1, 0) % cycle) : 0;
}

static int pixels(const Scanner *s, int from, int to) {
  return (int)(SANE_UNFIX(s->values[to] - s->values[from]) * s->values[RESOLUTION] / 25.4);
}

static int width(const Scanner *s) { return at_least(pixels(s, TL_X, BR_X) - varying(s, 16, 3), 8); }
static int height(const Scanner *s) { return at_least(pixels(s, TL_Y, BR_Y) - varying(s, 32, 4), 8); }
static int colour(const Scanner *s) { return !strcmp(s->mode, SANE_VALUE_SCAN_MODE_COLOR); }
static int lineart(const Scanner *s) { return !strcmp(s->mode, SANE_VALUE_SCAN_MODE_LINEART); }
static int in_frames(const Scanner *s) { return colour(s) && number("DWTFAULT_FRAMES", 1) != 1; }
static int feeding(const Scanner *s) { return s->device == &adf && !strncmp(s->source, "ADF", 3); }

static int row_bytes(const Scanner *s) {
  if (lineart(s)) return (width(s) + 7) / 8;
  return width(s) * (colour(s) && !in_frames(s) ? 3 : 1);
}

static int line_bytes(const Scanner *s) { return row_bytes(s) + number("DWTFAULT_PAD", 0); }

static int rows_given(const Scanner *s) {
  if (s->page != number("DWTFAULT_FAIL_AT", 1)) return height(s);
  return action_is("long") ? height(s) + 16 : action_is("endless") ? INT_MAX : height(s);
}

static SANE_Byte sample(int page, int y, int x) {
  return x == 0 ? page : x == 1 ? y >> 8 : x == 2 ? y : 37 * page + 3 * y + 7 * x;
}

static void fill_row(const Scanner *s, int y, SANE_Byte *row, int bytes) {
  int own = row_bytes(s), step = in_frames(s) ? 3 : 1, first = in_frames(s) ? s->frame % 3 : 0;
  for (int i = 0; i < own; i++) row[i] = sample(s->page, y, step * i + first);
  for (int i = own; i < bytes; i++) row[i] = FILLER;
  if (lineart(s) && width(s) % 8) row[own - 1] &= 0xff << (8 - width(s) % 8);
}

static void give(const Scanner *s, SANE_Byte *data, int length) {
  int bytes = line_bytes(s);
  SANE_Byte row[bytes];
  for (int done = 0; done < length;) {
    int y = (s->position + done) / bytes, from = (s->position + done) % bytes;
    int part = bytes - from < length - done ? bytes - from : length - done;
    fill_row(s, y, row, bytes);
    memcpy(data + done, row + from, part);
    done += part;
  }
}

/* ---- options ---- */

static const SANE_String_Const sources[] = {"Flatbed", "ADF Front", "ADF Duplex", NULL};
static const SANE_String_Const modes[] = {
    SANE_VALUE_SCAN_MODE_LINEART, SANE_VALUE_SCAN_MODE_GRAY, SANE_VALUE_SCAN_MODE_COLOR, NULL};
static const SANE_Word resolutions[] = {5, 75, 100, 150, 200, 300};
static const SANE_Range x_range = {0, SANE_FIX(216.0), SANE_FIX(0.1)};
static const SANE_Range y_range = {0, SANE_FIX(356.0), SANE_FIX(0.1)};
static const SANE_Range byte_range = {0, 255, 1};
static const SANE_Range percent_range = {-100, 100, 1};

static SANE_Option_Descriptor *describe(Scanner *s, int n, SANE_String_Const name, SANE_Value_Type type, int size) {
  SANE_Option_Descriptor *option = &s->options[n];
  option->name = name;
  option->title = *name ? name : "Group";
  option->desc = "";
  option->type = type;
  option->size = size;
  option->cap = type == SANE_TYPE_GROUP ? 0 : SANE_CAP_SOFT_SELECT | SANE_CAP_SOFT_DETECT;
  return option;
}

static void choose(SANE_Option_Descriptor *option, const SANE_String_Const *list) {
  option->constraint_type = SANE_CONSTRAINT_STRING_LIST;
  option->constraint.string_list = list;
}

static void limit(SANE_Option_Descriptor *option, const SANE_Range *range) {
  option->constraint_type = SANE_CONSTRAINT_RANGE;
  option->constraint.range = range;
}

static void describe_area(Scanner *s) {
  static const char *names[] = {SANE_NAME_SCAN_TL_X, SANE_NAME_SCAN_TL_Y, SANE_NAME_SCAN_BR_X, SANE_NAME_SCAN_BR_Y};
  for (int n = TL_X; n <= BR_Y; n++) {
    SANE_Option_Descriptor *option = describe(s, n, names[n - TL_X], SANE_TYPE_FIXED, sizeof(SANE_Word));
    option->unit = SANE_UNIT_MM;
    limit(option, n == TL_X || n == BR_X ? &x_range : &y_range);
  }
}

static void refresh_activity(Scanner *s) {
  s->options[THRESHOLD].cap &= ~SANE_CAP_INACTIVE;
  if (!lineart(s)) s->options[THRESHOLD].cap |= SANE_CAP_INACTIVE;
}

static void describe_all(Scanner *s) {
  describe(s, COUNT, "", SANE_TYPE_INT, sizeof(SANE_Word))->cap = SANE_CAP_SOFT_DETECT;
  for (int n = SCAN_GROUP; n < OPTIONS; n++) describe(s, n, "", SANE_TYPE_GROUP, 0);
  choose(describe(s, SOURCE, SANE_NAME_SCAN_SOURCE, SANE_TYPE_STRING, sizeof s->source), sources);
  choose(describe(s, MODE, SANE_NAME_SCAN_MODE, SANE_TYPE_STRING, sizeof s->mode), modes);
  SANE_Option_Descriptor *dpi = describe(s, RESOLUTION, SANE_NAME_SCAN_RESOLUTION, SANE_TYPE_INT, sizeof(SANE_Word));
  dpi->unit = SANE_UNIT_DPI;
  dpi->constraint_type = SANE_CONSTRAINT_WORD_LIST;
  dpi->constraint.word_list = resolutions;
  limit(describe(s, THRESHOLD, SANE_NAME_THRESHOLD, SANE_TYPE_INT, sizeof(SANE_Word)), &byte_range);
  describe_area(s);
  limit(describe(s, GAMMA_TABLE, SANE_NAME_GAMMA_VECTOR, SANE_TYPE_INT, sizeof s->gamma), &byte_range);
  limit(describe(s, BRIGHTNESS, SANE_NAME_BRIGHTNESS, SANE_TYPE_INT, sizeof(SANE_Word)), &percent_range);
  describe(s, CALIBRATE, "calibrate", SANE_TYPE_BUTTON, 0);
  describe(s, PAGE_LOADED, "page-loaded", SANE_TYPE_BOOL, sizeof(SANE_Word))->cap =
      SANE_CAP_SOFT_DETECT | SANE_CAP_HARD_SELECT;
  describe(s, SCAN_BUTTON, "scan", SANE_TYPE_BOOL, sizeof(SANE_Word))->cap = SANE_CAP_SOFT_DETECT | SANE_CAP_HARD_SELECT;
  describe(s, FUNCTION, "function", SANE_TYPE_INT, sizeof(SANE_Word))->cap = SANE_CAP_SOFT_DETECT | SANE_CAP_HARD_SELECT;
  if (s->device == &glass) {
    s->options[SOURCE].cap |= SANE_CAP_INACTIVE;
    s->options[PAGE_LOADED].cap |= SANE_CAP_INACTIVE;
  }
  refresh_activity(s);
}

/* 1 while `what` stands in the file of pressed buttons; for "0-9" the digit that stands there. */
static int pressed(const char *what) {
  char words[64] = "";
  FILE *file = fopen(text("DWTFAULT_PRESSED", "/nowhere"), "r");
  if (!file) return 0;
  size_t length = fread(words, 1, sizeof words - 1, file);
  fclose(file);
  words[length] = 0;
  if (strcmp(what, "0-9")) return strstr(words, what) != NULL;
  char *digit = strpbrk(words, "0123456789");
  return digit ? *digit - '0' : 0;
}

static int sheets_left(const Scanner *s) {
  const char *file = text("DWTFAULT_LOADED", "");
  return s->page < number("DWTFAULT_PAGES", 6) && (!*file || !access(file, F_OK));
}

static SANE_Status get_option(Scanner *s, int n, void *value) {
  if (n == CALIBRATE) return SANE_STATUS_INVAL;
  if (n == SOURCE) strcpy(value, s->source);
  else if (n == MODE) strcpy(value, s->mode);
  else if (n == GAMMA_TABLE) memcpy(value, s->gamma, sizeof s->gamma);
  else if (n == PAGE_LOADED) *(SANE_Word *)value = sheets_left(s);
  else if (n == SCAN_BUTTON) *(SANE_Word *)value = pressed("scan");
  else if (n == FUNCTION) *(SANE_Word *)value = pressed("0-9");
  else *(SANE_Word *)value = s->values[n];
  return SANE_STATUS_GOOD;
}

static SANE_Status set_word_of(char *kept, const SANE_String_Const *list, const char *value, int *info, int bits) {
  for (; *list; list++)
    if (!strcmp(*list, value)) {
      strcpy(kept, value);
      *info |= bits;
      return SANE_STATUS_GOOD;
    }
  return SANE_STATUS_INVAL;
}

static SANE_Word nearest_resolution(SANE_Word wanted) {
  SANE_Word best = resolutions[1];
  for (int i = 2; i <= resolutions[0]; i++)
    if (abs(resolutions[i] - wanted) < abs(best - wanted)) best = resolutions[i];
  return best;
}

static SANE_Word within(const SANE_Range *range, SANE_Word wanted) {
  if (wanted < range->min) wanted = range->min;
  if (wanted > range->max) wanted = range->max;
  return range->min + (wanted - range->min + range->quant / 2) / range->quant * range->quant;
}

static SANE_Status set_number(Scanner *s, int n, SANE_Word wanted, int *info) {
  SANE_Word kept = n == RESOLUTION ? nearest_resolution(wanted) : within(s->options[n].constraint.range, wanted);
  if (kept != wanted) *info |= SANE_INFO_INEXACT;
  if (n == RESOLUTION || (n >= TL_X && n <= BR_Y)) *info |= SANE_INFO_RELOAD_PARAMS;
  s->values[n] = kept;
  note("set %s %d", s->options[n].name, kept);
  return SANE_STATUS_GOOD;
}

static SANE_Status set_option(Scanner *s, int n, void *value, int *info) {
  if (s->scanning) return SANE_STATUS_DEVICE_BUSY;
  if (n == CALIBRATE) note("press %s", s->options[n].name);
  if (n == SOURCE || n == MODE) note("set %s %s", s->options[n].name, (char *)value);
  if (n == CALIBRATE) return SANE_STATUS_GOOD;
  if (n == SOURCE) return set_word_of(s->source, sources, value, info, SANE_INFO_RELOAD_PARAMS);
  if (n == GAMMA_TABLE) {
    memcpy(s->gamma, value, sizeof s->gamma);
    note("set gamma-table %d %d", s->gamma[0], s->gamma[GAMMA - 1]);
    return SANE_STATUS_GOOD;
  }
  if (n != MODE) return set_number(s, n, *(SANE_Word *)value, info);
  SANE_Status status = set_word_of(s->mode, modes, value, info, SANE_INFO_RELOAD_OPTIONS | SANE_INFO_RELOAD_PARAMS);
  refresh_activity(s);
  return status;
}

/* ---- the SANE calls ---- */

SANE_Status NAME(init)(SANE_Int *version, SANE_Auth_Callback authorize) {
  (void)authorize;
  if (version) *version = SANE_VERSION_CODE(1, 0, 1);
  note("init");
  return SANE_STATUS_GOOD;
}

void NAME(exit)(void) { note("exit"); }

SANE_Status NAME(get_devices)(const SANE_Device ***list, SANE_Bool local) {
  static const SANE_Device *both[] = {&adf, &glass, NULL}, *none[] = {NULL};
  const char *what = text("DWTFAULT_LIST", "");
  (void)local;
  note("get_devices %s", what);
  if (!strcmp(what, "hang")) hang("list");
  if (!strcmp(what, "crash")) *(volatile int *)0 = 1;
  if (!strcmp(what, "status")) return SANE_STATUS_IO_ERROR;
  *list = strcmp(what, "empty") ? both : none;
  return SANE_STATUS_GOOD;
}

SANE_Status NAME(open)(SANE_String_Const name, SANE_Handle *handle) {
  SANE_Status status = number("DWTFAULT_OPEN_STATUS", SANE_STATUS_GOOD);
  const SANE_Device *device = !*name || !strcmp(name, "adf") ? &adf : !strcmp(name, "glass") ? &glass : NULL;
  if (!device) status = SANE_STATUS_INVAL;
  note("open %s %d", name, status);
  if (action_is("hang_open")) hang("open");
  if (status) return status;
  Scanner *s = calloc(1, sizeof *s);
  if (!s) return SANE_STATUS_NO_MEM;
  s->device = device;
  strcpy(s->source, "Flatbed");
  strcpy(s->mode, SANE_VALUE_SCAN_MODE_COLOR);
  s->values[COUNT] = OPTIONS;
  s->values[RESOLUTION] = 75;
  s->values[BR_X] = within(&x_range, SANE_FIX(210));
  s->values[BR_Y] = within(&y_range, SANE_FIX(297));
  for (int i = 0; i < GAMMA; i++) s->gamma[i] = i;
  describe_all(s);
  *handle = s;
  return SANE_STATUS_GOOD;
}

void NAME(close)(SANE_Handle handle) {
  note("close");
  if (action_is("hang_close")) hang("close");
  free(handle);
}

const SANE_Option_Descriptor *NAME(get_option_descriptor)(SANE_Handle handle, SANE_Int n) {
  return n >= 0 && n < OPTIONS ? &((Scanner *)handle)->options[n] : NULL;
}

SANE_Status NAME(control_option)(SANE_Handle handle, SANE_Int n, SANE_Action action, void *value, SANE_Int *info) {
  Scanner *s = handle;
  SANE_Int bits = 0;
  SANE_Status status = SANE_STATUS_INVAL;
  if (n < 0 || n >= OPTIONS || !SANE_OPTION_IS_ACTIVE(s->options[n].cap)) return SANE_STATUS_INVAL;
  if (action == SANE_ACTION_GET_VALUE && s->options[n].cap & SANE_CAP_SOFT_DETECT) status = get_option(s, n, value);
  if (action == SANE_ACTION_SET_VALUE && SANE_OPTION_IS_SETTABLE(s->options[n].cap)) status = set_option(s, n, value, &bits);
  if (info) *info = bits;
  return status;
}

static void lie(SANE_Parameters *p) {
  const char *what = text("DWTFAULT_PARAMETERS", "");
  if (!strcmp(what, "bpl_zero")) p->bytes_per_line = 0;
  if (!strcmp(what, "bpl_negative")) p->bytes_per_line = -p->bytes_per_line;
  if (!strcmp(what, "bpl_short")) p->bytes_per_line /= 2;
  if (!strcmp(what, "width_huge")) p->pixels_per_line = INT_MAX, p->bytes_per_line = INT_MAX;
  if (!strcmp(what, "width_zero")) p->pixels_per_line = 0;
  if (!strcmp(what, "width_negative")) p->pixels_per_line = -p->pixels_per_line;
  if (!strcmp(what, "lines_huge")) p->lines = INT_MAX;
  if (!strcmp(what, "lines_zero")) p->lines = 0;
  if (!strcmp(what, "depth")) p->depth = 7;
  if (!strcmp(what, "format")) p->format = 42;
}

SANE_Status NAME(get_parameters)(SANE_Handle handle, SANE_Parameters *p) {
  Scanner *s = handle;
  p->format = in_frames(s) ? SANE_FRAME_RED + s->frame % 3 : colour(s) ? SANE_FRAME_RGB : SANE_FRAME_GRAY;
  p->last_frame = !in_frames(s) || s->frame == number("DWTFAULT_FRAMES", 1) - 1;
  p->depth = lineart(s) ? 1 : 8;
  p->pixels_per_line = width(s);
  p->bytes_per_line = line_bytes(s);
  p->lines = number("DWTFAULT_LINES", 1) < 0 ? -1 : height(s);
  if (!s->scanning && action_is("early_param_change")) p->lines = 1, p->pixels_per_line = 1, p->bytes_per_line = 1;
  if (s->scanning && s->page == number("DWTFAULT_FAIL_AT", 1)) lie(p);
  return SANE_STATUS_GOOD;
}

/* A page of several frames takes several starts; only the first of them feeds paper. */
static SANE_Status feed(Scanner *s) {
  if (s->scanning && in_frames(s)) {
    s->frame++;
    return SANE_STATUS_GOOD;
  }
  if (s->scanning) return SANE_STATUS_DEVICE_BUSY; /* nobody cancelled after an error */
  s->frame = 0;
  if (feeding(s) && !sheets_left(s)) return SANE_STATUS_NO_DOCS;
  s->page++;
  s->misbehaved = 0;
  return due(s, 0) ? misbehave(s, NULL, 0) : SANE_STATUS_GOOD;
}

SANE_Status NAME(start)(SANE_Handle handle) {
  Scanner *s = handle;
  int was_scanning = s->scanning;
  SANE_Status status = feed(s);
  note("start %d %d", s->page, status);
  s->position = 0;
  s->scanning = was_scanning || !status;
  return status;
}

static long fail_position(const Scanner *s) { return place() == 2 ? (long)(height(s) / 2) * line_bytes(s) : 0; }

/* How much this call gives: never past the place of the fault, never more than asked for. */
static long amount(const Scanner *s, SANE_Int maximum, int delay) {
  long left = (long)rows_given(s) * line_bytes(s) - s->position, most = number("DWTFAULT_CHUNK", 65536);
  if (place() == 2 && due(s, 2) && s->position < fail_position(s)) left = fail_position(s) - s->position;
  if (delay && most > line_bytes(s)) most = line_bytes(s);
  if (most > maximum) most = maximum;
  return left < most ? left : most;
}

static int row_delay(const Scanner *s) {
  int here = !action_is("slow") || s->page == number("DWTFAULT_FAIL_AT", 1);
  return here ? number("DWTFAULT_ROW_DELAY_US", 0) : 0;
}

static void end_frame(Scanner *s) {
  int more = in_frames(s) && s->frame != number("DWTFAULT_FRAMES", 1) - 1;
  note("eof %d %d", s->page, s->frame);
  if (!more) s->scanning = 0;
}

SANE_Status NAME(read)(SANE_Handle handle, SANE_Byte *data, SANE_Int maximum, SANE_Int *length) {
  Scanner *s = handle;
  SANE_Status status = SANE_STATUS_GOOD;
  int delay = row_delay(s);
  *length = 0;
  if (!s->scanning) return SANE_STATUS_CANCELLED;
  if (place() > 0 && due(s, place()) && s->position >= fail_position(s)) status = misbehave(s, length, maximum);
  if (status == SANE_STATUS_EOF) end_frame(s);
  if (status || *length) return status;
  long given = amount(s, maximum, delay);
  if (given <= 0) {
    end_frame(s);
    return SANE_STATUS_EOF;
  }
  if (delay) usleep(delay);
  give(s, data, given);
  s->position += given;
  *length = given;
  return SANE_STATUS_GOOD;
}

void NAME(cancel)(SANE_Handle handle) {
  Scanner *s = handle;
  note("cancel %d", s->page);
  if (action_is("hang_cancel")) hang("cancel");
  s->scanning = 0;
}

SANE_Status NAME(set_io_mode)(SANE_Handle handle, SANE_Bool non_blocking) {
  (void)handle;
  return non_blocking ? SANE_STATUS_UNSUPPORTED : SANE_STATUS_GOOD;
}

SANE_Status NAME(get_select_fd)(SANE_Handle handle, SANE_Int *fd) {
  (void)handle;
  (void)fd;
  return SANE_STATUS_UNSUPPORTED;
}
