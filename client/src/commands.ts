// The commands of the palette, menus, lenses and hover links.
import { commands, type Disposable, type LogOutputChannel, languages, Uri, window, workspace } from "vscode";
import { formatBindings, parseBindings } from "./bindings.js";
import { debugInformation } from "./debugInformation.js";
import { type Documents, revealSource } from "./documents.js";
import { candidates } from "./interpreters.js";
import { findPython, OLDEST_MINOR } from "./python.js";
import type { Server } from "./server.js";
import * as settings from "./settings.js";
import {
  FOLDER_COMMANDS,
  isViewAnswer,
  isViewRequest,
  VIEW_COMMANDS,
  type ViewRequest,
  WHOLE_FOLDER_COMMANDS,
} from "./views.js";

export interface Parts {
  readonly server: Server;
  readonly documents: Documents;
  readonly log: LogOutputChannel;
  readonly version: string;
}

export function registerCommands(parts: Parts): Disposable[] {
  const { server, log } = parts;
  const table: Record<string, (...args: unknown[]) => unknown> = {
    setSymbolValues,
    chooseGpu: () => chooseGpu(server),
    chooseDepth,
    silence: (code) => settings.silence(String(code)),
    exportView: (view) => exportView(server, view),
    reindex: () => server.execute("kernelscope.reindex"),
    selectInterpreter,
    useInstalledServer: () => settings.writeServer("importStrategy", "fromEnvironment"),
    restartServer: () => server.restart(),
    showLogs: () => log.show(true),
    printDebugInformation: () => debugInformation(parts),
    revealSource: (target) => revealSource(String(target)),
  };
  return [
    ...VIEW_COMMANDS.map((command) => register(command, (...args) => openView(parts, command, args))),
    ...Object.entries(table).map(([name, run]) => register(`kernelscope.${name}`, run)),
  ];
}

/** A failure of a command that the user ran is told to the user, in the one line that the server found for it. */
function register(command: string, run: (...args: unknown[]) => unknown): Disposable {
  return commands.registerCommand(command, async (...args: unknown[]) => {
    try {
      return await run(...args);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      window.showWarningMessage(`Kernelscope: ${message}`);
      return undefined;
    }
  });
}

async function openView({ server, documents }: Parts, command: string, args: unknown[]): Promise<void> {
  const isOfFolder = FOLDER_COMMANDS.includes(command);
  const request = isViewRequest(args[0]) ? args[0] : requestFor(command, args[0]);
  if (request === undefined) {
    throw new Error(isOfFolder ? "Open a folder first." : "Open a Python, Triton or CUDA file first.");
  }
  const answer = await server.execute(command, request);
  if (isViewAnswer(answer)) {
    await documents.open(answer);
  }
}

/** What a command is about that no lens or link was clicked for. */
function requestFor(command: string, clicked: unknown): ViewRequest | undefined {
  if (WHOLE_FOLDER_COMMANDS.includes(command)) {
    return wholeFolder(clicked);
  }
  return FOLDER_COMMANDS.includes(command) ? ofFolder() : underCursor();
}

/** The folder that was clicked in the explorer, else the workspace folder of what is looked at. */
function wholeFolder(clicked: unknown): ViewRequest | undefined {
  const uri = clicked instanceof Uri ? clicked : undefined;
  const around = ofFolder();
  const folder = around && workspace.getWorkspaceFolder(Uri.parse(around.uri, true))?.uri;
  const found = uri ?? folder ?? workspace.workspaceFolders?.[0]?.uri;
  return found && { uri: found.toString() };
}

/** The palette and the context menu speak of the active editor's cursor. */
function underCursor(): ViewRequest | undefined {
  const editor = window.activeTextEditor;
  if (editor === undefined) {
    return undefined;
  }
  const { line, character } = editor.selection.active;
  return { uri: editor.document.uri.toString(), position: { line, character } };
}

/** The folder of the file that is looked at, else the first one: a view may be in front, or nothing at all. */
function ofFolder(): ViewRequest | undefined {
  const editors = [window.activeTextEditor, ...window.visibleTextEditors];
  const uri = editors.find((editor) => editor?.document.uri.scheme === "file")?.document.uri;
  const found = uri ?? workspace.workspaceFolders?.[0]?.uri;
  return found === undefined ? undefined : { uri: found.toString() };
}

