// What is run as the server: from settings, the bundle and an interpreter to a command line. Starts nothing.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Command, Supported } from "./python.js";
import { OLDEST_MINOR } from "./python.js";

/** The settings that decide about the server's command; a change of one restarts it. */
export interface ServerSettings {
  readonly interpreter: readonly string[];
  readonly importStrategy: "useBundled" | "fromEnvironment";
  readonly path: readonly string[];
  readonly args: readonly string[];
  readonly cwd: string;
}

/** What `make vsix` wrote into the extension beside the libraries. */
export interface Bundle {
  readonly folder: string;
  /** `linux-x64`, `darwin-arm64`, …, as vsce names them; undefined without compiled libraries. */
  readonly target: string | undefined;
  /** Newest Python 3 minor version that has compiled libraries here. */
  readonly newestMinor: number | undefined;
}

export function readBundle(extensionFolder: string): Bundle | undefined {
  const folder = path.join(extensionFolder, "bundled");
  const manifest = path.join(folder, "bundle.json");
  if (!existsSync(manifest)) {
    return undefined;
  }
  const read = JSON.parse(readFileSync(manifest, "utf8")) as { target?: string; newestMinor?: number };
  return { folder, target: read.target, newestMinor: read.newestMinor };
}

/** The platform of this machine in vsce's words; musl is told by the loader that Alpine has. */
export function platformTarget(
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
  musl: boolean = platform === "linux" && existsSync("/etc/alpine-release"),
): string {
  return `${musl ? "alpine" : platform}-${arch === "arm" ? "armhf" : arch}`;
}

/** One line when the bundle's compiled libraries are for another platform, else undefined. */
export function wrongPlatform(bundle: Bundle | undefined, machine: string): string | undefined {
  if (bundle?.target === undefined || bundle.target === machine) {
    return undefined;
  }
  return `This extension was packaged for ${bundle.target}, but this machine is ${machine}. Install kernelscope-${machine}.vsix, or the universal one with "pip install kernelscope".`;
}

/** Versions of Python that can run the server. */
export function supportedPython(bundle: Bundle | undefined, settings: ServerSettings): Supported {
  const bundled = settings.importStrategy === "useBundled" && bundle?.newestMinor !== undefined;
  return { oldest: OLDEST_MINOR, newest: bundled ? bundle.newestMinor : undefined };
}

/**
 * The server's command line. `-I` keeps the current folder, PYTHONPATH and the user's site-packages out, so that no
 * file of a workspace can be imported; it also ignores PYTHONUTF8, so UTF-8 is asked for by `-X utf8`.
 */
export function serverCommand(settings: ServerSettings, python: Command, bundle: Bundle | undefined): Command {
  const server =
    settings.importStrategy === "useBundled" && bundle !== undefined
      ? [path.join(bundle.folder, "launch.py")]
      : ["-m", "kernelscope_server"];
  return [...python, "-X", "utf8", "-I", ...server, ...settings.args];
}
