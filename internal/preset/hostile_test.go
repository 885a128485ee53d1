package preset

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHostilePresets: a file from somebody else may be as large and as deep as it
// wants. It costs what its octets are worth.
func TestHostilePresets(t *testing.T) {
	dir := t.TempDir()
	size := 1 << 20
	if raceEnabled { // one goroutine reads them
		size >>= 3
	}
	for name, text := range map[string]string{
		"too large":    strings.Repeat("#", 8<<20+1),
		"arrays":       "x = " + strings.Repeat("[", 4*size),
		"tables":       "x = " + strings.Repeat("{a=", size),
		"dotted":       strings.Repeat("a.", size) + "a = 1",
		"items":        strings.Repeat("[[item]]\n", size/2),
		"one long key": strings.Repeat("k", 8<<20-10) + " = 1",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "p.toml")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := Load[link, item](file, dir, nil)
			if name != "items" { // which say nothing, and are none before they are used
				require.Error(t, err)
				require.Less(t, len(err.Error()), 1000)
			}
			require.Less(t, time.Since(began), time.Minute)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<30))
		})
	}
}
