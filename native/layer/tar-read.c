#include "tar-read.h"
#include "bytes.h"
#include "handle.h"
#include "inode.h"

#include <errno.h>
#include <string.h>

enum { BLOCK = 512, MAX_PAX = 4 << 20, MAX_NAME = 64 << 10, MAX_XATTRS = 512 };

static int broken(struct error *error, const char *what) {
  return error_set(error, "invalid-argument", 0, "The archive is broken: %s.", what);
}

// 1 when `size` bytes came, 0 at a clean end, -1 otherwise.
static int take(struct tar_reader *reader, void *data, size_t size, struct error *error) {
  char *to = data;
  size_t got = 0;
  while (got < size) {
    if (reader->used == reader->filled) {
      ssize_t n = read(STDIN_FILENO, reader->buffer, sizeof reader->buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return error_set(error, "internal", errno, "Could not read the archive");
      if (n == 0) return got ? broken(error, "it ends in the middle") : 0;
      reader->used = 0;
      reader->filled = (size_t)n;
    }
    size_t n = reader->filled - reader->used;
    if (n > size - got) n = size - got;
    memcpy(to + got, reader->buffer + reader->used, n);
    reader->used += n;
    got += n;
  }
  return 1;
}

ssize_t tar_read(struct tar_reader *reader, void *data, size_t size, struct error *error) {
  if (size > reader->left) size = (size_t)reader->left;
  if (!size) return 0;
  int r = take(reader, data, size, error);
  if (r == 0) return broken(error, "it ends in the middle of a file");
  if (r < 0) return -1;
  reader->left -= size;
  return (ssize_t)size;
}

static int skip(struct tar_reader *reader, struct error *error) {
  char waste[4096];
  ssize_t n;
  while ((n = tar_read(reader, waste, sizeof waste, error)) > 0) {}
  if (n < 0) return -1;
  if (reader->padding && take(reader, waste, reader->padding, error) <= 0)
    return error->code[0] ? -1 : broken(error, "it ends in the middle of a file");
  reader->padding = 0;
  return 0;
}

// A number in octal, or in base 256 when the first bit is set.
static int number(const unsigned char *field, size_t size, int64_t *value, struct error *error) {
  if (*field & 0x80) {
    int negative = *field & 0x40;
    uint64_t v = negative ? UINT64_MAX << 6 | (*field & 0x3f) : *field & 0x3f;
    for (size_t i = 1; i < size; i++) {
      if ((int64_t)v > INT64_MAX >> 8 || (int64_t)v < INT64_MIN >> 8) return broken(error, "a number is too large");
      v = v << 8 | field[i];
    }
    *value = (int64_t)v;
    return 0;
  }
  size_t i = 0;
  uint64_t v = 0;
  while (i < size && (field[i] == ' ' || !field[i])) i++; // some writers begin with a zero byte
  for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) v = v << 3 | (unsigned)(field[i] - '0');
  for (; i < size; i++)
    if (field[i] != ' ' && field[i] != 0) return broken(error, "a number is not valid");
  *value = (int64_t)v;
  return 0;
}

// "-12.5" as a point in time.
static int parse_time(const char *text, struct timespec *time) {
  int negative = *text == '-';
  text += negative;
  int64_t seconds = 0;
  long nanos = 0, unit = 100000000;
  if (*text < '0' || *text > '9') return -1;
  for (; *text >= '0' && *text <= '9'; text++) {
    if (seconds > (int64_t)1 << 50) return -1;
    seconds = seconds * 10 + (*text - '0');
  }
  if (*text == '.')
    for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10) nanos += (*text - '0') * unit;
  if (*text) return -1;
  *time = negative ? (struct timespec){nanos ? -seconds - 1 : -seconds, nanos ? 1000000000 - nanos : 0}
                   : (struct timespec){seconds, nanos};
  return 0;
}

static int parse_count(const char *text, uint64_t limit, uint64_t *value) {
  uint64_t v = 0;
  if (!*text) return -1;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || v > limit / 10) return -1;
    v = v * 10 + (uint64_t)(*text - '0');
  }
  *value = v;
  return v > limit ? -1 : 0;
}

// What pax said about the entry that follows it.
struct pax {
  char *path, *link;
  int has_size, has_uid, has_gid, has_time;
  uint64_t size, uid, gid;
  struct timespec time;
  struct xattrs xattrs;
  size_t room;
};

static void pax_free(struct pax *pax) {
  free(pax->path);
  free(pax->link);
  free_xattrs(&pax->xattrs);
  *pax = (struct pax){0};
}

static int replace(char **to, const char *value, size_t length, struct error *error) {
  if (memchr(value, 0, length)) return broken(error, "a name contains a NUL byte");
  free(*to);
  return (*to = strndup(value, length)) ? 0 : error_set(error, "internal", 0, "Out of memory.");
}

