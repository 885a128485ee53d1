package security

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// isPEM reports whether octets are PEM text rather than DER or a bare key.
func isPEM(b []byte) bool { return bytes.Contains(b, []byte("-----BEGIN ")) }

// cutPEM returns the DER octets of the first block of one of some types, its
// type, and what is behind it. Other blocks are skipped; the error names them,
// and holds nothing of what is inside.
func cutPEM(b []byte, types ...string) (der []byte, kind string, rest []byte, err error) {
	var seen []string
	for {
		block, after := pem.Decode(b)
		if block == nil {
			break
		}
		if slices.Contains(types, block.Type) && len(block.Headers) == 0 {
			return block.Bytes, block.Type, after, nil
		}
		name := fmt.Sprintf("%.40q", block.Type)
		if len(block.Headers) > 0 || block.Type == "ENCRYPTED PRIVATE KEY" {
			name += " (encrypted: decrypt it first)"
		}
		seen = append(seen, name)
		b = after
		if len(seen) == maxSkipped {
			break
		}
	}
	wanted := `"` + strings.Join(types, `" or "`) + `"`
	if len(seen) == 0 {
		return nil, "", nil, fmt.Errorf("there is no whole PEM block, want %s", wanted)
	}
	return nil, "", nil, fmt.Errorf("the PEM block is %s, want %s", strings.Join(seen, ", "), wanted)
}

// maxSkipped is how many PEM blocks of other types are skipped at most.
const maxSkipped = 8
