// Owns layers that lie upon each other, seen at one directory: top first, as overlayfs merges them.
#pragma once
#include "error.h"

#include <stddef.h>
#include <sys/stat.h>

struct stack {
  int *fds; // O_PATH, owned
  size_t count;
  int closed; // something in these layers ends the view: an opaque directory, a whiteout, a file
};

void stack_close(struct stack *stack);
#define auto_stack __attribute__((cleanup(stack_close))) struct stack

// Takes `fd` over, whether it succeeds or not.
int stack_add(struct stack *stack, int fd, struct error *error);
// Opens the directories that a caller names (trusted).
int stack_open(struct stack *stack, int count, char **paths, struct error *error);

int is_whiteout(int fd, const struct stat *stat);
int is_opaque(int fd);

// The topmost inode of that name, a whiteout included, in *found (-1: none; the caller's to close). If it is a
// directory, `beneath` gets those that it is merged with, and `closed` when nothing further down shows through.
int stack_look(const struct stack *stack, const char *name, int *found, struct stack *beneath, struct error *error);
