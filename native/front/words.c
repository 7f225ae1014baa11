// Owns which words go to the daemon, and to which. A test holds the verbs equal to packages/verbs/src/run.ts, and the
// daemon checks them again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front.h"

static const char *const verbs[] = {"compute", "images", "ps", "rm", "start", "stop", "switches"};

static bool is_verb(const char *word) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(word, verbs[i]) == 0) return true;
  return false;
}

// As packages/contract/src/instance.ts has it: a small letter, then small letters, digits and hyphens, sixteen in all.
static bool is_instance(const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return *name >= 'a' && *name <= 'z' && length <= 16 && name[length] == 0;
}

static bool address_host(struct sockaddr_un *address, const char *host) {
  const char *path = strncmp(host, "unix://", 7) == 0 ? host + 7 : host;
  if (*path != '/' || strlen(path) >= sizeof address->sun_path) return false;
  strcpy(address->sun_path, path);
  return true;
}

static bool address_instance(struct sockaddr_un *address, const char *name) {
  if (!*name || strcmp(name, "default") == 0) return address_host(address, "/run/twofold/twofold.sock");
  if (!is_instance(name)) return false;
  snprintf(address->sun_path, sizeof address->sun_path, "/run/twofold-%s/twofold.sock", name);
  return true;
}

// The value of an option that is called `name`, at `*word` and, where it is a word of its own, the one after it, which
// `*word` then is. NULL for another option, and for one without a value.
static const char *value_of(char ***word, const char *name) {
  size_t length = strlen(name);
  if (strcmp(**word, name) == 0) return (*word)[1] ? *++*word : NULL;
  bool attached = name[1] == '-' && strncmp(**word, name, length) == 0 && (**word)[length] == '=';
  return attached ? **word + length + 1 : NULL;
}

// Which of the words and of the environment counts is decided as packages/verbs/src/connect.ts does.
bool words_for_daemon(char **words, struct sockaddr_un *address) {
  const char *host = NULL, *instance = NULL;
  char **word = words;
  for (; *word && **word == '-'; word++) {
    const char *value;
    if ((value = value_of(&word, "-H")) || (value = value_of(&word, "--host"))) host = value;
    else if ((value = value_of(&word, "--instance"))) instance = value;
    else return false;
  }
  if (!*word || !is_verb(*word) || (host && instance)) return false;
  if (!host && !instance) {
    host = getenv("TWOFOLD_HOST");
    instance = getenv("TWOFOLD_INSTANCE");
    if (host && !*host) host = NULL;
  }
  return host ? address_host(address, host) : address_instance(address, instance ? instance : "");
}
