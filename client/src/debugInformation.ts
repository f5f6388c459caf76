// Everything that a bug report needs, printed to the log: versions, platform, settings, the server's own account.
import os from "node:os";
import { version as editorVersion, env, workspace } from "vscode";
import type { Parts } from "./commands.js";
import { platformTarget } from "./launch.js";
import { settingsForServer } from "./settings.js";

export async function debugInformation({ server, log, version }: Parts): Promise<void> {
  const answer = await server
    .execute<{ text: string }>("kernelscope.debugInformation")
    .then(({ text }) => text)
    .catch((error) => `no answer from the server: ${error instanceof Error ? error.message : error}`);
  const lines = [
    `extension: ${version}`,
    `editor: ${env.appName} ${editorVersion}${env.remoteName ? `, remote ${env.remoteName}` : ""}`,
    `platform: ${platformTarget()}, ${os.release()}`,
    `workspace: ${workspace.workspaceFolders?.length ?? 0} folders, ${workspace.isTrusted ? "trusted" : "not trusted"}`,
    `command: ${server.commandLine?.join(" ") ?? "not running"}`,
    `settings: ${JSON.stringify(settingsForServer())}`,
    answer,
  ];
  log.info(`Debug information\n${lines.join("\n")}`);
  log.show(true);
}
