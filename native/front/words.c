// Owns which words go to the daemon, and to which. A test holds the verbs equal to packages/verbs/src/run.ts, and the
// daemon checks them again.
#include <stdlib.h>
#include <string.h>

#include "front.h"

static const char *const verbs[] = {"compute", "images", "ps", "rm", "start", "stop", "switches"};
// As packages/sdk/src/twofold.ts has it.
static const char default_path[] = "/run/twofold/twofold.sock";

static bool is_verb(const char *word) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(word, verbs[i]) == 0) return true;
  return false;
}

bool words_for_daemon(char **words, struct sockaddr_un *address) {
  const char *host = getenv("TWOFOLD_HOST");
  char **word = words;
  for (; *word && **word == '-'; word++) {
    if (strcmp(*word, "-H") == 0 || strcmp(*word, "--host") == 0) {
      if (!*++word) return false;
      host = *word;
    } else if (strncmp(*word, "--host=", 7) == 0) {
      host = *word + 7;
    } else {
      return false;
    }
  }
  if (!*word || !is_verb(*word)) return false;
  const char *path = !host ? default_path : strncmp(host, "unix://", 7) == 0 ? host + 7 : host;
  if (*path != '/' || strlen(path) >= sizeof address->sun_path) return false;
  strcpy(address->sun_path, path);
  return true;
}
