// cmd: a small command prompt in the manner of cmd.exe for the base images. Owns: reading lines, %VARIABLE%, quotes, ^,
// the operators & && || | < > >> and a few built-in words; any other word runs as a program of the image. Does not own:
// batch files, for, if, job control. It says it is a stand-in and knows only Linux paths (a \ in an argument of cd, dir
// and type counts as /).
//
//   cmd            lines from standard input, with a prompt where that is a terminal
//   cmd /c LINE    one line, then ends with its exit code        cmd /k LINE    one line, then the prompt

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { max_line = 65536, max_words = 1024, not_found = 127 };

extern char **environ;
static int error_level;
static bool leaving;

struct command {
  char *words[max_words + 1];
  int count;
  char raw[max_line]; // as it was typed, without the redirections: what echo says
  char *input, *output;
  bool append;
};

static int fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
  return 1;
}

// The word with every \ as /, in place.
static char *as_path(char *word) {
  for (char *p = word; *p; p++)
    if (*p == '\\') *p = '/';
  return word;
}

static int change_directory(struct command *c) {
  int i = c->count > 1 && strcasecmp(c->words[1], "/d") == 0 ? 2 : 1;
  char here[4096];
  if (i >= c->count) {
    puts(getcwd(here, sizeof here) ? here : "?");
    return 0;
  }
  return chdir(as_path(c->words[i])) == 0 ? 0 : fail("The system cannot find the path specified.");
}

static void directory_line(const char *name, const struct stat *st) {
  char when[32];
  struct tm tm;
  strftime(when, sizeof when, "%Y-%m-%d  %H:%M", localtime_r(&st->st_mtime, &tm));
  if (S_ISDIR(st->st_mode)) printf("%s    <DIR>          %s\n", when, name);
  else if (S_ISLNK(st->st_mode)) printf("%s    <SYMLINK>      %s\n", when, name);
  else printf("%s    %14lld %s\n", when, (long long)st->st_size, name);
}

static int list_directory(struct command *c) {
  bool bare = false;
  const char *path = ".";
  for (int i = 1; i < c->count; i++) {
    if (strcasecmp(c->words[i], "/b") == 0) bare = true;
    else path = as_path(c->words[i]);
  }
  struct stat st;
  if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode) && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))) {
    if (bare) puts(path);
    else directory_line(path, &st);
    return 0;
  }
  struct dirent **entries;
  int n = scandir(path, &entries, NULL, alphasort);
  if (n < 0) return fail("File Not Found");
  char *full = realpath(path, NULL);
  if (!bare) printf(" Directory of %s\n\n", full ? full : path);
  free(full);
  for (int i = 0; i < n; i++) {
    const char *name = entries[i]->d_name;
    char child[8192];
    snprintf(child, sizeof child, "%s/%s", path, name);
    if (bare && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) puts(name);
    else if (!bare && lstat(child, &st) == 0) directory_line(name, &st);
    free(entries[i]);
  }
  free(entries);
  return 0;
}

static int type_files(struct command *c) {
  if (c->count < 2) return fail("The syntax of the command is incorrect.");
  for (int i = 1; i < c->count; i++) {
    FILE *file = fopen(as_path(c->words[i]), "re");
    if (!file) return fail(errno == EACCES ? "Access is denied." : "The system cannot find the file specified.");
    char buffer[65536];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) fwrite(buffer, 1, n, stdout);
    bool bad = ferror(file);
    fclose(file);
    if (bad) return fail("%s: it can't be read.", c->words[i]);
  }
  return 0;
}

// What stands behind the first word of the line, as it was typed.
static const char *after_word(const char *raw) {
  while (*raw == ' ' || *raw == '\t') raw++;
  while (*raw && *raw != ' ' && *raw != '\t' && *raw != '.') raw++;
  return *raw ? raw + 1 : raw;
}

static int set_variable(struct command *c) {
  char text[max_line];
  snprintf(text, sizeof text, "%s", after_word(c->raw));
  char *equals = strchr(text, '=');
  if (equals) {
    *equals = 0;
    if (text[0] == 0) return fail("The syntax of the command is incorrect.");
    return equals[1] ? setenv(text, equals + 1, 1) : unsetenv(text);
  }
  size_t length = strlen(text);
  while (length > 0 && text[length - 1] == ' ') text[--length] = 0;
  int found = 0;
  for (char **e = environ; *e; e++)
    if (strncasecmp(*e, text, length) == 0) found = puts(*e) >= 0;
  return found || length == 0 ? 0 : fail("Environment variable %s not defined", text);
}

