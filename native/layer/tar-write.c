#include "tar-write.h"
#include "bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 };

// struct of a ustar header, field by field.
struct header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8], owner[32],
      group[32];
  char major[8], minor[8], prefix[155], fill[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

// Digits and a terminator; the caller has made sure that the value fits.
static void octal(char *field, size_t size, uint64_t value) {
  for (size_t i = size - 1; i-- > 0; value >>= 3) field[i] = (char)('0' + (value & 7));
  field[size - 1] = 0;
}

// "LENGTH key=value\n", where LENGTH counts itself.
static void record(struct bytes *pax, const char *key, const char *value, size_t length) {
  size_t rest = strlen(key) + length + 3, total = rest + 1, digits = 1;
  for (size_t limit = 10; total >= limit; limit *= 10) total = rest + ++digits;
  bytes_print(pax, "%zu ", total);
  bytes_text(pax, key);
  bytes_add(pax, "=", 1);
  bytes_add(pax, value, length);
  bytes_add(pax, "\n", 1);
}

static void number_record(struct bytes *pax, const char *key, uint64_t value) {
  char text[24];
  record(pax, key, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

static void time_record(struct bytes *pax, struct timespec time) {
  char text[40];
  int64_t seconds = time.tv_sec;
  long nanos = time.tv_nsec;
  int negative = seconds < 0;
  if (negative && nanos) {
    seconds++;
    nanos = 1000000000 - nanos;
  }
  int n = snprintf(text, sizeof text, "%s%" PRId64, negative ? "-" : "", negative ? -seconds : seconds);
  if (nanos) n += snprintf(text + n, sizeof text - (size_t)n, ".%09ld", nanos);
  record(pax, "mtime", text, (size_t)n);
}

// A key of pax ends at its first "=": in the private form such a name is carried percent-encoded.
static void xattr_record(struct bytes *pax, const struct xattr *xattr) {
  auto_bytes key = {0};
  if (!strchr(xattr->name, '=')) {
    bytes_print(&key, "SCHILY.xattr.%s", xattr->name);
  } else {
    bytes_text(&key, "TWOFOLD.xattr.");
    for (const char *p = xattr->name; *p; p++) {
      if (*p == '=' || *p == '%') bytes_print(&key, "%%%02X", (unsigned char)*p);
      else bytes_add(&key, p, 1);
    }
  }
  if (key.failed) pax->failed = 1;
  else record(pax, key.data, xattr->value, xattr->length);
}

static void sparse_map(struct bytes *map, const struct entry *entry) {
  bytes_print(map, "%zu\n", entry->extent_count);
  for (size_t i = 0; i < entry->extent_count; i++)
    bytes_print(map, "%" PRIu64 "\n%" PRIu64 "\n", entry->extents[i].offset, entry->extents[i].length);
}

static uint64_t stored_size(const struct entry *entry) {
  if (!entry->extents) return entry->size;
  auto_bytes map = {0};
  sparse_map(&map, entry);
  uint64_t size = (map.length + BLOCK - 1) / BLOCK * BLOCK;
  for (size_t i = 0; i < entry->extent_count; i++) size += entry->extents[i].length;
  return size;
}

static int write_header(struct output *output, struct header *h, struct error *error) {
  memcpy(h->magic, "ustar\0" "00", 8);
  memset(h->checksum, ' ', sizeof h->checksum);
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof *h; i++) sum += ((unsigned char *)h)[i];
  octal(h->checksum, 7, sum);
  return output_write(output, h, sizeof *h, error);
}

static void pax_records(struct bytes *pax, const struct entry *e, uint64_t stored) {
  size_t path = strlen(e->path);
  if (e->extents) {
    record(pax, "GNU.sparse.major", "1", 1);
    record(pax, "GNU.sparse.minor", "0", 1);
    record(pax, "GNU.sparse.name", e->path, path);
    number_record(pax, "GNU.sparse.realsize", e->size);
  } else if (path > sizeof((struct header *)0)->name) {
    record(pax, "path", e->path, path);
  }
  if (e->link && strlen(e->link) > sizeof((struct header *)0)->link) record(pax, "linkpath", e->link, strlen(e->link));
  if (stored >= (uint64_t)1 << 33) number_record(pax, "size", stored);
  if (e->uid >= 1 << 21) number_record(pax, "uid", e->uid);
  if (e->gid >= 1 << 21) number_record(pax, "gid", e->gid);
  if (e->mtime.tv_nsec || e->mtime.tv_sec < 0 || e->mtime.tv_sec >= (int64_t)1 << 33) time_record(pax, e->mtime);
  for (size_t i = 0; i < e->xattrs.count; i++) xattr_record(pax, &e->xattrs.list[i]);
  if (e->whiteout) record(pax, "TWOFOLD.whiteout", "1", 1);
  if (e->opaque) record(pax, "TWOFOLD.opaque", "1", 1);
  if (e->socket) record(pax, "TWOFOLD.socket", "1", 1);
  if (e->flags) record(pax, "TWOFOLD.flags", e->flags, strlen(e->flags));
  // ustar's fields for devices hold 21 bits; minors have 20, majors 12: always enough.
}

int tar_header(struct output *output, const struct entry *e, struct error *error) {
  uint64_t stored = e->type == '0' ? stored_size(e) : 0;
  auto_bytes pax = {0};
  pax_records(&pax, e, stored);
  if (pax.failed) return error_set(error, "internal", 0, "Out of memory.");
  if (pax.length) {
    struct header h = {.type = 'x', .name = "PaxHeaders.0/entry"};
    octal(h.mode, sizeof h.mode, 0644);
    octal(h.uid, sizeof h.uid, 0);
    octal(h.gid, sizeof h.gid, 0);
    octal(h.size, sizeof h.size, pax.length);
    octal(h.mtime, sizeof h.mtime, 0);
    if (write_header(output, &h, error) < 0 || output_write(output, pax.data, pax.length, error) < 0 ||
        tar_pad(output, pax.length, error) < 0)
      return -1;
  }
  struct header h = {.type = e->type};
  memcpy(h.name, e->path, strnlen(e->path, sizeof h.name));
  if (e->link) memcpy(h.link, e->link, strnlen(e->link, sizeof h.link));
  octal(h.mode, sizeof h.mode, e->mode & 07777);
  octal(h.uid, sizeof h.uid, e->uid < 1 << 21 ? e->uid : 0);
  octal(h.gid, sizeof h.gid, e->gid < 1 << 21 ? e->gid : 0);
  octal(h.size, sizeof h.size, stored < (uint64_t)1 << 33 ? stored : 0);
  octal(h.mtime, sizeof h.mtime,
        e->mtime.tv_sec >= 0 && e->mtime.tv_sec < (int64_t)1 << 33 ? (uint64_t)e->mtime.tv_sec : 0);
  octal(h.major, sizeof h.major, e->major);
  octal(h.minor, sizeof h.minor, e->minor);
  return write_header(output, &h, error);
}

int tar_sparse_map(struct output *output, const struct entry *entry, struct error *error) {
  auto_bytes map = {0};
  sparse_map(&map, entry);
  if (map.failed) return error_set(error, "internal", 0, "Out of memory.");
  return output_write(output, map.data, map.length, error) < 0 ? -1 : tar_pad(output, map.length, error);
}

int tar_pad(struct output *output, uint64_t size, struct error *error) {
  return size % BLOCK ? output_zeroes(output, BLOCK - size % BLOCK, error) : 0;
}

int tar_end(struct output *output, struct error *error) {
  return output_zeroes(output, 2 * (size_t)BLOCK, error) < 0 ? -1 : output_flush(output, error);
}
