# slm-compress: `make` lists what can be made.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Kernels are C and are optimized in debug builds too; a flag in the manifest would forbid using
# the package as a dependency.
FLAGS := -Xcc -O3 --explicit-target-dependency-import-check error
MODEL := models/SmolLM2-135M-Instruct.Q4_1.gguf
LIBRARIES := Tensor Tokenizers Checkpoints Datasets Models Train Pipeline Calibrate Evaluate TrainStages Distill Prune Quantize Export Reports Sparsity

.PHONY: help demo demo-smollm2 stories test check setup build release fetch test-release lint format docs describe \
  recipes chain interop golden bench size clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: release ## Tune and quantize the model that comes along by recipes/demo.yaml, offline
	@echo "== Running recipes/demo.yaml"
	.build/release/slm-compress run recipes/demo.yaml

demo-smollm2: release fetch ## Compress SmolLM2-135M by recipes/demo-smollm2.yaml
	@echo "== Running recipes/demo-smollm2.yaml"
	.build/release/slm-compress run recipes/demo-smollm2.yaml

stories: release ## Train the model that comes along anew by recipes/stories-2m.yaml (about 15 minutes)
	.build/release/slm-compress run recipes/stories-2m.yaml

test: setup ## Build with checks on and run every test
	@echo "== Building and testing (a few minutes the first time)"
	swift test --disable-xctest $(FLAGS)

check: lint test docs recipes chain ## Everything that has to pass before a change lands

setup: ## Install the system libraries that are missing (OpenBLAS, PCRE2, zlib)
	@.ci/setup

build: setup ## Build with checks on
	swift build $(FLAGS)

release: setup ## Build the optimized programs
	@echo "== Building in release mode (a few minutes the first time)"
	swift build -c release $(FLAGS) --product slm-compress

fetch: $(MODEL) ## Fetch SmolLM2-135M-Instruct, 98 MB, checked and kept in models/

$(MODEL):
	@recipes/fetch-smollm2.sh $@

test-release: setup ## Run the tests on optimized code
	swift test -c release -Xswiftc -enable-testing --disable-xctest $(FLAGS)

lint: ## Check the form of the Swift sources
	@echo "== Checking the form of the sources"
	git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel

format: ## Bring the Swift sources into form
	git ls-files -z '*.swift' | xargs -0 swift format --in-place --parallel

docs: setup ## Build the reference documentation; a dead link is an error
	@for library in $(LIBRARIES); do \
	  echo "== Documentation of $$library"; \
	  SLM_DOCS=1 swift package --scratch-path .build-docs generate-documentation \
	    --target $$library --warnings-as-errors > .build-docs.log 2>&1 \
	    || { cat .build-docs.log; exit 1; }; \
	done; rm -f .build-docs.log

describe: build ## Write docs/stages.md anew from the stages' options
	.build/debug/slm-compress describe --markdown > docs/stages.md

recipes: build ## Check every recipe without running it
	@echo "== Checking the recipes"
	.build/debug/slm-compress check --syntax-only recipes/*.yaml

chain: build ## Run the whole chain on the model that comes along, by recipes/stories-2m-to-1m.yaml
	@echo "== Running recipes/stories-2m-to-1m.yaml"
	@folder=$$(mktemp -d) && .build/debug/slm-compress run recipes/stories-2m-to-1m.yaml --output $$folder/run; \
	  status=$$?; rm -rf $$folder; exit $$status

interop: release fetch ## Compare with transformers, tokenizers, gguf-py, llama.cpp (makes a Python environment)
	Tests/Interop/run.sh

golden: ## Compute the golden values of the tests anew (needs the environment of make interop)
	Tests/Golden/generate.sh

bench: setup ## Measure kernels, evaluation and decoding against the machine's ceilings
	swift build -c release $(FLAGS) --product slm-bench
	.build/release/slm-bench

size: ## Lines per module and the longest files
	@for module in Sources/*/; do \
	  printf '%6d  %s\n' $$(git ls-files $$module | grep -E '\.(swift|c|h)$$' | xargs -r cat | wc -l) $$module; \
	done; echo; git ls-files '*.swift' '*.c' '*.h' | xargs wc -l | sort -rn | sed -n '2,11p'

clean: ## Remove what was built, not what was fetched
	rm -rf .build .build-docs