static int say(struct command *c) {
  const char *text = after_word(c->raw);
  if (c->count == 2 && (strcasecmp(c->words[1], "off") == 0 || strcasecmp(c->words[1], "on") == 0)) return 0;
  if (c->count == 1 && strchr(c->raw, '.') == NULL) puts("ECHO is off.");
  else puts(text);
  return 0;
}

static int version(void) {
  struct utsname u;
  uname(&u);
  printf("Twofold command prompt, a stand-in for cmd.exe [%s %s]\n", u.sysname, u.release);
  return 0;
}

// True when the word is one of ours; then *code is its result.
static bool built_in(struct command *c, int *code) {
  const char *w = c->words[0];
  *code = 0;
  if (strncasecmp(w, "echo", 4) == 0 && (w[4] == 0 || w[4] == '.')) *code = say(c);
  else if (strcasecmp(w, "ver") == 0) *code = version();
  else if (strcasecmp(w, "dir") == 0) *code = list_directory(c);
  else if (strcasecmp(w, "cd") == 0 || strcasecmp(w, "chdir") == 0) *code = change_directory(c);
  else if (strcasecmp(w, "type") == 0) *code = type_files(c);
  else if (strcasecmp(w, "set") == 0) *code = set_variable(c);
  else if (strcasecmp(w, "cls") == 0) fputs("\033[H\033[2J", stdout);
  else if (strcasecmp(w, "rem") == 0) return true;
  else if (strcasecmp(w, "help") == 0)
    puts("CD CLS DIR ECHO EXIT HELP REM SET TYPE VER; any other word runs a program of this Linux image.");
  else if (strcasecmp(w, "exit") == 0) {
    int i = c->count > 1 && strcasecmp(c->words[1], "/b") == 0 ? 2 : 1;
    *code = i < c->count ? atoi(c->words[i]) : error_level;
    leaving = true;
  } else return false;
  fflush(stdout);
  return true;
}

static int redirect(const struct command *c) {
  int fd;
  if (c->input) {
    if ((fd = open(c->input, O_RDONLY)) < 0) return fail("The system cannot find the file specified.");
    dup2(fd, STDIN_FILENO);
    close(fd);
  }
  if (c->output) {
    if ((fd = open(c->output, O_WRONLY | O_CREAT | (c->append ? O_APPEND : O_TRUNC), 0666)) < 0)
      return fail("Access is denied.");
    dup2(fd, STDOUT_FILENO);
    close(fd);
  }
  return 0;
}

// In a child: redirections, then the built-in word or the program. Never returns.
static void run_in_child(struct command *c) {
  signal(SIGINT, SIG_DFL);
  signal(SIGQUIT, SIG_DFL);
  int code;
  if (redirect(c) != 0) _exit(1);
  if (built_in(c, &code)) _exit(code & 255);
  execvp(c->words[0], c->words);
  if (errno == ENOENT || errno == ENOTDIR)
    fail("'%s' is not recognized as an internal or external command,\noperable program or batch file.", c->words[0]);
  else fail("%s: %s", c->words[0], strerror(errno));
  _exit(errno == ENOENT || errno == ENOTDIR ? not_found : 126);
}

