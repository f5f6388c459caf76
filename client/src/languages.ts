// The languages and schemes that the server is asked about.
import type { DocumentSelector } from "vscode-languageclient/node";

/** VS Code calls CUDA `cuda-cpp`, other extensions `cuda`; bindings lie in C++. */
const LANGUAGES = ["python", "cuda-cpp", "cuda", "cpp", "c"];

export const VIEW_SCHEME = "kernelscope";
export const VIEW_LANGUAGE = "kernelscope-view";

export const SOURCES: { scheme: string; language: string }[] = [
  ...["file", "untitled"].flatMap((scheme) => LANGUAGES.map((language) => ({ scheme, language }))),
  { scheme: "vscode-notebook-cell", language: "python" },
];

/** Source, and the views for the links in them. */
export const DOCUMENTS: DocumentSelector = [...SOURCES, { scheme: VIEW_SCHEME, language: VIEW_LANGUAGE }];