static int pax_xattr(struct pax *pax, const char *name, const char *value, size_t length, struct error *error) {
  if (pax->xattrs.count == MAX_XATTRS) return broken(error, "an entry has too many extended attributes");
  if (pax->xattrs.count == pax->room) {
    size_t room = pax->room ? pax->room * 2 : 8;
    struct xattr *grown = realloc(pax->xattrs.list, room * sizeof *grown);
    if (!grown) return error_set(error, "internal", 0, "Out of memory.");
    pax->xattrs.list = grown;
    pax->room = room;
  }
  struct xattr *x = &pax->xattrs.list[pax->xattrs.count++];
  *x = (struct xattr){strdup(name), malloc(length + 1), length};
  if (!x->name || !x->value) return error_set(error, "internal", 0, "Out of memory.");
  memcpy(x->value, value, length);
  return 0;
}

static int pax_record(struct pax *pax, const char *key, char *value, size_t length, struct error *error) {
  if (!strcmp(key, "path")) return replace(&pax->path, value, length, error);
  if (!strcmp(key, "linkpath")) return replace(&pax->link, value, length, error);
  if (!strncmp(key, "SCHILY.xattr.", 13)) return pax_xattr(pax, key + 13, value, length, error);
  if (!strncmp(key, "GNU.sparse.", 11))
    return error_set(error, "unsupported", 0, "The archive holds a sparse file; write it without --sparse.");
  char end = value[length];
  value[length] = 0;
  int bad = 0;
  if (!strcmp(key, "size")) bad = parse_count(value, INT64_MAX, &pax->size), pax->has_size = 1;
  else if (!strcmp(key, "uid")) bad = parse_count(value, UINT32_MAX - 1, &pax->uid), pax->has_uid = 1;
  else if (!strcmp(key, "gid")) bad = parse_count(value, UINT32_MAX - 1, &pax->gid), pax->has_gid = 1;
  else if (!strcmp(key, "mtime")) bad = parse_time(value, &pax->time), pax->has_time = 1;
  value[length] = end;
  return bad ? broken(error, "a pax number is not valid") : 0;
}

static int parse_pax(struct pax *pax, char *text, size_t size, struct error *error) {
  for (size_t at = 0; at < size;) {
    size_t length = 0, i = at;
    for (; i < size && text[i] >= '0' && text[i] <= '9' && length <= MAX_PAX; i++)
      length = length * 10 + (size_t)(text[i] - '0');
    if (i == at || i >= size || text[i] != ' ' || length > size - at || length < i - at + 3 ||
        text[at + length - 1] != '\n')
      return broken(error, "a pax record is not valid");
    char *key = text + i + 1, *end = text + at + length - 1;
    char *equals = memchr(key, '=', (size_t)(end - key));
    if (!equals || memchr(key, 0, (size_t)(equals - key))) return broken(error, "a pax record is not valid");
    *equals = 0;
    if (pax_record(pax, key, equals + 1, (size_t)(end - equals - 1), error) < 0) return -1;
    at += length;
  }
  return 0;
}

static char *take_text(struct tar_reader *reader, size_t limit, size_t *length, struct error *error) {
  if (reader->left > limit) {
    broken(error, "a header is too large");
    return NULL;
  }
  *length = (size_t)reader->left;
  char *text = malloc(*length + 1);
  if (!text) {
    error_set(error, "internal", 0, "Out of memory.");
    return NULL;
  }
  if (tar_read(reader, text, *length, error) < 0 || skip(reader, error) < 0) {
    free(text);
    return NULL;
  }
  text[*length] = 0;
  return text;
}

static int checksum_is_right(const unsigned char *block) {
  int64_t sum = 0, with_sign = 0, said = 0; // the latter as old tars on machines whose characters have a sign
  for (int i = 0; i < BLOCK; i++) {
    int own = i >= 148 && i < 156;
    sum += own ? ' ' : block[i];
    with_sign += own ? ' ' : (signed char)block[i];
  }
  struct error ignored = {0};
  return number(block + 148, 8, &said, &ignored) == 0 && (said == sum || said == with_sign);
}

// 1: a header in `block`, 0: the end of the archive.
static int next_block(struct tar_reader *reader, unsigned char *block, struct error *error) {
  if (skip(reader, error) < 0) return -1;
  int r = take(reader, block, BLOCK, error);
  if (r <= 0) return r;
  int zero = 1;
  for (int i = 0; i < BLOCK && zero; i++) zero = !block[i];
  if (zero) return 0;
  return checksum_is_right(block) ? 1 : broken(error, "a checksum is wrong");
}

