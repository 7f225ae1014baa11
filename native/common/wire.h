// Owns the bytes of the frame protocol (docs/protocol.md) on the C side. Mirrors packages/contract/src/wire.ts.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
  WIRE_HEADER_BYTES = 12,
  WIRE_MAX_PAYLOAD = 1 << 20,
  WIRE_MAX_CHUNK = 64 << 10,
  WIRE_LINK_WINDOW = 256 << 10,
  WIRE_MAX_GROUPS = 4096,
  WIRE_VERSION = 1,
};

enum frame_type {
  FRAME_HELLO = 1, FRAME_REPLY, FRAME_ERROR, FRAME_CLOSE, FRAME_WINDOW,
  FRAME_PREPARE = 16, FRAME_START, FRAME_ATTACH, FRAME_EXEC, FRAME_SIGNAL, FRAME_RESIZE, FRAME_WATCH, FRAME_STATE,
  FRAME_TOOL,
  FRAME_NETWORK, FRAME_DELETE, FRAME_SHUTDOWN, FRAME_PAUSE, FRAME_RESUME, FRAME_RESOLVE_USER, FRAME_UPDATE, FRAME_QMP,
  FRAME_CONFIGURE, FRAME_ADOPT,
  FRAME_STDIN = 48, FRAME_STDOUT, FRAME_STDERR, FRAME_EXIT, FRAME_DETACHED,
  FRAME_EVENT = 64,
};

enum tag {
  TAG_CODE = 1, TAG_MESSAGE, TAG_ERRNO, TAG_VERSION,
  TAG_CONTAINER = 8, TAG_EXEC, TAG_PID, TAG_SIGNAL, TAG_ROWS, TAG_COLUMNS, TAG_EXIT_CODE, TAG_OOM_KILLED, TAG_STATE,
  TAG_TIME, TAG_EVENT,
  TAG_EXIT_SIGNAL, TAG_STARTED, TAG_FINISHED,
  TAG_ARG = 32, TAG_ENV, TAG_CWD, TAG_UID, TAG_GID, TAG_GROUP, TAG_USER, TAG_HOME, TAG_TERMINAL, TAG_STDIN,
  TAG_STDIN_ONCE,
  TAG_CAP_BOUNDING, TAG_CAP_EFFECTIVE, TAG_CAP_INHERITABLE, TAG_CAP_PERMITTED, TAG_CAP_AMBIENT, TAG_RLIMIT,
  TAG_NO_NEW_PRIVILEGES, TAG_OOM_SCORE_ADJ, TAG_SECCOMP, TAG_UMASK,
  TAG_HOSTNAME = 64, TAG_DOMAINNAME, TAG_SYSCTL, TAG_NAMESPACE, TAG_MOUNT, TAG_MASKED_PATH, TAG_READONLY_PATH,
  TAG_ROOT_READONLY,
  TAG_DEVICE, TAG_FILE, TAG_CGROUP, TAG_CGROUP_SET, TAG_ROOTFS,
  TAG_LAYER = 80, TAG_UPPER, TAG_WORK, TAG_DISK, TAG_PARTITION, TAG_TARGET, TAG_READ_ONLY,
  TAG_LOG_PATH = 96, TAG_LOG_MAX_BYTES, TAG_LOG_MAX_FILES, TAG_BUNDLE, TAG_RUNTIME, TAG_RUNTIME_ARG, TAG_OOM_FILE,
  TAG_EXIT_FILE, TAG_LOG_MINIMUM_FREE,
  TAG_INTERFACE = 112, TAG_MAC, TAG_ADDRESS, TAG_GATEWAY, TAG_MTU, TAG_NAME, TAG_HOST_NAME, TAG_TABLE,
  TAG_PATH = 128, TAG_MODE, TAG_DATA, TAG_SOURCE, TAG_TYPE, TAG_OPTIONS, TAG_FLAGS, TAG_OFFSET, TAG_LENGTH, TAG_VALUE,
  TAG_MEMORY, TAG_SAVED,
};

// A growing list of tag, length, value. `failed` is set when memory ran out; every later call is then a no-op.
struct tlv_writer {
  uint8_t *data;
  size_t length, capacity;
  int failed;
};

void tlv_bytes(struct tlv_writer *w, enum tag tag, const void *value, size_t length);
void tlv_string(struct tlv_writer *w, enum tag tag, const char *value);
void tlv_number(struct tlv_writer *w, enum tag tag, int64_t value);
void tlv_free(struct tlv_writer *w);

// A view of a list inside somebody else's buffer. Values are not terminated: use tlv_dup for a C string.
struct tlv {
  const uint8_t *data;
  size_t length;
};

// Steps through a list: returns 1 and fills tag and value, 0 at the end, -1 when the list is broken. `at` starts as 0.
int tlv_next(struct tlv list, size_t *at, int *tag, struct tlv *value);
// The first value of a tag: 1 found, 0 absent, -1 broken list.
int tlv_find(struct tlv list, enum tag tag, struct tlv *value);
// The first number of a tag, or `fallback`. A value that is not eight bytes long counts as absent.
int64_t tlv_get_number(struct tlv list, enum tag tag, int64_t fallback);
// A terminated copy (malloc) of the first string of a tag; NULL when absent, out of memory, or holding a NUL byte.
char *tlv_get_string(struct tlv list, enum tag tag);
// A terminated copy of one value; NULL on a NUL byte inside or out of memory.
char *tlv_dup(struct tlv value);
// All strings of a tag as a NULL-terminated array (one malloc per string and one for the array); NULL on failure.
char **tlv_get_strings(struct tlv list, enum tag tag, size_t *count);
void strings_free(char **strings);

struct frame_header {
  uint32_t length, channel;
  uint16_t type;
};

void frame_encode(uint8_t out[WIRE_HEADER_BYTES], uint32_t length, uint32_t channel, enum frame_type type);
// 0, or -1 when the header cannot be right.
int frame_decode(const uint8_t in[WIRE_HEADER_BYTES], struct frame_header *header);
