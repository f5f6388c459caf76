// The language client with what the extension does itself taken out: palette commands, the content of views,
// and notifications, which only `server.ts` shows.
import { type LogOutputChannel, window } from "vscode";
import {
  CloseAction,
  type DynamicFeature,
  ErrorAction,
  ExecuteCommandRequest,
  type InitializeParams,
  LanguageClient,
  type LanguageClientOptions,
  MessageType,
  RevealOutputChannelOn,
  type ServerOptions,
  ShowMessageNotification,
  type StaticFeature,
  TextDocumentContentRequest,
  type WorkDoneProgressBegin,
  type WorkDoneProgressEnd,
  type WorkDoneProgressReport,
} from "vscode-languageclient/node";
import { linkToSource } from "./documents.js";
import { DOCUMENTS, VIEW_SCHEME } from "./languages.js";
import type { LensCommands } from "./lenses.js";
import { notifications, settingsForServer } from "./settings.js";
import { VIEW_COMMANDS } from "./views.js";

const DONE_HERE = new Set<string>([ExecuteCommandRequest.method, TextDocumentContentRequest.method]);

export type Progress = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

export interface Hooks {
  progress(value: Progress): void;
  stderr(line: string): void;
  readonly lenses: LensCommands;
}

export class KernelscopeClient extends LanguageClient {
  constructor(start: ServerOptions, log: LogOutputChannel, hooks: Hooks) {
    super("kernelscope", "Kernelscope", start, optionsOf(log, hooks));
    this.onNotification(ShowMessageNotification.type, ({ type, message }) => showMessage(log, type, message));
  }

  /** Commands exist before the server does, and views outlive it, so neither is bound to its capabilities. */
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    const method = "registrationType" in feature ? feature.registrationType.method : undefined;
    if (method === undefined || !DONE_HERE.has(method)) {
      super.registerFeature(feature);
    }
  }

  protected override fillInitializeParams(params: InitializeParams): void {
    super.fillInitializeParams(params);
    params.capabilities.workspace = {
      ...params.capabilities.workspace,
      executeCommand: {},
      textDocumentContent: {},
    };
  }

  /** Failures go to the log; a toast of the library would say less than the one message of `server.ts`. */
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

function optionsOf(log: LogOutputChannel, hooks: Hooks): LanguageClientOptions {
  return {
    documentSelector: DOCUMENTS,
    outputChannel: log,
    traceOutputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: () => ({ richMarkdown: true, settings: settingsForServer() }),
    initializationFailedHandler: () => false,
    synchronize: { configurationSection: "kernelscope" },
    markdown: { isTrusted: { enabledCommands: VIEW_COMMANDS }, supportThemeIcons: true, supportHtml: true },
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
    },
    stdioOptions: {
      stdout: () => undefined,
      stderr: (stream) => readLines(stream, hooks.stderr),
    },
    middleware: {
      handleWorkDoneProgress: (token, params, next) => {
        hooks.progress(params);
        next(token, params);
      },
      provideCodeLenses: async (document, token, next) => hooks.lenses.lasting((await next(document, token)) ?? []),
      provideDocumentLinks: async (document, token, next) => {
        const links = (await next(document, token)) ?? [];
        for (const link of links) {
          if (document.uri.scheme === VIEW_SCHEME && link.target?.scheme === "file") {
            link.target = linkToSource(link.target);
            link.tooltip = "Show source";
          }
        }
        return links;
      },
    },
  };
}

function readLines(stream: NodeJS.ReadableStream, each: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? "";
    lines.forEach(each);
  });
  stream.on("end", () => rest !== "" && each(rest));
}

/** `window/showMessage` of the server: always logged, shown only as far as the user wants it. */
function showMessage(log: LogOutputChannel, type: MessageType, message: string): void {
  const wanted = { off: 0, onError: MessageType.Error, onWarning: MessageType.Warning, always: MessageType.Debug };
  const shown = type <= wanted[notifications()];
  if (type === MessageType.Error) {
    log.error(message);
    shown && window.showErrorMessage(message);
  } else if (type === MessageType.Warning) {
    log.warn(message);
    shown && window.showWarningMessage(message);
  } else {
    log.info(message);
    shown && window.showInformationMessage(message);
  }
}
