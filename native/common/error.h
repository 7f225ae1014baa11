// Owns the one way an error travels in our C: functions return 0 or -1, and the one that failed first fills a struct
// error.
#pragma once

struct error {
  char code[32];     // one of contract/errors.ts: "internal", "command-not-found", …
  char message[512]; // public: says what was being done
  int errnum;        // errno at the time, or 0
};

// Fills `error` (which may be NULL) and returns -1, so that `return error_set(…)` is the whole failure. With `errnum`
// not 0 its text is put behind the message.
__attribute__((format(printf, 4, 5))) int error_set(struct error *error, const char *code, int errnum,
                                                    const char *format, ...);
