// Finds a Python that can run the server: asks candidates for their version, in the order of preference.
// Knows nothing of the editor; where candidates come from besides PATH is the caller's.
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import path from "node:path";

/** A command that starts an interpreter: the executable and its fixed arguments (`py -3`). */
export type Command = readonly [string, ...string[]];

export interface Candidate {
  readonly command: Command;
  /** Where the candidate was found, for the log and for "none found". */
  readonly origin: string;
}

export interface Python extends Candidate {
  readonly version: Version;
}

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly text: string;
}

/** Minor versions of Python 3 that the server runs on; `newest` only binds the bundled compiled libraries. */
export interface Supported {
  readonly oldest: number;
  readonly newest: number | undefined;
}

export const OLDEST_MINOR = 11;

export interface Search {
  readonly python: Python | undefined;
  /** Why each candidate before it was passed over. */
  readonly rejected: readonly string[];
}

/** The first candidate that answers with a supported version. */
export async function findPython(
  candidates: AsyncIterable<Candidate> | Iterable<Candidate>,
  supported: Supported,
  ask: (command: Command) => Promise<string> = askVersion,
): Promise<Search> {
  const rejected: string[] = [];
  const seen = new Set<string>();
  for await (const candidate of candidates) {
    const name = candidate.command.join(" ");
    if (seen.has(name)) {
      continue;
    }
    seen.add(name);
    let answer: string;
    try {
      answer = await ask(candidate.command);
    } catch (error) {
      rejected.push(`${name} (${candidate.origin}): ${oneLine(error)}`);
      continue;
    }
    const version = parseVersion(answer);
    const fault = version === undefined ? `says ${JSON.stringify(answer.trim())}` : unsupported(version, supported);
    if (version !== undefined && fault === undefined) {
      return { python: { ...candidate, version }, rejected };
    }
    rejected.push(`${name} (${candidate.origin}): ${fault}`);
  }
  return { python: undefined, rejected };
}

/** Python's answer to `--version`. Free-threaded builds and PyPy have other binary interfaces, so they are no match. */
export function parseVersion(answer: string): Version | undefined {
  const match = /^Python (3)\.(\d+)\.(\S+)\s*$/m.exec(answer);
  if (match === null || /PyPy/.test(answer)) {
    return undefined;
  }
  return { major: 3, minor: Number(match[2]), text: `3.${match[2]}.${match[3]}` };
}

function unsupported(version: Version, supported: Supported): string | undefined {
  if (version.minor < supported.oldest) {
    return `${version.text} is too old`;
  }
  if (supported.newest !== undefined && version.minor > supported.newest) {
    return `${version.text} is newer than the bundled libraries`;
  }
  return undefined;
}

export function supportedText(supported: Supported): string {
  return supported.newest === undefined
    ? `Python 3.${supported.oldest} or later`
    : `Python 3.${supported.oldest} to 3.${supported.newest}`;
}

/**
 * Interpreters on PATH. Relative entries and folders of the workspace are left out: a project's own
 * interpreter is never run for analysis, also when the editor was started from its environment.
 */
export function* pythonsOnPath(
  workspaceFolders: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): Generator<Candidate> {
  const windows = platform === "win32";
  const names = windows ? ["python3.exe", "python.exe", "py.exe"] : ["python3", "python"];
  const numbered = windows ? [] : [14, 13, 12, 11].map((minor) => `python3.${minor}`);
  const folders = (environment.PATH ?? environment.Path ?? "")
    .split(windows ? ";" : ":")
    .filter((folder) => path.isAbsolute(folder) && !isInside(folder, workspaceFolders));
  for (const name of [...names, ...numbered]) {
    for (const folder of folders) {
      const file = path.join(folder, name);
      if (isFile(file)) {
        yield { command: name === "py.exe" ? [file, "-3"] : [file], origin: "PATH" };
      }
    }
  }
}

/** Whether `file` lies in one of `folders`. */
export function isInside(file: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const relative = path.relative(folder, file);
    return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative));
  });
}

function isFile(file: string): boolean {
  try {
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Runs `COMMAND --version`: a fixed argument list and no shell. */
function askVersion([file, ...args]: Command): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, [...args, "--version"], { timeout: 10_000, windowsHide: true, cwd: __dirname }, (error, out) =>
      error === null ? resolve(out) : reject(error),
    );
  });
}

function oneLine(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT"
    ? "not found"
    : (String(error instanceof Error ? error.message : error).split("\n", 1)[0] ?? "");
}
