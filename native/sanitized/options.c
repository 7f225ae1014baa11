// Owns how a program that was built with sanitizers behaves: what it finds ends it, and goes to a file of its own among
// the reports, which whoever runs the tests looks through (tools/testing/reports.ts). Standard error is somebody's
// protocol.
#include <unistd.h>

static const char options[] = "log_path=" REPORTS "/report:exitcode=99:detect_stack_use_after_return=1:handle_abort=1";

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
int __lsan_is_turned_off(void);

const char *__asan_default_options(void) { return options; }
const char *__ubsan_default_options(void) { return "print_stacktrace=1"; }

// The search for leaks stops all threads by way of /proc, and waits for ever where that is another namespace's: in a
// program that has entered a container.
int __lsan_is_turned_off(void) { return access("/proc/self/task", F_OK) != 0; }
