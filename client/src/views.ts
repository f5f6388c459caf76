// The views there are, and what the server is asked and answers to open one.

/** Commands that open a read-only document; hovers may link to them. */
export const VIEW_COMMANDS = [
  "kernelscope.explainKernel",
  "kernelscope.showDataflow",
  "kernelscope.showOperatorTable",
  "kernelscope.showTensorLifetimes",
  "kernelscope.showArchitecture",
  "kernelscope.showPseudocode",
  "kernelscope.showTiling",
  "kernelscope.showTimeline",
  "kernelscope.showCallPath",
  "kernelscope.showWhy",
  "kernelscope.showShapes",
  "kernelscope.explainServing",
  "kernelscope.technicalFaq",
  "kernelscope.fullReport",
  "kernelscope.showDistributedMap",
  "kernelscope.explainFolder",
  "kernelscope.showFolderArchitecture",
  "kernelscope.showFolderOperators",
];

/** Those that are about a whole folder: they need no file, nor a cursor. */
export const FOLDER_COMMANDS = VIEW_COMMANDS.slice(VIEW_COMMANDS.indexOf("kernelscope.explainServing"));

/** Those that are asked for a folder itself, not for the system around a file. */
export const WHOLE_FOLDER_COMMANDS = FOLDER_COMMANDS.slice(FOLDER_COMMANDS.indexOf("kernelscope.explainFolder"));

/** What a view is about: the argument of lenses and hover links, and what the palette makes of the cursor. */
export interface ViewRequest {
  readonly uri: string;
  readonly position?: { readonly line: number; readonly character: number };
  readonly offset?: number;
  readonly symbol?: string;
}

/** The document to open: its content is asked for by `workspace/textDocumentContent`. */
export interface ViewAnswer {
  readonly uri: string;
  readonly title: string;
}

export function isViewRequest(value: unknown): value is ViewRequest {
  return typeof value === "object" && value !== null && typeof (value as ViewRequest).uri === "string";
}

export function isViewAnswer(value: unknown): value is ViewAnswer {
  return typeof value === "object" && value !== null && typeof (value as ViewAnswer).uri === "string";
}

/** The place in a link's fragment, such as `L12,5`: line and column from 1. */
export function placeIn(fragment: string): { readonly line: number; readonly column: number } {
  const match = /^L?(\d+)(?:,(\d+))?/.exec(fragment);
  return { line: Math.max(1, Number(match?.[1] ?? 1)), column: Math.max(1, Number(match?.[2] ?? 1)) };
}
