"""The commands: of those that open a view also the kind of document."""

from __future__ import annotations

VIEWS: dict[str, str] = {
    "kernelscope.explainKernel": "explain",
    "kernelscope.showDataflow": "dataflow",
    "kernelscope.showOperatorTable": "ops",
    "kernelscope.showTensorLifetimes": "memory",
    "kernelscope.showPseudocode": "pseudocode",
    "kernelscope.showArchitecture": "architecture",
    "kernelscope.showTiling": "tiling",
    "kernelscope.showTimeline": "timeline",
    "kernelscope.showCallPath": "path",
    "kernelscope.showWhy": "why",
    "kernelscope.showShapes": "shapes",
    "kernelscope.explainServing": "serving",
    "kernelscope.technicalFaq": "faq",
    "kernelscope.fullReport": "report",
    "kernelscope.showDistributedMap": "distributed",
    "kernelscope.explainFolder": "explain",
    "kernelscope.showFolderArchitecture": "architecture",
    "kernelscope.showFolderOperators": "path",
}
COMMANDS = (
    *VIEWS,
    "kernelscope.documentText",
    "kernelscope.exportView",
    "kernelscope.reindex",
    "kernelscope.listGpus",
    "kernelscope.debugInformation",
)
