package acse

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzAARQ(f *testing.F) {
	for _, c := range aarqCases {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseAARQ(b)
		if err != nil {
			return
		}
		out, err := q.Append(nil)
		if q.Context == ContextUnknown || q.Mechanism == MechanismForeign {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		again, err := ParseAARQ(out)
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}

func FuzzAARE(f *testing.F) {
	for _, c := range aareCases {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseAARE(b)
		if err != nil {
			return
		}
		_ = p.Diagnostic.String()
		out, err := p.Append(nil)
		if p.Mechanism == MechanismForeign {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		again, err := ParseAARE(out)
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}

func FuzzRelease(f *testing.F) {
	for _, c := range rlrqCases {
		f.Add(octets(f, c.hex))
	}
	for _, c := range rlreCases {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := ParseRLRQ(b); err == nil {
			again, err := ParseRLRQ(q.Append(nil))
			require.NoError(t, err)
			require.Equal(t, q, again)
		}
		if p, err := ParseRLRE(b); err == nil {
			again, err := ParseRLRE(p.Append(nil))
			require.NoError(t, err)
			require.Equal(t, p, again)
		}
	})
}