static int ending(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Reads one command of the line at *p, up to an operator. Returns -1 for a line that can't be right.
static int parse(const char **p, struct command *c, char *room, char *room_end) {
  memset(c, 0, offsetof(struct command, raw));
  c->input = c->output = NULL;
  c->append = false;
  size_t raw = 0;
  char **into = NULL;
  while (**p) {
    while (**p == ' ' || **p == '\t') {
      if (c->count > 0) c->raw[raw++] = **p;
      (*p)++;
    }
    if (**p == '<' || **p == '>') {
      into = **p == '<' ? &c->input : &c->output;
      bool twice = **p == '>' && (*p)[1] == '>';
      if (**p == '>') c->append = twice;
      *p += twice ? 2 : 1;
      continue;
    }
    if (**p == 0 || **p == '&' || **p == '|') break;
    char *word = room;
    bool quoted = false;
    for (; **p && (quoted || !strchr(" \t<>&|", **p)); (*p)++) {
      char letter = **p;
      if (letter == '^' && !quoted && (*p)[1]) letter = *++*p;
      else if (letter == '"') quoted = !quoted;
      if (!into) c->raw[raw++] = letter;
      if (letter == '"' && **p == '"' && (*p)[-1] != '^') continue;
      if (room + 1 < room_end) *room++ = letter;
    }
    *room++ = 0;
    if (into) *into = word;
    else if (c->count < max_words) c->words[c->count++] = word;
    else return -1;
    into = NULL;
  }
  c->raw[raw] = 0;
  while (raw > 0 && c->output && c->raw[raw - 1] == ' ') c->raw[--raw] = 0;
  return into ? -1 : 0;
}

// Runs one pipeline from *p on; the operator behind it is left.
static int run_pipeline(const char **p, bool skip) {
  static struct command c;
  static char room[2 * max_line];
  int input = -1, code = 0;
  pid_t last = -1;
  for (;;) {
    if (parse(p, &c, room, room + sizeof room) != 0) return fail("The syntax of the command is incorrect.");
    bool piped = **p == '|' && (*p)[1] != '|';
    if (piped) (*p)++;
    if (c.count == 0 && (piped || input >= 0)) return fail("The syntax of the command is incorrect.");
    if (c.count > 0 && !skip) {
      bool alone = !piped && input < 0 && !c.input && !c.output;
      if (alone && built_in(&c, &code)) return code;
      int ends[2] = {-1, -1};
      if (piped && pipe2(ends, O_CLOEXEC) < 0) return fail("pipe: %s", strerror(errno));
      pid_t child = fork();
      if (child == 0) {
        if (input >= 0) dup2(input, STDIN_FILENO);
        if (piped) dup2(ends[1], STDOUT_FILENO);
        run_in_child(&c);
      }
      if (child < 0) code = fail("fork: %s", strerror(errno));
      last = child;
      if (input >= 0) close(input);
      if (piped) close(ends[1]);
      input = ends[0];
    }
    if (!piped) break;
  }
  int status;
  for (pid_t pid; last > 0 && ((pid = wait(&status)) > 0 || errno == EINTR);)
    if (pid == last) code = ending(status);
  return code;
}

// %NAME% becomes the variable's value; an unknown name stays as it is, as at cmd.exe's prompt.
static void expand(const char *line, char *out, size_t size) {
  char *end = out + size - 1;
  while (*line && out < end) {
    const char *close_mark = *line == '%' ? strchr(line + 1, '%') : NULL;
    if (close_mark && close_mark > line + 1 && close_mark - line < 256) {
      char name[256], level[16];
      snprintf(name, sizeof name, "%.*s", (int)(close_mark - line - 1), line + 1);
      snprintf(level, sizeof level, "%d", error_level);
      const char *value = strcasecmp(name, "ERRORLEVEL") == 0 ? level : getenv(name);
      if (value) {
        while (*value && out < end) *out++ = *value++;
        line = close_mark + 1;
        continue;
      }
    }
    *out++ = *line++;
  }
  *out = 0;
}

static void run_line(const char *line) {
  static char text[max_line];
  expand(line, text, sizeof text);
  const char *p = text;
  while (*p == '@' || *p == ' ') p++;
  for (bool skip = false; *p && !leaving;) {
    const char *before = p;
    int code = run_pipeline(&p, skip);
    if (!skip && p != before) error_level = code;
    bool both = p[0] == '&' && p[1] == '&', either = p[0] == '|' && p[1] == '|';
    if (p[0] != '&' && !either) break;
    p += both || either ? 2 : 1;
    skip = (both && error_level != 0) || (either && error_level == 0);
  }
}

// One line, read byte by byte: what stands behind it belongs to the programs that are started. False at the end of the
// input.
static bool read_line(char *line, size_t size) {
  size_t length = 0;
  for (;;) {
    char byte;
    ssize_t n = read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) { // Ctrl+C: a fresh line
      line[0] = 0;
      putchar('\n');
      return true;
    }
    if (n <= 0 || byte == '\n') {
      line[length] = 0;
      return n > 0 || length > 0;
    }
    if (byte != '\r' && length < size - 1) line[length++] = byte;
  }
}

static void interrupted(int sig) { (void)sig; }

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = interrupted}; // without SA_RESTART: read comes back
  sigaction(SIGINT, &action, NULL);
  signal(SIGQUIT, SIG_IGN);
  static char line[max_line];
  bool stay = true, given = false;
  for (int i = 1; i < argc; i++) {
    if (given) {
      size_t used = strlen(line);
      snprintf(line + used, sizeof line - used, "%s%s", used ? " " : "", argv[i]);
    } else if (strcasecmp(argv[i], "/c") == 0 || strcasecmp(argv[i], "/k") == 0) {
      given = true;
      stay = tolower((unsigned char)argv[i][1]) == 'k';
    } else if (argv[i][0] != '/' || strlen(argv[i]) != 2 || !strchr("qsdQSD", argv[i][1])) {
      return fail("cmd: %s: this stand-in knows /c LINE and /k LINE", argv[i]);
    }
  }
  if (given) run_line(line);
  bool prompting = isatty(STDIN_FILENO);
  if (stay && !given && prompting) version();
  while (stay && !leaving) {
    if (prompting) {
      char here[4096];
      printf("\n%s>", getcwd(here, sizeof here) ? here : "?");
      fflush(stdout);
    }
    if (!read_line(line, sizeof line)) break;
    run_line(line);
  }
  return error_level & 255;
}
