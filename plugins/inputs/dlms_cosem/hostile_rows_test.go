package dlms_cosem

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHostileRows runs what is tested for its outcome elsewhere once more, for
// what it costs: attacks that are answered by a decision, and not by a limit.
func TestHostileRows(t *testing.T) {
	const most = 64 << 20 // octets in use, over those before
	for name, attack := range map[string]func(*testing.T){
		"counter that jumps to its end":      TestSecuredJump,
		"wrong key, to have us lock a meter": TestWrongKeyOverDays,
		"telegrams sent once more":           TestReplayedPushes,
		"forged telegrams":                   TestForgedCounters,
		"dead meter on a line of forty":      TestDeadMeterOfForty,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			peak, end, done := uint64(0), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-end:
						return
					case <-time.After(20 * time.Millisecond):
						var now runtime.MemStats
						runtime.ReadMemStats(&now)
						peak = max(peak, now.HeapInuse)
					}
				}
			}()
			attack(t)
			close(end)
			<-done
			require.Less(t, time.Since(began), 3*time.Minute)
			require.Less(t, peak, before.HeapInuse+4*most, "at any time")
			runtime.GC()
			runtime.ReadMemStats(&after)
			require.Less(t, after.HeapInuse, before.HeapInuse+most, "afterwards")
		})
	}
}
