// Owns the names that Docker's answers have for this machine's architecture.

const names: Readonly<Record<string, { readonly go: string; readonly kernel: string }>> = {
  x64: { go: 'amd64', kernel: 'x86_64' },
  arm64: { go: 'arm64', kernel: 'aarch64' },
};

/** As images and `docker version` name it. */
export function goArchitecture(): string {
  return names[process.arch]?.go ?? process.arch;
}

/** As `uname -m` and `docker info` name it. */
export function kernelArchitecture(): string {
  return names[process.arch]?.kernel ?? process.arch;
}
