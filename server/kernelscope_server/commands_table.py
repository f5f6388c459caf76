"""The commands that open a document: command, kind of document, title."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "kernelscope.explainKernel": ("explain", "Explain Kernel"),
    "kernelscope.showDataflow": ("dataflow", "Dataflow"),
    "kernelscope.showPseudocode": ("pseudocode", "Pseudocode"),
    "kernelscope.showTiling": ("tiling", "Tiling and Memory"),
    "kernelscope.showOperatorTable": ("ops", "Operator Table"),
    "kernelscope.showArchitecture": ("architecture", "Architecture"),
    "kernelscope.showCallPath": ("path", "Call Path to Kernel"),
    "kernelscope.showWhy": ("why", "Why"),
}
