// Why a server ended, as one line for a person.

/** How a server process ended, with the last lines that it wrote to stderr. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: readonly string[];
  /** The process could not be started at all. */
  readonly error?: Error;
}

export function reasonOf(exit: Exit): string {
  if (exit.error !== undefined) {
    const code = (exit.error as NodeJS.ErrnoException).code;
    const file = (exit.error as NodeJS.ErrnoException).path;
    return code === "ENOENT" && file !== undefined ? `${file} does not exist` : exit.error.message;
  }
  const missing = exit.stderr.map((line) => /No module named '?([\w.]+)'?/.exec(line)?.[1]).find(Boolean);
  if (missing !== undefined) {
    return missing.startsWith("kernelscope")
      ? "this Python has no Kernelscope installed (pip install kernelscope)"
      : `the Python library ${missing} is missing`;
  }
  const last = exit.stderr.findLast((line) => /^\S/.test(line) && line.trim() !== "");
  if (last !== undefined) {
    return last.length > 200 ? `${last.slice(0, 200)}…` : last;
  }
  return exit.signal === null ? `it ended with status ${exit.code}` : `it was ended by ${exit.signal}`;
}
