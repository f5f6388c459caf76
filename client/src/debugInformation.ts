// Everything that a bug report needs, printed to the log: versions, platform, settings, the server's own account.
import os from "node:os";
import { version as editorVersion, env, workspace } from "vscode";
import type { Parts } from "./commands.js";
import { platformTarget } from "./launch.js";
import { settingsForServer } from "./settings.js";

export async function debugInformation({ server, log, version }: Parts): Promise<void> {
  const information = {
    extension: version,
    editor: `${env.appName} ${editorVersion}${env.remoteName ? `, remote ${env.remoteName}` : ""}`,
    platform: `${platformTarget()}, ${os.release()}`,
    trusted: workspace.isTrusted,
    folders: workspace.workspaceFolders?.length ?? 0,
    command: server.commandLine ?? "not running",
    settings: settingsForServer(),
    server: await server.execute("kernelscope.debugInformation").catch((error) => `no answer: ${error}`),
  };
  log.info(`Debug information\n${JSON.stringify(information, null, 2)}`);
  log.show(true);
}
