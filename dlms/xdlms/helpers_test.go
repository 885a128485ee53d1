package xdlms

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// octets reads hexadecimal text, in which blanks may stand anywhere.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// bcd gives the numbers from first to last, each as two decimal digits, in hexadecimal text.
func bcd(first, last int) string {
	var s strings.Builder
	for i := first; i <= last; i++ {
		s.WriteByte('0' + byte(i/10))
		s.WriteByte('0' + byte(i%10))
	}
	return s.String()
}

// requirePrefixesFail checks that no strict prefix of b but those with the lengths given is accepted, and that the
// error says that octets are missing.
func requirePrefixesFail(t *testing.T, b []byte, parse func([]byte) error, but ...int) {
	t.Helper()
	for n := range b {
		err := parse(b[:n:n])
		accepted := false
		for _, m := range but {
			accepted = accepted || m == n
		}
		if accepted {
			require.NoError(t, err, "%d octets", n)
			continue
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", n)
	}
}

// refusal is a case of a parser's error.
type refusal struct {
	name string
	hex  string
	want string
}

func requireRefusals(t *testing.T, cases []refusal, parse func([]byte) error) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := parse(octets(t, c.hex))
			require.EqualError(t, err, c.want)
			var syntax *SyntaxError
			require.ErrorAs(t, err, &syntax)
			assert.Equal(t, strings.HasSuffix(c.want, "unexpected EOF"), errors.Is(err, io.ErrUnexpectedEOF))
		})
	}
}

func requireNoAllocation(t *testing.T, run func() error) {
	t.Helper()
	require.NoError(t, run())
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = run() }))
}
