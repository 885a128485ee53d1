package dlms_cosem

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A Secret is a password: as it is, or "file:/path", "env:NAME", "hex:..." or
// "text:..." for one that begins like these. Files are read each time, so that
// a change takes effect at the next login. It never shows itself.
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
		return nil, errors.New(`Telegraf's secret stores are not available here: use "file:/path" or "env:NAME"`)
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
	default:
		return []byte(s.source), nil
	}
}

// readSecretFile reads a file without the line end that editors add.
func readSecretFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(b) > maxSecret {
		return nil, fmt.Errorf("%s has %d octets: too long for a password (at most %d)", path, len(b), maxSecret)
	}
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b, nil
}

// hexOctets reads hexadecimal digits, with blanks or colons between them.
func hexOctets(digits string) ([]byte, error) {
	return hex.DecodeString(strings.NewReplacer(" ", "", ":", "").Replace(digits))
}
