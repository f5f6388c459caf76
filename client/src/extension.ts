// Puts the parts together when the editor activates the extension.
import { type ExtensionContext, workspace } from "vscode";
import { registerCommands } from "./commands.js";
import { Documents } from "./documents.js";
import { SOURCES } from "./languages.js";
import { createLog } from "./log.js";
import { Server } from "./server.js";
import { Status } from "./status.js";

let server: Server | undefined;

export function activate(context: ExtensionContext): void {
  const log = createLog();
  const status = new Status(SOURCES);
  const running = new Server(context, log, status);
  const documents = new Documents(running);
  server = running;
  const version = String(context.extension.packageJSON.version);
  context.subscriptions.push(
    log,
    status,
    running,
    documents,
    ...registerCommands({ server: running, documents, log, version }),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("kernelscope")) {
        running.reconfigure();
      }
    }),
  );
  running.restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
