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
failed=0

drive() { # NAME VERB...: one window, one line of result
  local name=$1 log began=$SECONDS
  shift
  log="$shots/$name.log"
  mkdir -p "$shots"
  if window "$log" "$@"; then
    echo "editor: $name: $(tail -n 1 "$log") ($((SECONDS - began)) s)"
    return
  fi
  # The driver finds a row of the palette, then clicks it: the editor may draw it anew in between. What is wrong with
  # the extension fails again.
  mv "$log" "$shots/$name.first.log"
  echo "editor: $name: once more, after $(grep -m 1 -oE 'FAILED.*' "$shots/$name.first.log")"
  if window "$log" "$@"; then
    echo "editor: $name: $(tail -n 1 "$log") the second time ($((SECONDS - began)) s)"
  else
    echo "editor: $name failed twice, see $log"
    grep -E 'FAILED|\[error\]' "$log" | head -n 8
    failed=1
  fi
}

window() { # LOG VERB...
  local log=$1
  shift
  rm -rf "$workspace" && mkdir "$workspace" && cp -r "$here/../workspaces/sample/." "$workspace"
  node "$tools/ui_smoke.mjs" --editor "$editor" --vsix "$vsix" --workspace "$workspace" --shots "$shots" \
    --timeout 60000 "$@" >"$log" 2>&1
}

settled=2000 # ms: each lens that appears moves the lines below it, away from where the mouse was sent
no_server='kernelscope.path=["python3", "-c", "import a_library_that_is_missing"]'
old_python='kernelscope.interpreter=["/does/not/exist/python"]'

drive model \
  --open tinyllm/model.py:92 --inlay '\[B, S' --lens 'architecture' --wait "$settled" \
  --hover 'residual#1' --expect-hover 'Tensor\[B, S' --shot model-hover \
  --hover-link 'Why' --expect-tab 'Why' --expect-readonly --shot model-why --key Control+1 --wait 300 \
  --command 'Kernelscope: Re-index' --click-lens 'show dataflow' --expect-tab 'Dataflow of' --expect-editor '┌─' \
  --expect-readonly --shot model-dataflow \
  --no-notification
drive follow-source \
  --open tinyllm/model.py:105 --command 'Kernelscope: Show Architecture' --expect-tab 'Architecture of TinyLLM' \
  --expect-editor 'DecoderLayer \(×config' --shot model-architecture \
  --key Control+1 --goto 108:74 --type '2 * ' --expect-editor 'DecoderLayer \(×2\*config' --no-notification
drive kernels \
  --open csrc/transpose.cu:8 --lens 'explain kernel' --wait "$settled" --hover 'transpose_kernel' --expect-hover 'Shared memory' --shot cuda-hover \
  --command 'Kernelscope: Explain Kernel' --expect-tab 'transpose_kernel' --expect-editor 'conflict-free' \
  --expect-readonly --shot cuda-kernel \
  --open tinyllm/kernels/flash_attention.py:20 --inlay '\[BLOCK_M, D\]' \
  --command 'Kernelscope: Show Tiling' --expect-tab 'Tiling of' --expect-editor 'BLOCK_M' --shot triton-tiling \
  --no-notification
drive tables \
  --open tinyllm/model.py:92 --command 'Kernelscope: Show Operator Table' --expect-tab 'Operators of' \
  --expect-editor 'KV cache' --expect-readonly --shot operators \
  --key Control+1 --wait 300 --command 'Kernelscope: Show Tensor Lifetimes' --expect-tab 'Tensors of' \
  --expect-editor 'Held until' --shot lifetimes \
  --key Control+1 --wait 300 --command 'Kernelscope: Show Pseudocode' --expect-tab 'Pseudocode of' --shot pseudocode \
  --key Control+1 --wait 300 --command 'Kernelscope: Show Shapes' --expect-tab 'Shapes in model' \
  --expect-editor 'num_attention_heads' --expect-readonly --shot shapes \
  --key Control+1 --wait 300 --open tinyllm/schedule.py:60 --command 'Kernelscope: Show Execution Timeline' --expect-tab 'Timeline of' \
  --expect-editor 'queue 0' --shot timeline --no-notification
drive serving \
  --open tinyllm/engine.py --wait 3000 --command 'Kernelscope: Explain Serving' --expect-tab 'Serving' --expect-readonly \
  --shot serving --key Control+1 --wait 300 --command 'Kernelscope: Technical FAQ' --expect-tab 'FAQ' --shot faq \
  --key Control+1 --wait 300 --command 'Kernelscope: Full Report' --expect-tab 'Report' \
  --shot report --no-notification
drive folders \
  --open tinyllm/engine.py --wait 1000 --command 'Kernelscope: Show Architecture of Folder' --expect-tab 'Architecture of' \
  --expect-editor 'Scheduling' --expect-readonly --shot folder-architecture \
  --key Control+1 --wait 300 --command 'Kernelscope: Explain Folder' --expect-tab 'Overview of' \
  --expect-editor 'Model TinyLLM' --expect-readonly --shot folder-overview --no-notification
drive across-languages \
  --open csrc/silu_and_mul.cu:20 --lang 'CUDA' --command 'Kernelscope: Show Call Path' --expect-tab 'Call path' \
  --expect-editor 'TinyLLM.forward' --expect-readonly --shot call-path \
  --command 'Kernelscope: Export View' --wait 300 --type Mark --key Enter --expect-editor '# Call path' --no-notification
drive navigation \
  --open tinyllm/ops.py:11 --inlay '\[' --wait "$settled" --goto 11:24 --wait 300 --key F12 --expect-tab 'silu_and_mul\.cu' \
  --expect-editor '__global__ void .* silu_and_mul_kernel' --wait 500 --shot operator-kernel \
  --key Shift+Alt+H --wait 2500 --key ArrowDown --key ArrowRight --wait 2500 --key ArrowDown --key ArrowRight --wait 2500 \
  --key ArrowDown --key ArrowRight --wait 2500 --key ArrowDown --key ArrowRight --wait 2500 --key ArrowDown \
  --shot kernel-callers --key Enter --expect-tab 'model\.py' --expect-editor 'class TinyLLM' --no-notification
drive broken-server --setting "$no_server" \
  --open tinyllm/model.py --expect-notification 'could not start: the Python library a_library_that_is_missing is missing' \
  --expect-notification 'Select Interpreter'
drive no-python --setting "$old_python" \
  --open tinyllm/model.py --expect-notification 'Python 3\.11.* was not found' --expect-notification 'Show Logs'
exit $failed
