#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "handle.h"

enum { FILE_LIMIT = 4 << 20, MAX_ID = 0x7fffffff };

// The whole file, terminated; an empty string when there is none. NULL on failure.
static char *slurp(int root, const char *path, struct error *error) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  auto_fd place = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
  struct stat st;
  if (place < 0 || fstat(place, &st) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return strdup("");
    return error_set(error, "invalid-argument", errno, "cannot read the image's /%s", path), NULL;
  }
  // Opening a device or a FIFO would already do something: hence by way of O_PATH.
  if (!S_ISREG(st.st_mode) || st.st_size > FILE_LIMIT)
    return error_set(error, "invalid-argument", 0, "the image's /%s is not a file of reasonable size", path), NULL;
  char again[64];
  snprintf(again, sizeof again, "/proc/self/fd/%d", place);
  auto_fd fd = open(again, O_RDONLY | O_CLOEXEC);
  char *text = malloc((size_t)st.st_size + 1);
  size_t length = 0;
  while (fd >= 0 && text && length < (size_t)st.st_size) {
    ssize_t n = read(fd, text + length, (size_t)st.st_size - length);
    if (n <= 0) break;
    length += (size_t)n;
  }
  if (fd < 0 || !text) {
    free(text);
    return error_set(error, "internal", errno, "cannot read the image's /%s", path), NULL;
  }
  text[length] = 0;
  // A NUL inside ends the text: nothing behind it is believed.
  return text;
}

// A line of at most `max` colon-separated fields, cut in place; how many there are, or -1 at the end of the text.
static int next_line(char **text, char **fields, int max) {
  if (!**text) return -1;
  char *line = *text, *end = strchrnul(line, '\n');
  *text = *end ? end + 1 : end;
  *end = 0;
  int n = 0;
  while (n < max) {
    fields[n++] = line;
    char *colon = n < max ? strchr(line, ':') : NULL;
    if (!colon) break;
    *colon = 0;
    line = colon + 1;
  }
  return n;
}

static bool number(const char *s, int64_t *value) {
  if (!*s || strlen(s) > 12) return false;
  int64_t v = 0;
  for (; *s; s++) {
    if (*s < '0' || *s > '9') return false;
    v = v * 10 + (*s - '0');
  }
  *value = v;
  return true;
}

static int range_error(struct error *error) {
  return error_set(error, "invalid-argument", 0, "uids and gids must be in range 0-%d", MAX_ID);
}

// Each group once, in the order of the file. `places` says for each hash which one it is, counted from 1, so that a
// long file costs no more for each of its lines than a short one.
enum { PLACES = 2 * WIRE_MAX_GROUPS };

static int add_group(struct user *user, uint16_t places[PLACES], uint32_t gid, struct error *error) {
  size_t at = gid * 0x9e3779b1u % PLACES;
  while (places[at] && user->groups[places[at] - 1] != gid) at = (at + 1) % PLACES;
  if (places[at]) return 0;
  if (user->group_count == WIRE_MAX_GROUPS)
    return error_set(error, "invalid-argument", 0, "a process can be in at most %d groups", WIRE_MAX_GROUPS);
  user->groups[user->group_count++] = gid;
  places[at] = (uint16_t)user->group_count;
  return 0;
}

static bool lists(char *members, const char *name) {
  for (char *save, *m = strtok_r(members, ",", &save); m; m = strtok_r(NULL, ",", &save))
    if (strcmp(m, name) == 0) return true;
  return false;
}

// Fills uid, gid, home from passwd; `name` (malloc) becomes the entry's name, or stays NULL.
static int from_passwd(char *text, const char *who, struct user *user, char **name, struct error *error) {
  int64_t wanted = 0, uid, gid;
  bool by_id = !*who || number(who, &wanted);
  char *f[7];
  for (int n; (n = next_line(&text, f, 7)) >= 0;) {
    if (n < 4 || !number(f[2], &uid) || !number(f[3], &gid) || uid > MAX_ID || gid > MAX_ID) continue;
    if (by_id ? uid != wanted : strcmp(f[0], who) != 0) continue;
    user->uid = (uint32_t)uid;
    user->gid = (uint32_t)gid;
    if (n > 5 && *f[5]) snprintf(user->home, sizeof user->home, "%s", f[5]);
    *name = strdup(f[0]);
    return *name ? 0 : error_set(error, "internal", ENOMEM, "cannot resolve the user");
  }
  if (!by_id)
    return error_set(error, "invalid-argument", 0, "unable to find user %s: no matching entries in passwd file", who);
  if (wanted > MAX_ID) return range_error(error);
  user->uid = (uint32_t)wanted;
  return 0;
}

static int from_group(char *text, const char *group, const char *name, struct user *user, uint16_t places[PLACES],
                      struct error *error) {
  int64_t wanted = 0, gid;
  bool by_id = number(group, &wanted);
  char *f[4];
  for (int n; (n = next_line(&text, f, 4)) >= 0;) {
    if (n < 3 || !number(f[2], &gid) || gid > MAX_ID) continue;
    if (*group && (by_id ? gid == wanted : strcmp(f[0], group) == 0)) {
      user->gid = (uint32_t)gid;
      return 0;
    }
    if (!*group && n > 3 && lists(f[3], name) && add_group(user, places, (uint32_t)gid, error) != 0) return -1;
  }
  if (!*group) return 0;
  if (!by_id)
    return error_set(error, "invalid-argument", 0, "unable to find group %s: no matching entries in group file", group);
  if (wanted > MAX_ID) return range_error(error);
  user->gid = (uint32_t)wanted;
  return 0;
}

static int resolve(int root, const char *form, struct user *user, struct error *error) {
  uint16_t places[PLACES] = {0};
  auto_free char *who = strdup(form);
  user->groups = malloc(WIRE_MAX_GROUPS * sizeof *user->groups);
  if (!who || !user->groups) return error_set(error, "internal", ENOMEM, "cannot resolve the user");
  char *colon = strchr(who, ':');
  if (colon) *colon = 0;
  const char *group = colon ? colon + 1 : "";
  auto_free char *passwd = slurp(root, "etc/passwd", error);
  if (!passwd) return -1;
  auto_free char *name = NULL;
  if (from_passwd(passwd, who, user, &name, error) != 0) return -1;
  if (*group || name) {
    auto_free char *groups = slurp(root, "etc/group", error);
    if (!groups) return -1;
    if (from_group(groups, group, name ? name : "", user, places, error) != 0) return -1;
  }
  // The primary group is among the supplementary ones too, as in dockerd: leaving it with setgid must not shed its
  // denials.
  return add_group(user, places, user->gid, error);
}

int user_resolve(int root, const char *form, struct user *user, struct error *error) {
  *user = (struct user){.home = "/"};
  if (resolve(root, form, user, error) == 0) return 0;
  user_free(user);
  return -1;
}

void user_free(struct user *user) {
  free(user->groups);
  user->groups = NULL;
  user->group_count = 0;
}

void user_write(struct tlv_writer *list, const struct user *user) {
  tlv_number(list, TAG_UID, user->uid);
  tlv_number(list, TAG_GID, user->gid);
  for (size_t i = 0; i < user->group_count; i++) tlv_number(list, TAG_GROUP, user->groups[i]);
  tlv_string(list, TAG_HOME, user->home);
}