static int fill(struct tar_reader *reader, const unsigned char *block, struct pax *pax, struct error *error) {
  int64_t mode, uid, gid, mtime, major = 0, minor = 0;
  if (number(block + 100, 8, &mode, error) < 0 || number(block + 108, 8, &uid, error) < 0 ||
      number(block + 116, 8, &gid, error) < 0 || number(block + 136, 12, &mtime, error) < 0)
    return -1;
  if (!pax->has_uid && (uid < 0 || uid >= UINT32_MAX)) return broken(error, "a user id is out of range");
  if (!pax->has_gid && (gid < 0 || gid >= UINT32_MAX)) return broken(error, "a group id is out of range");
  char type = (char)block[156];
  if ((type == '3' || type == '4') &&
      (number(block + 329, 8, &major, error) < 0 || number(block + 337, 8, &minor, error) < 0))
    return -1;
  struct entry *e = &reader->entry;
  free_xattrs(&e->xattrs);
  if (!pax->path) {
    // Only POSIX's ustar has a prefix; GNU keeps other things there.
    char name[155 + 1 + 100 + 1];
    int prefix = !memcmp(block + 257, "ustar", 6) && block[345] ? (int)strnlen((const char *)block + 345, 155) : 0;
    snprintf(name, sizeof name, "%.*s%s%.100s", prefix, block + 345, prefix ? "/" : "", block);
    if (!(pax->path = strdup(name))) return error_set(error, "internal", 0, "Out of memory.");
  }
  if (!pax->link && !(pax->link = strndup((const char *)block + 157, 100)))
    return error_set(error, "internal", 0, "Out of memory.");
  // From here on both are the reader's; nothing below fails.
  free(reader->path);
  free(reader->link);
  reader->path = pax->path;
  reader->link = pax->link;
  pax->path = pax->link = NULL;
  size_t length = strlen(reader->path);
  if (type == 0 || type == '7') type = '0';
  if (type == '0' && length && reader->path[length - 1] == '/') type = '5'; // before POSIX a directory was told so
  *e = (struct entry){
      .type = type,
      .path = reader->path,
      .link = reader->link,
      .mode = (mode_t)mode & 07777,
      .uid = (uint32_t)(pax->has_uid ? pax->uid : (uint64_t)uid),
      .gid = (uint32_t)(pax->has_gid ? pax->gid : (uint64_t)gid),
      .size = type == '0' ? reader->left : 0,
      .mtime = pax->has_time ? pax->time : (struct timespec){mtime, 0},
      .major = (uint32_t)major,
      .minor = (uint32_t)minor,
      .xattrs = pax->xattrs,
  };
  pax->xattrs = (struct xattrs){0};
  return 1;
}

static int next(struct tar_reader *reader, struct pax *pax, struct error *error) {
  unsigned char block[BLOCK];
  for (int headers = 0; headers < 16; headers++) {
    int r = next_block(reader, block, error);
    if (r <= 0) return r;
    int64_t size;
    if (number(block + 124, 12, &size, error) < 0) return -1;
    char type = (char)block[156];
    int meta = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    if (!meta && pax->has_size) size = (int64_t)pax->size;
    if (type >= '1' && type <= '6') size = 0; // header only, whatever it says
    if (size < 0) return broken(error, "a size is negative");
    reader->left = (uint64_t)size;
    reader->padding = (BLOCK - (unsigned)((uint64_t)size % BLOCK)) % BLOCK;
    if (type == 'S')
      return error_set(error, "unsupported", 0, "The archive holds a sparse file; write it without --sparse.");
    if (!meta) return fill(reader, block, pax, error);
    if (type == 'g') continue; // nothing in it concerns a file; skipped with the next block
    size_t length;
    auto_free char *text = take_text(reader, type == 'x' ? MAX_PAX : MAX_NAME, &length, error);
    if (!text) return -1;
    if (type == 'x' && parse_pax(pax, text, length, error) < 0) return -1;
    if (type != 'x' && replace(type == 'L' ? &pax->path : &pax->link, text, strlen(text), error) < 0) return -1;
  }
  return broken(error, "an entry has too many headers");
}

int tar_next(struct tar_reader *reader, struct error *error) {
  struct pax pax = {0};
  int result = next(reader, &pax, error);
  pax_free(&pax);
  return result;
}

void tar_drain(struct tar_reader *reader) {
  ssize_t n;
  while ((n = read(STDIN_FILENO, reader->buffer, sizeof reader->buffer)) > 0 || (n < 0 && errno == EINTR)) {}
}

void tar_free(struct tar_reader *reader) {
  free(reader->path);
  free(reader->link);
  free_xattrs(&reader->entry.xattrs);
}
