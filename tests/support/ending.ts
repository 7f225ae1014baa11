// Owns what becomes of things that a test file has on the host when the file is told to end before its own hooks have
// run (out of time, Ctrl+C): they are taken away all the same.

const open = new Set<AsyncDisposable>();

/** Takes `what` away too when this process is told to end; to be called off when it has been taken away. */
export function endingTakes(what: AsyncDisposable): Disposable {
  if (open.size === 0) for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  open.add(what);
  return {
    [Symbol.dispose]: () => {
      open.delete(what);
      if (open.size === 0) for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, end);
    },
  };
}

/** Each is tried; what cannot be taken away is told. A second signal does not begin again. */
function end(): void {
  const taken = [...open];
  open.clear();
  void Promise.allSettled(taken.map((each) => each[Symbol.asyncDispose]())).then((outcomes) => {
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') process.stderr.write(`${String(outcome.reason)}\n`);
    process.exit(1);
  });
}
