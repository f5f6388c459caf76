// The read-only documents beside the source: their content comes from the server, their links lead back to it.
import {
  type CancellationToken,
  Disposable,
  EventEmitter,
  languages,
  Position,
  Range,
  type TextDocument,
  type TextDocumentContentProvider,
  Uri,
  ViewColumn,
  window,
  workspace,
} from "vscode";
import {
  ErrorCodes,
  ExecuteCommandRequest,
  type ResponseError,
  TextDocumentContentRefreshRequest,
  TextDocumentContentRequest,
} from "vscode-languageclient/node";
import type { KernelscopeClient } from "./client.js";
import { VIEW_LANGUAGE, VIEW_SCHEME } from "./languages.js";
import type { Server } from "./server.js";
import { placeIn, type ViewAnswer } from "./views.js";

export class Documents implements TextDocumentContentProvider, Disposable {
  private readonly changed = new EventEmitter<Uri>();
  readonly onDidChange = this.changed.event;
  private readonly subscriptions: Disposable;

  constructor(private readonly server: Server) {
    this.subscriptions = Disposable.from(
      this.changed,
      workspace.registerTextDocumentContentProvider(VIEW_SCHEME, this),
      workspace.onDidOpenTextDocument(setLanguage),
      server.onDidStart((client) => this.follow(client)),
    );
  }

  async provideTextDocumentContent(uri: Uri, token: CancellationToken): Promise<string> {
    try {
      const client = await this.server.running();
      return await contentOf(client, client.code2ProtocolConverter.asUri(uri), token);
    } catch (error) {
      return `${error instanceof Error ? error.message : error}\n`;
    }
  }

  /** Opens a view in the column of the views already there, else beside the source. */
  async open(answer: ViewAnswer): Promise<void> {
    const document = await workspace.openTextDocument(Uri.parse(answer.uri, true));
    const shown = window.visibleTextEditors.find((editor) => editor.document.uri.scheme === VIEW_SCHEME);
    await window.showTextDocument(await setLanguage(document), { viewColumn: shown?.viewColumn ?? ViewColumn.Beside });
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  /** A new server: views that are open may have changed, and it may announce further changes. */
  private follow(client: KernelscopeClient): void {
    client.onRequest(TextDocumentContentRefreshRequest.type, ({ uri }) => this.changed.fire(Uri.parse(uri, true)));
    for (const document of workspace.textDocuments) {
      if (document.uri.scheme === VIEW_SCHEME) {
        this.changed.fire(document.uri);
      }
    }
  }
}

/** Servers without `workspace/textDocumentContent` have a command for it. */
async function contentOf(client: KernelscopeClient, uri: string, token: CancellationToken): Promise<string> {
  try {
    return (await client.sendRequest(TextDocumentContentRequest.type, { uri }, token)).text;
  } catch (error) {
    if ((error as ResponseError).code !== ErrorCodes.MethodNotFound) {
      throw error;
    }
  }
  const params = { command: "kernelscope.documentText", arguments: [{ uri }] };
  return ((await client.sendRequest(ExecuteCommandRequest.type, params, token)) as { text: string }).text;
}

/** A view's address has no extension that would tell its language. */
async function setLanguage(document: TextDocument): Promise<TextDocument> {
  return document.uri.scheme === VIEW_SCHEME && document.languageId !== VIEW_LANGUAGE
    ? languages.setTextDocumentLanguage(document, VIEW_LANGUAGE)
    : document;
}

/** A link of a view, made to open in the source's column instead of over the view. */
export function linkToSource(target: Uri): Uri {
  return Uri.parse(`command:kernelscope.revealSource?${encodeURIComponent(JSON.stringify([target.toString()]))}`);
}

/** Shows the place that a view's link names, beside the view. */
export async function revealSource(target: string): Promise<void> {
  const uri = Uri.parse(target, true);
  const source = window.visibleTextEditors.find((editor) => editor.document.uri.scheme !== VIEW_SCHEME);
  const { line, column } = placeIn(uri.fragment);
  const start = new Position(line - 1, column - 1);
  await window.showTextDocument(uri.with({ fragment: "" }), {
    viewColumn: source?.viewColumn ?? ViewColumn.One,
    selection: new Range(start, start),
  });
}
