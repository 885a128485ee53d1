package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Name is the name of the state of a configuration file, without ending.
func Name(config string) string {
	if abs, err := filepath.Abs(config); err == nil && config != "" {
		config = abs
	}
	sum := sha256.Sum256([]byte(config))
	return "state-" + hex.EncodeToString(sum[:8])
}

const (
	program   = "telegraf-dlms"
	systemDir = "/var/lib/" + program
)

// Dir is the directory of the state: the one that is configured, else that of
// the service manager ($STATE_DIRECTORY), else /var/lib/telegraf-dlms if it can
// be written to, else that of the user.
func Dir(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	if list := os.Getenv("STATE_DIRECTORY"); list != "" {
		dir, _, _ := strings.Cut(list, ":") // systemd: several are possible
		return dir, nil
	}
	if runtime.GOOS != "windows" && writable(systemDir) {
		return systemDir, nil
	}
	return userDir()
}

// writable reports whether a directory is there, or can be made, and takes files.
func writable(dir string) bool {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false
	}
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		return false
	}
	_ = f.Close()
	return os.Remove(f.Name()) == nil
}

// userDir is where the platform has the state of a user's programs.
func userDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" && runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		return filepath.Join(dir, program), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return "", errors.New("there is no directory for the state: set state_dir")
		}
		return filepath.Join(dir, program), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("there is no directory for the state: set state_dir")
	}
	return filepath.Join(home, ".local", "state", program), nil
}

// syncDir has a new file found in its directory after a power failure. Not all
// systems can do that; those that cannot keep the order by themselves.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil { //nolint:gosec // the directory that the user names
		_ = d.Sync()
		_ = d.Close()
	}
}
