// The extension's settings, read anew at every use: in remote windows some appear only after activation.
import { ConfigurationTarget, workspace } from "vscode";
import type { Bindings } from "./bindings.js";
import type { ServerSettings } from "./launch.js";

const SECTION = "kernelscope";

export type Notifications = "off" | "onError" | "onWarning" | "always";

export function serverSettings(): ServerSettings {
  const settings = workspace.getConfiguration(SECTION);
  return {
    interpreter: settings.get<string[]>("interpreter", []),
    importStrategy: settings.get<ServerSettings["importStrategy"]>("importStrategy", "useBundled"),
    path: settings.get<string[]>("path", []),
    args: settings.get<string[]>("args", []),
    cwd: settings.get<string>("cwd", ""),
  };
}

export function isEnabled(): boolean {
  return workspace.getConfiguration(SECTION).get<boolean>("enable", true);
}

export function notifications(): Notifications {
  return workspace.getConfiguration(SECTION).get<Notifications>("showNotifications", "off");
}

/** What the server is told: the whole section, as `workspace/configuration` answers it later. */
export function settingsForServer(): unknown {
  return JSON.parse(JSON.stringify(workspace.getConfiguration().get(SECTION) ?? {}));
}

export function bindings(): Bindings {
  return workspace.getConfiguration(SECTION).get<Bindings>("bindings", {});
}

export function gpu(): string {
  return workspace.getConfiguration(SECTION).get<string>("gpu", "");
}

export function depth(): number {
  return workspace.getConfiguration(SECTION).get<number>("depth", 0);
}

/** Writes a setting for this workspace, or for the user when no folder is open. */
export async function write(name: "bindings" | "depth" | "gpu" | "silenced", value: unknown): Promise<void> {
  const target = workspace.workspaceFolders ? ConfigurationTarget.Workspace : ConfigurationTarget.Global;
  await workspace.getConfiguration(SECTION).update(name, value, target);
}

/** Writes a setting of the server for the user: which programs run is no matter of a workspace. */
export async function writeServer(name: "interpreter" | "importStrategy", value: unknown): Promise<void> {
  await workspace.getConfiguration(SECTION).update(name, value, ConfigurationTarget.Global);
}

/** Problems of this kind are not reported in this workspace any more. */
export async function silence(code: string): Promise<void> {
  const silenced = workspace.getConfiguration(SECTION).get<string[]>("silenced", []);
  if (!silenced.includes(code)) {
    await write("silenced", [...silenced, code]);
  }
}
