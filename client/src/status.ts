// The language status item: starting, indexing, ready or in trouble. A click shows the log.
import { type Disposable, type DocumentSelector, LanguageStatusSeverity, languages } from "vscode";

export type State =
  | { readonly kind: "starting" | "busy" | "ready" | "off"; readonly detail: string }
  | { readonly kind: "problem"; readonly detail: string };

const TEXT: Record<State["kind"], string> = {
  starting: "Kernelscope starting",
  busy: "Kernelscope indexing",
  ready: "Kernelscope",
  off: "Kernelscope off",
  problem: "Kernelscope not running",
};

export class Status implements Disposable {
  private readonly item;

  constructor(selector: DocumentSelector) {
    this.item = languages.createLanguageStatusItem("kernelscope.status", selector);
    this.item.name = "Kernelscope";
    this.item.command = { command: "kernelscope.showLogs", title: "Show Logs" };
    this.show({ kind: "starting", detail: "" });
  }

  show(state: State): void {
    this.item.text = TEXT[state.kind];
    this.item.detail = state.detail;
    this.item.busy = state.kind === "starting" || state.kind === "busy";
    this.item.severity = state.kind === "problem" ? LanguageStatusSeverity.Error : LanguageStatusSeverity.Information;
  }

  dispose(): void {
    this.item.dispose();
  }
}
