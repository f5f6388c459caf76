#!/usr/bin/env bash
# What a person does with the extension, in a real VS Code on a copy of the sample workspace.
#
#   scenario.sh EDITOR_TOOLS EDITOR_DIR VSIX SHOTS
#
# EDITOR_TOOLS holds ui_smoke.mjs, EDITOR_DIR the editor that setup_editor.sh installed. Pictures go to SHOTS.
set -uo pipefail
tools=$1 editor=$2 vsix=$3 shots=$4
here=$(cd "$(dirname "$0")" && pwd)
workspace=$(mktemp -d)
trap 'rm -rf "$workspace"' EXIT
cp -r "$here/../workspaces/sample/." "$workspace"
failed=0

drive() { # NAME VERB...: one window, one line of result
  local name=$1 log began=$SECONDS
  shift
  log="$shots/$name.log"
  mkdir -p "$shots"
  if node "$tools/ui_smoke.mjs" --editor "$editor" --vsix "$vsix" --workspace "$workspace" --shots "$shots" \
    --timeout 60000 "$@" >"$log" 2>&1; then
    echo "editor: $name: $(tail -n 1 "$log") ($((SECONDS - began)) s)"
  else
    echo "editor: $name failed, see $log"
    grep -E 'FAILED|\[error\]' "$log" | head -n 8
    failed=1
  fi
}

no_server='kernelscope.path=["python3", "-c", "import a_library_that_is_missing"]'
old_python='kernelscope.interpreter=["/does/not/exist/python"]'

drive model \
  --open tinyllm/model.py --lens 'dataflow' \
  --click-lens 'dataflow' --expect-tab 'Dataflow' --expect-editor '▼' --expect-readonly --shot model-dataflow \
  --no-notification
drive triton \
  --open tinyllm/kernels/rms_norm.py:1 --lens 'explain' --inlay '\[' \
  --hover rms_norm_kernel --expect-hover 'grid' --shot triton-hover \
  --key Escape --command 'Kernelscope: Explain Kernel' --expect-tab 'rms_norm' --expect-readonly --shot triton-explain \
  --no-notification
drive cuda \
  --open csrc/silu_and_mul.cu --lang 'CUDA' --lens 'explain' \
  --hover silu_and_mul --expect-hover 'grid|block' --shot cuda-hover --no-notification
drive broken-server --setting "$no_server" \
  --open tinyllm/model.py --expect-notification 'could not start: the Python library a_library_that_is_missing is missing' \
  --expect-notification 'Select Interpreter'
drive no-python --setting "$old_python" \
  --open tinyllm/model.py --expect-notification 'Python 3\.11.* was not found' --expect-notification 'Show Logs'
exit $failed
