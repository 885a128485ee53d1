package hdlc_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// TestNoiseCost bounds what noise costs. All that is summed up for a false
// frame is its header, unless the error is FrameFCS, which tells the length.
func TestNoiseCost(t *testing.T) {
	t.Parallel()
	const size = 1 << 18
	// header is a frame that promises 2047 octets and is right up to its HCS.
	header := unhex(t, "7E A7FF 03 21 32")
	header = append(header, le16(hdlc.FCS16(header[1:]))...)
	address := unhex(t, "7E A7FF 02020202")
	tests := []struct {
		name   string
		period []byte
		summed int // octets summed up for FCS per octet of noise, at most
	}{
		{"false lengths", unhex(t, "7E A7FF"), 0},
		{"flags", []byte{hdlc.Flag}, 0},
		{"flags and format fields", unhex(t, "7E A0"), 0},
		{"short frames", unhex(t, "7E A007 032193"), 2},
		{"long addresses", address, 0},
		{"zeroes", []byte{0}, 0},
		// Each promises 2047 octets and has a flag behind them: the worst case.
		{"headers with correct checks", header, 2048 / 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			noise := bytes.Repeat(tt.period, size/len(tt.period))
			calls, summed := 0, 0
			frames, rest, errs := cutAll(t, noise)
			for _, e := range errs {
				calls++
				if e.Kind == hdlc.FrameFCS {
					summed += e.Length
				}
			}
			require.Empty(t, frames)
			require.LessOrEqual(t, len(rest), hdlc.MaxFrame, "noise is kept")
			require.LessOrEqual(t, calls, size)
			require.LessOrEqual(t, summed, tt.summed*size)
		})
	}
}