const FORMATS = [
  { label: "Markdown", format: "markdown", language: "markdown" },
  { label: "Mermaid", format: "mermaid", language: "mermaid" },
  { label: "SVG", format: "svg", language: "xml" },
  { label: "JSON", format: "json", language: "json" },
];

/** The view in another format, as an unsaved document to save or copy. */
async function exportView(server: Server, view: unknown): Promise<void> {
  const uri = view instanceof Uri ? view : window.activeTextEditor?.document.uri;
  const chosen = await window.showQuickPick(FORMATS, { title: "Export View" });
  if (uri === undefined || chosen === undefined) {
    return;
  }
  const request = { uri: uri.toString(), format: chosen.format };
  const { text } = await server.execute<{ text: string }>("kernelscope.exportView", request);
  const known = (await languages.getLanguages()).includes(chosen.language);
  const language = known ? { language: chosen.language } : {};
  await window.showTextDocument(await workspace.openTextDocument({ content: text, ...language }));
}

async function setSymbolValues(): Promise<void> {
  const text = await window.showInputBox({
    title: "Set Symbol Values",
    prompt: "Sizes for names of dims; empty shows names only",
    placeHolder: "B=8, S=4096",
    value: formatBindings(settings.bindings()),
    validateInput: (typed) => {
      const parsed = parseBindings(typed);
      return typeof parsed === "string" ? parsed : undefined;
    },
  });
  const parsed = text === undefined ? undefined : parseBindings(text);
  if (typeof parsed === "object") {
    await settings.write("bindings", parsed);
  }
}

async function chooseGpu(server: Server): Promise<void> {
  const current = settings.gpu();
  const known = await server.execute<{ name: string; detail?: string }[]>("kernelscope.listGpus");
  const items = known.map(({ name, detail }) => ({
    label: name,
    description: name === current ? "chosen" : "",
    detail: detail ?? "",
  }));
  const chosen = await window.showQuickPick(items, { title: "GPU that numbers speak of", matchOnDetail: true });
  if (chosen !== undefined) {
    await settings.write("gpu", chosen.label);
  }
}

const DEPTHS = [
  { label: "What fits", depth: 0, detail: "Calls are opened while the picture stays readable" },
  { label: "1", depth: 1, detail: "The modules and functions that are called" },
  { label: "2", depth: 2, detail: "What is inside them" },
  { label: "3", depth: 3, detail: "And inside those" },
];

async function chooseDepth(): Promise<void> {
  const current = settings.depth();
  const items = DEPTHS.map((level) => ({ ...level, description: level.depth === current ? "chosen" : "" }));
  const chosen = await window.showQuickPick(items, { title: "Levels that dataflow pictures show" });
  if (chosen !== undefined) {
    await settings.write("depth", chosen.depth);
  }
}

/** Lists the interpreters that would do; any other can be browsed for. */
async function selectInterpreter(): Promise<void> {
  const found: { label: string; description: string; command: readonly string[] | undefined }[] = [];
  for await (const candidate of candidates({ ...settings.serverSettings(), interpreter: [] })) {
    const { python } = await findPython([candidate], { oldest: OLDEST_MINOR, newest: undefined });
    if (python !== undefined && !found.some(({ description }) => description === python.command.join(" "))) {
      found.push({
        label: `Python ${python.version.text}`,
        description: python.command.join(" "),
        command: python.command,
      });
    }
  }
  const browse = { label: "$(folder-opened) Browse…", description: "", command: undefined };
  const chosen = await window.showQuickPick([...found, browse], { title: "Python that runs the Kernelscope server" });
  if (chosen === undefined) {
    return;
  }
  const command = chosen.command ?? (await browseForPython());
  if (command !== undefined) {
    await settings.writeServer("interpreter", command);
  }
}

async function browseForPython(): Promise<readonly string[] | undefined> {
  const [file] = (await window.showOpenDialog({ title: "Python 3.11 or later", openLabel: "Use" })) ?? [];
  return file === undefined ? undefined : [file.fsPath];
}
