#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const char *code, int errnum, const char *format, ...) {
  if (!error) return -1;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(error->message, sizeof error->message, format, args);
  va_end(args);
  snprintf(error->code, sizeof error->code, "%s", code);
  error->errnum = errnum;
  if (errnum && n >= 0 && (size_t)n < sizeof error->message)
    snprintf(error->message + n, sizeof error->message - (size_t)n, ": %s", strerror(errnum));
  return -1;
}
