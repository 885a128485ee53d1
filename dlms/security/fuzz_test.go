package security_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzOpen(f *testing.F) {
	for _, p := range []string{both, both1, both2, onlyAuthenticated, onlyAuthenticated2, onlyEncrypted, onlyEncrypted2, bothExtra, onlyAuthenticatedExtra} {
		f.Add(octets(f, p), []byte{})
		f.Add(octets(f, p), octets(f, extra))
	}
	st := octets(f, title)
	f.Fuzz(func(t *testing.T, b, extra []byte) {
		for suite := range uint8(3) {
			c := suiteContext(t, suite)
			got, err := c.OpenWith(nil, st, b, extra, getRequest)
			require.LessOrEqual(t, len(got), len(b))
			if err != nil {
				continue
			}
			// what opens without an error has a tag, and names a suite with keys of this length
			require.NotZero(t, b[0]&0x10)
			require.Zero(t, b[0]&0x80)
			require.Equal(t, suite/2, b[0]&0x0F/2)
		}
	})
}
