// The one output channel, for client and server.
import { type LogOutputChannel, window } from "vscode";

export function createLog(): LogOutputChannel {
  return window.createOutputChannel("Kernelscope", { log: true });
}
