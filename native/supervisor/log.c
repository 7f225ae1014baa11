// A container's log in the format of Kubernetes' CRI: `2016-10-06T00:17:09.669794202Z stdout F text`. P instead of F
// marks a piece of a line: the output is the texts put together, with a line feed after each F. Rotates to log.1,
// log.2, …
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "handle.h"
#include "supervisor.h"

enum {
  PIECE = 16 << 10,  // longest text of one entry, as containerd and dockerd cut them
  PREFIX = 64,
  BUFFER = 128 << 10,
  SLACK = 1 << 20, // how far beyond its limit a file may grow for want of a line's end
  LOOK_BYTES = 1 << 20, // what is written between two looks at the room on the disk,
  LOOK_SECONDS = 1,     // and time
};

struct log {
  char *path;
  int fd;
  int64_t size, max_bytes, minimum_free;
  int max_files;
  bool whole;           // the last entry was a whole line: rotating here splits none
  bool failing;         // told once, until something is written again
  bool room;            // what the last look found
  time_t looked;        // seconds of the monotonic clock; 0 = never
  int64_t since_look;   // bytes that were written
};

static char buffer[BUFFER];
static size_t used;

static void rotated_name(char *out, size_t size, const struct log *l, int n) {
  snprintf(out, size, n ? "%s.%d" : "%s", l->path, n);
}

static int open_current(struct log *l) {
  close_fd(&l->fd);
  l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat st;
  l->size = l->fd >= 0 && fstat(l->fd, &st) == 0 ? st.st_size : 0;
  return l->fd >= 0 ? 0 : -1;
}

static void rotate(struct log *l) {
  char from[PATH_MAX], to[PATH_MAX];
  if (l->max_files <= 1) unlink(l->path);
  for (int n = l->max_files - 2; n >= 0; n--) {
    rotated_name(from, sizeof from, l, n);
    rotated_name(to, sizeof to, l, n + 1);
    rename(from, to);
  }
  open_current(l);
}

static void complain(struct log *l, const char *why) {
  if (!l->failing) fprintf(stderr, "supervisor: output is not logged in %s: %s\n", l->path, why);
  l->failing = true;
}

// A look costs a system call, so it is taken now and then only.
static bool look_is_due(struct log *l) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  if (l->looked && l->since_look < LOOK_BYTES && now.tv_sec - l->looked < LOOK_SECONDS) return false;
  l->looked = now.tv_sec ? now.tv_sec : 1;
  l->since_look = 0;
  return true;
}

// Whether output may be written now. What is left of the disk below the minimum is for others: without it nobody could
// write down that a container has ended. A file that could not be opened anew after a rotation is tried again.
static bool is_writable(struct log *l) {
  if (!look_is_due(l)) return l->fd >= 0 && l->room;
  if (l->fd < 0 && open_current(l) != 0) {
    complain(l, strerror(errno));
    return false;
  }
  struct statvfs disk;
  l->room = l->minimum_free <= 0 || fstatvfs(l->fd, &disk) != 0 ||
            (int64_t)disk.f_bavail * (int64_t)disk.f_frsize >= l->minimum_free;
  if (!l->room) complain(l, "too little space is left on the disk");
  return l->room;
}

// A log that cannot be written (a full disk) must not stop the container: what does not fit is left out, in whole
// entries.
static void flush(struct log *l) {
  size_t done = 0;
  while (done < used) {
    ssize_t n = write(l->fd, buffer + done, used - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      complain(l, strerror(errno));
      if (ftruncate(l->fd, l->size) != 0) complain(l, strerror(errno));
      used = 0;
      return;
    }
    done += (size_t)n;
  }
  if (used) l->failing = false;
  l->size += (int64_t)used;
  l->since_look += (int64_t)used;
  used = 0;
}

// Between lines if there is one in time, so that each file can be read by itself.
static void rotate_if_due(struct log *l) {
  int64_t size = l->size + (int64_t)used;
  if (l->max_bytes <= 0 || size < l->max_bytes || (!l->whole && size < l->max_bytes + SLACK)) return;
  flush(l);
  rotate(l);
}

static size_t prefix(char *out, int stream) {
  struct timespec now;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &tm);
  return (size_t)snprintf(out, PREFIX, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ %s ", tm.tm_year + 1900, tm.tm_mon + 1,
                          tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec,
                          stream == FRAME_STDERR ? "stderr" : "stdout");
}

void log_write(struct log *l, int stream, const void *data, size_t length) {
  if (!is_writable(l)) return;
  char head[PREFIX];
  size_t head_length = prefix(head, stream);
  const char *at = data, *end = at + length;
  while (at < end) {
    rotate_if_due(l);
    if (l->fd < 0) return;
    size_t window = (size_t)(end - at) < PIECE ? (size_t)(end - at) : PIECE;
    const char *newline = memchr(at, '\n', window);
    size_t text = newline ? (size_t)(newline - at) : window;
    if (used + head_length + 3 + text > sizeof buffer) flush(l);
    memcpy(buffer + used, head, head_length);
    used += head_length;
    buffer[used++] = newline ? 'F' : 'P';
    buffer[used++] = ' ';
    memcpy(buffer + used, at, text);
    used += text;
    buffer[used++] = '\n';
    l->whole = newline != NULL;
    at += text + (newline ? 1 : 0);
  }
  flush(l);
}

struct log *log_open(struct tlv request, struct error *error) {
  char *path = tlv_get_string(request, TAG_LOG_PATH);
  if (!path) return NULL;
  struct log *l = calloc(1, sizeof *l);
  if (l)
    *l = (struct log){.path = path,
                      .fd = -1,
                      .max_bytes = tlv_get_number(request, TAG_LOG_MAX_BYTES, 0),
                      .max_files = (int)tlv_get_number(request, TAG_LOG_MAX_FILES, 1),
                      .minimum_free = tlv_get_number(request, TAG_LOG_MINIMUM_FREE, 0),
                      .whole = true};
  if (l && open_current(l) == 0) return l;
  error_set(error, "internal", errno, "cannot open the log %s", path);
  log_close(l);
  return NULL;
}

void log_close(struct log *l) {
  if (!l) return;
  close_fd(&l->fd);
  free(l->path);
  free(l);
}
