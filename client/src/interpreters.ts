// The interpreters of this machine that may run the server, in the order of preference: the setting,
// what the Python extensions have selected, PATH. A workspace's own environment is never among them.
import { extensions, type Uri, workspace } from "vscode";
import type { ServerSettings } from "./launch.js";
import { type Candidate, type Command, isInside, pythonsOnPath } from "./python.js";

/** The parts of the two extensions' interfaces that are used here. */
interface PythonEnvironments {
  getEnvironment(
    scope: Uri | undefined,
  ): Promise<{ execInfo?: { run?: { executable?: string; args?: string[] } } } | undefined>;
}
interface PythonExtension {
  environments?: {
    getActiveEnvironmentPath(resource?: Uri): { path: string };
    resolveEnvironment(path: { path: string }): Promise<{ executable?: { uri?: Uri } } | undefined>;
  };
}

/** The user's choice alone when there is one: another Python would hide that it does not work. */
export async function* candidates(settings: ServerSettings): AsyncGenerator<Candidate> {
  const [executable, ...args] = settings.interpreter;
  if (executable !== undefined) {
    yield { command: [executable, ...args], origin: "kernelscope.interpreter" };
    return;
  }
  const folders = (workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
  for (const [origin, ask] of [
    ["Python Environments", fromPythonEnvironments],
    ["Python extension", fromPythonExtension],
  ] as const) {
    const command = await ask().catch(() => undefined);
    if (command !== undefined && !isInside(command[0], folders)) {
      yield { command, origin };
    }
  }
  yield* pythonsOnPath(folders);
}

async function api<T>(id: string): Promise<T | undefined> {
  const extension = extensions.getExtension<T>(id);
  return extension === undefined ? undefined : extension.isActive ? extension.exports : await extension.activate();
}

async function fromPythonEnvironments(): Promise<Command | undefined> {
  const environments = await api<PythonEnvironments>("ms-python.vscode-python-envs");
  const selected = await environments?.getEnvironment(workspace.workspaceFolders?.[0]?.uri);
  const { executable, args = [] } = selected?.execInfo?.run ?? {};
  return executable === undefined ? undefined : [executable, ...args];
}

async function fromPythonExtension(): Promise<Command | undefined> {
  const environments = (await api<PythonExtension>("ms-python.python"))?.environments;
  const active = environments?.getActiveEnvironmentPath(workspace.workspaceFolders?.[0]?.uri);
  const resolved = active && (await environments?.resolveEnvironment(active));
  const file = resolved?.executable?.uri?.fsPath;
  return file === undefined ? undefined : [file];
}
