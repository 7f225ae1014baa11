// Owns reading a container's log as a test does: the output is its texts put together.

/** Output by stream, as the log has it. */
export function logTexts(log: Buffer): { stdout: Buffer; stderr: Buffer } {
  const parts: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  const newline = Buffer.from('\n');
  for (let at = 0; at < log.length;) {
    const end = log.indexOf(10, at);
    const head = log.subarray(at, at + 48).toString('latin1');
    const match = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([PF]) /.exec(head);
    if (match === null || end < 0) throw new Error(`The log is broken at byte ${at}: ${head}`);
    const stream = match[1] as 'stdout' | 'stderr';
    parts[stream].push(log.subarray(at + match[0].length, end));
    if (match[2] === 'F') parts[stream].push(newline);
    at = end + 1;
  }
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) };
}
