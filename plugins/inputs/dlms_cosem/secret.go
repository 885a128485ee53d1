package dlms_cosem

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A Secret is a password or a key: as it is, or "file:/path", "env:NAME",
// "credential:NAME" (one of systemd's), "hex:..." or "text:..." for one that
// begins like these. Files are read each time, so that a change takes effect at
// the next login. It never shows itself.
type Secret struct {
	source string
	set    bool
}

// maxSecret is how much of a file is taken for a password, in octets.
const maxSecret = 4096

// UnmarshalText never fails; Init reports what cannot be read.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret{source: string(text), set: true}
	return nil
}

// Set reports whether the key is there.
func (s Secret) Set() bool { return s.set }

// String hides the secret.
func (s Secret) String() string { return "***" }

// GoString hides the secret.
func (s Secret) GoString() string { return "***" }

// Get returns the secret's octets. Errors name the place, never the secret.
func (s Secret) Get() ([]byte, error) {
	kind, rest, _ := strings.Cut(s.source, ":")
	switch {
	case strings.HasPrefix(s.source, "@{"):
		return nil, errors.New(`Telegraf's secret stores are not available here: use "file:/path", "env:NAME" or "credential:NAME"`)
	case kind == s.source:
		return []byte(s.source), nil
	case kind == "text":
		return []byte(rest), nil
	case kind == "hex":
		b, err := hexOctets(rest)
		if err != nil {
			return nil, errors.New(`after "hex:" an even number of hexadecimal digits is expected; a password that really begins so is written "text:hex:..."`)
		}
		return b, nil
	case kind == "env":
		v, ok := os.LookupEnv(rest)
		if !ok {
			return nil, fmt.Errorf("environment variable %s is not set", cleanText(rest))
		}
		return []byte(v), nil
	case kind == "file":
		return readSecretFile(rest)
	case kind == "credential":
		return readCredential(rest)
	default:
		return []byte(s.source), nil
	}
}

// GetPublic is Get for what is no secret, as certificates are: everybody may
// read the file, and it may be longer; only to change it is for its owner.
func (s Secret) GetPublic() ([]byte, error) {
	if path, ok := strings.CutPrefix(s.source, "file:"); ok {
		return readKeyFile(path, maxPublic, mayBeRead)
	}
	return s.Get()
}

// maxPublic is how much of a file is taken for certificates, in octets.
const maxPublic = 256 << 10

// readSecretFile reads a file without the line end that editors add.
func readSecretFile(path string) ([]byte, error) { return readKeyFile(path, maxSecret, private) }

func readKeyFile(path string, most int64, check func(path string, info os.FileInfo) error) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the configuration says which file has a key
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s has more than %d octets: too long for a password or a key", path, most)
	}
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b, nil
}

// exposed are the rights that a file of secrets may not give: that everybody may
// read or change it, or the group change it. That the group may read it is how
// the secrets of a service are kept: 0640 root:telegraf.
const exposed = 0o026

// private reports a file with secrets that is open to others. Pipes, which a
// shell makes of <(...), are not looked at: they are nobody else's.
func private(path string, info os.FileInfo) error {
	if runtime.GOOS == "windows" || !info.Mode().IsRegular() || info.Mode().Perm()&exposed == 0 {
		return nil
	}
	return fmt.Errorf("others may read or change %s (mode %04o): chmod 600 it, or 640 if this program reads it by its group", path, info.Mode().Perm())
}

// mayBeRead reports a file that others may change: whoever changes the key of a
// meter takes its place.
func mayBeRead(path string, info os.FileInfo) error {
	if runtime.GOOS == "windows" || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 == 0 {
		return nil
	}
	return fmt.Errorf("others may change %s (mode %04o): chmod 644 it", path, info.Mode().Perm())
}

// readCredential reads what systemd hands to a service (LoadCredential=), in a
// directory that no other one can read (systemd.exec(5)).
func readCredential(name string) ([]byte, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`):
		return nil, errors.New(`after "credential:" the name of a credential is expected, which is no path; a password that really begins so is written "text:credential:..."`)
	case dir == "":
		return nil, fmt.Errorf("credential %s: $CREDENTIALS_DIRECTORY is not set: add LoadCredential=%s:/path/of/the/file to the systemd unit that starts this program", cleanText(name), cleanText(name))
	default:
		return readSecretFile(filepath.Join(dir, name))
	}
}

// hexOctets reads hexadecimal digits, with blanks or colons between them.
func hexOctets(digits string) ([]byte, error) {
	return hex.DecodeString(strings.NewReplacer(" ", "", ":", "").Replace(digits))
}
