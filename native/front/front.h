// Owns what the parts of the front know of each other. The front is the command `twofold` as it is installed: it gives
// words that only ask the daemon to the daemon, and all others, and all that goes wrong before the daemon has taken
// them, to the CLI (docs/decisions/0016-*.md).
#pragma once
#include <stdbool.h>
#include <sys/un.h>

#include "buffer.h"

// words.c: true when the words' verb is one that the daemon runs; then `address` is of the daemon that they mean.
bool words_for_daemon(char **words, struct sockaddr_un *address);

// request.c: 0, or -1 for words that can't be sent (no UTF-8, too many) and when memory ran out.
int request_write(struct buffer *request, char **words);

// answer.c: copies the daemon's answer to standard output and error. Gives the verb's exit code, or that of a failure
// on the way, which has been told; -1 when what answers has not run the verb.
int answer_copy(int daemon, const char *path);
