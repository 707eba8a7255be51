#!/usr/bin/env bash
# Compares the release build with the programs and libraries whose formats and numbers it shares:
# transformers, tokenizers, safetensors, gguf-py, compressed-tensors and llama.cpp.
#
#   Tests/Interop/run.sh [TEXT]        TEXT is what perplexity is measured on; the built-in one if not given
#
# Makes a Python environment in .build/interop the first time (several GB, llama.cpp is compiled).
set -euo pipefail
cd "$(dirname "$0")/../.."

text=${1:-Sources/Datasets/Resources/evaluation.txt}
work=.build/interop
python=$work/venv/bin/python
command=.build/release/slm-compress
model=models/SmolLM2-135M-Instruct.Q4_1.gguf
step() { echo "== $*"; }

if [ ! -e $work/ready ]; then
  step "Making a Python environment in $work"
  mkdir -p $work
  python3 -m venv $work/venv
  $python -m pip install --quiet -r Tests/Interop/requirements.txt
  touch $work/ready
fi

step "Files written by the tests, read by the reference readers"
rm -rf $work/files && mkdir -p $work/files
SLM_INTEROP_FOLDER=$PWD/$work/files swift test --disable-xctest -Xcc -O3 \
  --explicit-target-dependency-import-check error --filter InteropTests
$python Tests/Interop/checkpoints_interop.py $work/files

step "Token ids and decoded text"
$python Tests/Interop/tokenizer_parity.py $command $model "$text"

step "Logits of random models and of SmolLM2"
rm -rf $work/float32
$command convert $model $work/float32 --type float32 > /dev/null
$python Tests/Interop/logits_parity.py $command $work/float32

step "Quantized blocks"
$command convert $model $work/f32.gguf --type f32 --embedding f32 --overwrite > /dev/null
for type in q8_0 q4_0 q4_1 q5_0 q5_1; do
  $command convert $work/f32.gguf $work/$type.gguf --type $type --embedding $type --overwrite > /dev/null
  $python Tests/Interop/gguf_tensors.py $work/$type.gguf $work/f32.gguf --round
done

step "A recipe's exports: logits in transformers, perplexity in llama.cpp"
$command run recipes/demo-smollm2.yaml --output $work/demo --quiet
$python Tests/Interop/quantized_logits.py $command $work/demo/smollm2-135m-int8 $work/demo/smollm2-135m-int4
$python Tests/Interop/llama_perplexity.py $command "$text" \
  $work/f32.gguf $work/demo/smollm2-135m-q8_0.gguf $work/demo/smollm2-135m-q4_0.gguf

step "A model that lost blocks, neurons, heads and channels: logits in transformers and llama.cpp"
$command run Tests/Interop/pruned.yaml --output $work/pruned --quiet
$python Tests/Interop/quantized_logits.py $command $work/pruned/pruned
$python Tests/Interop/llama_logits.py $command $work/pruned/pruned.gguf

step "GPTQ, AWQ and MLX folders: logits of weights decoded by their descriptions"
$command run Tests/Interop/folders.yaml --output $work/folders --quiet
$python Tests/Interop/folder_formats.py $command \
  $work/folders/{gptq-4,gptq-mixed,awq-symmetric,awq-4,mlx-4,mlx-rounded,mlx-allocated}
$python Tests/Interop/quantized_logits.py $command $work/folders/packed-3

step "A folder with bitmasks, read by the last compressed-tensors that has the format"
[ -e $work/sparse ] || $python -m pip install --quiet --no-deps --target $work/sparse \
  compressed-tensors==0.10.2 loguru frozendict
$command run Tests/Interop/sparse.yaml --output $work/bitmask --quiet
PYTHONPATH=$work/sparse $python Tests/Interop/sparse_folder.py $work/bitmask/{sparse,plain}

step "Perplexity by windows in transformers"
$python Tests/Interop/perplexity_parity.py $command $model "$text" --tokens 4096

step "A recipe killed at random moments"
$python Tests/Interop/kill_and_resume.py $command recipes/demo.yaml $work/killed

step "A training killed at random moments"
$python Tests/Interop/kill_and_resume.py $command Tests/Interop/training-killed.yaml $work/training-killed

step "Fine-tuning, step by step beside torch"
$command convert $model $work/bfloat16 --type bfloat16 --overwrite > /dev/null
$python Tests/Interop/finetune_parity.py $command $work/bfloat16 "$text" $work/finetune --steps 20

step "Adapters in PEFT"
$command run recipes/demo.yaml --output $work/adapters --set stages.6.type=float32 --quiet
$python Tests/Interop/adapter_parity.py recipes/models/stories-2m $work/adapters/07-train

step "Everything agrees"
