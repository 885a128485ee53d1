//go:build !race

package dlms

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// The race detector allocates.
func TestRowsDoNotAllocate(t *testing.T) {
	const n = 100
	for name, b := range map[string][]byte{"array": profile(n), "compact-array": compactProfile(n)} {
		t.Run(name, func(t *testing.T) {
			rows := 0
			r := cutterFor(1000, func(axdr.Data) error { rows++; return nil })
			head := 2
			if name != "array" {
				head = 9
			}
			require.NoError(t, r.take(b[:head], false))
			require.True(t, r.begun)
			r.count, r.size, r.left = r.count*1000, r.size*1000, r.left*1000 // it goes on
			require.NoError(t, r.take(b[head:], false))
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if err := r.take(b[head:], false); err != nil {
					t.Error(err)
				}
			}))
			require.Zero(t, testing.AllocsPerRun(100, func() { // blocks end within rows
				for piece := range slices.Chunk(b[head:], 1000) {
					if err := r.take(piece, false); err != nil {
						t.Error(err)
					}
				}
			}), "in blocks")
			require.Equal(t, 203*n, rows)
		})
	}
}
