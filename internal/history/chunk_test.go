package history

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestChunks: answers grow to what fits, and shrink where they do not.
func TestChunks(t *testing.T) {
	const period = 15 * time.Minute
	var c Chunks
	require.Equal(t, firstRows, c.Rows(1000))
	require.Equal(t, 8*time.Hour, c.Span(period, 1000))
	require.Equal(t, 10, c.Rows(10), "no more than may be handed over in a second")
	for range 20 {
		rows := c.Rows(1000)
		c.Took(rows, rows, rows*50, time.Second/10)
	}
	require.Equal(t, wanted/50, c.rows, "50 octets each")
	for range 20 {
		c.Took(c.Rows(1000), 1, c.Rows(1000)*50, 100*time.Second)
	}
	require.Equal(t, 1, c.rows, "the line is slow")
	c = Chunks{}
	c.Failed()
	require.Equal(t, 1, c.Rows(1000))

	c = Chunks{}
	require.Equal(t, 24*time.Hour, c.Span(0, 1000), "nothing is known of the rows")
	c.Took(0, 0, 0, time.Second)
	require.Equal(t, 96*time.Hour, c.Span(0, 1000), "an empty one")
	for range 100 {
		c.Took(0, 0, 0, time.Second)
	}
	require.Equal(t, longestSpan, c.Span(0, 1000))

	c = Chunks{}
	before := c.Span(period, 1000)
	c.Took(2, 0, 100, time.Second)
	require.Greater(t, c.Span(period, 1000), before, "without a new row the next step is longer")
	c.Took(2, 1, 100, time.Second)
	require.LessOrEqual(t, c.Span(period, 1000), before)
}

// FuzzChunks: whatever is measured, what to ask for next is positive, within
// bounds, and goes forward.
func FuzzChunks(f *testing.F) {
	f.Add(int64(900), 1000, []byte{1, 0, 0, 0, 0, 0, 0, 2, 0xFF})
	f.Add(int64(0), 1, []byte{0, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0, 1, 1, 1})
	f.Fuzz(func(t *testing.T, seconds int64, most int, steps []byte) {
		if seconds < 0 || seconds > 366*24*3600 || most < 1 || len(steps) > 2000 {
			return
		}
		var c Chunks
		period := time.Duration(seconds) * time.Second
		for len(steps) >= 9 {
			n := int(binary.LittleEndian.Uint32(steps[1:])) % unlimitedRows
			fresh := n
			if steps[0]&4 != 0 {
				fresh = n / 3
			}
			d := time.Duration(binary.LittleEndian.Uint32(steps[5:])) * time.Millisecond
			switch steps[0] & 3 {
			case 0:
				c.Failed()
			case 1:
				c.Took(n, fresh, int(binary.LittleEndian.Uint32(steps[5:])), d)
			case 2:
				c.Took(0, 0, 0, 0)
			default:
				c.Took(n, 0, n*70, d)
			}
			steps = steps[9:]
			rows, span := c.Rows(most), c.Span(period, most)
			require.Positive(t, rows)
			require.LessOrEqual(t, rows, most)
			require.Positive(t, span)
			require.LessOrEqual(t, span, 2*longestSpan)
			if period == 0 {
				require.GreaterOrEqual(t, span, time.Minute)
			} else {
				require.GreaterOrEqual(t, span, period)
			}
		}
	})
}

// unlimitedRows is more than any profile has.
const unlimitedRows = 20_000_000
