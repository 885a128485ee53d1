package dlms_cosem

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// oneRun is a run of a program of its own, with the state in a directory.
func oneRun(t *testing.T, dir string, n *network) (*sink, *journal) {
	d, j := plugin(t, n, registersConf(hdlcTop+"\nstate_dir = \""+dir+"\"", "", 20))
	d.State, d.ConfigPath = nil, "dlms.conf"
	require.NoError(t, d.Init())
	acc := &sink{}
	failed, err := d.RunOnce(context.Background(), acc, "")
	require.NoError(t, err)
	require.Zero(t, failed)
	return acc, j
}

// TestStateOverRestarts: what one program has learned, the next one knows; but
// not of another meter.
func TestStateOverRestarts(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		o := newChanging("METER1", -1)
		n.set("", &host{meter: newMeter("hdlc", o)})
		for range 3 {
			acc, j := oneRun(t, dir, n)
			require.Equal(t, 20, requireTrue(t, acc))
			require.Empty(t, j.at("W! "))
		}
		total := 0
		for k := range 20 {
			total += o.times(3, k, 3)
		}
		require.Equal(t, 20+2, total, "all once, and one in each later run")
		o.change(func(c *changing) { c.name, c.scaler = "METER2", 2 })
		acc, _ := oneRun(t, dir, n)
		require.Equal(t, 20, requireTrue(t, acc))
	})
}

// TestStateUnusable: plain meters are read without a state, after one warning.
func TestStateUnusable(t *testing.T) {
	abs, err := filepath.Abs("dlms.conf")
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"locked": {func(t *testing.T, dir string) {
			s, err := state.Open(dir, abs)
			require.NoError(t, err)
			t.Cleanup(func() { _ = s.Close() })
		}, "is in use by a running instance: what this one learns about meters is forgotten at its end"},
		"unwritable": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.WriteFile(dir, nil, 0o600))
		}, "the directory cannot be made: not a directory; until then what is learned"},
		"foreign": {func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, state.Name(abs)+".db"), []byte("a file of somebody else"), 0o600))
		}, "is no state, or a damaged one: move it away to begin a new one"},
		"gone": {func(t *testing.T, dir string) {
			s, err := state.Open(dir, abs)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			require.NoError(t, os.Remove(s.Path()))
		}, "is gone: what was known about the meters is learned anew"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			require.NoError(t, os.Mkdir(dir, 0o700))
			tt.prepare(t, dir)
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.set("", &host{meter: newMeter("hdlc", newChanging("METER1", -1))})
				acc, j := oneRun(t, dir, n)
				require.Equal(t, 20, requireTrue(t, acc))
				require.Len(t, j.at("W! "), 1)
				require.Contains(t, j.at("W! ")[0], tt.want)
			})
		})
	}
}
