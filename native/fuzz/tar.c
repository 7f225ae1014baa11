// An archive that somebody copies into a container: `docker cp - CONTAINER:PATH`.
#include "input.h"
#include "tar-read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct tar_reader reader;
  struct error error = {0};
  char content[4096];
  int more;
  input_as(STDIN_FILENO, data, size);
  reader = (struct tar_reader){0};
  while ((more = tar_next(&reader, &error)) == 1) {
    const struct entry *e = &reader.entry;
    size_t seen = strlen(e->path) + strlen(e->link);
    for (size_t i = 0; i < e->xattrs.count; i++)
      seen += strlen(e->xattrs.list[i].name) + (e->xattrs.list[i].length > 0 ? (uint8_t)*e->xattrs.list[i].value : 0u);
    if (e->mtime.tv_nsec < 0 || e->mtime.tv_nsec > 999999999 || e->mode > 07777 || seen > 8 << 20) abort();
    if (e->size % 2 == 0 && tar_read(&reader, content, sizeof content, &error) < 0) break; // else tar_next passes it by
  }
  if ((more < 0) != (error.code[0] != 0) && more <= 0) abort();
  tar_free(&reader);
  return 0;
}
