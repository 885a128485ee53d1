package explain

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzInput(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.data)
	}
	for _, s := range []string{
		"[12:03:04] RX: 7E A0 2A", "00000000  7e a0 2a 41  |~.*A|\n00000004\n", "0000000 7e\n0000001\n", "12:03:04\n", "{0x7E,\n0xA0}",
		recordHeader + "\n2026-11-27T23:04:05Z tcp://a > 7EA0\n", `["7ea0"]`, "\\x7e\\xa0", "7E:A0\n01:02:03",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := ParseInput(data)
		if err != nil {
			return
		}
		require.NotEmpty(t, in.Octets)
		at := 0
		for _, p := range in.parts {
			require.Equal(t, at, p.from)
			require.GreaterOrEqual(t, p.to, p.from)
			at = p.to
			if p.to > p.from {
				require.Equal(t, p.line, in.Line(p.from))
			}
		}
		require.Equal(t, len(in.Octets), at)
		again, err := ParseInput([]byte(in.Text(in.Octets, []string{"a note 00112233445566"}, func(s string) string { return s })))
		require.NoError(t, err)
		require.Equal(t, in.Octets, again.Octets)
	})
}

func FuzzExplain(f *testing.F) {
	for _, g := range goldens(f) {
		in, err := ParseInput(g.data)
		require.NoError(f, err)
		f.Add(in.Octets, true, false)
		f.Add(g.data, false, true)
		f.Add(g.data, true, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, keys, text bool) {
		opt := Options{Raw: keys}
		if keys {
			opt = testOptions(t)
		}
		if keys && text {
			opt = Options{Key: unhexed(t, TestKey2), AuthKey: unhexed(t, TestAuthKey2), MasterKey: unhexed(t, TestKey2)}
		}
		in := &Input{Form: Binary}
		in.add(data, part{})
		if text {
			var err error
			if in, err = ParseInput(data); err != nil {
				return
			}
		}
		r, err := Explain(in, opt)
		require.NoError(t, err)
		checkReport(t, r)
	})
}

func FuzzRedact(f *testing.F) {
	for _, g := range goldens(f) {
		in, err := ParseInput(g.data)
		require.NoError(f, err)
		f.Add(in.Octets, false)
		f.Add(g.data, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, text bool) {
		in := &Input{Form: Binary}
		in.add(data, part{})
		if text {
			var err error
			if in, err = ParseInput(data); err != nil {
				return
			}
		}
		r, err := Redact(in, testOptions(t))
		require.NoError(t, err)
		require.Len(t, r.Octets, len(in.Octets))
		if len(in.Octets) == 0 {
			return
		}
		again, err := ParseInput([]byte(r.Text()))
		require.NoError(t, err)
		require.Equal(t, r.Octets, again.Octets)
	})
}
