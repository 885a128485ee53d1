package obis_test

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

func TestDescribe(t *testing.T) {
	b, err := os.ReadFile("testdata/meanings.txt")
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		text, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		require.True(t, ok, line)
		code, err := obis.Parse(text)
		require.NoError(t, err)
		assert.Equal(t, want, code.Describe(), text)
		n++
	}
	require.GreaterOrEqual(t, n, 300)
}

// FuzzDescribe: whatever the code, the words are few and clean.
func FuzzDescribe(f *testing.F) {
	f.Add([]byte{1, 0, 1, 8, 0, 255})
	f.Add([]byte{0, 0, 96, 7, 19, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		code, ok := obis.FromOctets(b)
		if !ok {
			return
		}
		s := code.Describe()
		require.True(t, utf8.ValidString(s))
		require.Less(t, len(s), 160)
		require.NotContains(t, s, "%")
		require.Equal(t, strings.TrimSpace(s), s)
		require.NotContains(t, s, ", ,")
	})
}
