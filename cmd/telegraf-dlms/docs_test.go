package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestManualNamesTests: each test that docs/manual.md names as a proof is there.
func TestManualNamesTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/manual.md")
	require.NoError(t, err)
	named := regexp.MustCompile(`\[(Test\w+)\]\(([^)]+)\)`).FindAllSubmatch(text, -1)
	require.Greater(t, len(named), 20)
	for _, n := range named {
		file := filepath.Join("../../docs", string(n[2]))
		b, err := os.ReadFile(file)
		if assert.NoError(t, err) {
			assert.Contains(t, string(b), "\nfunc "+string(n[1])+"(t *testing.T)", file)
		}
	}
}
