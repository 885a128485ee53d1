package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Zones are known on a host without zone files: the program runs where there is
// no file but itself and its configuration.
func TestZonesWithoutFiles(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(root, "telegraf-dlms"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("cannot build the program here: %v: %s", err, out)
	}
	text := edit(`name = "main meter"`, `+meter_timezone = "Europe/Berlin"`)
	require.NoError(t, os.WriteFile(filepath.Join(root, "dlms.conf"), []byte(text), 0o600))
	cmd := exec.Command("/telegraf-dlms", "check", "-config", "/dlms.conf")
	cmd.Dir = "/"
	cmd.Env = []string{"ZONEINFO=/nowhere"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Skipf("cannot run a program with another root: %v", err)
	}
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "no mistakes")
}
