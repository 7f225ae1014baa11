// Owns what service.c (requests) and process.c (processes and their streams) share with nobody else.
#pragma once
#include "service.h"

struct attachment {
  struct conversation *conversation;
  struct process *process;
  unsigned want;
  struct attachment *next;
};

// What a conversation is in the middle of; its `user`.
struct session {
  struct request *request;       // under way
  struct attachment *attachment; // its streams
  bool watching;
  struct conversation *conversation;
  struct session *next; // all sessions
};

extern const struct backend *service_backend;
extern struct session *sessions;
extern struct process *tools;

struct process *process_new(struct container *container, const char *exec_id);
// Forgets it: streams closed, attached clients' conversations closed. Freed once no request uses it.
void process_forget(struct process *p);
void process_release(struct process *p);
int process_attach(struct process *p, struct conversation *c, unsigned want);
void attachment_drop(struct attachment *a);
void process_input(struct process *p, struct conversation *from, struct tlv data);
// It runs: early input goes in, output flows, and an exit that was known before its pid is told.
void process_begin(struct process *p);
// A start failed: its stdio goes, who is attached stays.
void process_unstart(struct process *p);
void process_maybe_resume(struct process *p);
void exit_write(struct tlv_writer *w, const struct process *p);
