package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

const sample = header + `
2026-11-27T23:04:05.000000Z tcp://a:1 = cannot be opened: no route to host
2026-11-27T23:04:05.000001Z tcp://a:1 = opened
2026-11-27T23:04:05.100000Z tcp://a:1 > 7EA0
2026-11-27T23:04:05.600000Z tcp://a:1 < 7EA00A
2026-11-27T23:04:05.700000Z tcp://a:1 = closed
`

// TestTorn: wherever the file is cut, the whole lines are there, and no error.
func TestTorn(t *testing.T) {
	t.Parallel()
	for cut := len(header); cut <= len(sample); cut++ {
		whole := strings.Count(sample[:cut], "\n") - 1
		got := lines(t, sample[:cut])
		require.Contains(t, []int{max(whole, 0), whole + 1}, len(got), sample[:cut])
	}
	require.Len(t, lines(t, sample), 5)
	require.Len(t, lines(t, strings.TrimSuffix(sample, "\n")), 5, "an editor may leave out the last line feed")
	require.Len(t, lines(t, strings.ReplaceAll(sample, "\n", "\r\n")), 5)
	require.Len(t, lines(t, sample+"\n# a comment\n"), 5)
}

func TestReadMistakes(t *testing.T) {
	t.Parallel()
	const begin = "2026-11-27T23:04:05.000000Z tcp://a:1 "
	for text, want := range map[string]string{
		"":                                `line 1: "# telegraf-dlms record 1" is expected, and "" found: not a file of telegraf-dlms dump -record`,
		"[[inputs.dlms_cosem]]\nx = 1":    `line 1: "# telegraf-dlms record 1" is expected, and "[[inputs.dlms_cosem]]" found: not a file of telegraf-dlms dump -record`,
		"# telegraf-dlms record 2\n":      `line 1: "# telegraf-dlms record 1" is expected, and "# telegraf-dlms record 2" found: the file is of another version of this program`,
		header + "\nyesterday e > 00\n":   `line 2: a time like 2026-11-27T23:04:05.123456Z is expected, and "yesterday" found`,
		header + "\n\n" + begin + "\n":    `line 3: > (sent), < (received) or = (note) is expected behind the endpoint, and "" found`,
		header + "\n" + begin + "-> 0\n":  `line 2: > (sent), < (received) or = (note) is expected behind the endpoint, and "->" found`,
		header + "\n" + begin + "> 7E7\n": "line 2: octets in hexadecimal digits are expected behind >, as 7EA0, and something else found",
		header + "\n" + begin + "<\n":     "line 2: octets in hexadecimal digits are expected behind <, as 7EA0, and something else found",
		header + "\n" + begin + "= \n":    "line 2: a text is expected behind =, and nothing found",
		header + "\n" + begin[:27] + "\n": "line 2: an endpoint like tcp://10.0.0.5:4059 is expected behind the time, and nothing found",
		header + "\n" + begin + "> " + strings.Repeat("00", 5000) + "\n" + begin + "> 00": "line 2: the line is too long: at most 100 octets are expected",
	} {
		var first error
		n := 0
		for l, err := range Read(strings.NewReader(text), 100) {
			if n++; n == 1 {
				first = err
				require.Zero(t, l)
			} else {
				require.NoError(t, err, "the next line follows")
			}
		}
		require.EqualError(t, first, want)
	}
	broken := errors.New("disk broken")
	n := 0
	for _, err := range Read(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(sample))), 100) {
		require.ErrorIs(t, err, iotest.ErrTimeout)
		n++
	}
	for _, err := range Read(iotest.ErrReader(broken), 100) {
		require.ErrorIs(t, err, broken)
		n++
	}
	require.Equal(t, 2, n)
	for _, err := range Read(strings.NewReader(sample), 100) {
		require.NoError(t, err)
		break // no more is read
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	all := lines(t, sample)
	one := append(append([]Line{}, all[1:]...), all[0]) // and a vain attempt to open another one
	require.Equal(t, [][]Line{one, one}, Connections(append(append(append([]Line{}, all...), all...), all[0])))
	require.Equal(t, [][]Line{all[2:4]}, Connections(all[2:4]), "without notes")
	require.Equal(t, [][]Line{all[2:4], all[1:2]}, Connections([]Line{all[2], all[3], all[1]}))
	require.Empty(t, Connections(all[:1]))
	require.Empty(t, Connections(nil))
}

// FuzzRead: whatever is in a file, lines are as long as is allowed, and those
// that are read can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(header + "\n2026-11-27T23:04:05+01:00 a\xff = \x1b[2J \u2028 x\n9999-12-31T23:59:59-01:00 a > 00\n"))
	f.Add([]byte(header))
	f.Fuzz(func(t *testing.T, text []byte) {
		const most = 200
		for l, err := range Read(bytes.NewReader(text), most) {
			if err != nil {
				require.Regexp(t, `^line \d+: `, err.Error())
				require.Zero(t, l)
				continue
			}
			require.LessOrEqual(t, len(l.Octets)*2+len(l.Endpoint)+len(l.Note), most)
			if y := l.Time.UTC().Year(); y < 0 || y > 9999 {
				continue
			}
			written := string(l.append(nil))
			again := lines(t, header+"\n"+written)
			require.Len(t, again, 1)
			require.Equal(t, written, string(again[0].append(nil)))
			require.Equal(t, fmt.Sprint(l.Octets, l.Endpoint, l.Note, l.Sent, l.Received), fmt.Sprint(again[0].Octets, again[0].Endpoint, again[0].Note, again[0].Sent, again[0].Received))
		}
	})
}
