# Everything that is done to this tree. `make help` lists it.

GO               ?= go
GOLANGCI_VERSION := v2.15.0
TELEGRAF_VERSION := 1.37.2
# What the end-to-end tests and this product need of Telegraf, and no more. The number counts its changes.
TELEGRAF_BUILD   := 2
TELEGRAF_TAGS    := custom,inputs.execd,inputs.internal,outputs.file,outputs.influxdb,processors.execd,parsers.influx,serializers.influx

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)"
BIN     := bin/telegraf-dlms$(shell $(GO) env GOEXE)
TOOLS   := $(CURDIR)/.tools
MAIN    := ./cmd/telegraf-dlms

# Executions of each fuzz target, bytes of the stripped binary, time of `make fuzz` and rounds of `make soak`.
FUZZ_EXECUTIONS := 20000
# The standard library's ECDSA and X.509, for suites 1 and 2, are 1.2 MB of it.
SIZE_LIMIT      := 10485760
FUZZTIME        ?= 1m
SOAK            ?= 20

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## the static binary, bin/telegraf-dlms
	$(BUILD) -o $(BIN) $(MAIN)

.PHONY: run
run: build ## a simulated meter, polled every 2 s, as line protocol until Ctrl-C (COUNT=n: n polls)
	@exec env COUNT=$(COUNT) sh scripts/run.sh

.PHONY: test
test: vet unit fuzz-short size ## vet, unit tests and golden files, 20,000 executions of each fuzz target, binary size
	@echo "make test: passed"

.PHONY: vet
vet: ## go vet, with the end-to-end tests (no file is for their absence)
	$(GO) vet -tags e2e ./...

.PHONY: unit
unit: ## unit tests and golden files, with the race detector where there is a C compiler
	@sh scripts/unit.sh

.PHONY: fuzz-short
fuzz-short: ## each fuzz target for 20,000 executions
	@sh scripts/fuzz.sh $(FUZZ_EXECUTIONS)x

.PHONY: fuzz
fuzz: ## each fuzz target for a minute (FUZZTIME=...)
	@sh scripts/fuzz.sh $(FUZZTIME)

.PHONY: size
size: build ## the stripped linux binary is at most 10 MB
	@GOOS=linux GOARCH=amd64 $(BUILD) -o bin/size-check $(MAIN)
	@size=$$(wc -c < bin/size-check); rm bin/size-check; \
	echo "stripped linux binary: $$size bytes of $(SIZE_LIMIT)"; \
	if [ $$size -gt $(SIZE_LIMIT) ]; then echo "too big: find out what came in with 'go list -deps $(MAIN)'"; exit 1; fi

.PHONY: lint
lint: $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION).stamp ## formatting, bugs, and the walls between the packages
	$(TOOLS)/golangci-lint run

.PHONY: cross
cross: ## build for linux arm (v6), arm64, windows and darwin
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o bin/telegraf-dlms-linux-armv6 $(MAIN)
	GOOS=linux GOARCH=arm64 $(BUILD) -o bin/telegraf-dlms-linux-arm64 $(MAIN)
	GOOS=windows GOARCH=amd64 $(BUILD) -o bin/telegraf-dlms-windows-amd64.exe $(MAIN)
	GOOS=darwin GOARCH=arm64 $(BUILD) -o bin/telegraf-dlms-darwin-arm64 $(MAIN)
	@ls -l bin/telegraf-dlms-*

.PHONY: interop
interop: build gurux-java jdlms python-peers ## our client against a foreign meter, foreign clients against ours, one line per cell
	$(GO) run ./interop -binary $(BIN)

.PHONY: e2e
e2e: build shim gurux-java $(TOOLS)/telegraf-$(TELEGRAF_VERSION)-$(TELEGRAF_BUILD).stamp ## real Telegraf and InfluxDB: a foreign meter's values from end to end
	@command -v influxd >/dev/null || { echo "influxd is missing; on Debian: apt-get install --no-install-recommends influxdb"; exit 1; }
	$(GO) test -tags e2e -count=1 -v -timeout 10m ./e2e/

.PHONY: shim
shim: build ## the plugin under Telegraf's stock shim
	cd internal/shimtest && $(GO) build -mod=readonly -trimpath -o $(CURDIR)/bin/shimtest .
	@sh scripts/shim.sh bin/shimtest $(BIN)

.PHONY: bench
bench: build gurux-java jdlms python-peers ## each figure beside its target; nothing fails for being slow
	$(GO) run ./bench -binary $(BIN)

.PHONY: soak
soak: build $(TOOLS)/telegraf-$(TELEGRAF_VERSION)-$(TELEGRAF_BUILD).stamp ## the unit tests again and again, raced and shuffled (SOAK=20 rounds); the state killed 200 times, a year of a load profile 200 times, ciphered polling 500 times, and 50 times each with a full disk and a read-only state
	STATE_KILLS=200 $(GO) test -count=1 -run TestKilled ./internal/state/
	DLMS_KILLS=500 $(GO) test -timeout 20m -count=1 -run TestKilledPolling ./cmd/telegraf-dlms/
	HISTORY_KILLS=200 $(GO) test -tags e2e -timeout 30m -count=1 -run TestHistory ./e2e/
	$(GO) test -timeout 60m -count=$(SOAK) -shuffle=on ./...
	@sh scripts/race.sh -count=$(SOAK) -shuffle=on

.PHONY: gurux-java jdlms
gurux-java jdlms: %: interop/%/target/built.stamp
interop/gurux-java/target/built.stamp: $(wildcard interop/gurux-java/src/main/java/interop/*.java)
interop/jdlms/target/built.stamp: $(wildcard interop/jdlms/src/main/java/interop/*.java)
interop/gurux-java/target/built.stamp interop/jdlms/target/built.stamp: interop/%/target/built.stamp: interop/%/pom.xml
	@command -v mvn >/dev/null || { echo "mvn is missing; on Debian: apt-get install maven openjdk-17-jdk-headless"; exit 1; }
	cd interop/$* && mvn -q -B -Dstyle.color=never package
	@touch $@

.PHONY: python-peers
PYTHON_PEERS := $(foreach peer,gurux-python dlms-cosem pyserial,interop/$(peer)/target/built.stamp)
python-peers: $(PYTHON_PEERS)
$(PYTHON_PEERS): interop/%/target/built.stamp: interop/%/requirements.txt
	@python3 -c 'import ensurepip' || { echo "venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	python3 -m venv --clear interop/$*/target/venv
	interop/$*/target/venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

$(TOOLS)/golangci-lint-$(GOLANGCI_VERSION).stamp:
	GOBIN=$(TOOLS) CGO_ENABLED=0 $(GO) install -trimpath -ldflags "-s -w" github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@rm -f $(TOOLS)/golangci-lint-*.stamp
	@touch $@

$(TOOLS)/telegraf-$(TELEGRAF_VERSION)-$(TELEGRAF_BUILD).stamp:
	GOBIN=$(TOOLS) $(GO) install -trimpath -tags "$(TELEGRAF_TAGS)" \
		-ldflags "-s -w -X github.com/influxdata/telegraf/internal.Version=$(TELEGRAF_VERSION)" \
		github.com/influxdata/telegraf/cmd/telegraf@v$(TELEGRAF_VERSION)
	@rm -f $(TOOLS)/telegraf-*.stamp
	@touch $@

.PHONY: clean
clean: ## remove what was built; .tools stays (it takes minutes): rm -r .tools
	rm -rf bin interop/*/target
