// Owns the list of verbs (docs/layers.md). Each takes the words after its own name and streams on stdin and stdout.
#pragma once
#include "error.h"

typedef int verb(int count, char **words, struct error *error);

verb pack_verb, unpack_verb, stat_verb, export_verb, diff_verb, changes_verb, mount_verb, show_verb, processes_verb,
    size_verb;
