# make test does everything that .ci/run does; see CONTRIBUTING.md.

.PHONY: build test soak bench screenshots sbom

# The program as it is released, without debug information.
OUT ?= lanyard
build:
	go build -trimpath -ldflags="-s -w" -o $(OUT) ./cmd/lanyard

test:
	@bash scripts/test.sh

# Long runs: more rounds of every race, a hundred kills, fuzzing by the minute.
soak:
	@LANYARD_SOAK=1 bash scripts/test.sh

# Side by side with other projects; prints ratios and writes docs/benchmarks.md.
bench:
	@bash bench/run.sh

# Pictures of every page, light and dark, desktop and phone.
screenshots:
	go test ./internal/browsertest -run Screenshots -screenshots "$(CURDIR)/screenshots"

# What is in the program, as CycloneDX, in lanyard.cdx.json.
sbom:
	go build -o lanyard ./cmd/lanyard
	go run ./scripts/sbom lanyard > lanyard.cdx.json
