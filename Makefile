# What .ci/run does, in parts. See .github/CONTRIBUTING.md.

.PHONY: check test long race fuzz e2e bench

check:
	@unformatted=$$(gofmt -l .) && [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	for module in . deploy/kubernetes/image deploy/kubernetes/test; do (cd $$module && go mod tidy -diff && go vet ./... && \
		go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...) || exit 1; done
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

test:
	go test ./...

long:
	LONG=1 go test -timeout 60m ./...
	cd deploy/kubernetes/test && LONG=1 go test -timeout 60m ./...

race:
	CGO_ENABLED=1 go test -race -timeout 60m . ./plugin/...

fuzz:
	@set -e; for dir in $$(go list -f '{{.Dir}}' ./...); do \
		for target in $$(cat "$$dir"/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p'); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime 100000x -fuzzminimizetime 100x "$$dir"; \
		done; \
	done

e2e:
	go test -v ./internal/e2e

bench:
	go run ./bench
