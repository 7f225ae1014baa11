// Owns the bytes of a written archive: ustar, with pax records where ustar has no room. Nothing of the file system.
#pragma once
#include "entry.h"
#include "output.h"

// Header (and pax header) of an entry. The caller owes the content, then tar_pad.
int tar_header(struct output *output, const struct entry *entry, struct error *error);
// The map that precedes the content of a sparse entry; tar_header has counted it.
int tar_sparse_map(struct output *output, const struct entry *entry, struct error *error);
// Fills the last block of content of that size.
int tar_pad(struct output *output, uint64_t size, struct error *error);
// The end of the archive, flushed.
int tar_end(struct output *output, struct error *error);
